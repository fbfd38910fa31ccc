"""A small gateway on a real socket, whose answers a test writes as functions."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health as health_service
from grpc_health.v1 import health_pb2, health_pb2_grpc

from promptwire import v1 as pb
from promptwire.admin import v1 as admin
from promptwire.admin.v1 import cache_service_pb2_grpc, provider_service_pb2_grpc
from promptwire.v1 import chain_service_pb2_grpc, chat_service_pb2_grpc, model_service_pb2_grpc, system_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]
Unary = Callable[[Any, Context], Awaitable[Any]]
Streaming = Callable[[Any, Context], AsyncIterator[Any]]
METHODS = {
    "Chat": pb.ChatResponse(),
    "CountTokens": pb.CountTokensResponse(),
    "RunChain": pb.RunChainResponse(),
    "ValidateChain": pb.ValidateChainResponse(),
    "ListModels": pb.ListModelsResponse(),
    "GetModel": pb.GetModelResponse(),
    "GetServerInfo": pb.GetServerInfoResponse(),
    "ListProviders": admin.ListProvidersResponse(),
    "GetProvider": admin.GetProviderResponse(),
    "ResetBreaker": admin.ResetBreakerResponse(),
    "SetProviderEnabled": admin.SetProviderEnabledResponse(),
    "GetCacheStats": admin.GetCacheStatsResponse(),
    "PurgeCache": admin.PurgeCacheResponse(),
}
STREAMS = ("StreamChat", "StreamChain")


@dataclass
class Seen:
    """One attempt that arrived."""

    method: str
    request: Any
    metadata: dict[str, Any]
    remaining_s: float | None
    at_s: float


@dataclass
class Gateway:
    """Unary methods answer an empty message, streams are refused, until `on[method]` says otherwise."""

    port: int = 0
    credentials: grpc.ServerCredentials | None = None
    on: dict[str, Any] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    health: health_service.aio.HealthServicer = field(default_factory=health_service.aio.HealthServicer)

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 64 << 20)])
        self.port = self._bind(f"127.0.0.1:{self.port}")
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        servicer = _servicer(self)
        cache_service_pb2_grpc.add_CacheServiceServicer_to_server(servicer, self._server)
        chat_service_pb2_grpc.add_ChatServiceServicer_to_server(servicer, self._server)
        chain_service_pb2_grpc.add_ChainServiceServicer_to_server(servicer, self._server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(servicer, self._server)
        provider_service_pb2_grpc.add_ProviderServiceServicer_to_server(servicer, self._server)
        system_service_pb2_grpc.add_SystemServiceServicer_to_server(servicer, self._server)
        await self.serve()
        await self._server.start()
        return self

    def _bind(self, address: str) -> int:
        if self.credentials is None:
            return self._server.add_insecure_port(address)
        return self._server.add_secure_port(address, self.credentials)

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)

    async def serve(self, *, serving: bool = True) -> None:
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await self.health.set("", status)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def note(self, method: str, request: Message, context: Context) -> None:
        metadata = dict(context.invocation_metadata() or ())
        self.seen.append(Seen(method, request, metadata, context.time_remaining(), asyncio.get_running_loop().time()))


def _servicer(gateway: Gateway) -> Any:
    methods: dict[str, Any] = {name: _unary(gateway, name, empty) for name, empty in METHODS.items()}
    return type("Servicer", (), methods | {name: _streaming(gateway, name) for name in STREAMS})()


def _unary(gateway: Gateway, name: str, empty: Message) -> Any:
    async def method(_: object, request: Message, context: Context) -> Message:
        gateway.note(name, request, context)
        answer = gateway.on.get(name, empty)
        return answer if isinstance(answer, Message) else await answer(request, context)

    return method


def _streaming(gateway: Gateway, name: str) -> Any:
    async def method(_: object, request: Message, context: Context) -> AsyncIterator[Message]:
        gateway.note(name, request, context)
        answer = gateway.on[name]
        events = answer if isinstance(answer, list) else answer(request, context)
        if isinstance(events, list):
            for event in events:
                yield event
        else:
            async for event in events:
                yield event

    return method


def details(code: grpc.StatusCode, reason: str, *more: Message, domain: str = "promptwire", **metadata: str) -> bytes:
    """What stands in grpc-status-details-bin."""
    status = status_pb2.Status(code=code.value[0], message="from the status")
    for message in (error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata), *more):
        packed = AnyMessage()
        packed.Pack(message)
        status.details.append(packed)
    return bytes(status.SerializeToString())


async def abort(
    context: Context,
    code: grpc.StatusCode,
    reason: str = "",
    *more: Message,
    pushback_ms: int | None = -1,
    **metadata: str,
) -> NoReturn:
    """Fail as the real server does."""
    trailers: list[tuple[str, str | bytes]] = []
    if reason:
        trailers.append(("grpc-status-details-bin", details(code, reason, *more, **metadata)))
    if pushback_ms is not None:
        trailers.append(("grpc-retry-pushback-ms", str(pushback_ms)))
    await context.abort(code, f"about {reason or code.name}", tuple(trailers))
    raise AssertionError("abort raises")


def failing(times: int, then: Message, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE, pushback_ms: int | None = 10) -> Unary:
    """An answer that comes after so many failures. A pushback of 0 makes clients on gRPC's C core wait for their deadline."""
    left = [times]

    async def answer(_: object, context: Context) -> Message:
        left[0] -= 1
        if left[0] >= 0:
            await abort(context, code, "OVERLOADED", pushback_ms=pushback_ms)
        return then

    return answer


