"""A client on a bare socket: it shows what arrived and how the connection ended."""

import asyncio
import contextlib
import json
import socket
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, Self

from tests.faults.fake_provider.process import FakeProvider

LINGER_ZERO = struct.pack("ii", 1, 0)
READ_BYTES = 1 << 16
PROMPT = "Name some words."
CHAT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Arrived:
    """All bytes up to the end of the connection, and what kind of end it was."""

    data: bytes
    ended: Literal["fin", "rst"]

    @property
    def head(self) -> str:
        return self.data.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def status(self) -> int:
        return int(self.head.split(" ", 2)[1])

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        return {name.lower(): value.strip() for name, _, value in pairs}

    @property
    def framed(self) -> bytes:
        """The body as it came, chunk sizes and all."""
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def chunks(self) -> list[bytes]:
        """The chunks up to where their framing ends or breaks."""
        found, rest = [], self.framed
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            n = int(size, 16)
            if n == 0:
                break
            found.append(rest[:n])
            rest = rest[n + 2 :]
        return found

    @property
    def body(self) -> bytes:
        chunked = self.headers.get("transfer-encoding") == "chunked"
        data = b"".join(self.chunks) if chunked else self.framed
        return zlib.decompress(data, 31) if self.headers.get("content-encoding") == "gzip" else data

    @property
    def events(self) -> list[Any]:
        """The data of all complete events with plain line ends, parsed where it is JSON."""
        datas = (part[6:] for part in self.body.split(b"\n\n")[:-1] if part.startswith(b"data: "))
        return [data.decode() if data == b"[DONE]" else json.loads(data) for data in datas]

    @property
    def text(self) -> str:
        return "".join(delta.get("content") or "" for delta in deltas(self.events))


def deltas(events: list[Any]) -> list[dict[str, Any]]:
    choices = [choice for event in events if event != "[DONE]" for choice in event.get("choices", ())]
    return [choice["delta"] for choice in choices]


class RawClient:
    """One connection; leaves in the manner it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, fake: FakeProvider, *, receive_bytes: int = 0) -> Self:
        """Connect; a small `receive_bytes` makes the sender stall early."""
        sock = socket.socket()
        sock.settimeout(0)
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        await asyncio.get_running_loop().sock_connect(sock, (fake.host, fake.port))
        limit = receive_bytes or READ_BYTES
        return cls(*await asyncio.open_connection(sock=sock, limit=limit))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def read(self, n: int) -> bytes:
        return await self._reader.readexactly(n)

    async def read_until(self, end: bytes) -> bytes:
        return await self._reader.readuntil(end)

    async def read_answer(self) -> bytes:
        """Read one answer with a content length, the connection staying open."""
        head = await self.read_until(b"\r\n\r\n")
        size = int(Arrived(head, "fin").headers["content-length"])
        return head + await self.read(size)

    async def read_all(self) -> Arrived:
        data = bytearray()
        try:
            while part := await self._reader.read(READ_BYTES):
                data += part
        except ConnectionResetError:
            return Arrived(bytes(data), "rst")
        return Arrived(bytes(data), "fin")

    def leave(self, how: Literal["fin", "rst"]) -> None:
        if how == "rst":
            sock: socket.socket = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


@contextlib.asynccontextmanager
async def connected(fake: FakeProvider, *, receive_bytes: int = 0) -> AsyncIterator[RawClient]:
    client = await RawClient.connect(fake, receive_bytes=receive_bytes)
    try:
        yield client
    finally:
        await client.close()


def chat(model: str, key: str, *, close: bool = True, **body: Any) -> bytes:
    """Return the bytes of a chat request; `body` adds to its JSON."""
    messages = [{"role": "user", "content": PROMPT}]
    return post(CHAT, {"model": model, "messages": messages, **body}, key, close=close)


def post(path: str, value: Any, key: str, *, close: bool = True, headers: str = "") -> bytes:
    data = json.dumps(value).encode()
    connection = "close" if close else "keep-alive"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: fake\r\nAuthorization: Bearer {key}\r\n"
        f"Connection: {connection}\r\nContent-Type: application/json\r\n{headers}"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    return head.encode("latin-1") + data


async def asked(fake: FakeProvider, model: str, key: str, **body: Any) -> Arrived:
    """Ask once on a new connection and read until it ends."""
    async with connected(fake) as client:
        await client.send(chat(model, key, **body))
        return await client.read_all()


async def streamed(fake: FakeProvider, model: str, key: str, **body: Any) -> Arrived:
    return await asked(fake, model, key, stream=True, **body)
