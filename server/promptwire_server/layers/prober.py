"""Prober: asks targets that nobody calls whether they are well, so that no caller has to find out. Off unless it has an interval."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import Chance, Clock
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.handler import Handler
from promptwire_server.core.ids import Ids
from promptwire_server.layers.breaker import State
from promptwire_server.layers.breakers import PROBER, Breakers
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.verdict import Verdict, verdict_on

_JITTER = 0.2  # of the interval, more or less, so that replicas do not ask together
_MOST_TOKENS = 16  # the least that every vendor takes
_GRACE_S = 1.0  # the share of the time ends first, and is the target's failure; a deadline would be the caller's
_ROUNDS = 2.0  # a failed probe counts so many intervals: the next one may come late, and takes its time

Report = Callable[[str, str], None]  # the provider, and the kind of exception: a bug
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How often and in what way. Times are in seconds."""

    interval_s: float = 0.0  # 0: never
    ask: Literal["models", "chat"] = "models"  # the provider for its list, which costs nothing; each target for a few tokens
    timeout_s: float = 10.0  # of one question


class Probe(Protocol):
    """A way to find out."""

    async def __call__(self, provider: str, targets: Sequence[Target]) -> None:
        """Ask about idle targets of one provider, and let breakers know. Raises nothing but bugs."""
        ...


class Prober:
    """Probes the targets that configuration names and that had no traffic for an interval, or whose breakers are not closed."""

    def __init__(  # noqa: PLR0913 - its settings, whom it asks about, and how
        self,
        settings: ProbeSettings,
        *,
        roster: Roster,
        breakers: Breakers,
        probe: Probe,
        clock: Clock,
        chance: Chance,
        report: Report,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._interval_s = settings.interval_s
        self._roster = roster
        self._breakers = breakers
        self._probe = probe
        self._clock = clock
        self._chance = chance
        self._report = report
        self._sleep = sleep

    async def run(self) -> None:
        """Probe round after round until cancelled; returns at once when there is no interval. Never raises."""
        while self._interval_s:
            await self._sleep(self._interval_s * self._chance.uniform(1 - _JITTER, 1 + _JITTER))
            await self.round()

    async def round(self) -> None:
        """Probe all that are idle: providers at the same time, the targets of one after the other."""
        idle = self._idle()
        async with asyncio.TaskGroup() as probing:
            for provider, targets in idle.items():
                probing.create_task(self._safely(provider, targets))

    def _idle(self) -> dict[str, list[Target]]:
        since_s = self._clock.monotonic() - self._interval_s
        idle: dict[str, list[Target]] = {}
        for target, vitals in self._roster.targets():
            in_use = target.provider in self._roster.posts and self._roster.enabled(target.provider)
            free = not vitals.in_flight and vitals.touched_s <= since_s
            # Of a failing target no caller tells in time: each that is let through waits until it fails.
            if in_use and self._roster.is_named(target) and (free or target in self._breakers.not_closed):
                idle.setdefault(target.provider, []).append(target)
        return idle

    async def _safely(self, provider: str, targets: Sequence[Target]) -> None:
        try:
            await self._probe(provider, targets)
        except Exception as error:  # noqa: BLE001 - the outermost place of this task: the next round comes all the same
            self._report(provider, type(error).__name__)


class ChatProbe:
    """Asks each target for a few tokens.

    That goes the way of every call, so vitals and breaker learn from it, and an open breaker is closed by it. While it fails, no caller
    is let through to find out.
    """

    def __init__(self, handlers: Mapping[str, Handler], settings: ProbeSettings, breakers: Breakers, clock: Clock, ids: Ids) -> None:
        """`handlers` are, by provider, all that stands before it, and the provider itself."""
        self._handlers = handlers
        self._settings = settings
        self._breakers = breakers
        self._clock = clock
        self._ids = ids

    async def __call__(self, provider: str, targets: Sequence[Target]) -> None:
        """See Probe."""
        for target in targets:
            verdict = await self._verdict(provider, target)
            if verdict is not Verdict.NOTHING:
                _learn(self._breakers, [target], verdict, self._clock.monotonic() + _lasts_s(self._settings, len(targets)))

    async def _verdict(self, provider: str, target: Target) -> Verdict:
        try:
            async with await self._handlers[provider](self._call(target)) as reply:
                await reply.read()
        except PromptwireError as error:
            return verdict_on(error)  # which the layers on the way have taken in
        return Verdict.WELL

    def _call(self, target: Target) -> Call:
        now_s = self._clock.monotonic()
        by_s = now_s + self._settings.timeout_s
        request = pb.ChatRequest(prompt="ping", generation=pb.GenerationSettings(max_output_tokens=_MOST_TOKENS))
        call = Call(request, PROBER, self._ids.request(), self._ids.trace(), by_s + _GRACE_S, now_s)
        return call.aimed_at(target, "health probe", by_s)


class ListProbe:
    """Asks a provider for its list of models, which costs nothing and proves less.

    That it comes says nothing of any model, so it closes no breaker; that it does not come is a failure of all idle targets there,
    and lets no caller through to find out.
    """

    def __init__(
        self, listings: Mapping[str, Callable[[], Awaitable[object]]], settings: ProbeSettings, breakers: Breakers, clock: Clock
    ) -> None:
        """`listings` give, by provider, the list, and raise as a call does."""
        self._listings = listings
        self._settings = settings
        self._breakers = breakers
        self._clock = clock

    async def __call__(self, provider: str, targets: Sequence[Target]) -> None:
        """See Probe."""
        verdict = await self._verdict(provider)
        for target in targets if verdict is Verdict.BROKEN else ():
            breaker = self._breakers.of(target)
            permit = breaker.enter(0.0) if breaker.state is State.CLOSED else None  # settled before anything else can happen
            if permit is not None:
                permit.settle(Verdict.BROKEN)
        _learn(self._breakers, targets, verdict, self._clock.monotonic() + _lasts_s(self._settings, 1))

    async def _verdict(self, provider: str) -> Verdict:
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._listings[provider]()
        except TimeoutError:
            return Verdict.BROKEN
        except PromptwireError as error:
            return verdict_on(error)
        return Verdict.WELL


def _learn(breakers: Breakers, targets: Sequence[Target], verdict: Verdict, until_s: float) -> None:
    """Keep callers from targets that have failed, until the next probe has ended; let them try all others when their time has come."""
    for target in targets:
        breakers.of(target).hold(until_s if verdict is Verdict.BROKEN else 0.0)


def _lasts_s(settings: ProbeSettings, questions: int) -> float:
    """Within which the next probe of a target has ended, where so many are asked one after the other."""
    return settings.interval_s * _ROUNDS + (settings.timeout_s + _GRACE_S) * questions
