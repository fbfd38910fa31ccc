"""Limits of callers, in memory and in Redis: the same decisions, none that is too generous, and delays that are exact."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.core.rate import Ask, Draw, Meter, Refusal, Slot
from promptwire_server.layers.rates import Lease, RateStore
from promptwire_server.stores import memory_rates
from promptwire_server.stores.redis import rates as redis_rates
from promptwire_server.stores.redis.connection import Redis
from promptwire_server.stores.redis.script import Script
from tests.contract.stores.redis_server import RedisServer

EPOCH_S = 1_800_000_000  # where Redis's clock begins in these tests
_TIME = "redis.call('TIME')"
_MANUAL_TIME = "{redis.call('GET', 'pw:{rate}:test:seconds'), redis.call('GET', 'pw:{rate}:test:micros')}"


@dataclass
class Subject:
    """A store with a clock that tests move."""

    store: RateStore
    advance: Callable[[float], Awaitable[None]]
    sent: Callable[[], Awaitable[None]]  # all that follows decisions has arrived
    leases: list[Lease] = field(default_factory=list)

    async def ask(self, *draws: Draw, slots: Sequence[Slot] = (), for_s: float = 60.0) -> Refusal | None:
        """What refuses, if anything does."""
        answer = await self.store.take(Ask(draws, slots, for_s))
        if isinstance(answer, Refusal):
            return answer
        self.leases.append(answer)
        return None


@pytest.fixture(params=["memory", "redis"])
async def subject(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Subject]:
    """Either store. Redis's scripts read a clock of the test's in place of the server's, and are the same otherwise."""
    if request.param == "memory":
        clock = ManualClock(1000.0)

        async def advance(seconds: float) -> None:
            clock.advance(seconds)

        async def nothing() -> None:
            pass

        yield Subject(memory_rates.Rates(clock), advance, nothing)
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    for name in ("_TAKE", "_CHANGE"):
        script: Script = getattr(redis_rates, name)
        assert _TIME in script.source
        monkeypatch.setattr(redis_rates, name, Script(script.source.replace(_TIME, _MANUAL_TIME)))  # the server's clock cannot be moved
    redis = server.client()
    rates = redis_rates.Rates(redis, Chance())
    yield _of_redis(redis, rates, await _manual(redis))
    await rates.aclose()
    await redis.aclose()


async def _manual(redis: Redis) -> Callable[[float], Awaitable[None]]:
    now_us = 0

    async def advance(seconds: float) -> None:
        nonlocal now_us
        now_us += round(seconds * 1_000_000)
        whole_s, micros = divmod(now_us, 1_000_000)
        await redis.command("MSET", "pw:{rate}:test:seconds", EPOCH_S + whole_s, "pw:{rate}:test:micros", micros)

    await advance(0)
    return advance


def _of_redis(redis: Redis, rates: redis_rates.Rates, advance: Callable[[float], Awaitable[None]]) -> Subject:
    return Subject(rates, advance, rates.aclose)


def requests(size: int, per_minute: int, name: str = "a") -> Draw:
    return Draw((name, "requests"), Meter(size, per_minute), 1)


def tokens(amount: int, size: int = 1000, per_minute: int = 1000, name: str = "a") -> Draw:
    return Draw((name, "tokens"), Meter(size, per_minute), amount)


async def test_so_many_at_once_and_then_at_the_rate(subject: Subject) -> None:
    draw = requests(3, 60)
    assert [await subject.ask(draw) for _ in range(3)] == [None] * 3
    refusal = await subject.ask(draw)
    assert refusal is not None
    assert (refusal.key, refusal.used, refusal.most) == (("a", "requests"), 3, 3)
    assert refusal.retry_after_s == pytest.approx(1.0)
    await subject.advance(1.0)
    assert await subject.ask(draw) is None
    assert await subject.ask(draw) is not None


