"""Targets in turn: until one answers, the attempts are used up, or the time is."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import Chance, Clock, ManualClock
from promptwire_server.core.errors import (
    CallCancelled,
    CapabilityMissing,
    ContextTooLong,
    NoHealthyUpstream,
    PromptwireError,
    StreamInterrupted,
    UpstreamAccount,
    UpstreamError,
    UpstreamFailed,
    UpstreamInvalidRequest,
    UpstreamMisdirected,
    UpstreamRateLimited,
    failure_of,
)
from promptwire_server.core.reply import Reply
from promptwire_server.layers.alias import Hedge, Shadow
from promptwire_server.layers.retry import RetrySettings
from promptwire_server.layers.router import Choice, Router
from promptwire_server.layers.share import Share
from promptwire_server.layers.verdict import Verdict, verdict_on
from tests.unit.layers.conftest import MakeCall, answer
from tests.unit.layers.virtual import VirtualClock, run

Outcome = PromptwireError | None
SETTINGS = RetrySettings(base_s=0.0)
A, B, C = (Target(name, "m") for name in "abc")


@dataclass
class Planned:
    """These targets, and these when all have failed."""

    targets: Sequence[Target]
    fallbacks: Sequence[Target] = ()
    asked_after: list[PromptwireError] = field(default_factory=list)
    variant: str = ""
    hedge: Hedge | None = None
    shadow: Shadow | None = None

    @property
    def beyond(self) -> Target | None:
        return self.fallbacks[0] if self.fallbacks else None

    @property
    def goes_on(self) -> bool:
        return bool(self.fallbacks)

    @property
    def choices(self) -> Sequence[Choice]:
        return [Choice(target, "planned") for target in self.targets]

    def plan(self, call: Call) -> "Planned":
        return self

    def after(self, error: PromptwireError) -> Sequence[Choice]:
        self.asked_after.append(error)
        fallbacks, self.fallbacks = self.fallbacks, ()
        return [Choice(target, "fallback") for target in fallbacks]


class Upstream:
    """Providers that answer as told, in turn; one that is not reached leaves no attempt."""

    def __init__(self, clock: Clock, **outcomes: Sequence[Outcome]) -> None:
        self.calls: list[Call] = []
        self._clock = clock
        self._outcomes = {name: list(given) for name, given in outcomes.items()}

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        assert call.target is not None
        outcomes = self._outcomes[call.target.provider]
        outcome = outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]
        if not isinstance(outcome, NoHealthyUpstream):
            attempt = pb.Attempt(provider=call.target.provider, chosen_because=call.because)
            if outcome is not None:
                attempt.failure.CopyFrom(failure_of(outcome))
            call.trail.attempts.append(attempt)
        if outcome is not None:
            raise outcome
        return Reply.whole(answer())

    @property
    def asked(self) -> str:
        return "".join(call.target.provider for call in self.calls if call.target)


@dataclass
class Known:
    """How long targets usually take."""

    seconds: dict[Target, float] = field(default_factory=dict)
    of_streams: dict[Target, float] = field(default_factory=dict)

    def usual_s(self, target: Target, *, stream: bool) -> float | None:
        return (self.of_streams if stream else self.seconds).get(target)


def router(clock: Clock, upstream: Upstream, planned: Planned, known: Known | None = None, settings: RetrySettings = SETTINGS) -> Router:
    handlers = dict.fromkeys("abc", upstream)
    return Router(planned, handlers, usual=known or Known(), settings=settings, clock=clock, chance=Chance(random.Random(3)))


def failed() -> UpstreamFailed:
    return UpstreamFailed("down")


async def test_the_first_target_answers(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[None])
    call = make_call()
    reply = await router(clock, upstream, Planned([A, B]))(call)
    assert (await reply.read()).text == "hello"
    assert upstream.asked == "a"
    assert call.trail.attempts[0].chosen_because == "planned"
    assert not call.trail.notices


async def test_the_next_target_is_asked_at_once_and_it_is_told(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[failed()], b=[None])
    call = make_call()
    await router(clock, upstream, Planned([A, B]))(call)
    assert upstream.asked == "ab"
    assert [notice.code for notice in call.trail.notices] == [pb.Notice.CODE_FALLBACK_USED]


async def test_the_only_target_is_tried_again_where_the_error_says_so(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[failed(), None])
    call = make_call()
    await router(clock, upstream, Planned([A]))(call)
    assert upstream.asked == "aa"
    assert call.trail.attempts[1].chosen_because == "retry after UPSTREAM_FAILED"


@pytest.mark.parametrize(
    "error", [UpstreamAccount("empty"), UpstreamInvalidRequest("bad"), ContextTooLong("long"), CapabilityMissing("no")]
)
async def test_nothing_is_tried_again_where_that_cannot_help(error: PromptwireError, clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[error])
    with pytest.raises(type(error)):
        await router(clock, upstream, Planned([A]))(make_call())
    assert upstream.asked == "a"


async def test_where_an_address_leads_elsewhere_only_others_are_asked(clock: ManualClock, make_call: MakeCall) -> None:
    alone, beside = Upstream(clock, a=[UpstreamMisdirected("redirect")]), Upstream(clock, a=[UpstreamMisdirected("redirect")], b=[None])
    with pytest.raises(UpstreamMisdirected):
        await router(clock, alone, Planned([A]))(make_call())
    await router(clock, beside, Planned([A, B]))(make_call())
    assert (alone.asked, beside.asked) == ("a", "ab")


async def test_a_wrong_request_goes_to_nobody_else(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[UpstreamInvalidRequest("bad")], b=[None])
    with pytest.raises(UpstreamInvalidRequest):
        await router(clock, upstream, Planned([A, B]))(make_call())
    assert upstream.asked == "a"


async def test_a_request_has_three_attempts_in_all(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[failed()], b=[failed()], c=[failed()])
    call = make_call()
    with pytest.raises(UpstreamFailed):
        await router(clock, upstream, Planned([A, B], [C]))(call)
    assert upstream.asked == "abc"
    assert len(call.trail.attempts) == 3


async def test_targets_that_were_not_reached_use_up_no_attempt(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[NoHealthyUpstream("open")], b=[NoHealthyUpstream("open")], c=[None])
    await router(clock, upstream, Planned([A, B, C]), settings=RetrySettings(max_attempts=1))(make_call())
    assert upstream.asked == "abc"


async def test_the_failure_of_a_target_that_was_reached_says_more(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[UpstreamAccount("empty")], b=[NoHealthyUpstream("open")])
    with pytest.raises(UpstreamAccount):
        await router(clock, upstream, Planned([A, B]))(make_call())


async def test_fallbacks_are_asked_for_by_the_last_failure(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[ContextTooLong("long")], b=[None])
    planned = Planned([A], [B])
    await router(clock, upstream, planned)(make_call())
    assert [type(error) for error in planned.asked_after] == [ContextTooLong]
    assert upstream.calls[1].because == "fallback"


async def test_a_pause_that_the_deadline_does_not_allow_is_not_begun(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[UpstreamRateLimited("slow down", retry_after_s=7.0)])
    with pytest.raises(UpstreamRateLimited) as caught:
        await router(clock, upstream, Planned([A]))(make_call(timeout_s=3.0))
    assert caught.value.retry_after_s == 7.0
    assert upstream.asked == "a"


async def test_a_target_that_is_usually_too_slow_is_passed_over(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[None], b=[None])
    await router(clock, upstream, Planned([A, B]), Known({A: 20.0}))(make_call(timeout_s=10.0))
    assert upstream.asked == "b"


@pytest.mark.parametrize(("stream", "asked"), [(True, "a"), (False, "b")])
async def test_streams_are_judged_by_first_tokens_and_whole_answers_by_their_end(
    clock: ManualClock, make_call: MakeCall, asked: str, *, stream: bool
) -> None:
    upstream = Upstream(clock, a=[None], b=[None])
    known = Known(seconds={A: 20.0, B: 1.0}, of_streams={A: 0.5, B: 20.0})
    await router(clock, upstream, Planned([A, B]), known)(make_call(timeout_s=10.0, stream=stream))
    assert upstream.asked == asked


async def test_the_last_target_is_tried_however_slow_it_usually_is(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, b=[None])
    await router(clock, upstream, Planned([B]), Known({B: 20.0}))(make_call(timeout_s=10.0))
    assert upstream.asked == "b"


@pytest.mark.parametrize(("usual", "share"), [({}, 5.0), ({B: 1.0}, 8.0), ({B: 0.01}, 9.0), ({B: 9.0}, 5.0)])
async def test_the_first_target_leaves_time_for_the_next(
    usual: dict[Target, float], share: float, clock: ManualClock, make_call: MakeCall
) -> None:
    upstream = Upstream(clock, a=[failed()], b=[None])
    await router(clock, upstream, Planned([A, B]), Known(usual))(make_call(timeout_s=10.0))
    first, second = upstream.calls
    assert first.first_by_s - clock.now_s == pytest.approx(share)
    assert second.first_by_s == 0.0


async def test_retries_are_few_when_everything_is_down(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[failed()])
    route = router(clock, upstream, Planned([A]))
    for _ in range(1000):
        with pytest.raises(UpstreamFailed):
            await route(make_call())
        clock.advance(0.01)
    assert 1000 < len(upstream.calls) <= 1120


def test_the_only_target_of_a_stream_that_it_broke_off_is_asked_again_when_it_may_be(make_call: MakeCall) -> None:
    closed = NoHealthyUpstream("it was just limited", retry_after_s=2.0)
    upstream = Upstream(clock := VirtualClock(), a=[closed, None])
    call = make_call(stream=True, avoid=(A,))
    call.trail.attempts.append(pb.Attempt(provider="a", failure=failure_of(UpstreamRateLimited("midway"))))
    run(router(clock, upstream, Planned([A]))(call))
    assert upstream.asked == "aa"


def test_each_attempt_after_a_break_says_what_it_is_made_for(make_call: MakeCall) -> None:
    closed = NoHealthyUpstream("it was just limited", retry_after_s=2.0)
    for targets, outcomes, said in [
        ([A], {"a": [None]}, ["retry after STREAM_INTERRUPTED"]),
        ([A], {"a": [closed, None]}, ["retry after STREAM_INTERRUPTED"]),
        ([A], {"a": [failed(), None]}, ["retry after STREAM_INTERRUPTED", "retry after UPSTREAM_FAILED"]),
        ([A, B], {"a": [None], "b": [failed()]}, ["planned, after STREAM_INTERRUPTED", "retry after STREAM_INTERRUPTED"]),
    ]:
        upstream = Upstream(clock := VirtualClock(), **outcomes)  # type: ignore[arg-type]  # by name
        call = make_call(stream=True, avoid=(A,))
        call.trail.attempts.append(pb.Attempt(provider="a", failure=failure_of(StreamInterrupted("gone"))))
        run(router(clock, upstream, Planned(targets))(call))
        assert [attempt.chosen_because for attempt in call.trail.attempts[1:]] == said


def test_that_is_waited_for_once(make_call: MakeCall) -> None:
    upstream = Upstream(clock := VirtualClock(), a=[NoHealthyUpstream("it was just limited", retry_after_s=2.0)])
    with pytest.raises(NoHealthyUpstream):
        run(router(clock, upstream, Planned([A]))(make_call(stream=True, avoid=(A,), timeout_s=100.0)))
    assert upstream.asked == "aa"


async def test_a_caller_who_leaves_during_a_pause_is_gone(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[failed()])
    slow = RetrySettings(base_s=1e-9, cap_s=1e-9)
    error = UpstreamFailed("down", retry_after_s=5.0)
    upstream = Upstream(clock, a=[error])
    task = asyncio.ensure_future(router(clock, upstream, Planned([A]), settings=slow)(make_call(timeout_s=100.0)))
    for _ in range(3):  # to the pause
        await asyncio.sleep(0)
    assert upstream.calls
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert upstream.asked == "a"


async def hung(call: Call) -> Reply:
    """A provider that never answers, and notes that it was let go."""
    try:
        await asyncio.Event().wait()
    finally:
        call.trail.attempts.append(pb.Attempt(provider="a", failure=failure_of(CallCancelled("the caller went away"))))
    raise AssertionError


async def test_a_hung_target_fails_when_its_share_is_over(clock: ManualClock, make_call: MakeCall) -> None:
    call = make_call(timeout_s=10.0, target=A, first_by_s=clock.now_s + 0.02)
    with pytest.raises(UpstreamFailed, match=r"a/m: no answer within 0\.02 s, its share of the time"):
        await Share(hung, clock=clock, usual=Known({A: 0.01}))(call)
    assert call.trail.attempts[0].failure.reason == pb.ERROR_REASON_UPSTREAM_FAILED


async def test_what_failed_before_the_share_was_over_says_what_it_failed_of(clock: ManualClock, make_call: MakeCall) -> None:
    async def limited_then_hung(call: Call) -> Reply:
        call.trail.attempts.append(pb.Attempt(provider="a", failure=failure_of(UpstreamRateLimited("of the first key"))))
        call.trail.attempts.append(pb.Attempt(provider="b", failure=failure_of(CallCancelled("beside it"))))
        return await hung(call)

    call = make_call(timeout_s=10.0, target=A, first_by_s=clock.now_s + 0.02)
    with pytest.raises(UpstreamError):
        await Share(limited_then_hung, clock=clock)(call)
    said = [attempt.failure.message for attempt in call.trail.attempts]
    assert said[:2] == ["of the first key", "beside it"]
    assert "its share of the time" in said[2]


@pytest.mark.parametrize("usual", [None, Known(), Known({A: 0.5})], ids=["nobody knows", "nothing known", "slower than that"])
async def test_a_target_is_not_blamed_for_a_share_that_was_too_small(clock: ManualClock, make_call: MakeCall, usual: Known | None) -> None:
    call = make_call(timeout_s=10.0, target=A, first_by_s=clock.now_s + 0.02)
    with pytest.raises(UpstreamError, match="its share of the time") as caught:
        await Share(hung, clock=clock, usual=usual)(call)
    assert caught.value.elsewhere
    assert verdict_on(caught.value) is Verdict.NOTHING


async def test_without_a_share_a_target_may_take_all_the_time(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Upstream(clock, a=[None])
    reply = await Share(upstream, clock=clock)(make_call(target=A))
    assert (await reply.read()).text == "hello"


async def test_a_share_does_not_hide_that_the_caller_left(clock: ManualClock, make_call: MakeCall) -> None:
    task = asyncio.ensure_future(Share(hung, clock=clock)(make_call(target=A, first_by_s=clock.now_s + 50)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
