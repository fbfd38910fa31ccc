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


class _Slot:
    """Half a minute of one target."""

    __slots__ = ("begun", "counts", "first_token", "latency")

    def __init__(self) -> None:
        self.counts = Counts()
        self.begun = Histogram()
        self.latency = Histogram()
        self.first_token = Histogram()


class Vitals:
    """Of one target. Fed by Pulse, read by routing and by the operator."""

    __slots__ = (
        "_clock",
        "_cost_at_s",
        "_cost_s",
        "_fresh_until_s",
        "_slots",
        "_usual_s",
        "consecutive_failures",
        "failures",
        "in_flight",
        "last_success_s",
        "touched_s",
    )

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slots = Rolling(_Slot, WINDOW_S)
        self._cost_s = 0.0
        self._cost_at_s = 0.0
        self._usual_s: float | None = None
        self._fresh_until_s = 0.0
        self.in_flight = 0
        self.consecutive_failures = 0  # since the last success; rate limits apart
        self.failures: deque[Failure] = deque(maxlen=_FAILURES)  # the newest last
        self.last_success_s: float | None = None  # since 1970; None since start
        self.touched_s = -math.inf  # when a call last ended here, on the monotonic clock

    @property
    def latency_s(self) -> float:
        """Peak-EWMA of the time until an answer begins (a whole one: is there): up at once, down with time; 0 when nothing is known.

        After Finagle's P2C balancer. It fades while nothing is measured, so that a target once slow is tried again.
        """
        return self._cost_s * math.exp((self._cost_at_s - self._clock.monotonic()) / _DECAY_S) if self._cost_s else 0.0

    @property
    def load(self) -> float:
        """What one more call would meet, for choosing the lesser of two: latency times calls under way, itself included."""
        return max(self.latency_s, 1e-3) * (self.in_flight + 1)

    def usual_s(self) -> float | None:
        """Seconds within which 95 % of recent answers had begun (whole ones: were there); None: too few to say."""
        now_s = self._clock.monotonic()
        if now_s >= self._fresh_until_s:
            begun = Histogram.together(slot.begun for slot in self._slots.recent(now_s))
            self._usual_s = begun.quantile_s(_USUAL) if begun.count >= _LEAST_FOR_USUAL else None
            self._fresh_until_s = now_s + _FRESH_S
        return self._usual_s

    def counts(self) -> Counts:
        """Calls that ended lately."""
        counts = Counts()
        for slot in self._slots.recent(self._clock.monotonic()):
            counts.add(slot.counts)
        return counts

    def latency(self) -> Histogram:
        """From asking to the end of the answer, of calls that succeeded lately."""
        return Histogram.together(slot.latency for slot in self._slots.recent(self._clock.monotonic()))

    def first_token(self) -> Histogram:
        """From asking to the first token, of streamed calls that succeeded lately."""
        return Histogram.together(slot.first_token for slot in self._slots.recent(self._clock.monotonic()))

    def began(self, took_s: float, now_s: float) -> None:
        """An answer has begun, now; a whole one is there. The time is the caller's, who has just looked: half a microsecond a call."""
        self._slots.at(now_s).begun.add(took_s)
        self._weigh(took_s, now_s)

    def succeeded(self, took_s: float, first_token_s: float | None, now_s: float) -> None:
        """A call ended well, now, `took_s` after it was asked; its first token, if it was streamed, had come `first_token_s` after that."""
        slot = self._slots.at(now_s)
        slot.counts.calls += 1
        slot.latency.add(took_s)
        if first_token_s is not None:
            slot.first_token.add(first_token_s)
        self.consecutive_failures = 0
        self.last_success_s = self._clock.time()
        self.touched_s = now_s

    def failed(self, attempt: pb.Attempt, *, limited: bool) -> None:
        """A call failed, by the vendor's rate limit or otherwise."""
        now_s = self._clock.monotonic()
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
        now_s = self._clock.monotonic()
        if took_s > self.latency_s:
            self._weigh(took_s, now_s)

    def _weigh(self, took_s: float, now_s: float) -> None:
        kept = math.exp((self._cost_at_s - now_s) / _DECAY_S)
        faded_s = self._cost_s * kept
        self._cost_s = took_s if took_s > faded_s else faded_s + took_s * (1 - kept)
        self._cost_at_s = now_s
