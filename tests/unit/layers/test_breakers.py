"""The layer before each target: refuses at once, lets one probe through, and hears the end of every call however it ends."""

import asyncio
from collections.abc import Callable

import pytest

from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.core.errors import (
    CapabilityMissing,
    ContextTooLong,
    DeadlineExceeded,
    NoHealthyUpstream,
    Origin,
    PromptwireError,
    StreamInterrupted,
    UpstreamAccount,
    UpstreamFailed,
    UpstreamInvalidRequest,
    UpstreamPolicy,
    UpstreamRateLimited,
)
from promptwire_server.core.reply import Reply
from promptwire_server.layers.breaker import BreakerSettings, State
from promptwire_server.layers.breakers import Breakers, Shielded
from promptwire_server.layers.verdict import Verdict
from tests.unit.layers.conftest import MakeCall, answer, streamed

TARGET = Target("p", "m")
ANSWERED = Origin("p", http_status=400)


class Upstream:
    """Answers as it is told, once it is let go on; counts who reached it."""

    def __init__(self, clock: ManualClock) -> None:
        self.reached = 0
        self.error: BaseException | None = None
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.reply: Callable[[], Reply] = lambda: Reply.whole(answer())
        self.breakers = Breakers(BreakerSettings(consecutive_failures=2), clock, Chance(), [TARGET])

    async def __call__(self, call: Call) -> Reply:
        self.reached += 1
        self.entered.set()
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return self.reply()

    @property
    def state(self) -> State:
        return self.breakers.of(TARGET).state


@pytest.fixture
def upstream(clock: ManualClock) -> Upstream:
    return Upstream(clock)


@pytest.fixture
def ask(upstream: Upstream, make_call: MakeCall) -> "Ask":
    return Ask(Shielded(upstream, breakers=upstream.breakers), make_call)


class Ask:
    def __init__(self, layer: Shielded, make_call: MakeCall) -> None:
        self.layer = layer
        self.make_call = make_call

    async def __call__(self, *, stream: bool = False, target: Target = TARGET) -> str:
        async with await self.layer(self.make_call(stream=stream, target=target)) as reply:
            return (await reply.read()).text

    async def fails(self, times: int = 1) -> PromptwireError:
        for _ in range(times):
            with pytest.raises(PromptwireError) as caught:
                await self()
        return caught.value


@pytest.fixture
async def half_open(upstream: Upstream, ask: Ask, clock: ManualClock) -> Upstream:
    """The probe is due."""
    upstream.error = UpstreamFailed("down")
    await ask.fails(2)
    clock.advance(1.0)
    upstream.reached = 0
    upstream.entered.clear()
    upstream.error = None
    return upstream


async def test_open_answers_at_once_and_reaches_no_provider(upstream: Upstream, ask: Ask, clock: ManualClock) -> None:
    upstream.error = UpstreamFailed("down")
    await ask.fails(2)
    refused = await ask.fails()
    assert isinstance(refused, NoHealthyUpstream)
    assert (refused.elsewhere, refused.origin.provider, upstream.reached) == (True, "p", 2)
    assert refused.retry_after_s is not None
    assert 0 < refused.retry_after_s <= 1
    assert upstream.breakers.open(TARGET)
    assert upstream.breakers.available_at(TARGET) == clock.now_s + refused.retry_after_s


async def test_of_a_thousand_concurrent_callers_one_probes_and_the_rest_are_refused_at_once(half_open: Upstream, ask: Ask) -> None:
    half_open.go_on.clear()
    tasks = [asyncio.ensure_future(ask()) for _ in range(1000)]
    refused = asyncio.as_completed(tasks)
    for _ in range(999):
        with pytest.raises(NoHealthyUpstream):
            await next(refused)
    assert half_open.reached == 1
    half_open.go_on.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [result for result in results if not isinstance(result, NoHealthyUpstream)] == ["hello"]
    assert (half_open.state, half_open.reached) == (State.CLOSED, 1)
    assert await ask() == "hello"


async def test_a_probe_that_is_cancelled_gives_its_place_back(half_open: Upstream, ask: Ask) -> None:
    half_open.go_on.clear()
    probe = asyncio.ensure_future(ask())
    await half_open.entered.wait()
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    half_open.go_on.set()
    assert (half_open.state, half_open.breakers.open(TARGET)) == (State.HALF_OPEN, False)
    assert await ask() == "hello"


async def test_a_probe_whose_coroutine_is_thrown_away_gives_its_place_back(half_open: Upstream, ask: Ask) -> None:
    half_open.go_on.clear()
    probe = ask()
    probe.send(None)
    assert half_open.breakers.open(TARGET)
    probe.close()
    assert not half_open.breakers.open(TARGET)


