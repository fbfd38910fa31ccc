"""Router: tries the targets of a call in turn until one answers, the attempts are used up, or the time is."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from promptwire import v1 as pb
from promptwire_server.core.answer import failures
from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import Chance, Clock
from promptwire_server.core.errors import NoHealthyUpstream, PromptwireError, StreamInterrupted
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Event, Reply
from promptwire_server.layers.alias import Hedge, Shadow
from promptwire_server.layers.hedge import hedged, mark_lost
from promptwire_server.layers.retry import RetryBudget, RetrySettings, pause_s

_RESERVED = 0.5  # of the remaining time, at most, is kept for the targets that may be needed next
_PATIENCE = 2.0  # how many times as long as usual the next target may need: half of the time is too much to keep for a quick one
_BROKEN = pb.ErrorReason.Name(StreamInterrupted.reason).removeprefix("ERROR_REASON_")  # why a stream is made again
_LEAST_S = 1.0  # kept even for the quickest, within that half: what is usual may have changed when its turn comes


@dataclass(slots=True, eq=False)  # never changed; not frozen, since that takes longer
class Choice:
    """A target, and why it is one."""

    target: Target
    because: str  # in a few words, for people


class Plan(Protocol):
    """Who may answer a call."""

    @property
    def choices(self) -> Sequence[Choice]:
        """In the order in which they are tried. At least one."""
        ...

    @property
    def variant(self) -> str:
        """The side of a split that the call is on; empty: of none."""
        ...

    @property
    def hedge(self) -> Hedge | None:
        """When a second attempt is made beside the first; None: never."""
        ...

    @property
    def shadow(self) -> Shadow | None:
        """Who gets a copy of some calls; None: nobody."""
        ...

    @property
    def beyond(self) -> Target | None:
        """Who would probably be asked if all choices failed: time must be left for it. None: nobody."""
        ...

    @property
    def goes_on(self) -> bool:
        """Whether `after` may give somebody when a credential is refused."""
        ...

    def after(self, error: PromptwireError) -> Sequence[Choice]:
        """Further choices once all before have failed, the last with this error; none twice."""
        ...


class Planner(Protocol):
    """Knows who may answer."""

    def plan(self, call: Call) -> Plan:
        """The plan of a call. Raises NotFound and CapabilityMissing."""
        ...


class Usual(Protocol):
    """Knows how long targets usually take."""

    def usual_s(self, target: Target, *, stream: bool) -> float | None:
        """Seconds within which a target has nearly always begun a stream, or given a whole answer; None: too little is known."""
        ...


class Shadows(Protocol):
    """Asks others the same, beside the call."""

    def cast(self, call: Call, shadow: Shadow) -> None:
        """Perhaps ask the shadow's target. Never waits."""
        ...


class Router:
    """The Handler behind all layers of a call, in front of those of each target."""

    def __init__(
        self,
        planner: Planner,
        handlers: Mapping[str, Handler],
        *,
        usual: Usual,
        shadows: Shadows | None = None,
        settings: RetrySettings,
        clock: Clock,
        chance: Chance,
    ) -> None:
        self.settings = settings
        self.budget = RetryBudget(settings, clock)
        self.clock = clock
        self.chance = chance
        self._planner = planner
        self._handlers = dict(handlers)  # by provider
        self._usual = usual
        self._shadows = shadows

    async def __call__(self, call: Call) -> Reply:
        """The first answer. Raises the failure that says most about why there is none."""
        if len(call.trail.attempts) >= self.settings.max_attempts:  # of a stream that broke: no other may take its place
            raise NoHealthyUpstream("the attempts of this request are used up")
        self.budget.request()
        plan = self._planner.plan(call)
        call.trail.variant = plan.variant
        if self._shadows is not None and plan.shadow is not None:
            self._shadows.cast(call, plan.shadow)
        return await _Course(self, call, plan).run()

    async def ask(self, call: Call, choice: Choice, following: Target | None) -> Reply:
        """One attempt, which leaves time for the one that may follow."""
        first_by_s = 0.0 if following is None else self._share_ends_s(call, following)
        return await self._handlers[choice.target.provider](call.aimed_at(choice.target, choice.because, first_by_s))

    def hedge_s(self, hedge: Hedge, target: Target) -> float | None:
        """When a second attempt begins beside one at this target; None: it is not known how long it usually takes."""
        return self._usual.usual_s(target, stream=False) if hedge.after_s is None else hedge.after_s

    def fits(self, call: Call, target: Target, pause: float = 0.0) -> bool:
        """Whether an attempt, made after a pause, can be expected to be in time."""
        usual_s = self._usual.usual_s(target, stream=call.stream) or 0.0
        now_s = self.clock.monotonic()
        return now_s + pause + usual_s < _horizon_s(call, now_s)

    def _share_ends_s(self, call: Call, following: Target) -> float:
        now_s = self.clock.monotonic()
        ends_s = _horizon_s(call, now_s)
        remaining_s = ends_s - now_s
        usual_s = self._usual.usual_s(following, stream=call.stream)
        reserved_s = remaining_s * _RESERVED if usual_s is None else min(remaining_s * _RESERVED, max(usual_s * _PATIENCE, _LEAST_S))
        return ends_s - reserved_s


def _horizon_s(call: Call, now_s: float) -> float:
    """Until when there is time for targets: the deadline; of a call that several wait for, that of the first of them, while it lasts."""
    return call.first_by_s if call.first_by_s > now_s else call.deadline_s


