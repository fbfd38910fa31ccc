"""Vectors: which of the questions that were embedded is nearest to another. In memory, bounded, each tenant's apart.

Looking at all of a group takes two steps. The signs of a vector's numbers are one whole number; how many of them differ between two vectors
tells roughly the angle between them, at a tenth of a microsecond a pair. Only the few that seem nearest are multiplied out.
"""

from array import array
from collections import OrderedDict
from heapq import nsmallest
from math import acos, pi, sqrt
from operator import mul
from typing import Final, NamedTuple

_CANDIDATES: Final = 8  # that are multiplied out: 80 µs each, at 1536 numbers
_SPREAD: Final = 4.0  # standard deviations: so far may the signs be from what the angle lets expect
_LEAN: Final = 0.05  # and so much besides: numbers of real vectors are not independent
_OVERHEAD_BYTES: Final = 600
_SHARE: Final = 4  # one tenant may take that part of the room


class _Point(NamedTuple):
    signs: int
    numbers: "array[float]"  # of length 1 together


At = tuple[str, str]  # group, key


class Vectors:
    """By tenant and group; within a group all have the same length. What was used longest ago goes first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._points: dict[str, dict[str, dict[str, _Point]]] = {}  # by tenant, group and key
        self._used: dict[str, OrderedDict[At, int]] = {}  # by tenant: the bytes of each, what was used longest ago first
        self._tenants: OrderedDict[str, int] = OrderedDict()  # bytes of each
        self.size_bytes = 0

    def add(self, tenant: str, group: str, key: str, vector: "array[float]") -> None:
        """Remember a question; `vector` has 32-bit numbers. One without length cannot be near anything."""
        point = _point(vector)
        if point is None:
            return
        self.forget(tenant, group, key)
        size = len(vector) * 4 + _OVERHEAD_BYTES
        self._points.setdefault(tenant, {}).setdefault(group, {})[key] = point
        self._used.setdefault(tenant, OrderedDict())[group, key] = size
        self._tenants[tenant] = self._tenants.get(tenant, 0) + size
        self._tenants.move_to_end(tenant)
        self.size_bytes += size
        while self._tenants.get(tenant, 0) * _SHARE > self._max_bytes:
            self._drop_oldest(tenant)
        while self.size_bytes > self._max_bytes:
            self._drop_oldest(next(iter(self._tenants)))

    def nearest(self, tenant: str, group: str, vector: "array[float]", at_least: float) -> tuple[str, float] | None:
        """The key of the nearest question of the group, and the cosine; None when none is as near as that."""
        points = self._points.get(tenant, {}).get(group)
        asked = _point(vector)
        if not points or asked is None:
            return None
        most = _most_signs(at_least, len(vector))
        signs = asked.signs
        near = [(differing, key) for key, point in points.items() if (differing := (point.signs ^ signs).bit_count()) <= most]
        best = max(((_cosine(points[key].numbers, asked.numbers), key) for _, key in nsmallest(_CANDIDATES, near)), default=(-1.0, ""))
        if best[0] < at_least:
            return None
        self._used[tenant].move_to_end((group, best[1]))
        self._tenants.move_to_end(tenant)
        return best[1], min(1.0, best[0])

    def forget(self, tenant: str, group: str, key: str) -> None:
        """It is of no use any more. Harmless when it is not there."""
        used = self._used.get(tenant)
        size = None if used is None else used.pop((group, key), None)
        if size is None:
            return
        points = self._points[tenant]
        del points[group][key]
        if not points[group]:
            del points[group]
        self.size_bytes -= size
        self._tenants[tenant] -= size
        if not self._used[tenant]:
            del self._used[tenant], self._points[tenant], self._tenants[tenant]

    def _drop_oldest(self, tenant: str) -> None:
        group, key = next(iter(self._used[tenant]))
        self.forget(tenant, group, key)


def _point(vector: "array[float]") -> _Point | None:
    length = sqrt(sum(map(mul, vector, vector)))
    if not 0 < length < float("inf"):
        return None
    signs = int("".join(["1" if number > 0 else "0" for number in vector]), 2)
    return _Point(signs, array("f", [number / length for number in vector]))


def _cosine(one: "array[float]", other: "array[float]") -> float:
    return sum(map(mul, one, other)) if len(one) == len(other) else -1.0


def _most_signs(at_least: float, count: int) -> float:
    """How many signs differ at most between vectors that are so near, nearly always."""
    share = acos(min(1.0, at_least)) / pi
    return count * (share + _LEAN) + _SPREAD * sqrt(count * share * (1 - share))
