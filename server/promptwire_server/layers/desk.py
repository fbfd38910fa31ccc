"""Desk: the providers as their operator sees them, and what he may do there: close breakers, take one out of use."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from promptwire.admin import v1 as admin
from promptwire_server.core.call import Target
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import NotFound
from promptwire_server.core.standing import Standing
from promptwire_server.layers.breaker import Breaker, State
from promptwire_server.layers.breakers import Breakers
from promptwire_server.layers.histogram import Histogram
from promptwire_server.layers.roster import Later, Post, Roster
from promptwire_server.layers.vitals import WINDOW_S, Counts, Vitals

_SOME_FAIL = 0.05  # from this share of calls on "some calls fail": one in a thousand is every vendor's daily life
_ERRORS = 20
_STATES = {
    State.CLOSED: admin.BREAKER_STATE_CLOSED,
    State.HALF_OPEN: admin.BREAKER_STATE_HALF_OPEN,
    State.OPEN: admin.BREAKER_STATE_OPEN,
}


Keep = Callable[[str, Standing], Awaitable[None]]  # writes one down for other processes and later ones; must not raise


@dataclass(frozen=True, slots=True)
class Place:
    """What configuration says of a provider."""

    dialect: str
    endpoint: str = ""  # scheme, host and port
    max_in_flight: int | None = None


class Desk:
    """Of this process."""

    def __init__(  # noqa: PLR0913 - the office has as many parts
        self,
        roster: Roster,
        breakers: Breakers,
        places: Mapping[str, Place],
        *,
        clock: Clock,
        later: Later,
        keep: Keep,
        revive: Callable[[str], None] = lambda name: None,  # noqa: ARG005 - the shape
        instance_id: str,
    ) -> None:
        """`revive` lets the keys of a provider be tried again whose accounts were refused."""
        self.instance_id = instance_id
        self._places = places
        self._standings: dict[str, Standing] = {}  # all that are kept, also of providers that are not there now
        self._keep = keep
        self._revive = revive
        self._setting = asyncio.Lock()
        self._roster = roster
        self._breakers = breakers
        self._clock = clock
        self._later = later

    def renew(self, places: Mapping[str, Place]) -> None:
        """The configuration says this now; after the roster has been told."""
        self._places = places
        self.apply(self._standings)

    def providers(self) -> Sequence[admin.Provider]:
        """All of them, by name."""
        return [self._shown(self._roster.posts[name]) for name in sorted(self._roster.posts)]

    def provider(self, name: str) -> admin.Provider:
        """One of them. Raises NotFound."""
        return self._shown(self._roster.configured(name))

    def reset(self, name: str, model: str) -> None:
        """Close the breakers of a provider, or of one model of it; of a provider as a whole, try its keys again. Raises NotFound."""
        self._roster.configured(name)
        if model and self._roster.find(Target(name, model)) is None:
            known = ", ".join(target.model for target, _ in self._targets(name)) or "none"
            raise NotFound(f'{name} has no model "{model[:128]}" that configuration names or that was called; it has {known}'[:512])
        self._breakers.reset(name, model)
        if not model:
            self._revive(name)

    async def set_enabled(self, name: str, *, enabled: bool, reason: str, drain_s: float | None) -> None:
        """Use a provider or not; of what is under way then, end what is left after `drain_s`; None: let it end. Raises NotFound."""
        async with self._setting:  # so that what is kept and what holds here have the same order
            now_s = self._clock.time()
            before = self._roster.configured(name).standing
            changed_s = before.changed_s if before.enabled == enabled else now_s
            clear_by_s = None if enabled or drain_s is None else now_s + drain_s
            standing = Standing(enabled, "" if enabled else reason, changed_s, clear_by_s)
            await self._keep(name, standing)
            self.apply({name: standing})

    def apply(self, standings: Mapping[str, Standing]) -> None:
        """Let these hold here, as this process or another has kept them; of a provider that is not there, once it is."""
        self._standings.update(standings)
        for name, standing in standings.items():
            post = self._roster.posts.get(name)
            if post is not None and post.standing != standing:
                post.set(standing, self._clock.time(), self._later)

    def _targets(self, name: str) -> list[tuple[Target, Vitals]]:
        return sorted(
            ((target, vitals) for target, vitals in self._roster.targets() if target.provider == name), key=lambda each: each[0].model
        )

    def _shown(self, post: Post) -> admin.Provider:
        place = self._places.get(post.name, Place(""))
        targets = self._targets(post.name)
        shown = [self._target(target, vitals) for target, vitals in targets]
        every = [vitals for _, vitals in targets]
        provider = admin.Provider(
            name=post.name,
            dialect=place.dialect,
            endpoint=place.endpoint,
            mode=_mode(post),
            mode_reason=post.standing.reason,
            health=_worst(shown),
            in_flight_count=len(post.visits),
            max_in_flight_count=place.max_in_flight,
            targets=shown,
            last_errors=_errors(every),
            stats=_stats(every),
        )
        if post.standing.changed_s is not None:
            provider.mode_change_time.FromNanoseconds(_nanos(post.standing.changed_s))
        if successes := [vitals.last_success_s for vitals in every if vitals.last_success_s is not None]:
            provider.last_success_time.FromNanoseconds(_nanos(max(successes)))
        return provider

    def _target(self, target: Target, vitals: Vitals) -> admin.ProviderTarget:
        breaker = self._breakers.of(target)
        return admin.ProviderTarget(
            model=target.model,
            health=_health(breaker.state, vitals.counts()),
            breaker=self._breaker(breaker),
            in_flight_count=vitals.in_flight,
            stats=_stats([vitals]),
        )

    def _breaker(self, breaker: Breaker) -> admin.Breaker:
        calls, failures = breaker.counts()
        shown = admin.Breaker(
            state=_STATES[breaker.state],
            consecutive_failure_count=breaker.consecutive_failures,
            window_call_count=calls,
            window_failure_count=failures,
        )
        shown.state_change_time.FromNanoseconds(_nanos(breaker.changed_s))
        if breaker.state is State.OPEN:
            shown.probe_time.FromNanoseconds(_nanos(self._clock.time() + breaker.wait_s))
        return shown


def _mode(post: Post) -> "admin.ProviderMode":
    if post.standing.enabled:
        return admin.PROVIDER_MODE_ENABLED
    return admin.PROVIDER_MODE_DRAINING if post.visits else admin.PROVIDER_MODE_DISABLED


def _health(state: State, counts: Counts) -> "admin.ProviderHealth":
    """Of one target."""
    if state is State.OPEN:
        return admin.PROVIDER_HEALTH_UNHEALTHY
    if state is State.HALF_OPEN or counts.error_rate >= _SOME_FAIL:
        return admin.PROVIDER_HEALTH_DEGRADED
    return admin.PROVIDER_HEALTH_HEALTHY if counts.calls else admin.PROVIDER_HEALTH_UNSPECIFIED


def _worst(targets: Sequence[admin.ProviderTarget]) -> "admin.ProviderHealth":
    """Of a provider: of its targets those count of which something is known."""
    known = {target.health for target in targets} - {admin.PROVIDER_HEALTH_UNSPECIFIED}
    if len(known) == 1:
        return known.pop()
    return admin.PROVIDER_HEALTH_DEGRADED if known else admin.PROVIDER_HEALTH_UNSPECIFIED


def _errors(targets: Sequence[Vitals]) -> list[admin.ProviderError]:
    """The newest first."""
    failures = sorted((failure for vitals in targets for failure in vitals.failures), key=lambda failure: failure.at_s, reverse=True)
    errors = [admin.ProviderError(attempt=failure.attempt) for failure in failures[:_ERRORS]]
    for error, failure in zip(errors, failures, strict=False):
        error.time.FromNanoseconds(_nanos(failure.at_s))
    return errors


def _stats(targets: Sequence[Vitals]) -> admin.ProviderCallStats:
    """Of some targets together."""
    counts = Counts()
    for vitals in targets:
        counts.add(vitals.counts())
    stats = admin.ProviderCallStats(call_count=counts.calls, failure_count=counts.failures, rate_limited_count=counts.limited)
    stats.window.FromNanoseconds(_nanos(WINDOW_S))
    _summarize(Histogram.together(vitals.latency() for vitals in targets), stats.latency)
    _summarize(Histogram.together(vitals.first_token() for vitals in targets), stats.time_to_first_token)
    return stats


def _summarize(histogram: Histogram, into: admin.LatencySummary) -> None:
    """Write a summary, unless there is nothing to summarize: the field stays absent then."""
    summary = histogram.summary()
    if summary is None:
        return
    into.sample_count = summary.count
    into.mean.FromNanoseconds(_nanos(summary.mean_s))
    into.p50.FromNanoseconds(_nanos(summary.p50_s))
    into.p90.FromNanoseconds(_nanos(summary.p90_s))
    into.p99.FromNanoseconds(_nanos(summary.p99_s))
    into.max.FromNanoseconds(_nanos(summary.max_s))


def _nanos(seconds: float) -> int:
    return int(seconds * 1e9)
