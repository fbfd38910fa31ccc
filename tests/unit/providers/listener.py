"""A server on a free port that takes requests down and answers as it is told: for what was really sent, over plain HTTP or TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

ANSWER: dict[str, Any] = {
    "id": "a-1",
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


@dataclass(frozen=True)
class Received:
    """One request."""

    method: str
    target: str
    headers: dict[str, str]  # lower-case names
    body: bytes
    connection: int  # counted from 1

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


Answers = Callable[[Received], bytes]


def json_answer(value: Any, status: str = "200 OK") -> bytes:
    """A whole answer."""
    body = orjson.dumps(value)
    return f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def sse_answer(*chunks: Any) -> bytes:
    """A stream that is all there."""
    body = b"".join(b"data: " + (orjson.dumps(chunk) if not isinstance(chunk, str) else chunk.encode()) + b"\n\n" for chunk in chunks)
    return f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Listener:
    """What came in so far."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def listening(answer: Answers | None = None, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Listener]:
    """The server for the length of a block."""
    listener = Listener()
    answers = answer or (lambda _: json_answer(ANSWER))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.connections += 1
        number = listener.connections
        try:
            while (request := await _request(reader, number)) is not None:
                listener.received.append(request)
                writer.write(answers(request))
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()


async def _request(reader: asyncio.StreamReader, connection: int) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.splitlines()
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, target, _ = first.split(" ", 2)
    return Received(method, target, headers, body, connection)


@asynccontextmanager
async def proxying() -> AsyncIterator[Listener]:
    """An HTTP proxy that knows CONNECT only, and takes down who asked for what."""
    listener = Listener()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.connections += 1
        request = await _request(reader, listener.connections)
        if request is None:
            writer.close()
            return
        listener.received.append(request)
        host, _, port = request.target.rpartition(":")
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        async with asyncio.TaskGroup() as both:
            both.create_task(_copy(reader, inner_writer))
            both.create_task(_copy(inner_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