class Hanging:
    """A unary answer that never comes; tells when it was asked and when it was cancelled."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, request: object, context: Context) -> NoReturn:
        self.asked.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.cancelled.set()
        raise AssertionError("never")


class HangingStream(Hanging):
    """A stream that sends some events, then nothing."""

    def __init__(self, events: Sequence[Message]) -> None:
        super().__init__()
        self._sent = events

    def __call__(self, request: object, context: Context) -> AsyncIterator[Message]:  # type: ignore[override]
        return self._stream(request, context)

    async def _stream(self, request: object, context: Context) -> AsyncIterator[Message]:
        for event in self._sent:
            yield event
        await super().__call__(request, context)


def text_events(*pieces: str, whole: str | None = None) -> list[pb.StreamChatResponse]:
    """A streamed answer of one text part."""
    text = "".join(pieces) if whole is None else whole
    response = pb.ChatResponse(model="m", provider="p", candidates=[pb.Candidate(finish_reason=pb.FINISH_REASON_STOP)])
    return numbered(
        pb.StreamChatResponse(started=pb.ChatStarted(request_id="r", model="m", provider="p")),
        pb.StreamChatResponse(part_started=pb.PartStarted(part=pb.ContentPart(text=""))),
        *(pb.StreamChatResponse(part_delta=pb.PartDelta(text=piece)) for piece in pieces),
        pb.StreamChatResponse(part_finished=pb.PartFinished(part=pb.ContentPart(text=text))),
        pb.StreamChatResponse(finished=pb.ChatFinished(response=response)),
    )


def numbered(*events: pb.StreamChatResponse) -> list[pb.StreamChatResponse]:
    """Events with sequence numbers from 1."""
    for number, event in enumerate(events, 1):
        event.sequence = number
    return list(events)


def run_events(text: str) -> list[pb.StreamChainResponse]:
    """A run of one step."""
    result = pb.RunResult(text=text, outputs={"text": text})
    events = [
        pb.RunEvent(run_started=pb.RunStarted(request_id="r")),
        pb.RunEvent(step_id="step1", part_delta=pb.PartDelta(text=text)),
        pb.RunEvent(run_finished=pb.RunFinished(state=pb.RUN_STATE_SUCCEEDED, result=result)),
    ]
    for number, event in enumerate(events, 1):
        event.run_id = "run1"
        event.sequence = number
    return [pb.StreamChainResponse(event=event) for event in events]
