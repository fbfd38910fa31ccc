"""Limit: how many calls at once what is behind us can bear, found out from how long they take.

Most calls of a cohort late: a quarter fewer. Most in time, and the limit was needed: more, by its square root, or twice as many as long as
it has never been too many (AIMD with slow start, as TCP does it).

Why not the gradient of Netflix and Envoy, limit x usual / measured? It needs the size of the latency, where AIMD needs its sign only.
Answers of one model differ by a factor of ten: over 64 calls the size is off by a sixth, which in simulation cost up to half of the
goodput; and it is known only when the late ones have ended. Envoy measures the usual latency by letting hardly anything in, which for
answers of a minute is an outage; here it is learnt in quiet times. Several processes before one provider come to equal shares with AIMD
(Chiu and Jain 1989).

A provider that is slow for its own reasons is not to be made slower by us. So cuts are an experiment: a crowd that is thinned out gets
quicker, and as much is answered as before. Where less is answered, by as much as was cut, the cuts are undone, and that latency is the
usual from then on. Where nobody is answered any more, or most calls fail, nothing can be told: the cuts are undone too, and nothing else is
done. So an outage narrows nothing, and what comes after it finds as much room as what came before. What bounds the calls that wait for a
silent provider is the ceiling, their deadlines and its breaker.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from promptwire import v1 as pb
from promptwire_server.layers.admission.cohort import Cohort, Mark, Verdict, clean
from promptwire_server.layers.admission.settings import AdmissionSettings
from promptwire_server.layers.admission.usual import Kind, Usual

_MOST_WATCHED, _LEAST_WATCHED = 64, 16  # calls of a cohort: few enough for a verdict soon, too many for chance
_TOLERANCE = 1.4  # times the usual. What is behind us then queues a little, which keeps it busy
_LEAST_USUAL_S = 0.02
_CUT = 0.75
_NEEDED = 0.8  # of the limit was in use: more would be used
_AT_EASE = 0.5  # of the limit was in use at most: there is no hurry
_PAUSE_S = 0.25  # before the next cohort then: watching a call costs twice as much as letting it in
_BOUND = 0.9  # of the limit was in use: it holds calls back
_THINNED = 0.6  # of a crowd is left: now it shows whether that has helped
_KEPT = 0.8  # of the answers a second: between all of them and _THINNED
_DOUBTS = 3  # cohorts in a row with fewer: many that began in the crowd die in it, which looks the same for a while
_START = 4  # the ceiling divided by that,
_LEAST_START_CALLS = 64  # but no fewer: who sets so few slots means them


@dataclass(frozen=True, slots=True)
class _Crowd:
    """What was there when the cuts began."""

    calls: int
    rate: float  # answers a second


class Limit:
    """How many calls may be worked on at once: `calls`, never under the floor nor over the ceiling.

    `listening`: a verdict is awaited, so it should be told of all answers, those to calls that are not watched too.
    """

    def __init__(self, settings: AdmissionSettings) -> None:
        self._ceiling = float(settings.ceiling_calls)
        self.floor = min(settings.floor_calls, settings.ceiling_calls)
        self._adaptive = settings.adaptive
        self._limit: float = min(self._ceiling, max(_LEAST_START_CALLS, self._ceiling // _START)) if settings.adaptive else self._ceiling
        self._never_too_many = True
        self._crowded = False
        self._uncut = self._limit  # the limit before the cuts under way
        self._crowd: _Crowd | None = None
        self._doubts = 0  # cohorts in a row that say the cuts do not help
        self._usual = Usual()
        self._begin(0.0, 0.0)

    def usual_s(self, kind: Kind) -> float:
        """How long calls of this kind take when nothing is in their way; 0 while that is not known."""
        return self._usual.seconds(kind)

    def watch(self, kind: Kind, now_s: float, inside: int, attempts: Sequence[pb.Attempt] = ()) -> Mark:
        """A call begins, the last of `inside`; the mark is to be shown when it ends. Only from `watch_from_s` on.

        `attempts` are those of the call that have ended, and is to grow as more of them end.
        """
        usual_s = self._usual.seconds(kind)
        soon_s = max(usual_s, _LEAST_USUAL_S)
        mark = Mark(kind, now_s + soon_s * _TOLERANCE, now_s + soon_s, attempts)
        if usual_s:
            self._cohort.watch(mark, inside)
            if self._cohort.full:
                self.watch_from_s = math.inf
                self.listening = True
        else:
            mark.open = False
        return mark

    def heard(self, kind: Kind, now_s: float) -> None:
        """A call of this kind was answered by the first that was asked."""
        self._usual.hear(kind, now_s)

    def answered(self, mark: Mark | None, latency_s: float, now_s: float, inside: int) -> bool:
        """A call was answered, watched or not; whether `calls` has changed."""
        cohort = self._cohort
        cohort.answers += 1
        if mark is not None:
            if clean(mark.attempts):
                self.heard(mark.kind, now_s)
                self._usual.learn(mark.kind, latency_s, now_s, crowded=self._crowded or 2 * inside > self._limit)
            cohort.answered(mark, now_s)
        return self._judged(now_s)

    def gone(self, mark: Mark, now_s: float) -> bool:
        """A call ended without an answer; whether `calls` has changed."""
        self._cohort.withdraw(mark, now_s)
        if not self._cohort.full:
            self.watch_from_s = min(self.watch_from_s, now_s)
        return self._judged(now_s)

    def _begin(self, now_s: float, pause_s: float) -> None:
        self.calls = int(self._limit)
        self.listening = False
        self._cohort: Cohort = Cohort(min(_MOST_WATCHED, max(_LEAST_WATCHED, self.calls)), now_s, self._usual.heard_s)
        self.watch_from_s = now_s + pause_s if self._adaptive else math.inf  # calls that begin from then on are to be watched

    def _judged(self, now_s: float) -> bool:
        cohort = self._cohort
        verdict = cohort.verdict(now_s)
        if verdict is None:
            return False
        match verdict:
            case Verdict.CROWDED:
                self._less(cohort.peak, cohort.rate(now_s))
            case Verdict.AT_EASE:
                self._more(cohort.peak)
            case Verdict.NOTHING:
                self._undo()
        before = self.calls
        cohort.close()
        self._begin(now_s, _PAUSE_S if cohort.peak < _AT_EASE * self._limit else 0.0)
        return self.calls != before

    def _more(self, used: int) -> None:
        self._crowded = False
        self._doubts = 0
        if used < _BOUND * self._limit:
            self._crowd, self._uncut = None, self._limit
        if used >= _NEEDED * self._limit:
            step = self._limit if self._never_too_many else math.sqrt(self._limit)
            self._limit = min(self._ceiling, self._limit + step)

    def _less(self, used: int, rate: float) -> None:
        self._crowded = True
        self._never_too_many = False
        if used < _BOUND * self._limit:  # first no more than there are: nobody is held back by that who would not add to the crowd
            self._crowd, self._uncut = None, self._limit
            self._limit = max(float(self.floor), float(used))
            return
        crowd = self._crowd
        if crowd is None or used > crowd.calls:
            self._crowd = _Crowd(used, rate)
        elif used <= _THINNED * crowd.calls or self._limit <= self.floor:
            if rate < _KEPT * crowd.rate or self._limit <= self.floor:
                self._doubts += 1
                if self._doubts == _DOUBTS:
                    self._in_vain()
                return
            self._doubts = 0
            self._crowd = _Crowd(used, rate)
        self._limit = max(float(self.floor), self._limit * _CUT)

    def _undo(self) -> None:
        """What looked like a crowd is over, or was none."""
        self._limit = self._uncut = max(self._limit, self._uncut)
        self._crowd, self._crowded, self._doubts = None, False, 0

    def _in_vain(self) -> None:
        """It is slow for reasons of its own."""
        self._usual.forget()
        self._never_too_many = True
        self._undo()
