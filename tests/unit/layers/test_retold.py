"""A stream says at its beginning what was tried before it."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import Clock, ManualClock
from promptwire_server.core.errors import PromptwireError, UpstreamFailed, UpstreamRateLimited, failure_of
from promptwire_server.core.reply import Event, Reply
from tests.unit.layers.conftest import MakeCall, answer, streamed
from tests.unit.layers.test_router import A, B, C, Outcome, Planned, Upstream, router
from tests.unit.layers.virtual import VirtualClock, run

RETRY, FALLBACK = pb.AttemptFailed.NEXT_ACTION_RETRY, pb.AttemptFailed.NEXT_ACTION_FALLBACK


class Streams(Upstream):
    """Answers by streams, or whole when it does not heed what it is asked for."""

    def __init__(self, clock: Clock, *, whole: bool = False, **outcomes: list[Outcome]) -> None:
        super().__init__(clock, **outcomes)
        self.whole = whole
        self.clock = clock if isinstance(clock, ManualClock) else ManualClock()

    async def __call__(self, call: Call) -> Reply:
        reply = await super().__call__(call)
        if not self.whole:
            call.trail.attempts.pop()  # of a stream, the attempt that answers is under way yet
            return streamed(answer(), clock=self.clock)
        return reply


async def told(clock: Clock, upstream: Upstream, planned: Planned, call: Call) -> list[Event]:
    async with await router(clock, upstream, planned)(call) as reply:
        return [event async for event in reply]


def kinds(events: list[Event]) -> list[str | None]:
    return [event.WhichOneof("event") for event in events]


def next_of(event: Event) -> tuple[str, str, int, str, str]:
    failed = event.attempt_failed
    return failed.attempt.provider, failed.attempt.failure.message, failed.next_action, failed.next_provider, failed.next_model


async def test_failures_before_a_stream_are_told_behind_its_beginning(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Streams(clock, a=[UpstreamFailed("down")], b=[UpstreamRateLimited("slow down")], c=[None])
    events = await told(clock, upstream, Planned([A, B, C]), make_call(stream=True))
    assert kinds(events)[:4] == ["started", "attempt_failed", "attempt_failed", "part_started"]
    assert [next_of(event) for event in events[1:3]] == [
        ("a", "down", FALLBACK, "b", ""),
        ("b", "slow down", FALLBACK, "c", "m"),
    ]


async def test_a_retry_is_called_one(clock: ManualClock, make_call: MakeCall) -> None:
    class Named(Streams):
        async def __call__(self, call: Call) -> Reply:
            try:
                return await super().__call__(call)
            except PromptwireError:
                call.trail.attempts[-1].model = "m"
                raise

    upstream = Named(clock, a=[UpstreamFailed("down"), None])
    events = await told(clock, upstream, Planned([A]), make_call(stream=True))
    assert next_of(events[1]) == ("a", "down", RETRY, "a", "m")


async def test_a_vendor_that_does_not_stream_is_told_of_alike(clock: ManualClock, make_call: MakeCall) -> None:
    upstream = Streams(clock, whole=True, a=[UpstreamFailed("down")], b=[None])
    events = await told(clock, upstream, Planned([A, B]), make_call(stream=True))
    assert kinds(events).count("attempt_failed") == 1
    assert kinds(events)[:2] == ["started", "attempt_failed"]


async def test_a_stream_that_came_at_once_has_nothing_to_tell(clock: ManualClock, make_call: MakeCall) -> None:
    assert "attempt_failed" not in kinds(await told(clock, Streams(clock, a=[None]), Planned([A]), make_call(stream=True)))


async def test_what_failed_for_a_stream_before_is_told_by_others(clock: ManualClock, make_call: MakeCall) -> None:
    call = make_call(stream=True)
    call.trail.attempts.append(pb.Attempt(provider="z", failure=failure_of(UpstreamFailed("broke off"))))
    events = await told(clock, Streams(clock, a=[UpstreamFailed("down")], b=[None]), Planned([A, B]), call)
    assert [event.attempt_failed.attempt.provider for event in events if event.HasField("attempt_failed")] == ["a"]


async def test_a_target_that_was_not_reached_was_no_attempt(clock: ManualClock, make_call: MakeCall) -> None:
    class Closed(Streams):
        async def __call__(self, call: Call) -> Reply:
            if call.target == Target("a", "m"):
                raise UpstreamFailed("its breaker is open")
            return await super().__call__(call)

    events = await told(clock, Closed(clock, b=[None]), Planned([A, B]), make_call(stream=True))
    assert "attempt_failed" not in kinds(events)


def test_the_pause_before_a_retry_is_told(make_call: MakeCall) -> None:
    limited = UpstreamRateLimited("slow down", retry_after_s=2.0)
    upstream = Streams(clock := VirtualClock(), whole=True, a=[limited, limited, None])
    events = run(told(clock, upstream, Planned([A]), make_call(stream=True)))
    delays = [event.attempt_failed.delay.ToNanoseconds() / 1e9 for event in events if event.HasField("attempt_failed")]
    assert len(delays) == 2
    assert all(2.0 <= delay <= 2.2 for delay in delays)


def test_before_another_target_there_is_no_pause(make_call: MakeCall) -> None:
    limited = UpstreamRateLimited("slow down", retry_after_s=2.0)
    upstream = Streams(clock := VirtualClock(), whole=True, a=[limited], b=[None])
    events = run(told(clock, upstream, Planned([A, B]), make_call(stream=True)))
    assert [event.attempt_failed.HasField("delay") for event in events if event.HasField("attempt_failed")] == [False]
