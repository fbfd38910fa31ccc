"""Gauges: the cache for Prometheus."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from promptwire_server.core.kept import Selector
from promptwire_server.layers import names
from promptwire_server.layers.cache.counts import Counts, Line

_ALL = Selector()


class CacheGauges(Collector):
    """Register it with the registry of Metrics."""

    def __init__(self, counts: Counts, size: Callable[[], tuple[int, int]], lost: Callable[[], int]) -> None:
        """`size`: answers in memory and their bytes; `lost`: answers that could not be sent to the store that replicas share."""
        self._counts = counts
        self._size = size
        self._lost = lost

    def collect(self) -> Iterator[Metric]:
        """What Prometheus reads."""
        total = Line()
        for _, line in self._counts.lines(_ALL):
            total.add(line)
        hits = {"hit": total.hits - total.similar - total.stale, "similar": total.similar, "stale": total.stale}
        told = "Looks at the cache of answers: hit, stale (past its time, and a new one fetched), similar, miss, bypass."
        yield _counter(names.CACHE_LOOKUPS, told, "outcome", {**hits, "miss": total.misses, "bypass": total.bypasses})
        dropped = {"room": total.evictions, "time": total.expirations, "store": self._lost()}
        yield _counter(names.CACHE_DROPS, "Answers dropped for want of room, at their end, on the way to a store.", "why", dropped)
        yield CounterMetricFamily(names.CACHE_WRITES, "Answers kept.", total.writes)
        yield CounterMetricFamily(names.CACHE_SAVED, "Money that was not spent, in nano-USD.", total.saved_nano_usd or 0)
        answers, size_bytes = self._size()
        yield GaugeMetricFamily(names.CACHE_ANSWERS, "Answers in this process's memory.", answers)
        yield GaugeMetricFamily(names.CACHE_BYTES, "Bytes that they take.", size_bytes)


def _counter(name: str, told: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, told, labels=[label])
    for text, value in values.items():
        family.add_metric([text], value)
    return family
