"""grpc.aio as a transport: turns RPCs into exchanges, and whatever goes wrong into a status. The one outermost wrapper."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from promptwire_server.core.call import Principal, Trail
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import (
    CallCancelled,
    DeadlineExceeded,
    Disabled,
    InternalError,
    InvalidRequest,
    PromptwireError,
    TooLarge,
)
from promptwire_server.core.ids import Ids
from promptwire_server.rpc.auth import Authenticator
from promptwire_server.rpc.exchange import Method
from promptwire_server.rpc.status import code_of, shortened, trailers_of

_MALFORMED = "it is not a message of this method (another type, cut off, nested too deep, or text that is not UTF-8)"
_ON_ITS_WAY_S = 0.05  # of a call's time, at most, for its answer to reach the client
_SHARE_ON_ITS_WAY = 0.05
_MAX_DETAILS_BYTES = 512  # grpc-message is percent-encoded: three times this in the worst case
Context = grpc.aio.ServicerContext[Message, Message]
Serialize = Callable[[Message | None], bytes | None]


class Malformed:
    """Stands in for a request whose bytes do not parse; a deserialiser that raised would be answered with UNKNOWN and Python names."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What every exchange needs."""

    clock: Clock
    ids: Ids
    authenticator: Authenticator
    max_call_s: float
    report: Callable[[str, str, str], None]  # (method, request_id, exception as text) of a bug
    finished: Callable[[str, int, str], None]  # (method, status code, reason or "") of every RPC
    max_response_bytes: int = 64 * 2**20  # of a message; set by the server from its settings


class GrpcExchange:
    """One RPC on grpc.aio."""

    __slots__ = (
        "_context",
        "_edge",
        "_metadata",
        "_request_id",
        "_trace_id",
        "_trail",
        "arrival_s",
        "blocked_since_s",
        "deadline_s",
        "eviction",
        "last",
        "sent",
        "task",
    )

    def __init__(self, context: Context, edge: Edge) -> None:
        self._context = context
        self._edge = edge
        self._metadata: dict[str, str] | None = None
        self._request_id = ""
        self._trace_id = ""
        self._trail: Trail | None = None
        self.arrival_s = edge.clock.monotonic()
        remaining_s = context.time_remaining()
        self.deadline_s = self.arrival_s + (edge.max_call_s if remaining_s is None else min(_answered_by(remaining_s), edge.max_call_s))
        self.sent = 0
        self.last: Message | None = None  # what was sent last: says how far the client is
        self.blocked_since_s: float | None = None  # since when a send waits for the reader
        self.eviction: PromptwireError | None = None  # set by whoever ends this RPC from outside
        self.task: asyncio.Task[object] | None = None

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the client sent along, text values only."""
        if self._metadata is None:
            pairs = self._context.invocation_metadata() or ()
            self._metadata = {str(key): value for key, value in pairs if isinstance(value, str)}
        return self._metadata

    @property
    def principal(self) -> Principal:
        """Who asks."""
        authenticator = self._edge.authenticator
        if not authenticator.required:
            return authenticator.anonymous
        names = self._context.auth_context().get("x509_common_name", ())
        return authenticator.principal(self.metadata, next((name.decode("utf-8", "replace") for name in names), None))

    @property
    def request_id(self) -> str:
        """The client's name of this RPC, or one made here."""
        if not self._request_id:
            self._request_id = self._edge.ids.request()
        return self._request_id

    @property
    def trace_id(self) -> str:
        """From "traceparent", or new."""
        if not self._trace_id:
            self._trace_id = _trace_id(self._traceparent()) or self._edge.ids.trace()
        return self._trace_id

    def _traceparent(self) -> str:
        """Looked for by itself: where nobody needs a key, nothing else of the metadata is ever read. Of several, the last."""
        found = ""
        for key, value in self._context.invocation_metadata() or ():
            if key == "traceparent" and isinstance(value, str):
                found = value
        return found

    @property
    def trail(self) -> Trail:
        """What happens on the way. Made when first asked for: most methods ask no model."""
        if self._trail is None:
            self._trail = Trail()
        return self._trail

    def rename(self, request_id: str) -> None:
        """Go by the client's own request id."""
        self._request_id = request_id

    def mark(self, key: str, value: str) -> None:
        """Send trailing metadata."""
        self._context.set_trailing_metadata(((key, value),))

    async def send(self, message: Message) -> None:
        """Write one message; what the reader does not take in time is the watchdog's business."""
        self.blocked_since_s = self._edge.clock.monotonic()
        try:
            await self._context.write(message)
        except (grpc.aio.InternalError, grpc.aio.UsageError) as gone:  # how a vanished client, and a stopped server, show up here
            limit = self._edge.max_response_bytes
            if message.ByteSize() > limit:
                raise _too_large(message.ByteSize(), limit) from gone
            raise CallCancelled("the client is gone") from gone
        finally:
            self.blocked_since_s = None
        self.sent += 1
        self.last = message

    def facts(self) -> dict[str, str]:
        """What an error says of this RPC. Kept out of the error itself, which several calls may share."""
        facts = {"request_id": self.request_id}
        if self.last is not None:
            facts["last_sequence"] = str(_sequence(self.last) or self.sent)
        return facts

    def departure(self) -> PromptwireError:
        """Why the client is gone: its deadline passed, or it cancelled."""
        if self._edge.clock.monotonic() >= self.deadline_s:
            return DeadlineExceeded.during("client")
        return CallCancelled("the client cancelled the call")

    def evict(self, error: PromptwireError) -> None:
        """End this RPC with an error, from outside."""
        if self.eviction is None and self.task is not None:
            self.eviction = error
            self.task.cancel()


