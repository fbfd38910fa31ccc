"""A small gRPC server that answers as its `script` says, and remembers what it was asked."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from typing import TypeVar

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int32Value, StringValue
from google.rpc import error_details_pb2, status_pb2

from promptwire import v1 as pb
from promptwire.admin import v1 as admin
from promptwire.admin.v1 import cache_service_pb2_grpc, provider_service_pb2_grpc
from promptwire.v1 import (
    chain_service_pb2_grpc,
    chat_service_pb2_grpc,
    embedding_service_pb2_grpc,
    model_service_pb2_grpc,
    system_service_pb2_grpc,
)

Events = Iterator[pb.StreamChatResponse]
RunEvents = Iterator[pb.RunEvent]
Event = TypeVar("Event")


@dataclass
class Fault:
    """A status to answer with."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    details: tuple[Message, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    def abort(self, context: grpc.ServicerContext) -> None:
        """End the call with this status, its ErrorInfo and request id."""
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain="promptwire", metadata={"request_id": "req-fake", **self.facts})
        for detail in (info, *self.details):
            packed = Any()
            packed.Pack(detail)
            status.details.append(packed)
        trailers = [("grpc-status-details-bin", status.SerializeToString()), ("grpc-retry-pushback-ms", "-1")]
        context.set_trailing_metadata(tuple(trailers))
        context.abort(self.code, self.message)


def _two_steps(request: pb.RunChainRequest) -> RunEvents:
    return two_steps(request)


@dataclass
class Script:
    """What the server does. Tests set what they need."""

    events: Callable[[pb.StreamChatRequest], Events] = lambda request: answer_events(reply_to(request.chat))
    run_events: Callable[[pb.RunChainRequest], RunEvents] = _two_steps
    checked: pb.ValidateChainResponse = field(default_factory=lambda: pb.ValidateChainResponse(valid=True))
    models: list[pb.Model] = field(default_factory=list)
    providers: list[admin.Provider] = field(default_factory=list)
    cache: admin.GetCacheStatsResponse = field(default_factory=admin.GetCacheStatsResponse)
    notices: list[pb.Notice] = field(default_factory=list)  # of embeddings
    attempts: list[pb.Attempt] = field(default_factory=list)  # the same
    health: int = 1
    fault: Fault | None = None  # of every call
    late_fault: Fault | None = None  # of streams, after their events


