"""The seam between dialects and the rest: what was asked, and what goes back."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.fake_provider.script import Script

JsonObject = dict[str, Any]
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes one answer unlike all others: its number and its time."""

    number: int
    created: int

    def hexes(self, purpose: str, size: int) -> str:
        text = f"{purpose}:{self.number}:{self.created}"
        return hashlib.sha512(text.encode()).hexdigest()[:size]


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a dialect sees it; `body` is None when it is no JSON object.

    Names of headers are in lower case; of several with one name the first counts.
    """

    method: str
    path: str
    authorised: bool
    body: JsonObject | None
    script: Script
    identity: Identity
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """A piece of the body that a reader takes as one; `text` is its visible delta."""

    data: bytes
    tokens: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before any misbehaviour; a whole one has a single event.

    `around_text` is an event (or the body) cut open where the text stands, and
    `error_event` the error that this dialect would put in its place: the timeline
    makes broken events of both without knowing the dialect.
    `text_from` is after how many events such a text may stand. `trailer` is the dialect's
    terminal marker, `ping` its own sign of life if it has one and
    `ping_from` after how many events it may be sent, `bad_json` an event whose
    JSON ends too early, where the usual one would be passed over. `said` goes to the ledger.
    `sse` is False for a stream that is no server-sent events: no comments in it then.
    """

    status: int
    headers: Headers
    content_type: str
    events: tuple[Event, ...]
    streamed: bool = False
    trailer: bytes = b""
    around_text: tuple[bytes, bytes] = (b"", b"")
    error_event: bytes = b""
    text_from: int = 0
    ping: bytes = b""
    ping_from: int = 0
    bad_json: bytes = b""
    said: JsonObject = field(default_factory=dict)
    sse: bool = True
