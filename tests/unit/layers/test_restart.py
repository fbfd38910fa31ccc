"""A stream that breaks midway goes on by its caller's policy, and by no other."""

from collections.abc import AsyncIterator, Sequence

import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import Assembly, events_of, failures
from promptwire_server.core.call import Call, Target
from promptwire_server.core.errors import PromptwireError, StreamInterrupted, UpstreamFailed, failure_of
from promptwire_server.core.reply import Batch, Ending, Event, Reply
from promptwire_server.layers.restart import Restart
from tests.unit.layers.conftest import MakeCall

DISCARD = pb.StreamChatRequest.RESTART_POLICY_RESTART_WITH_DISCARD
CONTINUE = pb.StreamChatRequest.RESTART_POLICY_CONTINUE
NEVER = pb.StreamChatRequest.RESTART_POLICY_NEVER


def saying(*parts: pb.ContentPart, provider: str) -> list[Event]:
    response = pb.ChatResponse(provider=provider, model="m")
    response.candidates.add().message.parts.extend(parts)
    response.usage.output_tokens = 5
    return list(events_of(response))


def text(value: str, provider: str) -> list[Event]:
    return saying(pb.ContentPart(text=value), provider=provider)


class Upstream:
    """Streams in turn: all of their events, or the first so many and then a failure."""

    def __init__(self, *streams: tuple[list[Event], int | None] | PromptwireError) -> None:
        self.streams = list(streams)
        self.calls: list[Call] = []
        self.endings: list[Ending] = []

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        stream = self.streams.pop(0)
        if isinstance(stream, PromptwireError):
            raise stream
        reply = Reply(self._events(call, *stream))
        reply.on_done(self.endings.append)
        return reply

    async def _events(self, call: Call, events: list[Event], breaks_after: int | None) -> AsyncIterator[Batch]:
        attempt = pb.Attempt(provider=events[0].started.provider, model="m")
        for event in events[:breaks_after]:
            yield [event]
        if breaks_after is not None:
            error = StreamInterrupted("gone")
            attempt.failure.CopyFrom(failure_of(error))
            call.trail.attempts.append(attempt)
            raise error
        call.trail.attempts.append(attempt)


async def told(upstream: Upstream, call: Call) -> tuple[list[Event], pb.ChatResponse]:
    events: list[Event] = []
    assembly = Assembly()
    async with await Restart(upstream)(call) as reply:
        async for event in reply:
            events.append(event)
            assembly.add(event)
    assert assembly.response is not None
    return events, assembly.response


def kinds(events: Sequence[Event]) -> list[str]:
    return [event.WhichOneof("event") or "" for event in events]


async def test_without_a_policy_a_break_is_an_error(make_call: MakeCall) -> None:
    upstream = Upstream((text("half an answer", "a"), 3))
    with pytest.raises(StreamInterrupted):
        await told(upstream, make_call(stream=True, restart=NEVER))
    assert len(upstream.calls) == 1


async def test_a_restart_tells_to_drop_what_was_delivered_and_begins_anew(make_call: MakeCall) -> None:
    upstream = Upstream((text("half", "a"), 3), (text("the whole", "b"), None))
    events, response = await told(upstream, make_call(stream=True, restart=DISCARD))
    assert response.text == "the whole"
    assert kinds(events).count("started") == 1
    (failed,) = (event.attempt_failed for event in events if event.HasField("attempt_failed"))
    assert (failed.discard_partial_output, failed.next_action) == (True, pb.AttemptFailed.NEXT_ACTION_FALLBACK)
    assert (failed.attempt.provider, failed.next_provider, failed.next_model) == ("a", "b", "m")
    assert upstream.calls[1].avoid == (Target("a", "m"),)


