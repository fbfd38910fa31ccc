"""A second attempt beside a slow first: one answer, and nobody left running."""

import asyncio
from collections.abc import Sequence

import pytest

from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import PromptwireError, UpstreamFailed
from promptwire_server.core.reply import Ending, Reply
from promptwire_server.layers.alias import Hedge
from promptwire_server.layers.hedge import hedged
from promptwire_server.providers.attempt import Try
from tests.unit.layers.conftest import MakeCall, answer
from tests.unit.layers.test_router import A, B, C, Planned, Upstream, router


class Attempt:
    """One way to ask: answers, or fails, when its gate opens."""

    def __init__(self, outcome: str | PromptwireError, *, opened: bool = False) -> None:
        self.gate = asyncio.Event()
        if opened:
            self.gate.set()
        self.outcome = outcome
        self.asked = asyncio.Event()
        self.cancelled = False

    async def __call__(self) -> Reply:
        self.asked.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if isinstance(self.outcome, PromptwireError):
            raise self.outcome
        return Reply.whole(answer(self.outcome))


async def said(first: Attempt, second: Attempt, after_s: float = 0.0) -> str:
    return (await (await hedged(first, second, after_s, lambda: None)).read()).text


async def test_a_quick_first_attempt_stays_alone() -> None:
    first, second = Attempt("first", opened=True), Attempt("second", opened=True)
    assert await said(first, second, after_s=10.0) == "first"
    assert not second.asked.is_set()


async def test_a_second_attempt_that_is_quicker_is_the_answer_and_the_first_is_let_go_of() -> None:
    first, second = Attempt("first"), Attempt("second", opened=True)
    assert await said(first, second) == "second"
    assert first.cancelled


async def test_the_first_attempt_may_still_be_the_quicker_one() -> None:
    first, second = Attempt("first"), Attempt("second")
    asking = asyncio.ensure_future(said(first, second))
    await second.asked.wait()
    first.gate.set()
    assert await asking == "first"
    assert second.cancelled


async def test_a_failure_beside_an_attempt_under_way_is_not_the_end() -> None:
    first, second = Attempt(UpstreamFailed("down")), Attempt("second")
    asking = asyncio.ensure_future(said(first, second))
    await second.asked.wait()
    first.gate.set()
    await asyncio.sleep(0)
    second.gate.set()
    assert await asking == "second"


async def test_a_first_attempt_that_fails_soon_is_the_failure() -> None:
    first, second = Attempt(UpstreamFailed("down"), opened=True), Attempt("second", opened=True)
    with pytest.raises(UpstreamFailed):
        await said(first, second, after_s=10.0)
    assert not second.asked.is_set()


async def test_when_both_fail_the_failure_that_came_first_is_told() -> None:
    first, second = Attempt(UpstreamFailed("one")), Attempt(UpstreamFailed("two"), opened=True)
    asking = asyncio.ensure_future(said(first, second))
    await second.asked.wait()
    first.gate.set()
    with pytest.raises(UpstreamFailed):
        await asking


async def test_a_caller_who_leaves_takes_both_attempts_along() -> None:
    first, second = Attempt("first"), Attempt("second")
    asking = asyncio.ensure_future(said(first, second))
    await second.asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert first.cancelled
    assert second.cancelled


@pytest.mark.parametrize("steps", range(8))
async def test_an_answer_that_comes_as_the_caller_leaves_is_let_go_of(steps: int) -> None:
    begun: list[Reply] = []
    ended: list[Ending] = []

    async def quick() -> Reply:
        reply = Reply.whole(answer())
        reply.on_done(ended.append)
        begun.append(reply)
        return reply

    asking = asyncio.ensure_future(hedged(Attempt("first"), quick, 0.0, lambda: None))
    for _ in range(steps):
        await asyncio.sleep(0)
    if asking.cancel():
        with pytest.raises(asyncio.CancelledError):
            await asking
    else:
        asking.result().close()
    assert len(ended) == len(begun)


class Slow(Upstream):
    """Its first provider never answers."""

    async def __call__(self, call: Call) -> Reply:
        if call.target != A:
            return await super().__call__(call)
        self.calls.append(call)
        with Try(call, "a", "m", self._clock):
            await asyncio.Event().wait()
        raise AssertionError


def planned(targets: Sequence[Target], hedge: Hedge) -> Planned:
    return Planned(targets, hedge=hedge)


async def test_the_router_hedges_whole_answers_and_says_what_the_loser_cost(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Slow(clock, b=[None])
    call = make_call()
    call.request.prompt = "four"
    await router(clock, upstream, planned([A, B], Hedge(after_s=0.0)))(call)
    assert upstream.asked == "ab"
    lost, won = call.trail.attempts
    assert won.chosen_because == "hedge after 0 ms"
    assert (lost.provider, lost.failure.message) == ("a", "another attempt answered first")
    assert (lost.usage.input_tokens, lost.usage.estimated) == (1, True)


async def test_two_attempts_leave_time_for_a_third(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Slow(clock, b=[UpstreamFailed("down")], c=[None])
    hedging = asyncio.ensure_future(router(clock, upstream, planned([A, B, C], Hedge(after_s=0.0)))(make_call(timeout_s=10.0)))
    for _ in range(10):
        await asyncio.sleep(0)
    hedging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hedging
    assert [call.first_by_s for call in upstream.calls] == [clock.now_s + 5.0] * 2


async def test_of_a_caller_who_leaves_no_attempt_has_lost(clock: ManualClock, make_call: MakeCall) -> None:
    call = make_call()
    asking = asyncio.ensure_future(router(clock, Slow(clock, b=[None]), planned([A, A], Hedge(after_s=0.0)))(call))
    for _ in range(10):  # to both attempts
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert {attempt.failure.message for attempt in call.trail.attempts} == {"the caller went away"}


async def test_without_knowing_what_is_usual_nothing_is_hedged_by_it(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[None], b=[None])
    await router(clock, upstream, planned([A, B], Hedge()))(make_call())
    assert upstream.asked == "a"


async def test_streams_are_not_hedged(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[None], b=[None])
    await router(clock, upstream, planned([A, B], Hedge(after_s=0.0)))(make_call(stream=True))
    assert upstream.asked == "a"
