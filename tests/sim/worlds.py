"""Worlds: from a seed to a history: vendors with weather, an operator's configuration, callers. The same seed, the same history."""

import random
from collections.abc import Mapping, Sequence
from typing import Final

from promptwire import v1 as pb
from promptwire_server.core.call import Target
from promptwire_server.core.limits import TargetLimits
from promptwire_server.layers.admission.settings import AdmissionSettings
from promptwire_server.layers.alias import Alias, Arm, Fallbacks, Hedge, Member, Shadow, Strategy
from promptwire_server.layers.breaker import BreakerSettings
from promptwire_server.layers.limits import ProviderLimits
from promptwire_server.layers.retry import RetrySettings
from promptwire_server.layers.stream_probe import StreamProbeSettings
from promptwire_server.providers.upstream import Timeouts
from tests.sim.caller import Wish
from tests.sim.gateway import Setup, Site
from tests.sim.history import History, Steer
from tests.sim.invariants import SHADOWS
from tests.sim.sky import HOPELESS, Fate, Sky, Weather

_FATES: Final[Sequence[Fate]] = (
    "hang", "hang", "hang", "503", "503", "429", "429",
    "slow", "drip", "stall", "refused", "reset", "broken", "garbled", "unfinished", "sorry",
    "500", "503", "529", "429", "401", "402", "404", "bad", "long", "policy",
)  # fmt: skip
_STRATEGIES: Final[Sequence[Strategy]] = (
    "priority", "priority", "round_robin", "weighted", "least_in_flight", "latency", "cheapest", "affinity",
)  # fmt: skip
_POLICIES: Final = (
    pb.StreamChatRequest.RESTART_POLICY_NEVER,
    pb.StreamChatRequest.RESTART_POLICY_RESTART_WITH_DISCARD,
    pb.StreamChatRequest.RESTART_POLICY_CONTINUE,
)
_PRIORITIES: Final = (pb.PRIORITY_UNSPECIFIED, pb.PRIORITY_CRITICAL, pb.PRIORITY_HIGH, pb.PRIORITY_NORMAL, pb.PRIORITY_LOW)
_LONGEST_PROBE_S: Final = 8.0
_HAVEN: Final = "haven"


def history(seed: int) -> History:
    """The history of a seed."""
    return _World(seed).history()