class FakeServer(
    cache_service_pb2_grpc.CacheServiceServicer,
    chat_service_pb2_grpc.ChatServiceServicer,
    chain_service_pb2_grpc.ChainServiceServicer,
    embedding_service_pb2_grpc.EmbeddingServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
    provider_service_pb2_grpc.ProviderServiceServicer,
    system_service_pb2_grpc.SystemServiceServicer,
):
    """The server; listens on a free port of loopback between `start` and `stop`."""

    def __init__(self) -> None:
        self.script = Script()
        self.requests: list[Message] = []
        self.keys: list[str] = []
        self.cancelled = threading.Event()  # a stream ended since its caller went away
        self._server = grpc.server(futures.ThreadPoolExecutor(16))
        for add in (
            cache_service_pb2_grpc.add_CacheServiceServicer_to_server,
            chat_service_pb2_grpc.add_ChatServiceServicer_to_server,
            chain_service_pb2_grpc.add_ChainServiceServicer_to_server,
            embedding_service_pb2_grpc.add_EmbeddingServiceServicer_to_server,
            model_service_pb2_grpc.add_ModelServiceServicer_to_server,
            provider_service_pb2_grpc.add_ProviderServiceServicer_to_server,
            system_service_pb2_grpc.add_SystemServiceServicer_to_server,
        ):
            add(self, self._server)
        self._server.add_generic_rpc_handlers((self._health(),))
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self) -> None:
        """Stop at once."""
        self._server.stop(0).wait()

    def Chat(self, request: pb.ChatRequest, context: grpc.ServicerContext) -> pb.ChatResponse:  # noqa: N802 - the contract's name
        self._note(request, context)
        return reply_to(request)

    def StreamChat(self, request: pb.StreamChatRequest, context: grpc.ServicerContext) -> Events:  # noqa: N802 - the contract's name
        self._note(request, context)
        yield from self._streamed(self.script.events(request), context)

    def RunChain(self, request: pb.RunChainRequest, context: grpc.ServicerContext) -> pb.RunChainResponse:  # noqa: N802 - the contract's name
        self._note(request, context)
        *_, last = self.script.run_events(request)
        return pb.RunChainResponse(run_id=last.run_id, result=last.run_finished.result)

    def StreamChain(self, request: pb.StreamChainRequest, context: grpc.ServicerContext) -> Iterator[pb.StreamChainResponse]:  # noqa: N802 - the contract's name
        self._note(request, context)
        for event in self._streamed(self.script.run_events(request.run), context):
            yield pb.StreamChainResponse(event=event)

    def ValidateChain(self, request: pb.ValidateChainRequest, context: grpc.ServicerContext) -> pb.ValidateChainResponse:  # noqa: N802 - the contract's name
        self._note(request, context)
        return self.script.checked

    def Embed(self, request: pb.EmbedRequest, context: grpc.ServicerContext) -> pb.EmbedResponse:  # noqa: N802 - the contract's name
        self._note(request, context)
        size = request.dimensions or 6
        return pb.EmbedResponse(
            embeddings=[pb.Embedding(values=[len(text) / (at + 1) for at in range(size)]) for text in request.texts],
            provider="fake",
            model="vectors",
            request_id="req-fake",
            usage=pb.Usage(input_tokens=sum(map(len, request.texts))),
            cost=pb.Cost(total_nano_usd=1500),
            notices=self.script.notices,
            attempts=self.script.attempts,
        )

    def ListModels(self, request: pb.ListModelsRequest, context: grpc.ServicerContext) -> pb.ListModelsResponse:  # noqa: N802 - the contract's name
        self._note(request, context)
        return pb.ListModelsResponse(models=self.script.models)

    def ListProviders(self, request: admin.ListProvidersRequest, context: grpc.ServicerContext) -> admin.ListProvidersResponse:  # noqa: N802 - the contract's name
        self._note(request, context)
        page = int(request.page_token or 0)
        following = str(page + 1) if page + 1 < len(self.script.providers) else ""
        return admin.ListProvidersResponse(providers=self.script.providers[page : page + 1], next_page_token=following)

    def GetProvider(self, request: admin.GetProviderRequest, context: grpc.ServicerContext) -> admin.GetProviderResponse:  # noqa: N802
        raise NotImplementedError

    def ResetBreaker(self, request: admin.ResetBreakerRequest, context: grpc.ServicerContext) -> admin.ResetBreakerResponse:  # noqa: N802
        self._note(request, context)
        return admin.ResetBreakerResponse(provider=self.script.providers[0])

    def SetProviderEnabled(  # noqa: N802
        self, request: admin.SetProviderEnabledRequest, context: grpc.ServicerContext
    ) -> admin.SetProviderEnabledResponse:
        self._note(request, context)
        return admin.SetProviderEnabledResponse(provider=self.script.providers[0])

    def GetCacheStats(self, request: admin.GetCacheStatsRequest, context: grpc.ServicerContext) -> admin.GetCacheStatsResponse:  # noqa: N802
        self._note(request, context)
        return self.script.cache

    def PurgeCache(self, request: admin.PurgeCacheRequest, context: grpc.ServicerContext) -> admin.PurgeCacheResponse:  # noqa: N802
        self._note(request, context)
        return admin.PurgeCacheResponse(purged_count=3, purged_bytes=2048)

    def GetServerInfo(self, request: pb.GetServerInfoRequest, context: grpc.ServicerContext) -> pb.GetServerInfoResponse:  # noqa: N802 - the contract's name
        self._note(request, context)
        return pb.GetServerInfoResponse(version="9.9.9", contract_version="v1", capabilities=pb.ServerCapabilities(chat=True))

    def CountTokens(self, request: pb.CountTokensRequest, context: grpc.ServicerContext) -> pb.CountTokensResponse:  # noqa: N802
        raise NotImplementedError

    def GetModel(self, request: pb.GetModelRequest, context: grpc.ServicerContext) -> pb.GetModelResponse:  # noqa: N802
        raise NotImplementedError

    def _note(self, request: Message, context: grpc.ServicerContext) -> None:
        self.requests.append(request)
        self.keys += [str(value) for key, value in context.invocation_metadata() if key == "authorization"]
        if self.script.fault is not None:
            self.script.fault.abort(context)

    def _streamed(self, events: Iterator[Event], context: grpc.ServicerContext) -> Iterator[Event]:
        complete = threading.Event()
        context.add_callback(lambda: None if complete.is_set() else self.cancelled.set())
        yield from events
        complete.set()
        if self.script.late_fault is not None:
            self.script.late_fault.abort(context)

    def _health(self) -> grpc.GenericRpcHandler:
        def check(request: StringValue, context: grpc.ServicerContext) -> Int32Value:
            if request.value not in ("", "promptwire.v1.ChatService"):
                context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
            return Int32Value(value=self.script.health)

        def watch(request: StringValue, context: grpc.ServicerContext) -> Iterator[Int32Value]:
            ended = threading.Event()
            context.add_callback(ended.set)
            yield Int32Value(value=1)  # what clients that check health by themselves see; `script.health` is for probes
            ended.wait()

        codec = (StringValue.FromString, Int32Value.SerializeToString)
        handlers = {
            "Check": grpc.unary_unary_rpc_method_handler(check, *codec),
            "Watch": grpc.unary_stream_rpc_method_handler(watch, *codec),
        }
        return grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers)


