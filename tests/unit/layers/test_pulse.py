"""Every call is measured from asking to its end, and a provider out of use gets none and soon has none."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import events_of
from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import (
    CallCancelled,
    CapabilityMissing,
    DeadlineExceeded,
    NoHealthyUpstream,
    NotFound,
    Origin,
    PromptwireError,
    StreamInterrupted,
    UpstreamAccount,
    UpstreamFailed,
    UpstreamInvalidRequest,
    UpstreamRateLimited,
    failure_of,
)
from promptwire_server.core.reply import Batch, Reply
from promptwire_server.core.standing import Standing
from promptwire_server.layers.pulse import Pulse
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.vitals import Counts, Vitals
from tests.unit.layers.conftest import MakeCall, answer, streamed

TARGET = Target("p", "m")
OFF = Standing(enabled=False, reason="the vendor asked us to")
OFF_NOW = Standing(enabled=False, clear_by_s=0.0)
VENDOR = Origin("p", http_status=429)


class Timers:
    """An event loop's call_later, on a clock of the test's own."""

    def __init__(self) -> None:
        self.due: list[tuple[float, Callable[[], None]]] = []

    def later(self, delay_s: float, then: Callable[[], None]) -> "Timer":
        self.due.append((delay_s, then))
        return Timer(self, self.due[-1])

    def ring(self) -> None:
        due, self.due = self.due, []
        for _, then in due:
            then()


class Timer:
    def __init__(self, timers: Timers, entry: tuple[float, Callable[[], None]]) -> None:
        self.timers, self.entry = timers, entry

    def cancel(self) -> None:
        self.timers.due.remove(self.entry)


class Upstream:
    """Takes its time, then answers or raises."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.took_s = 0.5
        self.error: BaseException | None = None
        self.tries = True  # writes its attempt into the trail
        self.reply: Callable[[], Reply] = lambda: Reply.whole(answer())
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, call: Call) -> Reply:
        self.entered.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            call.trail.attempts.append(pb.Attempt(provider="p", model="m", failure=failure_of(CallCancelled("the caller went away"))))
            raise
        self.clock.advance(self.took_s)
        if isinstance(self.error, PromptwireError) and self.tries:
            call.trail.attempts.append(pb.Attempt(provider="p", model="m", failure=failure_of(self.error), provider_request_id="vendor-1"))
        if self.error is not None:
            raise self.error
        return self.reply()


@pytest.fixture
def upstream(clock: ManualClock) -> Upstream:
    return Upstream(clock)


@pytest.fixture
def roster(clock: ManualClock) -> Roster:
    return Roster(clock, ["p", "q"], [TARGET])


@pytest.fixture
def vitals(roster: Roster) -> Vitals:
    return roster.of(TARGET)


@pytest.fixture
def pulse(upstream: Upstream, roster: Roster, clock: ManualClock) -> Pulse:
    return Pulse(upstream, roster=roster, clock=clock)


Ask = Callable[..., "asyncio.Future[Reply]"]


@pytest.fixture
def ask(pulse: Pulse, make_call: MakeCall) -> Ask:
    def asked(*, stream: bool = False) -> "asyncio.Future[Reply]":
        return asyncio.ensure_future(pulse(make_call(target=TARGET, stream=stream)))

    return asked


def calm(roster: Roster, vitals: Vitals) -> bool:
    """Nothing is under way."""
    return vitals.in_flight == 0 and not roster.post("p").visits


async def test_a_whole_answer_is_timed_to_its_end(ask: Ask, roster: Roster, vitals: Vitals, clock: ManualClock) -> None:
    async with await ask() as reply:
        assert calm(roster, vitals)  # it is there: the target has nothing left to do
        await reply.read()
    assert (vitals.counts(), vitals.latency().max_s, vitals.first_token().count, vitals.latency_s) == (Counts(1), 0.5, 0, 0.5)
    assert vitals.last_success_s == clock.time()
    assert calm(roster, vitals)


