"""The provider's own record of every request: the truth the gateway is held to.

Times named `_s` are on CLOCK_MONOTONIC, which all processes of one machine share, so
a test may compare them with its own `time.monotonic()`.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import IO, Any
from urllib.parse import parse_qs

from tests.faults.fake_provider.http1 import Connection, Request
from tests.faults.fake_provider.model_name import model_of
from tests.faults.fake_provider.reply import JsonObject
from tests.faults.fake_provider.script import base_of

SECRET_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"})


@dataclass(slots=True)
class Entry:
    """One request and what became of it.

    `ended` is None while it runs, then `complete`, `client_fin`, `client_rst`,
    `cut_fin`, `cut_rst` (ended by us on the script's behalf) or `error`.
    `close_noticed_ms` is the time from our last write (or the request's arrival, if we
    wrote nothing) to the moment the client's close was seen.
    """

    number: int
    connection: int
    method: str
    path: str
    model: str | None
    key_sha256: str | None
    headers: dict[str, str]
    body_sha256: str
    body: JsonObject | None
    body_bytes: int
    started_s: float
    arrived_s: float
    arrived_wall_s: float
    attempt: int = 0
    status: int | None = None
    head_sent: bool = False
    bytes_sent: int = 0
    body_bytes_sent: int = 0
    events_sent: int = 0
    tokens_sent: int = 0
    text_sent: str = ""
    said: JsonObject = field(default_factory=dict)
    hung: bool = False
    ended: str | None = None
    ended_s: float | None = None
    last_write_s: float | None = None
    close_noticed_ms: float | None = None
    stalled_ms: float = 0.0
    connection_ended: str | None = None
    connection_ended_s: float | None = None


class Ledger:
    """All entries since the start or the last reset, in order of arrival."""

    def __init__(self, file: IO[str] | None = None) -> None:
        self._entries: list[Entry] = []
        self._numbered = 0
        self._file = file
        self._changed = asyncio.Event()

    def open(self, connection: Connection, request: Request) -> Entry:
        self._numbered += 1
        entry = _entry(self._numbered, connection.number, request)
        self._entries.append(entry)
        connection.gone.add_done_callback(lambda _: self._left(entry, connection))
        self.touch()
        return entry

    def end(self, entry: Entry, how: str, connection: Connection) -> None:
        """Write down how an answer ended; the file gets its line now."""
        entry.ended = how
        entry.ended_s = time.monotonic()
        entry.last_write_s = connection.last_write_s
        entry.stalled_ms = connection.stalled_s * 1000
        if how.startswith("client_"):
            departure = connection.gone.result()
            entry.ended_s = departure.at_s
            since_s = max(entry.arrived_s, connection.last_write_s or 0.0)
            entry.close_noticed_ms = (departure.at_s - since_s) * 1000
        if self._file is not None:
            self._file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
            self._file.flush()
        self.touch()

    def select(self, filters: dict[str, str]) -> Iterator[JsonObject]:
        """Yield entries whose fields equal the filters; `model` matches its base too."""
        for entry in self._entries:
            if all(_matches(entry, *item) for item in filters.items()):
                yield asdict(entry)

    def reset(self) -> None:
        """Forget all entries; numbers go on, so that ids stay unlike each other."""
        self._entries.clear()
        self.touch()

    async def until(self, satisfied: Callable[[], bool], timeout_s: float) -> bool:
        """Wait for a change after which the condition holds; False when it is late."""
        try:
            async with asyncio.timeout(timeout_s):
                while not satisfied():
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _left(self, entry: Entry, connection: Connection) -> None:
        departure = connection.gone.result()
        entry.connection_ended = departure.how
        entry.connection_ended_s = departure.at_s
        self.touch()

    def touch(self) -> None:
        """Wake those who wait for a change."""
        # Each change has an event of its own: set wakes the waiters, who then wait
        # for the next one.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def secret(value: str) -> str:
    return hashlib.sha256(value.encode("latin-1", "replace")).hexdigest()


def api_key(request: Request) -> str:
    """Return the caller's key from whichever header the dialect carries it in, or from `?key=`."""
    bearer = (request.header("authorization") or "").partition(" ")[2]
    others = (request.header(name) for name in sorted(SECRET_HEADERS - {"cookie"}))
    asked = parse_qs(request.target.partition("?")[2]).get("key", [""])[0]
    return bearer or next((value for value in others if value), asked)


def parsed(body: bytes) -> JsonObject | None:
    try:
        value: Any = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _entry(number: int, connection: int, request: Request) -> Entry:
    body = parsed(request.body)
    model = model_of(request.path, body.get("model") if body else None)
    key = api_key(request)
    return Entry(
        number=number,
        connection=connection,
        method=request.method,
        path=request.path,
        model=model,
        key_sha256=secret(key) if key else None,
        headers={name.lower(): _shown(name, value) for name, value in request.headers},
        body_sha256=hashlib.sha256(request.body).hexdigest(),
        body=body,
        body_bytes=len(request.body),
        started_s=request.started_s,
        arrived_s=request.arrived_s,
        arrived_wall_s=time.time(),
    )


def _shown(name: str, value: str) -> str:
    return f"sha256:{secret(value)}" if name.lower() in SECRET_HEADERS else value


def _matches(entry: Entry, name: str, wanted: str) -> bool:
    found = getattr(entry, name, None)
    if name == "model" and isinstance(found, str) and base_of(found) == wanted:
        return True
    return str(found) == wanted
