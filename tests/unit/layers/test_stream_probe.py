"""Streams are held back until they have shown enough; one that dies before was never seen."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import events_of
from promptwire_server.core.call import Call
from promptwire_server.core.errors import DeadlineExceeded, PromptwireError, UpstreamFailed, UpstreamRateLimited
from promptwire_server.core.reply import Batch, Ending, Event, Reply
from promptwire_server.layers.stream_probe import StreamProbe, StreamProbeSettings
from promptwire_server.providers.interruption import interrupted
from tests.unit.layers.virtual import VirtualClock, run

STARTED = Event(started=pb.ChatStarted(provider="a", model="m"))
Step = Event | float | PromptwireError


def said(text: str) -> Event:
    return Event(part_delta=pb.PartDelta(text=text))


def thought(text: str) -> Event:
    return Event(part_delta=pb.PartDelta(reasoning=text))


def whole() -> list[Step]:
    response = pb.ChatResponse(provider="a", model="m")
    response.candidates.add().message.parts.add(text="hi")
    return list(events_of(response))


def finished() -> Event:
    return Event(finished=pb.ChatFinished(response=pb.ChatResponse(provider="a", model="m")))


class Upstream:
    """One stream: events, pauses in seconds, or the failure that breaks it."""

    def __init__(self, *steps: Step) -> None:
        self.steps: Sequence[Step] = steps
        self.endings: list[Ending] = []
        self.released = 0
        self.source = self._events()

    async def __call__(self, call: Call) -> Reply:
        reply = Reply(self.source, release=self._release) if call.stream else Reply.whole(pb.ChatResponse(text="whole"))
        reply.on_done(self.endings.append)
        return reply

    def _release(self) -> None:
        self.released += 1

    async def _events(self) -> AsyncGenerator[Batch, None]:
        for step in self.steps:
            if isinstance(step, PromptwireError):
                raise interrupted(step, delivered_deltas=1)
            if isinstance(step, float):
                await asyncio.sleep(step)
            else:
                yield [step]


async def asked(upstream: Upstream, *, stream: bool = True, deadline_s: float = 60.0, first_by_s: float = 0.0) -> Reply:
    call = Call(pb.ChatRequest(), None, "r", "t", deadline_s, 0.0, stream, first_by_s=first_by_s)  # type: ignore[arg-type]  # nobody asks who
    return await StreamProbe(upstream, settings=StreamProbeSettings(10, 2.0), clock=VirtualClock())(call)


async def kinds_and_times(reply: Reply) -> list[tuple[str, float]]:
    async with reply:
        return [(event.WhichOneof("event") or "", VirtualClock().monotonic()) async for event in reply]


def when_handed_on(*steps: Step, first_by_s: float = 0.0) -> float:
    """When the reader gets the first event."""

    async def main() -> float:
        upstream = Upstream(*steps)
        reply = await asked(upstream, first_by_s=first_by_s)
        handed_on_s = VirtualClock().monotonic()
        reply.close()
        await asyncio.sleep(0)
        await upstream.source.aclose()
        return handed_on_s

    return run(main())


@pytest.mark.parametrize("error", [UpstreamFailed("gone"), UpstreamRateLimited("later", retry_after_s=3.0)])
def test_a_stream_that_dies_early_raises_what_broke_it_as_if_it_had_never_begun(error: PromptwireError) -> None:
    upstream = Upstream(STARTED, said("5 chr"), 0.5, error)

    async def main() -> None:
        with pytest.raises(type(error)) as caught:
            await asked(upstream)
        assert caught.value is error
        (ending,) = upstream.endings
        assert ending.response is None
        assert not ending.delivered
        assert upstream.released == 1

    run(main())


def test_a_stream_that_has_shown_enough_flows_and_breaks_as_ever() -> None:
    async def main() -> None:
        reply = await asked(Upstream(STARTED, said("more than ten"), 1.0, UpstreamFailed("gone")))
        assert VirtualClock().monotonic() == 0
        with pytest.raises(PromptwireError, match="broke off at delta 1"):
            await kinds_and_times(reply)

    run(main())


def test_nothing_is_lost_or_told_twice_and_what_was_held_comes_at_once() -> None:
    async def main() -> list[tuple[str, float]]:
        steps = (STARTED, said("five "), 1.0, said("five "), 1.0, said("more"), finished())
        return await kinds_and_times(await asked(Upstream(*steps)))

    assert run(main()) == [("started", 1), ("part_delta", 1), ("part_delta", 1), ("part_delta", 2), ("finished", 2)]


@pytest.mark.parametrize(
    ("steps", "at_s"),
    [
        ((STARTED, 1.0, said("x" * 10)), 1.0),
        ((STARTED, 1.0, thought("x" * 9), 0.5, said("x")), 1.5),
        ((STARTED, 1.0, Event(part_finished=pb.PartFinished(part=pb.ContentPart(tool_call=pb.ToolCallPart(name="f"))))), 1.0),
        ((STARTED, 1.0, Event(part_delta=pb.PartDelta(arguments_json="x" * 99)), 60.0), 2.0),
        ((STARTED, said("slow"), 0.9, said("ly"), 0.9, said("but"), 60.0), 2.0),
        ((STARTED, 60.0), 2.0),
        ((STARTED, said("hi"), 1.0, finished()), 1.0),
    ],
    ids=["text", "reasoning and text", "a whole tool call", "half a tool call", "a trickle", "silence", "a short answer"],
)
def test_a_stream_is_held_until_it_has_shown_enough_but_only_so_long(steps: Sequence[Step], at_s: float) -> None:
    assert when_handed_on(*steps) == pytest.approx(at_s)


def test_a_stream_is_not_held_beyond_its_share_of_the_time() -> None:
    assert when_handed_on(STARTED, 60.0, first_by_s=0.7) == pytest.approx(0.7)


def test_a_trickle_that_is_let_go_of_flows_on_without_a_gap() -> None:
    async def main() -> list[tuple[str, float]]:
        return await kinds_and_times(await asked(Upstream(STARTED, 3.0, said("late"), 1.0, said("later"), finished())))

    assert run(main()) == [("started", 2), ("part_delta", 3), ("part_delta", 4), ("finished", 4)]


def test_a_trickle_that_breaks_when_it_flows_is_an_interrupted_stream() -> None:
    async def main() -> None:
        reply = await asked(Upstream(STARTED, said("x"), 3.0, UpstreamFailed("gone")))
        with pytest.raises(PromptwireError, match="broke off"):
            await kinds_and_times(reply)

    run(main())


def test_a_deadline_that_passes_meanwhile_is_the_error() -> None:
    async def main() -> None:
        with pytest.raises(DeadlineExceeded):
            await asked(Upstream(STARTED, 0.5, DeadlineExceeded.during("upstream")), deadline_s=1.0)

    run(main())


@pytest.mark.parametrize("steps", [(STARTED, 60.0), (STARTED, said("x"), 60.0)], ids=["silent", "begun"])
def test_a_caller_who_leaves_while_it_is_held_leaves_nothing_behind(steps: Sequence[Step]) -> None:
    upstream = Upstream(*steps)

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(asked(upstream))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [(ending.response, ending.error) for ending in upstream.endings] == [(None, None)]
        assert upstream.released == 1
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


def test_a_caller_who_leaves_a_trickle_leaves_nothing_behind() -> None:
    upstream = Upstream(STARTED, 60.0, said("never"))

    async def main() -> None:
        async with await asked(upstream):
            pass
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert upstream.released == 1

    run(main())


def test_whoever_reads_a_held_stream_whole_gets_all_of_it() -> None:
    async def main() -> str:
        async with await asked(Upstream(*whole())) as reply:
            return (await reply.read()).text

    assert run(main()) == "hi"


def test_a_whole_answer_passes() -> None:
    async def main() -> str:
        async with await asked(Upstream(), stream=False) as reply:
            return (await reply.read()).text

    assert run(main()) == "whole"


def test_a_flood_of_what_shows_nothing_is_not_held_for_ever() -> None:
    flood = Event(part_delta=pb.PartDelta(arguments_json="x" * (1 << 16)))
    assert when_handed_on(STARTED, flood, flood, flood, flood, 1.0, flood, 60.0) == 1.0  # 256 KiB, and what went over
    assert when_handed_on(STARTED, *[Event(part_delta=pb.PartDelta(arguments_json="x"))] * 1022, 1.0, said("x"), said("x"), 60.0) == 1.0