async def test_a_stream_is_timed_to_its_first_token_and_to_its_end(
    ask: Ask, upstream: Upstream, vitals: Vitals, clock: ManualClock
) -> None:
    upstream.reply = lambda: streamed(answer(), clock=clock, pause_s=1.0)
    async with await ask(stream=True) as reply:
        await reply.read()
    assert (vitals.latency().max_s, vitals.first_token().max_s) == (5.5, 0.5)
    assert 0.25 < vitals.latency_s <= 0.5


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (UpstreamFailed("gone"), Counts(1, 1)),
        (UpstreamRateLimited("slow down", origin=VENDOR), Counts(1, 1, 1)),
        (UpstreamAccount("no money", origin=VENDOR), Counts(1, 1)),
        (UpstreamInvalidRequest("bad", origin=VENDOR), Counts()),
        (DeadlineExceeded.during("upstream"), Counts()),
        (RuntimeError("a bug"), Counts()),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_counts_as_a_failure(
    ask: Ask, upstream: Upstream, roster: Roster, vitals: Vitals, error: Exception, counts: Counts
) -> None:
    upstream.error = error
    with pytest.raises(type(error)):
        await ask()
    assert (vitals.counts(), len(vitals.failures)) == (counts, counts.failures)
    assert calm(roster, vitals)


@pytest.mark.parametrize("error", [UpstreamRateLimited("ours"), NoHealthyUpstream("open"), CapabilityMissing("no")])
async def test_what_was_refused_before_anything_was_asked_is_no_call(
    ask: Ask, upstream: Upstream, vitals: Vitals, error: PromptwireError
) -> None:
    upstream.error, upstream.tries = error, False
    with pytest.raises(type(error)):
        await ask()
    assert vitals.counts() == Counts()


async def test_a_failure_is_kept_as_the_provider_wrote_it_down(ask: Ask, upstream: Upstream, vitals: Vitals, clock: ManualClock) -> None:
    upstream.error = UpstreamFailed("gone")
    with pytest.raises(UpstreamFailed):
        await ask()
    assert (vitals.failures[0].at_s, vitals.failures[0].attempt.provider_request_id) == (clock.time(), "vendor-1")


async def test_a_failure_that_nobody_wrote_down_is_told_all_the_same(ask: Ask, upstream: Upstream, vitals: Vitals) -> None:
    upstream.error, upstream.tries = UpstreamFailed("gone"), False
    with pytest.raises(UpstreamFailed):
        await ask()
    attempt = vitals.failures[0].attempt
    assert (attempt.provider, attempt.model, attempt.failure.message, attempt.latency.ToMilliseconds()) == ("p", "m", "gone", 500)


async def test_a_stream_that_breaks_off_is_a_failure(
    ask: Ask, upstream: Upstream, roster: Roster, vitals: Vitals, clock: ManualClock
) -> None:
    upstream.reply = lambda: streamed(answer(), clock=clock, stop_after=2)
    async with await ask(stream=True) as reply:
        with pytest.raises(StreamInterrupted):
            [event async for event in reply]
    assert vitals.counts() == Counts(1, 1)
    assert calm(roster, vitals)