def asked(request: pb.ChatRequest) -> str:
    """The last thing said."""
    return request.prompt or "".join(part.text for part in request.messages[-1].parts)


def reply_to(request: pb.ChatRequest) -> pb.ChatResponse:
    """What was asked, said again."""
    return response(f"You said: {asked(request)}")


def response(text: str, finish_reason: "pb.FinishReason" = pb.FINISH_REASON_STOP) -> pb.ChatResponse:
    """An answer with usage and cost."""
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[pb.ContentPart(text=text)])
    return pb.ChatResponse(
        text=text,
        candidates=[pb.Candidate(message=message, finish_reason=finish_reason)],
        provider="fake",
        model="parrot",
        request_id="req-fake",
        usage=pb.Usage(input_tokens=3, output_tokens=5),
        cost=pb.Cost(total_nano_usd=1500),
    )


def delta(text: str) -> pb.StreamChatResponse:
    """A piece of the answer."""
    return pb.StreamChatResponse(part_delta=pb.PartDelta(text=text))


def answer_events(whole: pb.ChatResponse) -> Events:
    """An answer as a stream, a word each."""
    part = whole.candidates[0].message.parts[0]
    yield pb.StreamChatResponse(started=pb.ChatStarted(provider=whole.provider, model=whole.model, request_id=whole.request_id))
    yield pb.StreamChatResponse(part_started=pb.PartStarted(part=pb.ContentPart(text="")))
    for number, word in enumerate(part.text.split(" ")):
        yield delta(f" {word}" if number else word)
    yield pb.StreamChatResponse(part_finished=pb.PartFinished(part=part))
    summary = pb.ChatResponse()
    summary.CopyFrom(whole)
    summary.text = ""
    del summary.candidates[0].message.parts[:]
    yield pb.StreamChatResponse(finished=pb.ChatFinished(response=summary))


def two_steps(request: pb.RunChainRequest) -> RunEvents:
    """A run of two steps, the second of which says the inputs again."""
    text = " and ".join(f"{name}={value}" for name, value in sorted(request.inputs.items()))
    yield pb.RunEvent(run_id="run-1", run_started=pb.RunStarted(chain_name="fake"))
    for step, said in (("draft", "A draft."), ("final", text)):
        yield at(step, pb.RunEvent(step_started=pb.StepStarted(action="prompt", model="fake/parrot")))
        yield at(step, pb.RunEvent(part_delta=pb.PartDelta(text=said)))
        yield at(step, pb.RunEvent(step_finished=pb.StepFinished(result=step_result(step, said))))
    result = pb.RunResult(text=text, outputs={"answer": text, "title": "Fake"}, usage=pb.Usage(input_tokens=6, output_tokens=10))
    yield pb.RunEvent(run_id="run-1", run_finished=pb.RunFinished(state=pb.RUN_STATE_SUCCEEDED, result=result))


def at(step: str, event: pb.RunEvent, visit: int = 1) -> pb.RunEvent:
    """The event as one of a step."""
    event.MergeFrom(pb.RunEvent(run_id="run-1", step_id=step, step_path=step, visit=visit))
    return event


def step_result(step: str, text: str, state: "pb.StepState" = pb.STEP_STATE_SUCCEEDED) -> pb.StepResult:
    """How a step ended."""
    return pb.StepResult(step_id=step, step_path=step, visit=1, state=state, text=text, usage=pb.Usage(input_tokens=3, output_tokens=5))
