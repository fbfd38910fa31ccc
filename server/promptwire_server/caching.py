"""Caching: the cache of answers, by the settings: where answers are kept, what counts as the same question, what is told of it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from promptwire_server.config.settings import Settings
from promptwire_server.convert import cache_settings, provider_settings
from promptwire_server.core.call import Target
from promptwire_server.core.clock import Clock
from promptwire_server.core.handler import Handler
from promptwire_server.core.ids import Ids
from promptwire_server.layers.alias import Alias
from promptwire_server.layers.cache.aim import Aims
from promptwire_server.layers.cache.cabinet import Cabinet
from promptwire_server.layers.cache.cache import Cache
from promptwire_server.layers.cache.counts import Counts
from promptwire_server.layers.cache.gauges import CacheGauges
from promptwire_server.layers.cache.refresh import Refresher
from promptwire_server.layers.cache.similar import Similar, SimilarSettings
from promptwire_server.providers import custom, registry, script
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.rpc.cache import Audit, CacheService
from promptwire_server.stores import memory
from promptwire_server.stores.near import NearAnswers
from promptwire_server.stores.vectors import Vectors

if TYPE_CHECKING:
    from promptwire_server.stores.redis import answers as redis_answers
    from promptwire_server.stores.redis.parts import Parts

_PRICES = {
    "request_usd",
    "input_usd_per_1m",
    "output_usd_per_1m",
    "cached_input_usd_per_1m",
    "cache_write_usd_per_1m",
    "cache_write_1h_usd_per_1m",
}


class Caching(Collector):
    """Of one process, for its life. Register it with the registry of Metrics."""

    def __init__(self, settings: Settings, redis: "Parts | None", *, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self.counts = Counts(clock)
        self._near = memory.Answers(clock=clock, max_bytes=settings.cache.max_bytes, dropped=self.counts.dropped)
        self._far = None if redis is None or settings.cache.store == "memory" else redis.answers()
        self.store = self._store(settings.cache.store, self._far)
        self._vectors = Vectors(settings.cache.similar.max_bytes)
        self._gauges = CacheGauges(self.counts, lambda: (len(self._near), self._near.size_bytes), self._lost)

    def service(self, instance_id: str, audit: Audit) -> CacheService:
        """The servicer, for operators and tenants."""
        return CacheService(Cabinet(self.store, self.counts, self._clock, instance_id), audit)

    def collect(self) -> Iterator[Metric]:
        """What Prometheus reads."""
        return self._gauges.collect()

    async def aclose(self) -> None:
        """Send what waits, before the connection to the store is closed."""
        if self._far is not None:
            await self._far.aclose()

    def layer(
        self, settings: Settings, aliases: Mapping[str, Alias], inner: Handler, *, again: Handler, embed: Handler
    ) -> tuple[Cache, Refresher]:
        """The layer of one configuration; `again`: where answers past their time are fetched anew; `embed`: where vectors come from."""
        refresher = Refresher(again, clock=self._clock, ids=self._ids, longest_s=settings.server.max_call_duration_s)
        cache = Cache(
            inner,
            store=self.store,
            settings=cache_settings(settings),
            aims=Aims(aliases, settings.default_model, told(settings)),
            counts=self.counts,
            refresher=refresher,
            similar=self._similar(settings, embed),
        )
        return cache, refresher

    def _similar(self, settings: Settings, embed: Handler) -> Similar | None:
        section = settings.cache.similar
        if section.model is None:
            return None
        wanted = SimilarSettings(section.model, section.min_similarity, section.timeout_s, section.dimensions or 0)
        return Similar(embed, self._vectors, wanted, self._clock)

    def _store(self, wanted: str, far: "redis_answers.Answers | None") -> "memory.Answers | NearAnswers | redis_answers.Answers":
        if far is None:  # the configuration is checked before
            return self._near
        return NearAnswers(self._near, far) if wanted == "both" else far

    def _lost(self) -> int:
        return 0 if self._far is None else self._far.lost


def told(settings: Settings) -> Callable[[Target], str]:
    """What the configuration says of a target, as far as it can change answers: where it is, how it is asked, what it can do."""
    said = {name: _said(section) for name, section in provider_settings(settings).items()}

    def tell(target: Target) -> str:
        facts = settings.model_facts.get(str(target))
        return said.get(target.provider, "") + ("" if facts is None else facts.model_dump_json(exclude=_PRICES))

    return tell


def _said(section: registry.Settings) -> str:
    """Keys of accounts are left out: another one of the same vendor changes nothing."""
    match section:
        case HttpSettings():
            headers = [(name, value.reveal()) for name, value in section.headers.items()]
            return _digest(section.dialect, section.vendor, section.base_url, sorted(section.options.items()), sorted(headers))
        case custom.Settings():
            return _digest(section.entry_point, sorted((name, value.reveal()) for name, value in section.options.items()))
        case script.Settings():
            return _digest(section.file.read_bytes() if section.file.exists() else b"")
        case _:
            return ""


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
