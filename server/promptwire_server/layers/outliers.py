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
    judged = [(target, vitals.counts().error_rate, vitals.usual_s() or 0.0) for target, vitals in targets if _has_traffic(vitals)]
    if len(judged) < 2:  # noqa: PLR2004 - siblings are two
        return frozenset()
    found: list[tuple[float, Target]] = []
    for target, rate, usual_s in judged:
        others = [each for each in judged if each[0] != target]
        excess = rate - median(each[1] for each in others)
        slowness = _slowness(usual_s, median(each[2] for each in others))
        if excess >= _WORSE_RATE or slowness:
            found.append((max(excess / _WORSE_RATE, slowness), target))
    worst_first = sorted(found, key=lambda each: each[0], reverse=True)
    return frozenset(target for _, target in worst_first[: len(targets) // 2])


def _has_traffic(vitals: Vitals) -> bool:
    return vitals.counts().calls >= _LEAST_CALLS


def _slowness(usual_s: float, others_s: float) -> float:
    """How bad, 1 being just bad enough; 0: not bad, or not known."""
    if not others_s or usual_s - others_s < _WORSE_LATENCY_S:
        return 0.0
    times = usual_s / others_s / _WORSE_LATENCY
    return times if times >= 1 else 0.0