class Transport:
    """Turns servicers into generic gRPC handlers, and keeps the exchanges that are under way."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self.exchanges: set[GrpcExchange] = set()

    def handlers(self, descriptor: ServiceDescriptor, servicer: object) -> grpc.GenericRpcHandler:
        """All methods of a service; those that the servicer lacks answer UNIMPLEMENTED with reason DISABLED."""
        methods = {method: getattr(servicer, method.name, None) or _disabled(method) for method in descriptor.methods}
        table = {method.name: self._handler(method, run) for method, run in methods.items()}
        return grpc.method_handlers_generic_handler(descriptor.full_name, table)

    def others(self) -> grpc.GenericRpcHandler:
        """For methods of ours that this server does not know (a newer contract's, the control plane's): DISABLED too."""
        return _Others(self)

    def refusal(self, method: str) -> "grpc.RpcMethodHandler[Message, Message]":
        """A handler that answers DISABLED whatever it is sent."""
        run = _refusing(method)
        return grpc.unary_unary_rpc_method_handler(self._unary(method, run, _nothing), None)

    def evict_all(self, error: PromptwireError) -> None:
        """End everything that is under way."""
        for exchange in list(self.exchanges):
            exchange.evict(error)

    def _handler(self, method: MethodDescriptor, run: Method) -> "grpc.RpcMethodHandler[Message, Message]":
        parse = _parser(GetMessageClass(method.input_type))
        serialize = GetMessageClass(method.output_type).SerializeToString
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(self._streaming(method.full_name, run), parse, serialize)  # type: ignore[arg-type]  # Malformed
        return grpc.unary_unary_rpc_method_handler(self._unary(method.full_name, run, serialize), parse)  # type: ignore[arg-type]  # Malformed

    def _unary(self, name: str, run: Method, serialize: Serialize) -> Callable[[Message | Malformed, Context], Awaitable[bytes | None]]:
        async def unary(request: Message | Malformed, context: Context) -> bytes | None:
            return await self._run(name, run, request, context, serialize)

        return unary

    def _streaming(self, name: str, run: Method) -> Callable[[Message | Malformed, Context], Awaitable[None]]:
        async def streaming(request: Message | Malformed, context: Context) -> None:
            await self._run(name, run, request, context, _nothing)

        return streaming

    async def _run(self, name: str, run: Method, request: Message | Malformed, context: Context, serialize: Serialize) -> bytes | None:
        """Run one RPC to its one end. Serialises here, since what gRPC's own serialising raises would be answered with UNKNOWN."""
        exchange = GrpcExchange(context, self._edge)
        exchange.task = asyncio.current_task()
        self.exchanges.add(exchange)
        try:
            if isinstance(request, Malformed):
                raise InvalidRequest(f"the request does not parse: {_MALFORMED}")  # noqa: TRY301 - mapped below like all others
            answer = await run(request, exchange)
            response = answer if isinstance(answer, bytes) else serialize(answer)
            if response is not None and len(response) > self._edge.max_response_bytes:
                raise _too_large(len(response), self._edge.max_response_bytes)  # noqa: TRY301 - as above
        except PromptwireError as error:
            failure = error
        except asyncio.CancelledError:
            # The client left (then nobody reads what we say), or this server ended the call and owes it a status.
            failure = exchange.eviction or exchange.departure()
            if exchange.eviction is None:
                if _cancelled_from_outside():
                    self._edge.finished(name, failure.code, failure.reason_name)
                    raise
                failure = self._bug(name, exchange, "a cancellation escaped from inside")
        except Exception as error:  # noqa: BLE001 - the outermost place: nothing may reach the client as UNKNOWN
            failure = self._bug(name, exchange, f"{type(error).__name__}")
        else:
            self._edge.finished(name, 0, "")
            return response
        finally:
            self.exchanges.discard(exchange)
            exchange.task = None
        self._edge.finished(name, failure.code, failure.reason_name)
        await _abort(context, exchange, failure, exchange.deadline_s - self._edge.clock.monotonic())
        return None

    def _bug(self, name: str, exchange: GrpcExchange, what: str) -> InternalError:
        self._edge.report(name, exchange.request_id, what)
        return InternalError(f"internal error; report request_id {exchange.request_id}")


