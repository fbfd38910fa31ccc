"""ChatService: whole and streamed answers, from a handler to the wire."""

import asyncio
from collections.abc import AsyncIterator

import grpc

from promptwire import v1 as pb
from promptwire_server.core.answer import events_of
from promptwire_server.core.call import Call
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.errors import UpstreamFailed
from promptwire_server.core.reply import Batch, Ending, Reply
from promptwire_server.rpc.chat import ChatService
from promptwire_server.rpc.events import Load, StreamSettings
from tests.unit.rpc.edge import PREFIX, Running, Serve
from tests.unit.rpc.station import reached
from tests.unit.rpc.wire import failure

ASK = pb.ChatRequest(prompt="hi")
ASK_STREAM = pb.StreamChatRequest(chat=ASK)


def answer() -> pb.ChatResponse:
    message = pb.ChatMessage(parts=[pb.ContentPart(text="hello")])
    return pb.ChatResponse(text="hello", candidates=[pb.Candidate(message=message)])


class Gateway:
    """A handler that streams its answer and breaks off or hangs where told."""

    def __init__(self, *, breaks_after: int | None = None, hangs: bool = False) -> None:
        self.breaks_after, self.hangs = breaks_after, hangs
        self.calls: list[Call] = []
        self.endings: list[Ending] = []
        self.entered = asyncio.Event()
        self.released = asyncio.Event()
        self.load = Load(StreamSettings())

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        self.entered.set()
        reply = Reply(self._batches(), release=self.released.set)
        reply.on_done(self.endings.append)
        return reply

    async def _batches(self) -> AsyncIterator[Batch]:
        for position, event in enumerate(events_of(answer())):
            if position == self.breaks_after:
                raise UpstreamFailed("reset")
            yield [event]
            if self.hangs:
                await asyncio.Event().wait()


async def no_count(call: Call) -> pb.CountTokensResponse:
    return pb.CountTokensResponse(input_tokens=len(call.request.prompt))


async def served(serve: Serve, gateway: Gateway) -> Running:
    chat = ChatService(gateway, no_count, gateway.load, SystemClock())
    return await serve(Chat=chat.Chat, StreamChat=chat.StreamChat, CountTokens=chat.CountTokens)


async def test_a_whole_answer(serve: Serve) -> None:
    gateway = Gateway()
    edge = await served(serve, gateway)
    assert await edge.chat(ASK) == answer()
    assert gateway.endings[0].response == answer()


async def test_a_streamed_answer_is_numbered_without_gaps(serve: Serve) -> None:
    edge = await served(serve, Gateway())
    events = await edge.events(ASK_STREAM)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert (events[0].WhichOneof("event"), events[-1].WhichOneof("event")) == ("started", "finished")


async def test_a_whole_answer_that_breaks_may_be_asked_again(serve: Serve) -> None:
    failed = await failure((await served(serve, Gateway(breaks_after=3))).chat(ASK))
    assert (failed.code, failed.reason, failed.details.pushback) == (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_FAILED", "1000")


async def test_a_failure_tells_what_was_tried(serve: Serve) -> None:
    class Trying(Gateway):
        async def __call__(self, call: Call) -> Reply:
            call.trail.attempts.append(pb.Attempt(provider="p", model="m", chosen_because="first by priority"))
            return await super().__call__(call)

    edge = await served(serve, Trying(breaks_after=3))
    for asked in (edge.chat(ASK), edge.events(ASK_STREAM)):
        failed = await failure(asked)
        assert [attempt.chosen_because for attempt in failed.details.trail.attempts] == ["first by priority"]
        assert failed.details.info.metadata["attempts"] == "1"


async def test_a_stream_that_breaks_says_how_far_it_came(serve: Serve) -> None:
    failed = await failure((await served(serve, Gateway(breaks_after=3))).events(ASK_STREAM))
    assert (failed.code, failed.reason, failed.details.pushback) == (grpc.StatusCode.UNAVAILABLE, "STREAM_INTERRUPTED", "-1")
    assert failed.details.info.metadata["last_sequence"] == "3"


async def test_a_cancelled_stream_releases_its_upstream(serve: Serve) -> None:
    gateway = Gateway(hangs=True)
    call = (await served(serve, gateway)).stream(ASK_STREAM)
    await call.read()
    call.cancel()
    await reached(gateway.released, 1.0)
    assert (gateway.load.streams, gateway.endings[0].error, gateway.endings[0].delivered) == (0, None, True)


async def test_a_cancelled_call_releases_its_upstream(serve: Serve) -> None:
    gateway = Gateway(hangs=True)
    call = asyncio.ensure_future((await served(serve, gateway)).chat(ASK))
    await reached(gateway.entered)
    call.cancel()
    await reached(gateway.released, 1.0)
    assert (gateway.endings[0].error, gateway.endings[0].delivered) == (None, False)


async def test_a_bad_field_is_named_by_its_path_in_the_rpcs_message(serve: Serve) -> None:
    edge = await served(serve, Gateway())
    whole = await failure(edge.chat(pb.ChatRequest()))
    streamed = await failure(edge.events(pb.StreamChatRequest()))
    assert whole.code is streamed.code is grpc.StatusCode.INVALID_ARGUMENT
    assert all(violation.field.startswith("chat") for violation in streamed.details.bad.field_violations)
    assert not any(violation.field.startswith("chat") for violation in whole.details.bad.field_violations)


async def test_the_call_knows_what_to_do_when_its_stream_breaks(serve: Serve) -> None:
    gateway = Gateway()
    asked = pb.StreamChatRequest(chat=ASK, restart_policy=pb.StreamChatRequest.RESTART_POLICY_CONTINUE)
    await (await served(serve, gateway)).events(asked)
    assert [call.restart for call in gateway.calls] == [pb.StreamChatRequest.RESTART_POLICY_CONTINUE]


async def test_a_policy_that_nobody_knows_is_refused(serve: Serve) -> None:
    asked = pb.StreamChatRequest(chat=ASK, restart_policy=99)  # type: ignore[arg-type]  # as from a later version
    [violation] = (await failure((await served(serve, Gateway())).events(asked))).details.bad.field_violations
    assert violation.field == "restart_policy"


async def test_the_call_knows_its_request_id_and_whether_it_streams(serve: Serve) -> None:
    gateway = Gateway()
    edge = await served(serve, gateway)
    await edge.chat(pb.ChatRequest(prompt="hi", request_id="mine"))
    await edge.events(ASK_STREAM)
    assert [(call.request_id == "mine", call.stream) for call in gateway.calls] == [(True, False), (False, True)]


async def test_tokens_are_counted(serve: Serve) -> None:
    edge = await served(serve, Gateway())
    method = edge.channel.unary_unary(PREFIX + "CountTokens", pb.CountTokensRequest.SerializeToString, pb.CountTokensResponse.FromString)
    assert (await method(pb.CountTokensRequest(chat=ASK))).input_tokens == 2