@pytest.mark.parametrize(("size", "per_minute"), [(1, 7), (5, 600), (50, 1), (3, 100_000), (7, 59)])
async def test_a_delay_is_exact_to_the_millisecond(subject: Subject, size: int, per_minute: int) -> None:
    draw = requests(size, per_minute)
    for _ in range(size):
        assert await subject.ask(draw) is None
    await subject.advance(0.000_1)
    refusal = await subject.ask(draw)
    assert refusal is not None
    early_s = min(0.001, refusal.retry_after_s / 2)
    await subject.advance(refusal.retry_after_s - early_s)
    again = await subject.ask(draw)
    assert again is not None
    assert again.retry_after_s == pytest.approx(early_s, abs=2e-6)
    await subject.advance(early_s)
    assert await subject.ask(draw) is None


async def test_nothing_counts_when_one_of_several_refuses(subject: Subject) -> None:
    wide, narrow, slot = requests(10, 60, "wide"), requests(1, 60, "narrow"), Slot(("s", "concurrency"), 2)
    assert await subject.ask(wide, narrow, slots=[slot]) is None
    for _ in range(20):
        refusal = await subject.ask(wide, narrow, tokens(900), slots=[slot])
        assert refusal is not None
        assert refusal.key == ("narrow", "requests")
    assert [await subject.ask(wide) for _ in range(9)] == [None] * 9
    assert await subject.ask(wide) is not None
    assert await subject.ask(tokens(1000), slots=[slot]) is None


async def test_the_longest_wait_is_told(subject: Subject) -> None:
    short, long = requests(1, 600, "short"), requests(1, 6, "long")
    assert await subject.ask(short, long) is None
    refusal = await subject.ask(short, long)
    assert refusal is not None
    assert refusal.key[0] == "long"
    assert refusal.retry_after_s == pytest.approx(10.0)


async def test_more_tokens_than_the_bucket_holds_wait_until_it_is_full_and_are_paid_off(subject: Subject) -> None:
    assert await subject.ask(tokens(1)) is None
    refusal = await subject.ask(tokens(3000))
    assert refusal is not None
    assert refusal.retry_after_s == pytest.approx(0.06)
    await subject.advance(0.06)
    assert await subject.ask(tokens(3000)) is None
    refusal = await subject.ask(tokens(1))
    assert refusal is not None
    assert refusal.retry_after_s == pytest.approx(120.06)


@pytest.mark.parametrize(("spent", "wait_s"), [(0, 0.0), (100, 0.0), (200, 6.0), (1000, 54.0), (1500, 84.0), (None, 48.0)])
async def test_an_estimate_is_corrected_when_the_truth_is_known(subject: Subject, spent: int | None, wait_s: float) -> None:
    assert await subject.ask(tokens(900)) is None
    subject.leases[0].settle(spent)
    subject.leases[0].settle(0)  # once is enough
    await subject.sent()
    refusal = await subject.ask(tokens(900))
    assert (0.0 if refusal is None else refusal.retry_after_s) == pytest.approx(wait_s, abs=1e-5)


async def test_what_has_flowed_in_meanwhile_is_not_given_back_again(subject: Subject) -> None:
    assert await subject.ask(tokens(1000)) is None
    await subject.advance(60.0)  # full again
    assert await subject.ask(tokens(500)) is None
    subject.leases[0].settle(0)
    await subject.sent()
    refusal = await subject.ask(tokens(1000))
    assert refusal is not None
    assert refusal.retry_after_s == pytest.approx(30.0)


async def test_slots_are_free_again_when_they_are_given_back(subject: Subject) -> None:
    slot = Slot(("a", "concurrency"), 2)
    assert [await subject.ask(slots=[slot]) for _ in range(2)] == [None] * 2
    refusal = await subject.ask(slots=[slot])
    assert refusal == Refusal(slot.key, 2, 2, 1.0)
    subject.leases[0].settle(None)
    subject.leases[0].settle(None)
    await subject.sent()
    assert await subject.ask(slots=[slot]) is None
    assert await subject.ask(slots=[slot]) is not None


