"""Histogram: how long things took, in buckets that grow by a fifth, so that a quantile is right to within that."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_LEAST_S = 1e-4  # what was quicker counts as this
_PER_LEAST = 1 / _LEAST_S
_PER_DOUBLING = 4
_MOST = 26 * _PER_DOUBLING  # an hour and a half; what was slower counts as this, but for `max_s`
_log2 = math.log2


@dataclass(frozen=True, slots=True)
class Summary:
    """What a histogram says, in seconds."""

    count: int
    mean_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float


class Histogram:
    """Times in seconds. Only buckets that hold something take memory: of a thousand targets most are idle."""

    __slots__ = ("buckets", "count", "max_s", "total_s")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.total_s = 0.0
        self.count = 0
        self.max_s = 0.0

    def add(self, took_s: float) -> None:
        """Count one. Twice a call: so it is all in one place."""
        bucket = int(_log2(took_s * _PER_LEAST) * _PER_DOUBLING) if took_s > _LEAST_S else 0
        bucket = min(bucket, _MOST)
        buckets = self.buckets
        buckets[bucket] = buckets.get(bucket, 0) + 1
        self.total_s += took_s
        self.count += 1
        self.max_s = max(self.max_s, took_s)

    @classmethod
    def together(cls, histograms: "Iterable[Histogram]") -> "Histogram":
        """All of them as one."""
        all_of_them = cls()
        for each in histograms:
            all_of_them._take(each)
        return all_of_them

    def quantile_s(self, share: float) -> float:
        """Time within which this share of them was done, 0 < share <= 1; rounded up by at most a fifth. 0 when there is none."""
        wanted = math.ceil(share * self.count)
        for bucket in sorted(self.buckets):
            wanted -= self.buckets[bucket]
            if wanted <= 0:
                return min(_LEAST_S * 2 ** ((bucket + 1) / _PER_DOUBLING), self.max_s)
        return self.max_s

    def summary(self) -> Summary | None:
        """What it says; None when nothing was counted."""
        if not self.count:
            return None
        p50_s, p90_s, p99_s = (self.quantile_s(share) for share in (0.5, 0.9, 0.99))
        return Summary(self.count, self.total_s / self.count, p50_s, p90_s, p99_s, self.max_s)

    def _take(self, other: "Histogram") -> None:
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.total_s += other.total_s
        self.count += other.count
        self.max_s = max(self.max_s, other.max_s)
