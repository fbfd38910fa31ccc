"""Who may go out, when, and that nothing is kept of those who have gone."""

import asyncio
import math
import random
from collections import deque

import pytest

from promptwire import v1 as pb
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.limits import BELIEVED_S, Allowance, Cost, Refusal, Scope, TargetLimits
from promptwire_server.stores.memory_limits import Lease, Limits

NOW_S = 1000.25
LEASE_S = 30.0
OPEN = Scope("openai/gpt")


def cost(prompt: int = 10, answer: int = 0) -> Cost:
    request = pb.ChatRequest(prompt="x" * 4 * prompt)
    if answer:
        request.generation.max_output_tokens = answer
    request.prompt = request.prompt[: 8 * prompt - request.ByteSize() + 1]  # so that all of it has four bytes a token
    return Cost(request)


def scope(name: str = "openai/gpt", *, calls: int | None = None, requests: int | None = None, tokens: int | None = None) -> Scope:
    return Scope(name, TargetLimits(calls, requests, tokens))


async def taken(store: Limits, *scopes: Scope, of: Cost | None = None) -> Lease:
    lease = await store.take(scopes, of or cost(), NOW_S + LEASE_S)
    assert isinstance(lease, Lease), lease
    return lease


async def refused(store: Limits, *scopes: Scope, of: Cost | None = None) -> Refusal:
    refusal = await store.take(scopes, of or cost(), NOW_S + LEASE_S)
    assert isinstance(refusal, Refusal)
    return refusal


def requests_left(remaining: float, *, limit: float = 60.0, whole_in_s: float = 0.0, per_s: float = 1.0) -> Allowance:
    return Allowance("requests", "requests", remaining, limit, whole_in_s or (limit - remaining), per_s)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now_s=NOW_S)


@pytest.fixture
def store(clock: ManualClock) -> Limits:
    return Limits(clock)


async def test_a_full_target_refuses_until_somebody_leaves(store: Limits) -> None:
    two = scope(calls=2)
    first = await taken(store, two)
    await taken(store, two)
    assert (await refused(store, two)).cause == "max_in_flight"
    first.settle(5)
    await taken(store, two)


async def test_leaving_twice_frees_one_slot(store: Limits) -> None:
    two = scope(calls=2)
    first = await taken(store, two)
    await taken(store, two)
    first.settle(5)
    first.give_back()
    await taken(store, two)
    assert (await refused(store, two)).cause == "max_in_flight"


async def test_a_slot_that_nobody_gave_back_is_free_when_its_lease_is_over(store: Limits, clock: ManualClock) -> None:
    one = scope(calls=1)
    await taken(store, one)
    clock.advance(LEASE_S - 0.1)
    await refused(store, one)
    clock.advance(0.1)
    await taken(store, one)
    assert store.in_flight("openai/gpt") == 1


async def test_requests_of_a_minute_come_back_when_the_minute_is_over(store: Limits, clock: ManualClock) -> None:
    three = scope(requests=3)
    for _ in range(3):
        (await taken(store, three)).settle(None)
        clock.advance(10)
    refusal = await refused(store, three)
    assert refusal.cause == "requests_per_minute"
    assert 30.0 < refusal.retry_after_s <= 31.0
    clock.advance(refusal.retry_after_s)
    await taken(store, three)
    assert isinstance(await store.take([three], cost(), math.inf), Refusal)


async def test_a_request_that_was_not_sent_is_given_back(store: Limits, clock: ManualClock) -> None:
    one = scope(requests=1, tokens=100)
    (await taken(store, one)).give_back()
    clock.advance(5)
    await taken(store, one)


async def test_tokens_are_estimated_first_and_counted_afterwards(store: Limits) -> None:
    thousand = scope(tokens=1000)
    lease = await taken(store, thousand, of=cost(100, 800))
    assert (await refused(store, thousand, of=cost(200))).cause == "tokens_per_minute"
    lease.settle(300)
    await taken(store, thousand, of=cost(700))
    assert (await refused(store, thousand, of=cost(1))).cause == "tokens_per_minute"


async def test_tokens_beyond_the_estimate_count_too(store: Limits, clock: ManualClock) -> None:
    thousand = scope(tokens=1000)
    lease = await taken(store, thousand, of=cost(100))
    clock.advance(40)
    lease.settle(900)
    clock.advance(21)
    refusal = await refused(store, thousand, of=cost(300))
    assert 39.0 <= refusal.retry_after_s <= 41.0


async def test_of_a_call_that_broke_off_the_prompt_counts(store: Limits) -> None:
    thousand = scope(tokens=1000)
    (await taken(store, thousand, of=cost(100, 900))).settle(None)
    await taken(store, thousand, of=cost(900))
    await refused(store, thousand, of=cost(1))


