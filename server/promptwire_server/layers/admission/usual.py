"""Usual: how long each kind of question takes while nothing is in its way. Others are compared with that.

A kind is a model as it was asked for, whole or streamed: that a slow model is slow is no sign of a crowd. What is kept is the median, which
one answer in a hundred that takes a minute does not move.
"""

import math

Kind = tuple[str, bool]  # the model that was asked for, and whether it was to stream
_MOST_KINDS = 1024  # callers choose the names of models
_SHORTEST_S = 0.02  # below that it is this process' own pauses that are measured
_YOUNG_CALLS = 100  # so many, and
_YOUNG_TIMES = 5.0  # so many times the median must have passed: those that come back first are the short ones
_EPOCH_S = 1800.0  # the lower median of this epoch and the one before counts, so that a crowd that grows slowly does not become usual
_STEP = 1.5  # of the n-th call, divided by n: about 1 / density of the logarithms at their median
_FIRST_STEP, _LAST_STEP = 0.5, 0.004


class _Median:
    """Of one kind: stochastic approximation (Robbins and Monro 1951), a step up or down a call. Logarithms of seconds."""

    __slots__ = ("_before", "_begun_s", "_calls", "_now", "heard_s", "usual_s")

    def __init__(self, log_s: float, now_s: float) -> None:
        self._begun_s = now_s
        self._calls = 1
        self._now = log_s
        self._before = math.inf
        self.usual_s = 0.0  # 0: not known yet
        self.heard_s = now_s

    def add(self, log_s: float, now_s: float) -> None:
        if now_s - self._begun_s > _EPOCH_S and self.usual_s:
            self._before, self._begun_s, self._calls = self._now, now_s, 0
        self._calls += 1
        step = min(_FIRST_STEP, max(_LAST_STEP, _STEP / self._calls))
        self._now += max(-step, min(step, log_s - self._now))
        median_s = math.exp(min(self._before, self._now))
        if self.usual_s or (self._calls >= _YOUNG_CALLS and now_s - self._begun_s >= _YOUNG_TIMES * median_s):
            self.usual_s = median_s


class Usual:
    """The usual latencies of all kinds."""

    def __init__(self) -> None:
        self._kinds: dict[Kind, _Median] = {}

    def seconds(self, kind: Kind) -> float:
        """The usual latency; 0 while it is not known."""
        median = self._kinds.get(kind)
        return 0.0 if median is None else median.usual_s

    def hear(self, kind: Kind, now_s: float) -> None:
        """Somebody of this kind is answered."""
        median = self._kinds.get(kind)
        if median is not None:
            median.heard_s = now_s

    def heard_s(self, kind: Kind) -> float:
        """When somebody of this kind was last answered, on the monotonic clock; minus infinity when that is not known."""
        median = self._kinds.get(kind)
        return -math.inf if median is None else median.heard_s

    def learn(self, kind: Kind, latency_s: float, now_s: float, *, crowded: bool) -> None:
        """A call was answered. One that was `crowded` says nothing of what is usual, except where nothing is known."""
        log_s = math.log(max(latency_s, _SHORTEST_S))
        median = self._kinds.get(kind)
        if median is None:
            self._new(kind, log_s, now_s)
        elif not crowded or not median.usual_s:
            median.add(log_s, now_s)

    def forget(self) -> None:
        """What was usual is so no longer: learn it anew."""
        self._kinds.clear()

    def _new(self, kind: Kind, log_s: float, now_s: float) -> None:
        if len(self._kinds) >= _MOST_KINDS:
            del self._kinds[next(iter(self._kinds))]
        self._kinds[kind] = _Median(log_s, now_s)