def _answered_by(remaining_s: float) -> float:
    """When to be done, so that an error with all its details reaches a client before its own deadline does away with them."""
    return remaining_s - min(_ON_ITS_WAY_S, remaining_s * _SHARE_ON_ITS_WAY)


async def _abort(context: Context, exchange: GrpcExchange, error: PromptwireError, remaining_s: float) -> None:
    trailers = trailers_of(error, exchange.facts(), exchange.trail.attempts, remaining_s)
    try:
        await context.abort(code_of(error), shortened(error.message, _MAX_DETAILS_BYTES), trailers)
    except grpc.aio.InternalError:  # the client went away meanwhile; the core would log a stack of its own
        raise asyncio.CancelledError from None


def _nothing(response: Message | None) -> bytes | None:  # noqa: ARG001 - a Serialize's shape
    """Of a streaming method, which has sent what it had to say."""
    return None


def _sequence(message: Message) -> int:
    """The number that a stream's message carries, itself or in its event; 0 when it has none."""
    return getattr(message, "sequence", 0) or getattr(getattr(message, "event", None), "sequence", 0)


def _too_large(size_bytes: int, limit_bytes: int) -> TooLarge:
    return TooLarge(f"the answer has {size_bytes} bytes, more than the {limit_bytes} that a message may have; ask for less, or stream it")


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _parser(message: type[Message]) -> Callable[[bytes], Message | Malformed]:
    def parse(data: bytes) -> Message | Malformed:
        try:
            return message.FromString(data)
        except DecodeError:
            return Malformed()

    return parse


def _disabled(method: MethodDescriptor) -> Method:
    return _refusing(method.full_name)


def _refusing(name: str) -> Method:
    async def disabled(request: Message, exchange: object) -> Message | None:  # noqa: ARG001 - a Method's shape
        raise Disabled(f"{name} is not offered by this server; GetServerInfo says what is")

    return disabled


_OURS = "/promptwire."
_MAX_METHOD_CHARACTERS = 128


class _Others(grpc.GenericRpcHandler):
    """The last of the handlers: takes what no other took, if it has our name."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Message, Message] | None":
        method = str(handler_call_details.method)
        if not method.startswith(_OURS):
            return None
        return self._transport.refusal(method[1 : _MAX_METHOD_CHARACTERS + 1].replace("/", "."))


_TRACEPARENT_LENGTH = 55  # 00-<32 hex>-<16 hex>-<2 hex>


def _trace_id(traceparent: str) -> str:
    trace = traceparent[3:35]
    if len(traceparent) < _TRACEPARENT_LENGTH or set(trace) <= {"0"} or not set(trace) <= set("0123456789abcdef"):
        return ""
    return trace
