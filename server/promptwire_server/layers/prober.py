"""Prober: asks targets that nobody calls whether they are well, so that no caller has to find out. Off unless it has an interval."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Principal, Target
from promptwire_server.core.clock import Chance, Clock
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.handler import Handler
from promptwire_server.core.ids import Ids
from promptwire_server.layers.breaker import State
from promptwire_server.layers.breakers import Breakers
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.verdict import Verdict, verdict_on

_JITTER = 0.2  # of the interval, more or less, so that replicas do not ask together
_MOST_TOKENS = 16  # the least that every vendor takes
_GRACE_S = 1.0  # the share of the time ends first, and is the target's failure; a deadline would be the caller's
_NOBODY: Final = Principal(tenant="", name="health-probe")  # no caller is billed for it

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
    """Probes the targets that configuration names and that had no traffic for an interval."""

    def __init__(
        self,
        settings: ProbeSettings,
        *,
        roster: Roster,
        probe: Probe,
        clock: Clock,
        chance: Chance,
        report: Report,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._interval_s = settings.interval_s
        self._roster = roster
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
            if in_use and self._roster.is_named(target) and not vitals.in_flight and vitals.touched_s <= since_s:
                idle.setdefault(target.provider, []).append(target)
        return idle

    async def _safely(self, provider: str, targets: Sequence[Target]) -> None:
        try:
            await self._probe(provider, targets)
        except Exception as error:  # noqa: BLE001 - the outermost place of this task: the next round comes all the same
            self._report(provider, type(error).__name__)


class ChatProbe:
    """Asks each target for a few tokens.

    That goes the way of every call, so vitals and breaker learn from it, and an open breaker is closed by it when its probe is due.
    """

    def __init__(self, handlers: Mapping[str, Handler], settings: ProbeSettings, clock: Clock, ids: Ids) -> None:
        """`handlers` are, by provider, all that stands before it, and the provider itself."""
        self._handlers = handlers
        self._timeout_s = settings.timeout_s
        self._clock = clock
        self._ids = ids

    async def __call__(self, provider: str, targets: Sequence[Target]) -> None:
        """See Probe."""
        for target in targets:
            try:
                async with await self._handlers[provider](self._call(target)) as reply:
                    await reply.read()
            except PromptwireError:
                continue  # the layers on the way have taken it in

    def _call(self, target: Target) -> Call:
        now_s = self._clock.monotonic()
        by_s = now_s + self._timeout_s
        request = pb.ChatRequest(prompt="ping", generation=pb.GenerationSettings(max_output_tokens=_MOST_TOKENS))
        call = Call(request, _NOBODY, self._ids.request(), self._ids.trace(), by_s + _GRACE_S, now_s)
        return call.aimed_at(target, "health probe", by_s)


class ListProbe:
    """Asks a provider for its list of models, which costs nothing and proves less.

    That it comes says nothing of any model, so it closes no breaker; that it does not come is a failure of all idle targets there.
    """

    def __init__(self, listings: Mapping[str, Callable[[], Awaitable[object]]], settings: ProbeSettings, breakers: Breakers) -> None:
        """`listings` give, by provider, the list, and raise as a call does."""
        self._listings = listings
        self._timeout_s = settings.timeout_s
        self._breakers = breakers

    async def __call__(self, provider: str, targets: Sequence[Target]) -> None:
        """See Probe."""
        if await self._verdict(provider) is not Verdict.BROKEN:
            return
        for target in targets:
            breaker = self._breakers.of(target)
            permit = breaker.enter(0.0) if breaker.state is State.CLOSED else None  # settled before anything else can happen
            if permit is not None:
                permit.settle(Verdict.BROKEN)

    async def _verdict(self, provider: str) -> Verdict:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._listings[provider]()
        except TimeoutError:
            return Verdict.BROKEN
        except PromptwireError as error:
            return verdict_on(error)
        return Verdict.WELL
