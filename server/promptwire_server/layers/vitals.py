"""Vitals: how one target is doing: what is under way, how long it takes, how often and how it failed lately."""

import math
from collections import deque
from dataclasses import dataclass

from promptwire import v1 as pb
from promptwire_server.core.clock import Clock
from promptwire_server.layers.histogram import Histogram
from promptwire_server.layers.rolling import Rolling

WINDOW_S = 300.0  # what "lately" is
_DECAY_S = 10.0  # in which a slow answer loses two thirds of its weight in `latency_s`
_USUAL = 0.95  # the share of calls that "usually" means
_LEAST_FOR_USUAL = 5  # fewer samples say nothing of one in twenty
_FRESH_S = 1.0  # what is worked out of histograms holds so long: it costs 20 µs, and routing asks for it with each call
_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure."""

    at_s: float  # since 1970
    attempt: pb.Attempt


@dataclass(slots=True)
class Counts:
    """How calls ended."""

    calls: int = 0
    failures: int = 0  # of the calls
    limited: int = 0  # of the failures: by the vendor's rate limit

    def add(self, other: "Counts") -> None:
        """Count those too."""
        self.calls += other.calls
        self.failures += other.failures
        self.limited += other.limited

    @property
    def error_rate(self) -> float:
        """Share of calls that failed, rate limits apart: those say what we may do, not how the target is."""
        return (self.failures - self.limited) / self.calls if self.calls else 0.0


class _Usual:
    """What is usual, worked out a moment ago."""

    __slots__ = ("fresh_until_s", "usual_s")

    def __init__(self) -> None:
        self.usual_s: float | None = None
        self.fresh_until_s = 0.0

    def work_out(self, times: Histogram, now_s: float) -> None:
        self.usual_s = times.quantile_s(_USUAL) if times.count >= _LEAST_FOR_USUAL else None
        self.fresh_until_s = now_s + _FRESH_S


class _Slot:
    """Half a minute of one target."""

    __slots__ = ("counts", "first_token", "streamed", "whole")

    def __init__(self) -> None:
        self.counts = Counts()
        self.whole = Histogram()  # until a whole answer was there
        self.first_token = Histogram()  # until a stream began
        self.streamed = Histogram()  # until a stream had ended well


class Vitals:
    """Of one target. Fed by Pulse, read by routing and by the operator. Times of calls are in seconds since the target was asked."""

    __slots__ = (
        "_clock",
        "_cost_at_s",
        "_cost_s",
        "_now_s",
        "_slots",
        "_usual_streamed",
        "_usual_whole",
        "_well_at_s",
        "consecutive_failures",
        "failures",
        "in_flight",
        "touched_s",
    )

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._now_s = clock.monotonic
        self._slots = Rolling(_Slot, WINDOW_S)
        self._cost_s = 0.0
        self._cost_at_s = 0.0
        self._usual_whole = _Usual()
        self._usual_streamed = _Usual()
        self.in_flight = 0
        self.consecutive_failures = 0  # since the last success; rate limits apart
        self.failures: deque[Failure] = deque(maxlen=_FAILURES)  # the newest last
        self._well_at_s: float | None = None
        self.touched_s = -math.inf  # when a call last ended here, on the monotonic clock

    @property
    def last_success_s(self) -> float | None:
        """When a call last ended well, since 1970; None: not since start."""
        return None if self._well_at_s is None else self._clock.time() - (self._now_s() - self._well_at_s)

    @property
    def latency_s(self) -> float:
        """Peak-EWMA of the time until an answer begins (a whole one: is there): up at once, down with time; 0 when nothing is known.

        After Finagle's P2C balancer. It fades while nothing is measured, so that a target once slow is tried again.
        """
        return self._cost_s * math.exp((self._cost_at_s - self._now_s()) / _DECAY_S) if self._cost_s else 0.0

    @property
    def load(self) -> float:
        """What one more call would meet, for choosing the lesser of two: latency times calls under way, itself included."""
        return max(self.latency_s, 1e-3) * (self.in_flight + 1)

    def usual_s(self, *, stream: bool) -> float | None:
        """Seconds within which 95 % of recent streams had begun, or whole answers were there; None: too few to say."""
        now_s = self._now_s()
        usual = self._usual_streamed if stream else self._usual_whole
        if now_s >= usual.fresh_until_s:
            recent = self._slots.recent(now_s)
            usual.work_out(Histogram.together(slot.first_token if stream else slot.whole for slot in recent), now_s)
        return usual.usual_s

    def counts(self) -> Counts:
        """Calls that ended lately."""
        counts = Counts()
        for slot in self._slots.recent(self._now_s()):
            counts.add(slot.counts)
        return counts

    def latency(self) -> Histogram:
        """To the end of the answer, of calls that succeeded lately."""
        return Histogram.together(each for slot in self._slots.recent(self._now_s()) for each in (slot.whole, slot.streamed))

    def first_token(self) -> Histogram:
        """To the first token, of streams that began lately."""
        return Histogram.together(slot.first_token for slot in self._slots.recent(self._now_s()))

    def answered(self, took_s: float, now_s: float) -> None:
        """A whole answer is there, now. The time is the caller's, who has just looked: half a microsecond a call."""
        slot = self._slots.at(now_s)
        slot.counts.calls += 1
        slot.whole.add(took_s)
        self._weigh(took_s, now_s)
        self.consecutive_failures = 0
        self._well_at_s = self.touched_s = now_s

    def began(self, took_s: float, now_s: float) -> None:
        """A stream has begun, now."""
        self._slots.at(now_s).first_token.add(took_s)
        self._weigh(took_s, now_s)

    def ended(self, took_s: float, now_s: float) -> None:
        """A stream has ended well, now."""
        slot = self._slots.at(now_s)
        slot.counts.calls += 1
        slot.streamed.add(took_s)
        self.consecutive_failures = 0
        self._well_at_s = self.touched_s = now_s

    def failed(self, attempt: pb.Attempt, *, limited: bool) -> None:
        """A call failed, by the vendor's rate limit or otherwise."""
        now_s = self._now_s()
        counts = self._slots.at(now_s).counts
        counts.calls += 1
        counts.failures += 1
        if limited:
            counts.limited += 1
        else:
            self.consecutive_failures += 1
        self.failures.append(Failure(self._clock.time(), attempt))
        self.touched_s = now_s

    def waited(self, took_s: float) -> None:
        """Somebody gave up after so long: it takes at least that."""
        now_s = self._now_s()
        if took_s > self.latency_s:
            self._weigh(took_s, now_s)

    def _weigh(self, took_s: float, now_s: float) -> None:
        kept = math.exp((self._cost_at_s - now_s) / _DECAY_S)
        faded_s = self._cost_s * kept
        self._cost_s = took_s if took_s > faded_s else faded_s + took_s * (1 - kept)
        self._cost_at_s = now_s