async def test_a_call_larger_than_the_limit_goes_out_alone(store: Limits, clock: ManualClock) -> None:
    thousand = scope(tokens=1000)
    await taken(store, thousand, of=cost(5))
    await refused(store, thousand, of=cost(5000))
    clock.advance(61)
    await taken(store, thousand, of=cost(5000))
    await refused(store, thousand, of=cost(1))


async def test_a_call_takes_of_all_scopes_or_of_none(store: Limits) -> None:
    target, whole = scope(requests=5), scope("openai", requests=1)
    await taken(store, target, whole)
    assert (await refused(store, target, whole)).scope == "openai"
    for _ in range(4):
        await taken(store, target)
    assert (await refused(store, target)).scope == "openai/gpt"


async def test_the_longest_wait_is_told(store: Limits, clock: ManualClock) -> None:
    both = scope(calls=1, requests=1)
    await taken(store, both)
    clock.advance(10)
    refusal = await refused(store, both)
    assert refusal.cause == "requests_per_minute"


async def test_a_closed_target_refuses_until_the_vendors_time(store: Limits, clock: ManualClock) -> None:
    lease = await taken(store, OPEN)
    other = await taken(store, OPEN)
    lease.close_for(7.0)
    other.close_for(2.0)
    clock.advance(3.0)
    refusal = await refused(store, OPEN)
    assert refusal.cause == "closed"
    assert refusal.retry_after_s == pytest.approx(4.0)
    await taken(store, Scope("openai/other"))
    clock.advance(4.0)
    await taken(store, OPEN)


async def test_what_the_vendor_says_is_left_is_taken_and_no_more(store: Limits, clock: ManualClock) -> None:
    (await taken(store, OPEN)).heard([requests_left(2.0)])
    await taken(store, OPEN)
    await taken(store, OPEN)
    refusal = await refused(store, OPEN)
    assert refusal.cause == "vendor"
    assert refusal.retry_after_s == pytest.approx(1.0)
    clock.advance(1.0)
    await taken(store, OPEN)
    assert (await refused(store, OPEN)).cause == "vendor"


async def test_a_window_of_the_vendors_comes_back_all_at_once(store: Limits, clock: ManualClock) -> None:
    said = requests_left(1.0, whole_in_s=20.0, per_s=0.0)
    (await taken(store, OPEN)).heard([said])
    await taken(store, OPEN)
    clock.advance(15.0)
    assert (await refused(store, OPEN)).retry_after_s == pytest.approx(5.0)
    clock.advance(5.0)
    await taken(store, OPEN)


async def test_the_tokens_that_a_vendor_has_left_must_do_for_the_prompt(store: Limits) -> None:
    said = Allowance("tokens", "tokens", 100.0, 6000.0, 59.0, 100.0)
    (await taken(store, OPEN)).heard([said])
    assert (await refused(store, OPEN, of=cost(150))).retry_after_s == pytest.approx(0.5)
    await taken(store, OPEN, of=cost(100, 5000))


async def test_a_prompt_longer_than_the_vendors_limit_is_the_vendors_to_refuse(store: Limits) -> None:
    (await taken(store, OPEN)).heard([Allowance("tokens", "tokens", 6000.0, 6000.0, 0.0, 100.0)])
    await taken(store, OPEN, of=cost(9000))


async def test_the_vendors_word_is_believed_for_a_minute_only(store: Limits, clock: ManualClock) -> None:
    (await taken(store, OPEN)).heard([requests_left(0.0, limit=50.0, whole_in_s=86_400.0, per_s=0.0)])
    assert (await refused(store, OPEN)).retry_after_s == pytest.approx(BELIEVED_S)
    clock.advance(BELIEVED_S)
    await taken(store, OPEN)


async def test_others_that_use_the_same_account_are_noticed(store: Limits) -> None:
    (await taken(store, OPEN)).heard([requests_left(50.0)])
    (await taken(store, OPEN)).heard([requests_left(0.0)])
    assert (await refused(store, OPEN)).cause == "vendor"


async def test_a_limit_that_was_raised_is_noticed(store: Limits) -> None:
    first = await taken(store, OPEN)
    first.heard([requests_left(1.0)])
    (await taken(store, OPEN)).heard([requests_left(500.0, limit=600.0)])
    for _ in range(500):
        await taken(store, OPEN)
    assert (await refused(store, OPEN)).cause == "vendor"


async def test_a_late_answer_does_not_undo_what_has_come_back_since(store: Limits, clock: ManualClock) -> None:
    (await taken(store, OPEN)).heard([requests_left(1.0)])
    slow = await taken(store, OPEN)
    clock.advance(30.0)
    slow.heard([requests_left(0.0)])  # as of half a minute ago
    for _ in range(30):
        await taken(store, OPEN)
    assert (await refused(store, OPEN)).cause == "vendor"


