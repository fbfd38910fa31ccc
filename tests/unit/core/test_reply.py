"""A Reply ends once, says how, and lets go of its upstream, whatever happens."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import events_of
from promptwire_server.core.errors import (
    CallCancelled,
    DeadlineExceeded,
    Origin,
    PromptwireError,
    StreamInterrupted,
    UpstreamFailed,
    UpstreamRateLimited,
)
from promptwire_server.core.reply import Batch, Ending, Event, Reply


def answer() -> pb.ChatResponse:
    message = pb.ChatMessage(parts=[pb.ContentPart(text="two "), pb.ContentPart(text="parts")])
    return pb.ChatResponse(text="two parts", provider="p", model="m", request_id="r", candidates=[pb.Candidate(message=message)])


EVENTS = list(events_of(answer()))


class Upstream:
    """A source of one event a batch that ends, fails or hangs where it is told; counts how often it is released."""

    def __init__(self, events: Sequence[Event] = EVENTS, error: BaseException | None = None, *, hangs: bool = False) -> None:
        self.events, self.error, self.hangs = list(events), error, hangs
        self.log: list[str] = []
        self.endings: list[Ending] = []
        self.waiting = asyncio.Event()

    async def batches(self) -> AsyncIterator[Batch]:
        for event in self.events:
            yield [event]
        self.waiting.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error

    def reply(self) -> Reply:
        reply = Reply(self.batches(), release=lambda: self.log.append("released"))
        reply.on_done(self.endings.append)
        reply.on_done(lambda _: self.log.append("first"))
        reply.on_done(lambda _: self.log.append("second"))
        return reply

    @property
    def ending(self) -> Ending:
        [ending] = self.endings
        assert self.log == ["released", "second", "first"]
        return ending


async def delivered(reply: Reply) -> list[Event]:
    return [event async for event in reply]


@pytest.fixture(params=["whole", "streamed"])
def reply(request: pytest.FixtureRequest) -> Reply:
    """The same answer both ways."""
    return Reply.whole(answer()) if request.param == "whole" else Upstream().reply()


async def test_an_answer_reads_the_same_both_ways(reply: Reply) -> None:
    async with reply:
        assert await reply.read() == answer()


async def test_an_answer_has_the_same_events_both_ways(reply: Reply) -> None:
    async with reply:
        assert await delivered(reply) == EVENTS


async def test_what_was_read_can_still_be_delivered(reply: Reply) -> None:
    async with reply:
        assert await reply.read() == await reply.read() == answer()
        assert await delivered(reply) == EVENTS


async def test_what_was_delivered_can_still_be_read(reply: Reply) -> None:
    async with reply:
        await delivered(reply)
        assert await reply.read() == answer()


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_complete_answer_ends_with_its_response(*, streamed: bool) -> None:
    upstream = Upstream()
    async with upstream.reply() as reply:
        await (delivered(reply) if streamed else reply.read())
        assert upstream.log == []  # not before the reader leaves
    assert upstream.ending == Ending(answer(), None, delivered=True)


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_led_to_an_answer_is_told_behind_its_beginning(*, streamed: bool) -> None:
    reply = Upstream().reply() if streamed else Reply.whole(answer())
    aside = [Event(attempt_failed=pb.AttemptFailed(next_provider=name)) for name in "ab"]
    reply.tell(aside)
    async with reply:
        assert await delivered(reply) == [EVENTS[0], *aside, *EVENTS[1:]]
        assert await reply.read() == answer()


async def test_who_reads_the_whole_is_told_nothing_beside_it() -> None:
    reply = Upstream().reply()
    reply.tell([Event(attempt_failed=pb.AttemptFailed())])
    async with reply:
        assert await reply.read() == answer()


async def test_an_upstream_that_fails_before_all_else_is_passed_on() -> None:
    error = UpstreamRateLimited("slow down", retry_after_s=3.0)
    upstream = Upstream([], error)
    with pytest.raises(UpstreamRateLimited) as caught:
        async with upstream.reply() as reply:
            await delivered(reply)
    assert caught.value is error
    assert (upstream.ending.error, upstream.ending.delivered) == (error, False)


async def test_an_upstream_that_fails_after_the_first_event_interrupts_the_stream() -> None:
    upstream = Upstream(EVENTS[:4], UpstreamRateLimited("slow down", origin=Origin(provider="p"), retry_after_s=3.0))
    with pytest.raises(StreamInterrupted, match="slow down") as caught:
        async with upstream.reply() as reply:
            await delivered(reply)
    assert (caught.value.origin.provider, caught.value.metadata["cause"], caught.value.retryable) == ("p", "UPSTREAM_RATE_LIMITED", False)
    assert upstream.ending.error is caught.value
    assert upstream.ending.partial is not None
    assert upstream.ending.partial.text == "two "


@pytest.mark.parametrize("error", [DeadlineExceeded.during("upstream"), StreamInterrupted("cut")])
async def test_what_is_no_fault_of_an_upstream_or_said_already_stays(error: PromptwireError) -> None:
    with pytest.raises(type(error)) as caught:
        async with Upstream(EVENTS[:4], error).reply() as reply:
            await delivered(reply)
    assert caught.value is error


async def test_a_whole_answer_that_fails_in_the_middle_may_be_asked_again() -> None:
    upstream = Upstream(EVENTS[:4], UpstreamFailed("reset"))
    with pytest.raises(UpstreamFailed, match="reset"):
        async with upstream.reply() as reply:
            await reply.read()
    assert not upstream.ending.delivered


@pytest.mark.parametrize("count", range(len(EVENTS)))
async def test_a_stream_without_its_end_is_never_complete(count: int) -> None:
    upstream = Upstream(EVENTS[:count])
    with pytest.raises(StreamInterrupted if count else UpstreamFailed):
        async with upstream.reply() as reply:
            await delivered(reply)
    assert upstream.ending.response is None
    assert isinstance(upstream.ending.error, StreamInterrupted if count else UpstreamFailed)


@pytest.mark.parametrize("count", range(len(EVENTS)))
async def test_a_whole_answer_without_its_end_is_never_complete(count: int) -> None:
    with pytest.raises(UpstreamFailed):
        async with Upstream(EVENTS[:count]).reply() as reply:
            await reply.read()


async def test_a_failed_answer_fails_again_when_asked_again() -> None:
    async with Upstream([], UpstreamFailed("reset")).reply() as reply:
        for _ in range(2):
            with pytest.raises(UpstreamFailed, match="reset"):
                await reply.read()


async def test_a_failure_after_the_end_changes_nothing() -> None:
    upstream = Upstream(EVENTS, UpstreamFailed("reset while closing"))
    async with upstream.reply() as reply:
        assert await delivered(reply) == EVENTS
    assert upstream.ending.response == answer()


async def test_a_cancelled_reader_is_nobodys_fault() -> None:
    upstream = Upstream(EVENTS[:4], hangs=True)

    async def reading() -> None:
        async with upstream.reply() as reply:
            await delivered(reply)

    task = asyncio.ensure_future(reading())
    await upstream.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (upstream.ending.response, upstream.ending.error, upstream.ending.delivered) == (None, None, True)


async def failing(reply: Reply, error: Exception) -> None:
    """A reader who fails at the first event."""
    async with reply:
        async for _ in reply:
            raise error


async def test_a_reader_whose_client_is_gone_is_nobodys_fault() -> None:
    upstream = Upstream()
    with pytest.raises(CallCancelled):
        await failing(upstream.reply(), CallCancelled("gone"))
    assert (upstream.ending.response, upstream.ending.error, upstream.ending.delivered) == (None, None, True)


async def test_a_reader_who_fails_is_told_at_the_end() -> None:
    upstream, fault = Upstream(), ValueError("of the reader")
    with pytest.raises(ValueError, match="of the reader"):
        await failing(upstream.reply(), fault)
    assert upstream.ending.error is fault


async def test_an_abandoned_reply_has_neither_answer_nor_error() -> None:
    upstream = Upstream()
    async with upstream.reply() as reply:
        async for _ in reply.batches():
            break
    assert (upstream.ending.response, upstream.ending.error) == (None, None)


async def test_a_reply_that_nobody_reads_is_released() -> None:
    upstream = Upstream()
    async with upstream.reply():
        pass
    assert upstream.ending == Ending(None, None, delivered=False, partial=pb.ChatResponse())


async def test_closing_twice_ends_once() -> None:
    upstream = Upstream()
    reply = upstream.reply()
    reply.close()
    reply.close(ValueError())
    assert upstream.ending.error is None


async def test_one_bad_callback_does_not_cost_the_others() -> None:
    upstream = Upstream()
    reply = upstream.reply()

    def bad(_: Ending) -> None:
        raise ValueError("bad callback")

    reply.on_done(bad)
    with pytest.raises(ValueError, match="bad callback"):
        reply.close()
    assert upstream.ending.response is None


async def test_a_release_that_fails_does_not_cost_the_callbacks() -> None:
    endings: list[Ending] = []

    def release() -> None:
        raise OSError("already closed")

    reply = Reply(Upstream().batches(), release=release)
    reply.on_done(endings.append)
    with pytest.raises(OSError, match="already closed"):
        reply.close()
    assert len(endings) == 1


async def test_a_stream_that_is_cut_ends_with_the_cutters_error_and_releases_once() -> None:
    upstream = Upstream(EVENTS[:3])
    async with upstream.reply() as reply:
        events = aiter(reply)
        for _ in range(3):
            await anext(events)
        reply.cut(UpstreamRateLimited("enough"))
        with pytest.raises(StreamInterrupted, match="enough"):
            await anext(events)
    assert upstream.log.count("released") == 1
    assert isinstance(upstream.endings[0].error, StreamInterrupted)


async def test_a_stream_that_is_cut_between_two_events_goes_no_further_than_the_next() -> None:
    upstream = Upstream()
    async with upstream.reply() as reply:
        events = aiter(reply)
        await anext(events)
        reply.cut(UpstreamFailed("enough"))
        with pytest.raises(StreamInterrupted, match="enough"):
            await anext(events)


async def test_a_whole_answer_that_is_cut_fails_with_the_cutters_error() -> None:
    upstream = Upstream(EVENTS[:3])
    async with upstream.reply() as reply:
        reply.cut(UpstreamRateLimited("enough"))
        with pytest.raises(UpstreamRateLimited, match="enough"):
            await reply.read()


async def test_nothing_is_taken_away_from_what_is_complete() -> None:
    upstream = Upstream()
    async with upstream.reply() as reply:
        await reply.read()
        reply.cut(UpstreamFailed("too late"))
        assert (await reply.read()).text == "two parts"
    assert (upstream.log.count("released"), upstream.endings[0].error) == (1, None)


async def test_what_was_read_ahead_to_its_end_is_not_cut() -> None:
    async with Upstream().reply() as reply:
        await reply.hold(lambda _: False, 5.0)
        reply.cut(UpstreamRateLimited("taken out of use"))
        assert (await reply.read()).text == "two parts"