async def test_one_who_is_cancelled_while_waiting_is_gone_and_has_shown_that_it_takes_long(
    ask: Ask, upstream: Upstream, roster: Roster, vitals: Vitals, clock: ManualClock
) -> None:
    upstream.go_on.clear()
    asking = ask()
    await upstream.entered.wait()
    clock.advance(9.0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (vitals.counts(), vitals.latency_s) == (Counts(), 9.0)
    assert calm(roster, vitals)


async def test_a_call_whose_coroutine_is_thrown_away_is_gone(
    pulse: Pulse, upstream: Upstream, roster: Roster, vitals: Vitals, make_call: MakeCall
) -> None:
    upstream.go_on.clear()
    asking = pulse(make_call(target=TARGET))
    asking.send(None)
    assert vitals.in_flight == 1
    asking.close()
    assert calm(roster, vitals)


async def test_a_reader_who_leaves_is_gone_and_nobody_failed(
    ask: Ask, upstream: Upstream, roster: Roster, vitals: Vitals, clock: ManualClock
) -> None:
    upstream.reply = lambda: streamed(answer(), clock=clock)
    async with await ask(stream=True):
        clock.advance(60.0)
    assert vitals.counts() == Counts()
    assert vitals.latency_s < 0.01
    assert calm(roster, vitals)


async def test_a_thousand_calls_that_end_at_random_leave_nothing_behind(
    upstream: Upstream, roster: Roster, vitals: Vitals, ask: Ask
) -> None:
    upstream.go_on.clear()
    asking = [ask(stream=bool(number % 2)) for number in range(1000)]
    await upstream.entered.wait()
    for number, one in enumerate(asking):
        if number % 3 == 0:
            one.cancel()
    upstream.error = UpstreamFailed("gone")
    upstream.go_on.set()
    await asyncio.gather(*asking, return_exceptions=True)
    assert calm(roster, vitals)


async def test_a_provider_out_of_use_gets_no_calls_and_the_error_says_why(ask: Ask, upstream: Upstream, roster: Roster) -> None:
    roster.post("p").set(OFF, 0.0, Timers().later)
    with pytest.raises(NoHealthyUpstream, match="the vendor asked us to") as caught:
        await ask()
    assert (caught.value.elsewhere, upstream.entered.is_set()) == (True, False)
    assert (roster.enabled("p"), roster.enabled("q")) == (False, True)


async def test_draining_lets_calls_end_and_ends_those_that_take_too_long(
    ask: Ask, upstream: Upstream, roster: Roster, vitals: Vitals
) -> None:
    timers = Timers()
    upstream.go_on.clear()
    waiting = ask()
    await upstream.entered.wait()
    roster.post("p").set(Standing(enabled=False, clear_by_s=130.0), 100.0, timers.later)
    assert [delay_s for delay_s, _ in timers.due] == [30.0]
    assert not waiting.done()
    timers.ring()
    with pytest.raises(NoHealthyUpstream, match="taken out of use"):
        await waiting
    assert vitals.counts() == Counts()
    assert calm(roster, vitals)


async def test_a_task_that_was_evicted_is_not_left_half_cancelled(
    upstream: Upstream, pulse: Pulse, roster: Roster, make_call: MakeCall
) -> None:
    async def caller() -> str:
        try:
            await pulse(call)
        except NoHealthyUpstream:
            await asyncio.sleep(0)
            task = asyncio.current_task()
            assert task is not None
            return f"asks another, {task.cancelling()} cancellations pending"
        raise AssertionError

    call = make_call(target=TARGET)

    upstream.go_on.clear()
    calling = asyncio.ensure_future(caller())
    await upstream.entered.wait()
    roster.post("p").set(OFF_NOW, 1.0, Timers().later)
    assert await calling == "asks another, 0 cancellations pending"
    assert [attempt.failure.reason for attempt in call.trail.attempts] == [pb.ERROR_REASON_NO_HEALTHY_UPSTREAM]


async def test_who_is_cancelled_by_the_caller_too_is_cancelled(ask: Ask, upstream: Upstream, roster: Roster, vitals: Vitals) -> None:
    upstream.go_on.clear()
    asking = ask()
    await upstream.entered.wait()
    roster.post("p").set(OFF_NOW, 1.0, Timers().later)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert calm(roster, vitals)


async def test_a_stream_under_way_is_cut_and_released(ask: Ask, upstream: Upstream, roster: Roster, vitals: Vitals) -> None:
    released = asyncio.Event()

    async def source() -> AsyncIterator[Batch]:
        yield list(events_of(answer()))[:2]
        await released.wait()
        raise UpstreamFailed("the connection is closed")

    upstream.reply = lambda: Reply(source(), release=released.set)
    async with await ask(stream=True) as reply:
        events = aiter(reply)
        await anext(events)
        await anext(events)
        waiting = asyncio.ensure_future(anext(events))
        roster.post("p").set(OFF_NOW, 1.0, Timers().later)
        with pytest.raises(StreamInterrupted, match="taken out of use"):
            await waiting
    assert vitals.counts() == Counts()
    assert calm(roster, vitals)


async def test_back_in_use_nothing_is_ended_any_more(ask: Ask, upstream: Upstream, roster: Roster) -> None:
    timers = Timers()
    upstream.go_on.clear()
    waiting = ask()
    await upstream.entered.wait()
    roster.post("p").set(Standing(enabled=False, clear_by_s=130.0), 100.0, timers.later)
    roster.post("p").set(Standing(), 101.0, timers.later)
    assert timers.due == []
    upstream.go_on.set()
    async with await waiting as reply:
        assert (await reply.read()).text == "hello"


def test_a_new_configuration_keeps_what_is_known(roster: Roster, vitals: Vitals) -> None:
    roster.post("p").set(OFF, 0.0, Timers().later)
    roster.name(["p", "r"], [Target("r", "x")])
    assert (roster.of(TARGET) is vitals, roster.enabled("p"), sorted(roster.posts)) == (True, False, ["p", "r"])
    with pytest.raises(NotFound, match="this server has p, r"):
        roster.configured("q")
    assert roster.enabled("q")  # calls by the old configuration go on there
    roster.name(["p", "q"], [])
    assert not roster.enabled("p")


def test_how_long_a_target_usually_takes_is_asked_without_keeping_it(roster: Roster, vitals: Vitals, clock: ManualClock) -> None:
    for _ in range(5):
        vitals.answered(2.0, clock.now_s)
    assert (roster.usual_s(TARGET, stream=False), roster.usual_s(Target("p", "new"), stream=False)) == (2.0, None)
    assert [target for target, _ in roster.targets()] == [TARGET]