class _World:
    """Draws everything from one source."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._chance = random.Random(seed)
        self._length_s = self._chance.choice((5.0, 20.0, 60.0))
        # Of some worlds every time is a multiple of a tenth of a second, so that things happen at the same moment.
        self._grid_s = 0.1 if self._odds(0.3) else 0.0
        self._haven = self._odds(0.4)
        self._keyed = self._odds(0.3)
        self._retry_after_s = 0.0

    def history(self) -> History:
        chance = self._chance
        names = "abcd"[: chance.randint(1, 4)]
        sites = {name: self._site() for name in names}
        if self._haven:
            sites[_HAVEN] = Site(Sky(((0.0, Weather(latency_s=0.08)),)))
        if self._odds(0.1):
            sites[SHADOWS] = Site(Sky(((0.0, self._weather()),)))
        aliases = self._aliases(names, SHADOWS in sites)
        setup = Setup(sites, aliases, "main", self._retries(), self._breaker(), self._admission(), probe=self._probe())
        wishes = [self._wish(number, list(aliases)) for number in range(self._crowd())]
        # Where only so many are allowed, the calls that look whether all is well may be too many.
        limited = any(site.limits.whole.any for site in sites.values())
        recovery_s = _LONGEST_PROBE_S + self._retry_after_s + 1.0
        return History(
            self._seed,
            setup,
            wishes,
            self._steers(names) if self._odds(0.15) else (),
            havens=frozenset({"main"} if self._haven else ()),
            recovery_s=recovery_s if self._odds(0.3) and not limited else None,
        )

    def _odds(self, odds: float) -> bool:
        return self._chance.random() < odds

    def _s(self, seconds: float) -> float:
        """A time, on the grid if there is one."""
        return round(seconds / self._grid_s) * self._grid_s if self._grid_s else seconds

    def _crowd(self) -> int:
        return self._chance.choice((2, 4, 6, 9, 14, 20) if self._odds(0.99) else (200,))

    def _site(self) -> Site:
        starts = [0.0, *sorted(self._s(self._chance.uniform(0, self._length_s)) for _ in range(self._chance.randint(0, 3)))]
        sky = Sky(tuple((start, self._weather()) for start in starts))
        timeouts = Timeouts(
            first_token_s=self._s(self._chance.uniform(1, 15)),
            idle_s=self._s(self._chance.uniform(0.5, 5)),
            total_s=self._s(self._chance.uniform(5, 40)),
        )
        keys = ("k1", "k2", "k3")[: self._chance.randint(2, 3)] if self._keyed and self._odds(0.5) else ()
        dead = frozenset(self._chance.sample(keys, self._chance.randint(0, len(keys) - 1))) if keys else frozenset[str]()
        return Site(sky, timeouts, self._limits(), keys, dead)

    def _limits(self) -> ProviderLimits:
        if self._haven or self._odds(0.75):
            return ProviderLimits()
        chance = self._chance
        return ProviderLimits(TargetLimits(chance.choice((None, 1, 3)), chance.choice((None, 5, 30)), chance.choice((None, 500))))

    def _steers(self, names: str) -> list[Steer]:
        chance = self._chance
        name = chance.choice(names)
        out_s = self._s(chance.uniform(0, self._length_s))
        drain_s = chance.choice((None, 0.0, self._s(chance.uniform(0, 3))))
        return [Steer(out_s, name, enabled=False, drain_s=drain_s), Steer(out_s + self._s(chance.uniform(0, 10)), name, enabled=True)]

    def _retries(self) -> RetrySettings:
        chance = self._chance
        return RetrySettings(base_s=chance.choice((0.0, 0.1, 1.0)), budget_floor=chance.choice((0, 3, 100)))

    def _breaker(self) -> BreakerSettings:
        chance = self._chance
        return BreakerSettings(
            consecutive_failures=chance.choice((2, 5, 0)),
            minimum_calls=chance.choice((3, 20)),
            probe_interval_s=chance.choice((0.5, 1.0)),
            max_probe_interval_s=_LONGEST_PROBE_S,
        )

    def _probe(self) -> StreamProbeSettings:
        chance = random.Random(f"{self._seed} probe")  # of its own, so that histories without one stay what they were
        if chance.random() < 0.7:
            return StreamProbeSettings()
        return StreamProbeSettings(chance.choice((1, 10, 10_000)), self._s(chance.choice((0.2, 1.0, 5.0))))

    def _admission(self) -> AdmissionSettings:
        if self._haven or self._odds(0.6):
            return AdmissionSettings()
        chance = self._chance
        return AdmissionSettings(
            ceiling_calls=chance.randint(1, 6),
            floor_calls=chance.randint(1, 3),
            adaptive=self._odds(0.7),
            queue_calls=chance.choice((1, 3, 100)),
            max_wait_s=chance.choice((0.5, 10.0)),
            weights={"x": 3.0},
        )

    def _weather(self) -> Weather:
        chance = self._chance
        kind = chance.random()
        bad = [fate for fate in _FATES if not (self._haven and fate in HOPELESS)]
        fates: Mapping[Fate, float]
        if kind < 0.3:
            fates = {"well": 1.0}
        elif kind < 0.6:
            fates = {chance.choice(bad): 1.0}
        else:
            fates = {"well": chance.uniform(0, 3), **{fate: chance.random() for fate in chance.sample(bad, chance.randint(1, 4))}}
        retry_after_s = chance.choice((0.0, 0.0, 1.0, 3.0, 12.0))
        self._retry_after_s = max(self._retry_after_s, retry_after_s)
        latency_s = self._s(chance.choice((0.1, 0.3, 1.0, 4.0)))
        return Weather(
            fates, latency_s, self._s(chance.choice((0.0, 0.1, 0.3))), chance.randint(1, 4), retry_after_s, spread=not self._grid_s
        )

    def _aliases(self, names: str, shadowed: bool) -> dict[str, Alias]:  # noqa: FBT001 - of a private method
        chance = self._chance
        targets = [Target(name, model) for name in names for model in ("m", "n")[: chance.randint(1, 2)]]
        # Keys in turn leave one attempt to others: with more than one before it, the haven may not be asked.
        most = 4 if not self._haven else 1 if self._keyed else 2
        own = chance.sample(targets, chance.randint(1, min(len(targets), most)))
        if self._haven:
            own.insert(chance.randint(0, len(own)), Target(_HAVEN, "m"))
        aliases = {
            "main": Alias(
                tuple(Member(target, chance.choice((1.0, 3.0))) for target in own),
                chance.choice(_STRATEGIES),
                fallbacks=Fallbacks(default=("spare",) if self._odds(0.5) else ()),
                hedge=Hedge(chance.choice((None, 0.2, 1.0))) if self._odds(0.3) else None,
                shadow=Shadow(Target(SHADOWS, "m"), 50.0, 3) if shadowed else None,
            ),
            "spare": Alias((Member(chance.choice(targets)),)),
        }
        if self._odds(0.2):
            aliases["split"] = Alias(arms=(Arm("a", "main", 50.0), Arm("b", "spare", 50.0)), strategy="split")
        return aliases

    def _wish(self, number: int, models: Sequence[str]) -> Wish:
        chance = self._chance
        stream = self._odds(0.5)
        model = "main" if self._odds(0.8) else chance.choice(models)
        return Wish(
            number,
            self._s(chance.choice((0.0, chance.uniform(0, self._length_s), chance.uniform(0, self._length_s)))),
            model,
            within_s=self._s(chance.choice((0.2, 1.0, 3.0, 10.0, 10.0, 30.0))),
            stream=stream,
            restart=chance.choice(_POLICIES) if stream else pb.StreamChatRequest.RESTART_POLICY_UNSPECIFIED,
            priority=chance.choice(_PRIORITIES),
            tenant=chance.choice("xyz"),
            fallbacks=("spare",) if self._odds(0.1) else (),
            leaves_after_s=self._s(chance.expovariate(0.5)) if self._odds(0.15) else None,
            closes_after=chance.randint(1, 6) if stream and self._odds(0.1) else None,
            reads_slowly_s=self._s(chance.uniform(0, 0.5)) if stream and self._odds(0.1) else 0.0,
        )