async def test_a_limit_that_is_changed_keeps_what_was_consumed(subject: Subject) -> None:
    for _ in range(60):
        assert await subject.ask(requests(60, 60)) is None
    wider = await subject.ask(requests(120, 120))
    assert wider is not None
    assert wider.retry_after_s == pytest.approx(0.5)
    narrower = await subject.ask(requests(30, 30))
    assert narrower is not None
    assert narrower.retry_after_s == pytest.approx(2.0)


async def test_counts_of_others_are_their_own(subject: Subject) -> None:
    meter = Meter(1, 1)
    keys = [("a", "requests", "b", "c"), ("a", "requests", "bc", ""), ("a", "requests", "b\x00c"), ("a", "requests", "b", "", "c")]
    assert [await subject.ask(Draw(key, meter, 1)) for key in keys] == [None] * len(keys)


Step = tuple[int, int, int, int]  # ms to wait, which bucket, how much of it, how much of the other
STEPS = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 1), st.integers(1, 8), st.integers(0, 4)), min_size=1, max_size=40)
METERS = st.tuples(st.integers(1, 6), st.sampled_from([1, 7, 60, 61, 600, 100_000]))


class Reference:
    """Buckets as one learns them in school: a level that rises; exact."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.level = Fraction(meter.size)

    def rise(self, ms: int) -> None:
        self.level = min(Fraction(self.meter.size), self.level + Fraction(ms * self.meter.per_minute, 60_000))

    def wait_s(self, amount: int) -> Fraction:
        return max(Fraction(0), (min(amount, self.meter.size) - self.level) * 60 / self.meter.per_minute)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=METERS, second=METERS, steps=STEPS)
async def test_it_decides_as_the_simple_model_does(
    subject: Subject, first: tuple[int, int], second: tuple[int, int], steps: list[Step]
) -> None:
    references = [Reference(Meter(*first)), Reference(Meter(*second))]
    run = str(len(subject.leases)) + str(id(references))
    keys = [(run, "tokens", "0"), (run, "tokens", "1")]
    for ms, which, amount, other in steps:
        await subject.advance(ms / 1000)
        amounts = {which: amount} | ({1 - which: other} if other else {})
        for reference in references:
            reference.rise(ms)
        wait_s = max(references[number].wait_s(amount) for number, amount in amounts.items())
        refusal = await subject.ask(*(Draw(keys[number], references[number].meter, amount) for number, amount in amounts.items()))
        assert float(wait_s) == pytest.approx(0.0 if refusal is None else refusal.retry_after_s, abs=3e-6)
        if refusal is None:
            for number, taken in amounts.items():
                references[number].level -= taken


History = st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 300), st.integers(0, 400), st.booleans()), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=History)
async def test_corrections_never_make_it_more_generous_than_the_truth(subject: Subject, history: list[tuple[int, int, int, bool]]) -> None:
    """Of a draw whose truth is known at once, and of one that is known at the next step; the truth is replayed with hindsight."""
    meter = Meter(1000, 1000)
    key = ("truth", "tokens", str(id(history)))
    now_ms = 0
    truth: list[tuple[int, int]] = []  # when, how much
    late: list[tuple[Lease, int, int]] = []
    for ms, estimate, spent, at_once in history:
        now_ms += ms
        await subject.advance(ms / 1000)
        await subject.sent()
        if await subject.ask(Draw(key, meter, estimate)) is None:
            position = len(truth)
            truth.append((now_ms, estimate))
            late.append((subject.leases[-1], position, spent))
        while late and at_once:
            _settle(*late.pop(), truth, now_ms)
        await subject.sent()
        refusal = await subject.ask(Draw(key, meter, 1000))
        if refusal is None:
            truth.append((now_ms, 1000))
        level = _replayed(truth, now_ms)
        assert (0.0 if refusal is None else refusal.retry_after_s) >= float((0 if refusal is None else 1000 - level) * 60 / 1000) - 1e-5
        if refusal is None:
            assert level <= 1e-6


def _settle(lease: Lease, position: int, spent: int, truth: list[tuple[int, int]], now_ms: int) -> None:
    lease.settle(spent)
    when, estimate = truth[position]
    truth[position] = (when, min(estimate, spent))
    if spent > estimate:
        truth.append((now_ms, spent - estimate))


def _replayed(draws: list[tuple[int, int]], now_ms: int) -> Fraction:
    reference = Reference(Meter(1000, 1000))
    at_ms = 0
    for when, amount in sorted(draws):
        reference.rise(when - at_ms)
        reference.level -= amount
        at_ms = when
    reference.rise(now_ms - at_ms)
    return reference.level


async def test_a_bucket_that_is_not_full_is_not_forgotten_for_others() -> None:
    clock = ManualClock(1000.0)
    rates = memory_rates.Rates(clock, most_keys=100)
    slow = Draw(("slow", "requests"), Meter(1, 1), 1)
    assert not isinstance(await rates.take(Ask([slow], (), 60.0)), Refusal)
    for number in range(1000):
        clock.advance(0.02)
        answer = await rates.take(Ask([Draw((f"{number}", "requests"), Meter(1, 60), 1)], (), 60.0))
        assert not isinstance(answer, Refusal)
        assert len(rates) <= 100
        assert isinstance(await rates.take(Ask([slow], (), 60.0)), Refusal)


async def test_no_more_counts_are_kept_than_there_is_room_for() -> None:
    clock = ManualClock(1000.0)
    rates = memory_rates.Rates(clock, most_keys=100)
    answers = [await rates.take(Ask([Draw((f"{number}", "requests"), Meter(1, 1), 1)], (), 60.0)) for number in range(300)]
    assert [isinstance(answer, Refusal) for answer in answers] == [False] * 100 + [True] * 200
    clock.advance(60.0)
    assert not isinstance(await rates.take(Ask([Draw(("one more", "requests"), Meter(1, 1), 1)], (), 60.0)), Refusal)
    assert len(rates) < 100


async def test_in_memory_a_slot_that_nobody_gives_back_is_free_when_its_call_must_be_over() -> None:
    clock = ManualClock(1000.0)
    rates = memory_rates.Rates(clock)
    ask = Ask((), [Slot(("a", "concurrency"), 1)], 60.0)
    lost = await rates.take(ask)
    clock.advance(59.0)
    assert isinstance(await rates.take(ask), Refusal)
    clock.advance(1.0)
    assert not isinstance(await rates.take(ask), Refusal)
    assert not isinstance(lost, Refusal)
    lost.settle(None)  # late, and no longer anybody's
    assert isinstance(await rates.take(ask), Refusal)


async def test_a_cancelled_question_leaves_no_slot_behind(redis_server: RedisServer) -> None:
    redis = redis_server.client(max_connections=4)
    rates = redis_rates.Rates(redis, Chance())
    ask = Ask((), [Slot(("a", "concurrency"), 1000)], 60.0)
    for pause_s in [0, 0, 0.0001, 0.0002, 0.0005, 0.001] * 5:
        asking = [asyncio.create_task(rates.take(ask)) for _ in range(4)]
        await asyncio.sleep(pause_s)
        for task in asking:
            task.cancel()
        for answer in await asyncio.gather(*asking, return_exceptions=True):
            if not isinstance(answer, BaseException | Refusal):
                answer.settle(None)
    await rates.aclose()
    held = [await redis.command("ZCARD", key) for key in _keys(await redis.command("KEYS", "pw:{rate}:*"))]
    assert sum(int(str(count)) for count in held) <= 2  # of a command still under way; they end with their lease
    await redis.aclose()


def _keys(reply: object) -> list[bytes]:
    return [key for key in reply if isinstance(key, bytes)] if isinstance(reply, list) else []
