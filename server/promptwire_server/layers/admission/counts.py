"""Counts: what admission has done, as plain numbers, and as Prometheus reads them."""

import asyncio
from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from promptwire_server.layers import names
from promptwire_server.layers.admission.queue import RANKS
from promptwire_server.layers.metrics import Buckets

WAIT_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_WAITS = "How long calls waited for their turn that were let in, but not at once, in seconds."
_SHEDS = (
    "Calls that were sent away before they cost anything. By reason: wait (they would have waited longer than max_wait, or have), deadline "
    "(they would have waited beyond their deadline, or have), queue (that of their priority was full), memory (it was used up)."
)


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
        self.sheds = [dict.fromkeys(Shed, 0) for _ in RANKS]
        self.reclaimed = 0  # leases that nobody ended

    def shed(self, rank: int, why: Shed) -> None:
        """A call was sent away."""
        self.sheds[rank][why] += 1


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
        """What Prometheus reads. Runs on the event loop whose tasks it counts."""
        doors, counts = self._doors, self._doors.counts
        yield GaugeMetricFamily(names.ADMISSION_LIMIT, "Calls that may be worked on at the same time now; more wait.", doors.room)
        yield GaugeMetricFamily(names.ADMISSION_IN_USE, "Calls that are worked on: slots that are taken.", doors.inside)
        yield GaugeMetricFamily(
            names.TASKS, "Tasks of the event loop: the server's own, and those of calls, which end with these.", _tasks()
        )
        yield CounterMetricFamily(names.LEASES_RECLAIMED, "Slots that nobody gave back: bugs.", counts.reclaimed)
        depth = GaugeMetricFamily(names.QUEUE_DEPTH, "Calls that wait for their turn now.", labels=["priority"])
        admitted = CounterMetricFamily(names.ADMITTED, "Calls that were let in, at once or in their turn.", labels=["priority"])
        waits = HistogramMetricFamily(names.QUEUE_WAIT, _WAITS, labels=["priority"])
        sheds = CounterMetricFamily(names.SHEDS, _SHEDS, labels=["priority", "reason"])
        for rank, name in enumerate(RANKS):
            depth.add_metric([name], doors.waiting(rank))
            admitted.add_metric([name], counts.admitted[rank])
            waits.add_metric([name], *counts.waits[rank].cumulated())
            for why in Shed:
                sheds.add_metric([name, why], counts.sheds[rank][why])
        yield from (depth, admitted, waits, sheds)


def _tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # collected elsewhere than on a loop
        return 0
