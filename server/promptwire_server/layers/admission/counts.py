"""Counts: what admission has done, as plain numbers, and as Prometheus reads them."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from promptwire_server.layers import names
from promptwire_server.layers.admission.queue import RANKS
from promptwire_server.layers.metrics import Buckets

WAIT_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Shed(StrEnum):
    """Why a call was sent away."""

    WAIT = "wait"  # it would have waited too long, or has
    DEADLINE = "deadline"  # it would have waited beyond its deadline, or has
    QUEUE = "queue"  # the queue of its priority was full
    MEMORY = "memory"


class Counts:
    """What was done, by rank."""

    def __init__(self) -> None:
        self.admitted = [0] * len(RANKS)
        self.waits = [Buckets(WAIT_S) for _ in RANKS]  # of the admitted calls that had to wait
        self.sheds: dict[tuple[int, Shed], int] = {}
        self.reclaimed = 0  # leases that nobody ended

    def shed(self, rank: int, why: Shed) -> None:
        """A call was sent away."""
        self.sheds[rank, why] = self.sheds.get((rank, why), 0) + 1


class Doors(Protocol):
    """What can be seen of an admission from outside."""

    counts: Counts

    @property
    def inside(self) -> int:
        """Calls that are worked on."""
        ...

    @property
    def room(self) -> int:
        """Calls that may be worked on at once."""
        ...

    def waiting(self, rank: int) -> int:
        """Calls of this rank in the queue."""
        ...


class AdmissionMetrics(Collector):
    """Shows an admission to Prometheus: depth and waits of the queue say when another process is needed."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def collect(self) -> Iterator[Metric]:
        """What Prometheus reads."""
        doors, counts = self._doors, self._doors.counts
        yield GaugeMetricFamily(names.ADMISSION_LIMIT, "Calls that may be worked on at the same time now.", doors.room)
        yield GaugeMetricFamily(names.ADMISSION_IN_USE, "Calls that are worked on.", doors.inside)
        yield CounterMetricFamily(names.LEASES_RECLAIMED, "Slots that nobody gave back: bugs.", counts.reclaimed)
        depth = GaugeMetricFamily(names.QUEUE_DEPTH, "Calls that wait for their turn.", labels=["priority"])
        admitted = CounterMetricFamily(names.ADMITTED, "Calls that were let in.", labels=["priority"])
        waits = HistogramMetricFamily(names.QUEUE_WAIT, "How long calls waited that could not be let in at once.", labels=["priority"])
        for rank, name in enumerate(RANKS):
            depth.add_metric([name], doors.waiting(rank))
            admitted.add_metric([name], counts.admitted[rank])
            if not counts.waits[rank].empty:
                waits.add_metric([name], *counts.waits[rank].cumulated())
        yield from (depth, admitted, waits, self._sheds())

    def _sheds(self) -> Metric:
        sheds = CounterMetricFamily(names.SHEDS, "Calls that were sent away.", labels=["priority", "why"])
        for (rank, why), count in self._doors.counts.sheds.items():
            sheds.add_metric([RANKS[rank], why], count)
        return sheds
