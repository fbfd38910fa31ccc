"""Queue: all calls that wait, in four priorities, each fair to its tenants.

The most urgent go first, but whoever stands behind keeps a small share of what is served, so that nobody starves.
"""

from collections.abc import Mapping
from typing import Final

from promptwire_server.layers.admission.fair import Fair, Share
from promptwire_server.layers.admission.settings import AdmissionSettings
from promptwire_server.layers.admission.waiter import Waiter

RANKS: Final = ("critical", "high", "normal", "low")  # in the order of pb.Priority
# Of the calls served while others wait, so many go to a rank even when more urgent ones could take all. LOW is promised 2 %.
_SHARES: Final = (0.0, 0.05, 0.05, 0.025)
_REMEMBERED = 64  # calls; what the ranks took of these says what they will leave


class Queue:
    """Who waits."""

    def __init__(self, settings: AdmissionSettings) -> None:
        self.calls = 0
        self._most = settings.queue_calls
        self._ranks: tuple[Fair[Waiter], ...] = tuple(Fair(settings.weights) for _ in RANKS)
        self._due = [0.0] * len(RANKS)  # calls of a rank that may go before more urgent ones; at most 1, so that nobody saves up
        self._taken = [0.0] * len(RANKS)  # a rank's part of what was served lately

    def reweigh(self, weights: Mapping[str, float]) -> None:
        """Tenants that begin to wait have these weights from now on."""
        for fair in self._ranks:
            fair.reweigh(weights)

    def depth(self, rank: int) -> int:
        """How many of this rank wait."""
        return self._ranks[rank].calls

    def full(self, rank: int) -> bool:
        """There is no room for another of this rank, unless one gives way."""
        return self._ranks[rank].calls >= self._most

    def yielding(self, rank: int, tenant: str) -> Waiter | None:
        """Who of this rank gives way to a new call of this tenant; None when it is this tenant that has most calls there."""
        return self._ranks[rank].yielding(tenant)

    def push(self, waiter: Waiter) -> None:
        """Add one."""
        self._ranks[waiter.rank].push(waiter.tenant, waiter)
        self.calls += 1

    def remove(self, waiter: Waiter) -> None:
        """Take one out that is not served."""
        self._ranks[waiter.rank].remove(waiter.tenant, waiter)
        self._left(waiter)

    def pop(self, cost_s: float) -> tuple[Waiter, Share]:
        """Whose turn it is, and the share that was charged `cost_s`. Raises IndexError when nobody waits."""
        waiter, share = self._ranks[self._next()].pop(cost_s)
        self._left(waiter)
        return waiter, share

    def turns(self, rank: int, tenant: str) -> float:
        """How many calls are served until a new one of this rank and tenant has been, about.

        Either the more urgent ones go first, those that are still to come too, or its rank's own share brings it forward.
        """
        own = self._ranks[rank].ahead(tenant) + 1
        more_urgent = sum(fair.calls for fair in self._ranks[:rank])
        left = max(1e-9, 1 - sum(self._taken[:rank]))
        behind = (more_urgent + own) / left
        if not rank:
            return behind
        return min(behind, max(1.0, (own - self._due[rank]) / _SHARES[rank]))

    def _next(self) -> int:
        """The rank whose turn it is."""
        waiting = [rank for rank, fair in enumerate(self._ranks) if fair.calls]
        if not waiting:
            raise IndexError("nobody waits")
        due = self._due
        for rank, share in enumerate(_SHARES):
            due[rank] = min(1.0, due[rank] + share)
        chosen = max((rank for rank in waiting if due[rank] >= 1.0), default=waiting[0])
        due[chosen] = max(0.0, due[chosen] - 1.0)
        for rank in range(len(RANKS)):
            self._taken[rank] += ((rank == chosen) - self._taken[rank]) / _REMEMBERED
        return chosen

    def _left(self, waiter: Waiter) -> None:
        waiter.queued = False
        self.calls -= 1
        if not self.calls:
            self._taken = [0.0] * len(RANKS)