async def test_what_was_not_sent_is_there_for_others(store: Limits) -> None:
    (await taken(store, OPEN)).heard([requests_left(1.0)])
    (await taken(store, OPEN)).give_back()
    await taken(store, OPEN)
    assert (await refused(store, OPEN)).cause == "vendor"


async def test_names_that_callers_think_up_are_forgotten_and_those_of_the_operator_are_not(clock: ManualClock) -> None:
    store = Limits(clock, most_unnamed=10)
    limited = scope("openai/limited", requests=1)
    await taken(store, limited)
    for number in range(100):
        (await taken(store, Scope(f"openai/{number}"))).settle(None)
    assert len(store) == 11
    await refused(store, limited)


async def test_a_target_without_limits_is_free_until_the_vendor_says_otherwise(store: Limits) -> None:
    free = store.free(OPEN.name)
    assert free is not None
    assert store.free(OPEN.name) is free
    free.settle(9)
    free.give_back()
    assert store.in_flight(OPEN.name) == 0
    free.heard([requests_left(0.0, whole_in_s=60.0)])
    assert store.free(OPEN.name) is None
    free.heard([requests_left(0.0, whole_in_s=50.0)])  # a call that was under way already
    assert (await refused(store, OPEN)).cause == "vendor"


async def test_a_target_that_was_closed_or_has_limits_is_not_free(store: Limits) -> None:
    await taken(store, limited := scope("openai/limited", requests=1))
    assert store.free(limited.name) is None
    free = store.free(OPEN.name)
    assert free is not None
    free.close_for(5.0)
    assert store.free(OPEN.name) is None
    assert (await refused(store, OPEN)).cause == "closed"


async def test_free_targets_that_callers_think_up_are_forgotten(clock: ManualClock) -> None:
    store = Limits(clock, most_unnamed=10)
    kept = store.free("openai/kept")
    for number in range(100):
        store.free(f"openai/{number}")
        assert store.free("openai/kept") is kept
    assert len(store) == 10


async def test_limits_that_are_set_later_hold_for_a_target_that_was_known(store: Limits) -> None:
    (await taken(store, OPEN)).close_for(5.0)
    assert (await refused(store, scope(requests=100))).cause == "closed"


@pytest.mark.parametrize("seed", range(40))
async def test_no_minute_has_more_than_the_limit_whatever_happens(seed: int) -> None:
    """Many callers take, end and give up in random order at random times."""
    chance = random.Random(seed)
    clock = ManualClock(now_s=chance.uniform(0, 100))
    store = Limits(clock)
    limits = TargetLimits(chance.randint(1, 8), chance.randint(1, 30), chance.randint(100, 900))
    target, whole = Scope("a/b", limits), Scope("a", TargetLimits(requests_per_minute=25))
    open_leases: list[tuple[Lease, list[float]]] = []
    sent: deque[list[float]] = deque()  # [when, tokens]; tokens 0 and when -1: given back
    for _ in range(1500):
        clock.advance(chance.choice([0.0, 0.0, 0.01, 0.3, 1.0, 2.0, 7.0]))
        if chance.random() < 0.6:
            prompt, answer = chance.randint(1, 40), chance.choice([0, 10, 60])
            lease = await store.take([target, whole], cost(prompt, answer), math.inf)
            if isinstance(lease, Refusal):
                assert lease.retry_after_s > 0
            else:
                entry = [clock.now_s, float(prompt + answer)]
                sent.append(entry)
                open_leases.append((lease, entry))
        elif open_leases:
            lease, entry = open_leases.pop(chance.randrange(len(open_leases)))
            if chance.random() < 0.3:
                lease.give_back()
                entry[:] = [-1.0, 0.0]
            else:
                spent = chance.randint(1, int(entry[1]))
                lease.settle(spent)
                entry[1] = float(spent)
        while sent and sent[0][0] < clock.now_s - 60.0:
            sent.popleft()
        counted = [entry for entry in sent if entry[0] >= 0]
        assert len(counted) <= min(limits.requests_per_minute or 0, 25)
        assert sum(entry[1] for entry in counted) <= (limits.tokens_per_minute or 0)
        assert store.in_flight("a/b") == len(open_leases) <= (limits.max_in_flight or 0)
    for lease, _ in open_leases:
        lease.settle(None)
    assert store.in_flight("a/b") == store.in_flight("a") == 0
    clock.advance(61)
    await taken(store, target, whole)


async def test_many_at_once_get_what_there_is(store: Limits) -> None:
    five = scope(requests=5)
    found = await asyncio.gather(*(store.take([five], cost(), math.inf) for _ in range(50)))
    assert sum(isinstance(lease, Lease) for lease in found) == 5