class _Course:
    """One call on its way through its targets."""

    __slots__ = ("_ahead", "_before", "_call", "_pauses", "_plan", "_retries", "_router", "_telling")

    def __init__(self, router: Router, call: Call, plan: Plan) -> None:
        self._router = router
        self._call = call
        self._plan = plan
        self._ahead = deque(plan.choices)
        if call.avoid:
            self._ahead = deque(sorted(map(self._again, self._ahead), key=lambda choice: choice.target in call.avoid))
        self._before = len(call.trail.attempts)  # made for a stream that broke, which is told by whoever makes it good
        self._retries = 0
        self._pauses: dict[int, float] = {}  # in seconds, by the place in the trail of the attempt before each
        self._telling: PromptwireError | None = None  # of a target that was reached: it says more than that another was not

    async def run(self) -> Reply:
        """Attempt after attempt. Raises PromptwireError."""
        choice = self._next_that_fits()
        while True:
            made = self._made()
            try:
                return self._retold(await self._tried(choice), choice.target)
            except PromptwireError as error:
                reached = self._made() > made
                if reached or self._telling is None:
                    self._telling = error
                following = await self._after(error, choice, reached=reached)
            if following is None:
                raise self._telling
            choice = following

    def _retold(self, reply: Reply, target: Target) -> Reply:
        """The answer, which says at its beginning what failed before it. A whole one says so among its attempts."""
        if self._call.stream and self._made() > self._before:
            failed = failures(self._call.trail.attempts[self._before :], target.provider, target.model)
            for place, pause in self._pauses.items():
                failed[place - self._before].delay.FromNanoseconds(int(pause * 1e9))
            reply.tell([Event(attempt_failed=each) for each in failed])
        return reply

    async def _tried(self, choice: Choice) -> Reply:
        """One attempt; two, where the first of a whole answer takes longer than usual and that is wished."""
        after_s = self._hedge_s(choice.target)
        if after_s is None:
            following = self._following()
            self._allot(another=following is not None or self._plan.goes_on)
            return await self._router.ask(self._call, choice, following)
        second = Choice(self._ahead[0].target if self._ahead else choice.target, f"hedge after {after_s * 1000:.0f} ms")
        return await self._hedged(choice, second, after_s)

    def _hedge_s(self, target: Target) -> float | None:
        """When a second attempt begins beside the first, at this target; None: never."""
        hedge = None if self._call.stream or self._made() or self._router.settings.max_attempts == 1 else self._plan.hedge
        after_s = None if hedge is None else self._router.hedge_s(hedge, target)
        return after_s if after_s is not None and self._router.fits(self._call, target, after_s) else None

    async def _hedged(self, first: Choice, second: Choice, after_s: float) -> Reply:
        ask, call = self._router.ask, self._call
        following = self._ahead[1].target if len(self._ahead) > 1 else self._plan.beyond  # should both fail
        further = following is not None or self._plan.goes_on

        def begun() -> None:
            if self._ahead:
                self._ahead.popleft()
            if further:  # what was kept is used now; keep one more
                call.trail.spare = max(0, call.trail.spare - 1)

        self._allot(another=True)
        reply = await hedged(partial(ask, call, first, following), partial(ask, call, second, following), after_s, begun)
        mark_lost(call, (first.target, second.target))
        return reply

    def _following(self) -> Target | None:
        return self._ahead[0].target if self._ahead else self._plan.beyond

    def _allot(self, *, another: bool) -> None:
        """One attempt is for who is asked now, and where there is another, one for who is asked next; keys in turn may have the rest."""
        self._call.trail.spare = max(0, self._router.settings.max_attempts - self._made() - 1 - another)

    def _made(self) -> int:
        return len(self._call.trail.attempts)

    def _next_that_fits(self) -> Choice:
        """The next choice; those that usually take longer than there is time are passed over while others are left."""
        choice = self._ahead.popleft()
        while self._ahead and not self._router.fits(self._call, choice.target):
            choice = self._ahead.popleft()
        return choice

    async def _after(self, error: PromptwireError, choice: Choice, *, reached: bool) -> Choice | None:
        """What to try after a failure; None: nothing. Waits where that is part of it."""
        if not (error.elsewhere or error.retryable) or self._used_up():
            return None
        if error.elsewhere and (following := self._elsewhere(error)) is not None:
            self._tell(choice, following)
            return following
        broke_off = choice.target in self._call.avoid and not self._retries  # it was reached before, and may ask for a pause now
        if error.retryable and (reached or broke_off) and await self._paused(error, choice.target):
            return Choice(choice.target, f"retry after {error.reason_name if reached else _BROKEN}")
        return None

    def _again(self, choice: Choice) -> Choice:
        """The choice as one made because a stream broke."""
        retried = choice.target in self._call.avoid
        return Choice(choice.target, f"retry after {_BROKEN}" if retried else f"{choice.because}, after {_BROKEN}")

    def _used_up(self) -> bool:
        return self._made() >= self._router.settings.max_attempts

    def _elsewhere(self, error: PromptwireError) -> Choice | None:
        if not self._ahead:
            self._ahead.extend(self._plan.after(error))
        if not self._ahead:
            return None
        following = self._next_that_fits()
        return following if self._router.fits(self._call, following.target) or self._telling is None else None

    async def _paused(self, error: PromptwireError, target: Target) -> bool:
        """Wait before the same target is tried again; False when that would be of no use, or too much for the upstream."""
        router = self._router
        pause = pause_s(router.settings, self._retries, error.retry_after_s, router.chance)
        if not router.fits(self._call, target, pause) or not router.budget.take():
            return False
        self._retries += 1
        if self._made() > self._before:
            self._pauses[self._made() - 1] = pause
        await asyncio.sleep(pause)
        return True

    def _tell(self, failed: Choice, following: Choice) -> None:
        self._call.notice(pb.Notice.CODE_FALLBACK_USED, f"{failed.target} failed; {following.target} was asked instead")
