"""Outliers: targets that do far worse than their siblings of the same alias, and so are tried last."""

from collections.abc import Sequence
from statistics import median

from promptwire_server.core.call import Target
from promptwire_server.layers.vitals import Vitals

_LEAST_CALLS = 10  # in five minutes; of fewer, a rate says nothing
_WORSE_RATE = 0.2  # an error rate so much over that of the siblings is far worse: a fifth of the calls fails for no need
_WORSE_LATENCY = 3.0  # so many times as slow as the siblings ...
_WORSE_LATENCY_S = 1.0  # ... and by so much: nobody minds 30 ms in place of 10


def outliers(targets: Sequence[tuple[Target, Vitals]]) -> frozenset[Target]:
    """Those far worse than the median of the others in error rate or latency; the worst, and at most half of them.

    Costs about 5 µs a target that has traffic, and allows for an answer a second old: routing keeps it so long.
    """
    judged = [_Judged(target, vitals) for target, vitals in targets if _has_traffic(vitals)]
    if len(judged) < 2:  # noqa: PLR2004 - siblings are two
        return frozenset()
    found: list[tuple[float, Target]] = []
    for one in judged:
        others = [each for each in judged if each.target != one.target]
        excess = one.error_rate - median(each.error_rate for each in others)
        slowness = max(one.slowness(others, stream=False), one.slowness(others, stream=True))
        if excess >= _WORSE_RATE or slowness:
            found.append((max(excess / _WORSE_RATE, slowness), one.target))
    worst_first = sorted(found, key=lambda each: each[0], reverse=True)
    return frozenset(target for _, target in worst_first[: len(targets) // 2])


def _has_traffic(vitals: Vitals) -> bool:
    return vitals.counts().calls >= _LEAST_CALLS


class _Judged:
    """One target, as far as it is compared."""

    def __init__(self, target: Target, vitals: Vitals) -> None:
        self.target = target
        self.error_rate = vitals.counts().error_rate
        self.usual_s = {stream: vitals.usual_s(stream=stream) for stream in (False, True)}

    def slowness(self, others: "Sequence[_Judged]", *, stream: bool) -> float:
        """How bad, 1 being just bad enough; 0: not bad, or not known. Streams are compared with streams."""
        mine_s = self.usual_s[stream]
        known = [usual_s for each in others if (usual_s := each.usual_s[stream]) is not None]
        if mine_s is None or not known:
            return 0.0
        others_s = median(known)
        times = mine_s / others_s / _WORSE_LATENCY if others_s else 0.0
        return times if times >= 1 and mine_s - others_s >= _WORSE_LATENCY_S else 0.0
