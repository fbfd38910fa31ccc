"""The server's side of HTTP/1.1, by hand, on one asyncio transport.

Written by hand because what matters here is what no framework shows: the moment and
the manner in which the other side leaves, and the exact bytes that go out.
"""

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, cast

MAX_HEAD_BYTES = 1 << 18
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# SO_LINGER with zero seconds: the next close sends RST instead of FIN.
LINGER_ZERO = struct.pack("ii", 1, 0)

Left = Literal["fin", "rst", "us"]


class BadRequestError(ValueError):
    """Bytes that are no HTTP/1.1 request."""


class ClientGoneError(Exception):
    """The client closed the connection while an answer was under way."""


@dataclass(frozen=True, slots=True)
class Departure:
    """How a connection ended and when, on the monotonic clock."""

    how: Left
    at_s: float


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read to its end; times on the monotonic clock."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    started_s: float
    arrived_s: float

    def header(self, name: str) -> str | None:
        """Return the first header of this name, given in lower case."""
        return _first(self.headers, name)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def keeps_alive(self) -> bool:
        return (self.header("connection") or "").lower() != "close"


@dataclass(frozen=True, slots=True)
class _Head:
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    started_s: float

    def header(self, name: str) -> str | None:
        return _first(self.headers, name)


def _first(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name), None)


class Parser:
    """Turns received bytes into requests; pipelined ones come out one by one."""

    def __init__(self, on_continue: Callable[[], None]) -> None:
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._started_s = 0.0
        self._on_continue = on_continue

    def feed(self, data: bytes) -> Iterator[Request]:
        if not self._buffer and self._head is None:
            self._started_s = time.monotonic()
        self._buffer += data
        while (request := self._next()) is not None:
            yield request

    def _next(self) -> Request | None:
        if self._head is None:
            self._head = self._take_head()
        if self._head is None:
            return None
        body = self._take_body(self._head)
        if body is None:
            return None
        head, self._head = self._head, None
        return Request(
            method=head.method,
            target=head.target,
            headers=head.headers,
            body=body,
            started_s=head.started_s,
            arrived_s=time.monotonic(),
        )

    def _take_head(self) -> _Head | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise BadRequestError("request head too long")
            return None
        text = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 4]
        head = _parse_head(text, self._started_s)
        if (head.header("expect") or "").lower() == "100-continue":
            self._on_continue()
        return head

    def _take_body(self, head: _Head) -> bytes | None:
        if (head.header("transfer-encoding") or "").lower() == "chunked":
            return self._take_chunked()
        size = int(head.header("content-length") or 0)
        if len(self._buffer) < size:
            return None
        body = bytes(self._buffer[:size])
        del self._buffer[:size]
        return body

    def _take_chunked(self) -> bytes | None:
        """Read all chunks, or nothing: a short one is scanned again with more data."""
        body, at = bytearray(), 0
        while (end := self._buffer.find(b"\r\n", at)) >= 0:
            size = int(self._buffer[at:end].split(b";")[0], 16)
            at = end + 2
            if size == 0:
                return self._end_chunked(body, at)
            if len(self._buffer) < at + size + 2:
                return None
            body += self._buffer[at : at + size]
            at += size + 2
        return None

    def _end_chunked(self, body: bytearray, at: int) -> bytes | None:
        # Trailers are not expected from our clients; an empty trailer is CRLF alone.
        if len(self._buffer) < at + 2:
            return None
        del self._buffer[: at + 2]
        return bytes(body)


def _parse_head(text: str, started_s: float) -> _Head:
    first, *lines = text.split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequestError("no HTTP/1.1 request line")
    pairs = [line.partition(":") for line in lines]
    headers = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    return _Head(parts[0], parts[1], headers, started_s)


class Connection(asyncio.Protocol):
    """One accepted connection: requests come in, bytes go out, departure is noticed.

    Reading never stops, not even while an answer waits, sleeps or hangs; that is how
    `gone` resolves within one turn of the loop after FIN or RST.
    """

    def __init__(self, number: int, on_open: Callable[["Connection"], object]) -> None:
        self.number = number
        self.opened_s = time.monotonic()
        self.last_write_s: float | None = None
        self.stalled_s = 0.0
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[Departure] = loop.create_future()
        self._on_open = on_open
        # Not bounded: what a pipelining test sends is what it holds.
        self._requests: deque[Request] = deque()
        self._arrival: asyncio.Future[None] | None = None
        self._parser = Parser(on_continue=lambda: self._transport.write(CONTINUE))
        self._writable: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport
        self._ours = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # A limit of zero makes `send` wait until the kernel has taken every byte, so
        # that the ledger counts what was really sent.
        self._transport.set_write_buffer_limits(0)
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._requests.extend(self._parser.feed(data))
        except ValueError:
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            self.fin()
        if self._requests and self._arrival and not self._arrival.done():
            self._arrival.set_result(None)

    def eof_received(self) -> bool:
        self._leave("fin")
        return True  # the serving task closes; closing here would lose its last words

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave("us" if self._ours else "rst" if exc else "fin")
        self.resume_writing()

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    async def next_request(self, timeout_s: float | None = None) -> Request | None:
        """Return the next request; None when they left or the time is up."""
        if not self._requests and not self.gone.done():
            self._arrival = asyncio.get_running_loop().create_future()
            await self._gone_or(self._arrival, timeout_s)
        return self._requests.popleft() if self._requests else None

    async def pause(self, seconds: float | None) -> None:
        """Sleep, for ever if None; raises ClientGoneError as soon as they leave."""
        await asyncio.wait({self.gone}, timeout=seconds)
        self._check()

    async def send(self, data: bytes) -> None:
        """Hand bytes to the kernel; waits while the client does not read."""
        # A turn of the loop before each write: a reader that keeps up would starve all
        # else, and after a failed write it is the turn in which the departure is told.
        await asyncio.sleep(0)
        self._check()
        self._transport.write(data)
        if self._writable is not None:
            began_s = time.monotonic()
            await self._gone_or(self._writable, None)
            self.stalled_s += time.monotonic() - began_s
            self._check()
        self.last_write_s = time.monotonic()

    def begin(self) -> None:
        """Start counting for a new answer."""
        self.last_write_s = None
        self.stalled_s = 0.0

    def fin(self) -> None:
        """Close in the orderly way."""
        self._ours = True
        self._transport.close()

    def rst(self) -> None:
        """Close with a reset."""
        self._ours = True
        sock = cast("socket.socket", self._transport.get_extra_info("socket"))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self._transport.abort()

    async def _gone_or(self, other: asyncio.Future[None], timeout_s: float | None) -> None:
        waits: set[asyncio.Future[Any]] = {self.gone, other}
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)

    def _check(self) -> None:
        if self.gone.done():
            raise ClientGoneError

    def _leave(self, how: Left) -> None:
        if not self.gone.done():
            self.gone.set_result(Departure(how, time.monotonic()))


def head_bytes(status: int, headers: list[tuple[str, str]]) -> bytes:
    """Return a status line and headers with the empty line after them."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