async def test_another_model_goes_on_from_the_text_so_far(make_call: MakeCall) -> None:
    upstream = Upstream((text("Tea is ", "a"), 3), (text("a plant.", "b"), None))
    call = make_call(stream=True, restart=CONTINUE)
    call.request.prompt = "What is tea?"
    events, response = await told(upstream, call)
    assert response.text == "Tea is a plant."
    assert [event.part_finished.part_index for event in events if event.HasField("part_finished")] == [0, 1]
    (failed,) = (event.attempt_failed for event in events if event.HasField("attempt_failed"))
    assert (failed.discard_partial_output, failed.next_action) == (False, pb.AttemptFailed.NEXT_ACTION_CONTINUE)
    asked = upstream.calls[1].request
    assert [(message.role, message.parts[0].text) for message in asked.messages] == [
        (pb.ROLE_USER, "What is tea?"),
        (pb.ROLE_ASSISTANT, "Tea is "),
    ]
    assert "Go on" in asked.prompt
    assert call.request.prompt == "What is tea?"


async def test_what_broke_before_its_first_word_is_asked_again_as_it_was(make_call: MakeCall) -> None:
    upstream = Upstream((text("x", "a"), 2), (text("all", "b"), None))
    call = make_call(stream=True, restart=CONTINUE)
    call.request.prompt = "What?"
    _, response = await told(upstream, call)
    assert response.text == "all"
    assert upstream.calls[1].request.prompt == "What?"


async def test_a_tool_call_that_broke_off_is_nothing_to_go_on_from(make_call: MakeCall) -> None:
    part = pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id="c", name="f", arguments_json='{"a":1}'))
    upstream = Upstream((saying(part, provider="a"), 3))
    with pytest.raises(StreamInterrupted):
        await told(upstream, make_call(stream=True, restart=CONTINUE))


async def test_thoughts_that_broke_off_are_ended_before_the_next_part(make_call: MakeCall) -> None:
    part = pb.ContentPart(reasoning=pb.ReasoningPart(text="hm"))
    upstream = Upstream((saying(part, provider="a"), 3), (text("yes", "b"), None))
    _, response = await told(upstream, make_call(stream=True, restart=CONTINUE))
    first, second = response.candidates[0].message.parts
    assert (first.reasoning.text, second.text) == ("hm", "yes")


async def test_who_failed_before_the_next_stream_comes_between(make_call: MakeCall) -> None:
    class Detour(Upstream):
        """Its second stream comes after a failure elsewhere, which it tells itself."""

        async def __call__(self, call: Call) -> Reply:
            reply = await super().__call__(call)
            if len(self.calls) == 2:
                call.trail.attempts.append(pb.Attempt(provider="x", model="m", failure=pb.Failure(message="down")))
                reply.tell([Event(attempt_failed=failed) for failed in failures(call.trail.attempts[-1:], "b", "m")])
            return reply

    upstream = Detour((text("half", "a"), 3), (text("the whole", "b"), None))
    events, response = await told(upstream, make_call(stream=True, restart=DISCARD))
    assert response.text == "the whole"
    failed = [event.attempt_failed for event in events if event.HasField("attempt_failed")]
    assert [(each.attempt.provider, each.next_provider, each.discard_partial_output) for each in failed] == [
        ("a", "x", True),
        ("x", "b", False),
    ]


async def test_there_are_three_streams_at_most(make_call: MakeCall) -> None:
    upstream = Upstream(*[(text("half", name), 3) for name in "abcd"])
    with pytest.raises(StreamInterrupted):
        await told(upstream, make_call(stream=True, restart=DISCARD))
    assert len(upstream.calls) == 3


async def test_the_break_stays_the_error_when_nobody_else_answers(make_call: MakeCall) -> None:
    upstream = Upstream((text("half", "a"), 3), UpstreamFailed("down"))
    with pytest.raises(StreamInterrupted):
        await told(upstream, make_call(stream=True, restart=DISCARD))


async def test_every_stream_is_let_go_of_once(make_call: MakeCall) -> None:
    upstream = Upstream((text("half", "a"), 3), (text("the whole", "b"), None))
    await told(upstream, make_call(stream=True, restart=DISCARD))
    assert len(upstream.endings) == 2
    assert upstream.endings[1].response is not None


async def test_leaving_early_lets_go_of_the_stream_that_is_open(make_call: MakeCall) -> None:
    upstream = Upstream((text("half", "a"), 3), (text("the whole", "b"), None))
    async with await Restart(upstream)(make_call(stream=True, restart=DISCARD)) as reply:
        async for event in reply:
            if event.HasField("attempt_failed"):
                break
    assert len(upstream.endings) == 2