async def test_a_probe_that_fails_opens_it_again(half_open: Upstream, ask: Ask) -> None:
    half_open.error = UpstreamFailed("still down")
    await ask.fails()
    assert (half_open.state, half_open.breakers.open(TARGET)) == (State.OPEN, True)


@pytest.mark.parametrize(
    "error",
    [
        UpstreamRateLimited("slow down", origin=Origin("p", http_status=429)),
        UpstreamAccount("no money", origin=Origin("p", http_status=402)),
        UpstreamInvalidRequest("bad field", origin=ANSWERED),
        UpstreamPolicy("not that", origin=ANSWERED),
        ContextTooLong("too long", origin=ANSWERED),
        CapabilityMissing("cannot"),
        DeadlineExceeded.during("upstream"),
        NoHealthyUpstream("every credential is bad"),
        StreamInterrupted("broke off", metadata={"cause": "UPSTREAM_RATE_LIMITED"}),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_is_not_the_targets_fault_does_not_open_it(upstream: Upstream, ask: Ask, error: PromptwireError) -> None:
    upstream.error = error
    await ask.fails(50)
    assert (upstream.state, upstream.reached) == (State.CLOSED, 50)


async def test_streams_that_break_off_open_it(upstream: Upstream, ask: Ask, clock: ManualClock) -> None:
    upstream.reply = lambda: streamed(answer(), clock=clock, stop_after=2)
    for _ in range(2):
        async with await ask.layer(ask.make_call(stream=True, target=TARGET)) as reply:
            with pytest.raises(StreamInterrupted):
                [event async for event in reply]
    assert upstream.state is State.OPEN


async def test_streams_that_are_left_or_read_to_the_end_do_not_open_it(upstream: Upstream, ask: Ask, clock: ManualClock) -> None:
    upstream.error = UpstreamFailed("once")
    await ask.fails()
    upstream.error = None
    upstream.reply = lambda: streamed(answer(), clock=clock)
    for _ in range(5):
        async with await ask.layer(ask.make_call(stream=True, target=TARGET)) as reply:
            await anext(aiter(reply))
    assert upstream.breakers.of(TARGET).consecutive_failures == 1
    assert await ask(stream=True) == "hello"
    assert upstream.breakers.of(TARGET).consecutive_failures == 0


async def test_a_stream_that_has_begun_is_proof_enough_for_others_to_come_in(half_open: Upstream, ask: Ask, clock: ManualClock) -> None:
    half_open.reply = lambda: streamed(answer(), clock=clock)
    async with await ask.layer(ask.make_call(stream=True, target=TARGET)):
        assert await ask() == "hello"
    assert half_open.state is State.CLOSED


async def test_each_model_has_its_own_and_resetting_takes_one_or_all(upstream: Upstream, ask: Ask) -> None:
    other, far = Target("p", "other"), Target("q", "m")
    upstream.error = UpstreamFailed("down")
    for target in (TARGET, other, far):
        for _ in range(2):
            with pytest.raises(UpstreamFailed):
                await ask(target=target)
    upstream.breakers.reset("p", "other")
    assert [upstream.breakers.open(target) for target in (TARGET, other, far)] == [True, False, True]
    upstream.breakers.reset("p")
    assert [upstream.breakers.open(target) for target in (TARGET, other, far)] == [False, False, True]


async def test_opening_and_closing_are_told_and_no_probe_between(clock: ManualClock) -> None:
    told: list[State] = []
    breakers = Breakers(BreakerSettings(consecutive_failures=1), clock, Chance(), changed=lambda _, state: told.append(state))
    for verdict in (Verdict.BROKEN, Verdict.BROKEN, Verdict.WELL):
        breakers.enter(TARGET, 1e9).settle(verdict)
        clock.advance(10)
    assert told == [State.OPEN, State.CLOSED]


async def test_a_new_configuration_tunes_all_and_those_to_come(upstream: Upstream, ask: Ask) -> None:
    upstream.breakers.name([TARGET], BreakerSettings(consecutive_failures=1))
    upstream.error = UpstreamFailed("down")
    for target in (TARGET, Target("p", "new")):
        with pytest.raises(UpstreamFailed):
            await ask(target=target)
        assert upstream.breakers.open(target)


def test_asking_about_a_target_keeps_nothing(upstream: Upstream) -> None:
    for number in range(10):
        assert not upstream.breakers.open(Target("p", str(number)))
    assert [target for target, _ in upstream.breakers.items()] == [TARGET]
