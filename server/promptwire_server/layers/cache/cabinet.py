"""Cabinet: the kept answers as operators and tenants see them, and may drop them."""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from promptwire.admin import v1 as admin
from promptwire_server.core.clock import Clock
from promptwire_server.core.kept import Held, Selector
from promptwire_server.layers.cache.counts import OTHER, Counts, Line

_MOST_MODELS: Final = 1000  # of an answer


class Shelves(Protocol):
    """A store of answers, as a whole."""

    name: str

    @property
    def max_bytes(self) -> int | None:
        """That all answers together may take; None: there is no bound."""
        ...

    async def held(self, selector: Selector) -> Sequence[Held]:
        """What is kept of what is meant, by model. Raises StoreDown."""
        ...

    async def purge(self, selector: Selector, *, dry_run: bool) -> tuple[int, int]:
        """Drop what is meant, or only count it; how many, and their bytes. Raises StoreDown; some are gone then."""
        ...


class Cabinet:
    """The store, and what was counted of it here."""

    def __init__(self, store: Shelves, counts: Counts, clock: Clock, instance_id: str) -> None:
        """`instance_id`: of this replica."""
        self._store = store
        self._counts = counts
        self._clock = clock
        self.instance_id = instance_id if store.name == "memory" else ""

    async def stats(self, selector: Selector, *, models: bool) -> admin.GetCacheStatsResponse:
        """What is held of what is meant, and what it was good for; with `models` also model by model. Raises StoreDown."""
        held = {each.model: each for each in await self._store.held(selector)}
        counted: dict[str, Line] = {}
        for model, line in self._counts.lines(selector):
            counted.setdefault(model, Line()).add(line)
        response = admin.GetCacheStatsResponse(
            stats=self._stats(held.values(), counted.values()), store=self._store.name, instance_id=self.instance_id
        )
        if self._store.max_bytes is not None:
            response.stats.max_size_bytes = self._store.max_bytes
        if models:
            named = sorted({*held, *counted} - {OTHER}, key=lambda model: (-held[model].size_bytes if model in held else 0, model))
            response.models.extend(self._of_model(model, held.get(model), counted.get(model)) for model in named[:_MOST_MODELS])
        return response

    async def purge(self, selector: Selector, *, dry_run: bool) -> tuple[int, int]:
        """See Shelves."""
        return await self._store.purge(selector, dry_run=dry_run)

    def _of_model(self, model: str, held: Held | None, line: Line | None) -> admin.ModelCacheStats:
        stats = self._stats([held] if held is not None else [], [line] if line is not None else [])
        return admin.ModelCacheStats(model=model, stats=stats)

    def _stats(self, held: Iterable[Held], lines: Iterable[Line]) -> admin.CacheStats:
        total, kept = Line(), list(held)
        for line in lines:
            total.add(line)
        stats = admin.CacheStats(
            entry_count=sum(each.answers for each in kept),
            size_bytes=sum(each.size_bytes for each in kept),
            hit_count=total.hits,
            similar_hit_count=total.similar,
            stale_hit_count=total.stale,
            miss_count=total.misses,
            bypass_count=total.bypasses,
            write_count=total.writes,
            eviction_count=total.evictions,
            expiration_count=total.expirations,
            saved_usage=total.usage(),
            saved_nano_usd=total.saved_nano_usd,
        )
        stats.start_time.FromNanoseconds(int(self._counts.start_s * 1e9))
        if kept:
            stats.oldest_entry_time.FromNanoseconds(int((self._clock.time() - max(each.oldest_s for each in kept)) * 1e9))
        return stats
