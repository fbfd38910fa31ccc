"""Dialect: one vendor's wire, as far as the adapter goes. It translates and never waits, except by the `fetch` that it is given."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.embedding import EmbedCall
from promptwire_server.core.errors import PromptwireError
from promptwire_server.providers.answer import Answer
from promptwire_server.providers.framing import Parser
from promptwire_server.providers.json_value import Json, JsonObject
from promptwire_server.providers.upstream import Bounds


@dataclass(frozen=True, slots=True)
class Wire:
    """One request as the dialect words it: where to, and what it says."""

    path: str  # behind the base URL, e.g. "/chat/completions", or beside its last part: "/../x"; never from a caller, but for quoted names
    body: bytes = b""  # JSON
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)  # besides those of the endpoint


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer whose status is no success."""

    status: int
    headers: Mapping[str, str]  # case-insensitive
    body: bytes  # its beginning
    model: str  # what was asked for, for messages
    now_epoch_s: float


Fetch = Callable[[Wire], Awaitable[JsonObject]]  # the JSON object that the vendor answers; raises its refusal as one of our errors


@dataclass(frozen=True, slots=True)
class Embedded:
    """What one request for vectors gave."""

    vectors: Sequence[Sequence[float]]  # in the order of the texts
    model: str = ""  # that answered, in the vendor's name
    input_tokens: int | None = None  # None: the vendor did not say


WireOfTexts = Callable[[Sequence[str]], Wire]  # the request for one batch of texts


class Embeddings(Protocol):
    """How a dialect asks for vectors."""

    most_texts: int  # in one request

    def to_wire(self, call: EmbedCall) -> WireOfTexts:
        """The call in the vendor's words, but for the texts, which go in batches.

        Raises InvalidRequest and CapabilityMissing with the path of the field; notes in the call's trail what it drops.
        """
        ...

    def from_wire(self, body: Json) -> Embedded:
        """The vectors. Raises UpstreamFailed for an answer that makes no sense."""
        ...


class Dialect(Protocol):
    """What an adapter needs of a vendor's wire. An instance serves one provider, and has no state."""

    request_id: str  # the header in which the vendor names a request; lower case

    @property
    def embeddings(self) -> Embeddings | None:
        """How to ask for vectors; None: there are none."""
        ...

    def ask(self, call: Call) -> tuple[Wire, Answer]:
        """The call in the vendor's words, and what will understand the answer.

        Raises InvalidRequest and CapabilityMissing with the path of the field; notes in the call's trail what it drops.
        """
        ...

    def parser(self, bounds: Bounds) -> Parser:
        """What takes a stream of this dialect apart."""
        ...

    def refused(self, refusal: Refusal) -> PromptwireError:
        """What an answer without success means."""
        ...

    async def models(self, fetch: Fetch) -> Sequence[pb.Model]:
        """What the account may use, with as much as the vendor tells of each. `source` is "provider"."""
        ...

    async def count(self, call: Call, fetch: Fetch) -> pb.CountTokensResponse | None:
        """The length of the prompt; None when neither the vendor nor the dialect can count."""
        ...
