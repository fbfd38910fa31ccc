"""Fair: calls of one priority that wait, served so that tenants get their shares: weighted fair queueing in virtual time.

A tenant's virtual time is how long it was given slots, over its weight; the tenant that is furthest behind is next. Slots are what is
scarce, so a tenant with long calls gets fewer of them. Whoever comes back is not behind for the time in which it wanted nothing (start-time
fair queueing, Goyal, Vin and Cheng 1996): it could save up for a burst that starves the others.

Within a tenant the oldest goes first. Newest first, as Facebook does it under overload, served as many in simulation, with a shorter median
though its p99 was up to half as long again and a third more met their deadline in vain; nor could be said how long a newcomer will wait.
"""

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)
_KEPT_SHARES = 1024  # beyond that, tenants of whom nobody waits are forgotten early
_SPARE_ENTRIES = 64  # of the heap, out of date, before it is built anew


class Share:
    """One tenant's part in what is served."""

    __slots__ = ("served_s", "ticket", "weight")

    def __init__(self, weight: float) -> None:
        self.weight = weight
        self.served_s = 0.0  # virtual time up to which it was served
        self.ticket = 0  # of its entry in the heap that holds; 0: nobody waits

    def charge(self, more_s: float) -> None:
        """What it was given took that much longer than was charged for it, or shorter. Counts from its next turn but one."""
        self.served_s += more_s / self.weight


class _Tenant(Generic[Item]):
    """A share, and who waits for it."""

    __slots__ = ("share", "waiting")

    def __init__(self, weight: float) -> None:
        self.share = Share(weight)
        self.waiting: OrderedDict[Item, None] = OrderedDict()  # oldest first; a plain dict is slow at giving up its oldest key


class Fair(Generic[Item]):
    """What waits, by tenant; each item is in at most once."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.calls = 0
        self._weights = weights
        self._weight = 0.0  # of all tenants of whom somebody waits
        self._tenants: dict[str, _Tenant[Item]] = {}
        self._heap: list[tuple[float, int, _Tenant[Item]]] = []
        self._tickets = 0
        self._now_s = 0.0  # virtual time: where the share stood that was served last

    def reweigh(self, weights: Mapping[str, float]) -> None:
        """Tenants that begin to wait have these weights from now on."""
        self._weights = weights

    def push(self, name: str, item: Item) -> None:
        """Add one, behind those of its tenant."""
        tenant = self._tenants.get(name) or self._new(name)
        if not tenant.waiting:
            self._weight += tenant.share.weight
            self._enter(tenant)
        tenant.waiting[item] = None
        self.calls += 1

    def pop(self, cost_s: float) -> tuple[Item, Share]:
        """The next, and the share that was charged `cost_s` for it. Raises IndexError when nobody waits."""
        while True:
            start_s, ticket, tenant = heappop(self._heap)
            share = tenant.share
            if ticket == share.ticket:
                break
        item, _ = tenant.waiting.popitem(last=False)
        self._now_s = max(self._now_s, start_s)
        share.served_s = max(self._now_s, share.served_s) + cost_s / share.weight
        if tenant.waiting:
            self._enter(tenant)
        self._left(tenant)
        return item, share

    def remove(self, name: str, item: Item) -> None:
        """Take one out that is not served. Raises KeyError when it is not in."""
        tenant = self._tenants[name]
        del tenant.waiting[item]
        self._left(tenant)

    def ahead(self, name: str) -> float:
        """How many are served before a new call of this tenant would be, about."""
        tenant = self._tenants.get(name)
        own, weight = (len(tenant.waiting), tenant.share.weight) if tenant else (0, self._weights.get(name, 1.0))
        everybody = self._weight if own else self._weight + weight
        return min(float(self.calls), (own + 1) * everybody / weight - 1)

    def yielding(self, name: str) -> Item | None:
        """Who gives way to a new call of this tenant when there is no room: the newest of the tenant that takes most room for its weight.

        None when that is this tenant itself. Looks at each tenant that waits, but not for one that has more room than is its share.
        """
        own = self._tenants.get(name)
        own_calls = 1 if own is None else len(own.waiting) + 1
        weight = self._weights.get(name, 1.0) if own is None else own.share.weight
        if (own_calls - 1) * self._weight > self.calls * weight:
            return None
        crowds = [tenant for tenant in self._tenants.values() if tenant.waiting]
        if not crowds:
            return None
        largest = max(crowds, key=_room)
        if own_calls / weight >= _room(largest):
            return None
        return next(reversed(largest.waiting))

    def _left(self, tenant: _Tenant[Item]) -> None:
        self.calls -= 1
        if not tenant.waiting:
            tenant.share.ticket = 0
            self._weight -= tenant.share.weight
        if not self.calls:  # who was served how much before does not matter to those who come
            self._tenants.clear()
            self._heap.clear()
            self._now_s = self._weight = 0.0

    def _enter(self, tenant: _Tenant[Item]) -> None:
        """Give the tenant its place by what it was served."""
        self._tickets += 1
        tenant.share.ticket = self._tickets
        if len(self._heap) > _SPARE_ENTRIES + 2 * len(self._tenants):
            self._heap = [entry for entry in self._heap if entry[1] == entry[2].share.ticket]
            heapify(self._heap)
        heappush(self._heap, (max(self._now_s, tenant.share.served_s), self._tickets, tenant))

    def _new(self, name: str) -> _Tenant[Item]:
        if len(self._tenants) >= _KEPT_SHARES:
            self._tenants = {other: tenant for other, tenant in self._tenants.items() if tenant.waiting}
        tenant = self._tenants[name] = _Tenant(self._weights.get(name, 1.0))
        return tenant


def _room(tenant: "_Tenant[Item]") -> float:
    return len(tenant.waiting) / tenant.share.weight
