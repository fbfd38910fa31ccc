"""Sharing: what all replicas have in common, by the settings: the connection to Redis, limits of callers, and what is told of both."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from promptwire_server.config.settings import Settings
from promptwire_server.core.clock import Chance, Clock
from promptwire_server.core.store import StoreDown
from promptwire_server.layers import names
from promptwire_server.layers.quota import DIMENSIONS, Limit
from promptwire_server.layers.rates import RateStores
from promptwire_server.stores import memory_rates
from promptwire_server.stores.redis.opening import opened
from promptwire_server.stores.redis.settings import NAME, RedisSettings

_ASKED = 3  # times at start; so many failures in a row, and a server is known to be down
Log = Callable[[str, str, Mapping[str, str]], None]  # level, event, fields


class Sharing(Collector):
    """Of one process, for its life. Nothing is opened before the first call that needs it, or `check`."""

    def __init__(self, settings: Settings, clock: Clock, chance: Chance, log: Log) -> None:
        """Raises RuntimeError for an address of Redis's that cannot be used; secrets are fetched by then."""
        self._log = log
        self._money = settings.stores.budgets == NAME
        where = redis_settings(settings)
        try:
            self.redis = None if where is None else opened(where, clock, chance, self._changed)
        except ValueError as error:
            raise RuntimeError(f"stores.redis.url {error}") from None
        own = memory_rates.Rates(clock)
        self._rates = None if self.redis is None else self.redis.rates()
        self.rates = RateStores(own, self._rates)

    async def check(self) -> None:
        """Whether Redis is fit to be used. One that is out of reach may come back: calls do without it until then.

        Raises RuntimeError where it never will be.
        """
        if self.redis is None:
            return
        for _ in range(_ASKED):  # if it does not answer, that is logged by then, and calls need not find out
            with suppress(StoreDown):
                problems = (await self.redis.fitness()).problems(money=self._money)
                if problems:
                    raise RuntimeError(f"stores.redis cannot be used: {'; '.join(problems)}")
                return

    async def aclose(self) -> None:
        """Send what is waiting, and close the connections."""
        if self._rates is not None:
            await self._rates.aclose()
        if self.redis is not None:
            await self.redis.aclose()

    def collect(self) -> Iterator[Metric]:
        """What Prometheus reads."""
        yield from self.rates.refused.collect()
        if self.redis is not None:
            up = GaugeMetricFamily(names.STORE_UP, "Whether a store that replicas share answers: 1, or 0.", labels=["store"])
            up.add_metric([NAME], float(not self.redis.down))
            yield up

    def _changed(self, up: bool, why: str) -> None:  # noqa: FBT001 - the shape of Changed
        if up:
            self._log("info", names.STORE_BACK, {"store": NAME})
        else:
            self._log("warning", names.STORE_DOWN, {"store": NAME, "error": why})


def redis_settings(settings: Settings) -> RedisSettings | None:
    """Where Redis is, if anywhere."""
    section = settings.stores.redis
    return None if section is None else RedisSettings(section.url, section.timeout_s, section.max_connections)


def caller_limits(settings: Settings) -> list[Limit]:
    """The operator's limits of callers."""
    return [
        Limit(
            name=section.name,
            per=tuple(section.per),
            match={dimension: tuple(named) for dimension in DIMENSIONS if (named := getattr(section.match, dimension))},
            requests_per_minute=section.requests_per_minute,
            burst=section.burst,
            tokens_per_minute=section.tokens_per_minute,
            concurrency=section.concurrency,
        )
        for section in settings.limits
    ]
