"""An edge under test: the server with a servicer of the test's own, a client, and what the server reported."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import grpc
from google.protobuf.message import Message

from promptwire import v1 as pb
from promptwire.v1 import chat_service_pb2
from promptwire_server.core.clock import Chance, SystemClock
from promptwire_server.core.ids import Ids
from promptwire_server.rpc.auth import Authenticator
from promptwire_server.rpc.server import DrainSettings, Server, ServerSettings
from promptwire_server.rpc.transport import Edge

PREFIX = "/promptwire.v1.ChatService/"
CHAT = chat_service_pb2.DESCRIPTOR.services_by_name["ChatService"]
LOOPBACK = "127.0.0.1:0"
NO_WAIT = DrainSettings(pre_drain_s=0.0, grace_s=5.0)
Stream = grpc.aio.UnaryStreamCall[Message | bytes, pb.StreamChatResponse]
Report = tuple[str, int, str]
Metadata = Sequence[tuple[str, str]]


def settings(**changes: object) -> ServerSettings:
    """Free ports, and no waiting when draining."""
    chosen: dict[str, object] = {"listen": LOOPBACK, "health_listen": None, "reflection": False, "drain": NO_WAIT, **changes}
    return ServerSettings(**chosen)  # type: ignore[arg-type]  # the caller's business


@dataclass
class Running:
    """A server, a channel to it, and what it reported."""

    server: Server
    channel: grpc.aio.Channel
    finished: "asyncio.Queue[Report]" = field(default_factory=asyncio.Queue)
    bugs: list[tuple[str, str, str]] = field(default_factory=list)

    async def chat(self, request: pb.ChatRequest | bytes = b"", metadata: Metadata = (), timeout_s: float | None = None) -> pb.ChatResponse:
        """One unary call; bytes go out as they are."""
        return await self.unary(PREFIX + "Chat", request, metadata, timeout_s)

    async def unary(self, path: str, request: Message | bytes, metadata: Metadata = (), timeout_s: float | None = None) -> pb.ChatResponse:
        method = self.channel.unary_unary(path, _raw, pb.ChatResponse.FromString)
        response: pb.ChatResponse = await method(request, metadata=tuple(metadata), timeout=timeout_s)
        return response

    def stream(self, request: Message | bytes = b"") -> "Stream":
        """One streaming call, under way."""
        method = self.channel.unary_stream(PREFIX + "StreamChat", _raw, pb.StreamChatResponse.FromString)
        return method(request)

    async def events(self, request: Message | bytes = b"") -> list[pb.StreamChatResponse]:
        """All events of a streaming call."""
        return [event async for event in self.stream(request)]

    async def report(self) -> Report:
        """The next report of a finished RPC."""
        async with asyncio.timeout(5):
            return await self.finished.get()


def _raw(request: Message | bytes) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()


Methods = Callable[..., Awaitable[object]]
Serve = Callable[..., Awaitable[Running]]


def build(
    servicer: dict[str, Methods],
    *,
    options: ServerSettings | None = None,
    max_call_s: float = 60.0,
    authenticator: Authenticator | None = None,
) -> tuple[Server, "asyncio.Queue[Report]", list[tuple[str, str, str]]]:
    """A server that is not started, the queue of its reports, and the list of its bugs."""
    finished: asyncio.Queue[Report] = asyncio.Queue()
    bugs: list[tuple[str, str, str]] = []
    clock = SystemClock()
    edge = Edge(
        clock=clock,
        ids=Ids(clock, Chance()),
        authenticator=authenticator or Authenticator(),
        max_call_s=max_call_s,
        report=lambda *bug: bugs.append(bug),
        finished=lambda *report: finished.put_nowait(report),
    )
    return Server(options or settings(), edge, [(CHAT, SimpleNamespace(**servicer))]), finished, bugs


async def running(servicer: dict[str, Methods], **options: object) -> AsyncIterator[Running]:
    """Started and with a channel; stopped afterwards."""
    server, finished, bugs = build(servicer, **options)  # type: ignore[arg-type]  # passed through
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Running(server, channel, finished, bugs)
    await server.stop()
