"""Upstream: the two things that a dialect asks of HTTP. Bounds and timers are kept on this side of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from promptwire_server.core.secret import Secret

_MIB = 1 << 20
_SENDABLE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")  # values of headers


def sendable(headers: Mapping[str, str]) -> bool:
    """Whether HTTP can carry these values."""
    return all(_SENDABLE.fullmatch(value) for value in headers.values())


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long an upstream may take, in seconds, besides the deadline of the call."""

    connect_s: float = 10.0  # until the connection stands
    first_token_s: float = 120.0  # of a stream: until its first event
    idle_s: float = 60.0  # between two events; comments and pings do not count
    total_s: float = 600.0  # the whole answer


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much an upstream may send."""

    head_bytes: int = 16 << 10  # a line of the head; of a whole head, 128 such lines at most
    line_bytes: int = 8 * _MIB  # of a stream: one line, so one image in base64
    event_bytes: int = 8 * _MIB
    body_bytes: int = 8 * _MIB  # of a whole answer
    large_bytes: int = 64 * _MIB  # of one with pictures or sound that were asked for, or with vectors
    text_bytes: int = 2 * _MIB  # of one candidate: what it says in words, calls included, as far as it is kept until the end
    stream_bytes: int = 256 * _MIB  # of a stream, all of it


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom to believe and what to show; PEM files, empty: as usual."""

    ca_file: str = ""  # authorities of the vendor's certificate, in place of the system's
    cert_file: str = ""  # a certificate of ours, for vendors that ask for one
    key_file: str = ""  # its key


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an upstream is, and what every request carries."""

    name: str  # the provider's, for messages
    base_url: str  # e.g. "https://api.openai.com/v1"; a request's path is appended
    headers: Mapping[str, str]  # never shown
    secret_headers: Callable[[], Mapping[str, str]] = dict  # over `headers`; asked for each request, since secrets may change
    timeouts: Timeouts = field(default_factory=Timeouts)
    bounds: Bounds = field(default_factory=Bounds)
    max_connections: int = 256
    proxy: Secret | None = None  # an HTTP proxy, perhaps with who asks it; those in the environment are ignored
    tls: Tls = field(default_factory=Tls)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Its path is fixed by the dialect: no caller can name an upstream."""

    method: str
    path: str  # e.g. "/chat/completions", or "/../x" for beside the base URL's last part; quoted already, a query may follow
    deadline_s: float  # on the monotonic clock
    body: bytes = b""  # JSON
    headers: Mapping[str, str] = field(default_factory=dict)  # besides those of the endpoint
    most_bytes: int = 0  # of a whole answer; 0: as the bounds have it


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, whatever its status."""

    status: int
    headers: Mapping[str, str]  # case-insensitive
    body: bytes


class Stream(Protocol):
    """An answer while it arrives. Whoever opened it closes it."""

    status: int
    headers: Mapping[str, str]  # case-insensitive

    async def read(self) -> bytes:
        """The next bytes, as many as have arrived; empty at the end.

        Raises UpstreamFailed when the connection broke, a timer ran out or a bound was exceeded, and DeadlineExceeded.
        """
        ...

    def progress(self) -> None:
        """The bytes read were an event, no mere ping: starts the idle timer anew."""
        ...

    def close(self) -> None:
        """Let go, at once: closes the connection unless the answer was read to its end. Harmless when repeated."""
        ...

    def finish(self) -> None:
        """Let go after the dialect's own end: the connection is kept when the HTTP end follows shortly. Harmless when repeated."""
        ...


class Upstream(Protocol):
    """HTTP to one endpoint, with a pool of connections of its own."""

    async def fetch(self, request: Request) -> Answer:
        """A whole answer within bounds. Raises as Stream.read does."""
        ...

    async def open(self, request: Request) -> Stream:
        """An answer of which only the head has arrived. Raises as Stream.read does."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...
