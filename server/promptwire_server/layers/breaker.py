"""Breaker: stops calls to what is known to be broken, and finds out with one probe at a time whether it still is."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from promptwire_server.core.clock import Chance, Clock
from promptwire_server.layers.rolling import Rolling
from promptwire_server.layers.verdict import Verdict

_JITTER = 0.5  # a probe comes this share of its interval early at most, so that replicas do not probe together
_GRACE_S = 1.0  # beyond its deadline a probe's owner is lost, and so is its place


class State(IntEnum):
    """Whether calls go through. The numbers are those of the metric."""

    CLOSED = 0  # all do
    HALF_OPEN = 1  # one does, to find out
    OPEN = 2  # none does


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a breaker opens, and how it comes back. Times are in seconds."""

    consecutive_failures: int = 5  # open it; 0: however many
    error_rate: float = 0.5  # from 0 to 1, over `window_s`, opens it; 0: whatever the rate
    minimum_calls: int = 20  # within `window_s`; of fewer, the rate says nothing
    window_s: float = 30.0
    probe_interval_s: float = 1.0  # until the first probe; it doubles with each that fails
    max_probe_interval_s: float = 8.0  # so recovery is noticed within this time


class _Slot:
    """Calls of a part of the window."""

    __slots__ = ("calls", "failures")

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0


class Permit:
    """Leave to ask the target once. Whoever holds it settles it; after the first time that has no effect."""

    __slots__ = ("_breaker", "_epoch", "_settled")

    def __init__(self, breaker: "Breaker", epoch: int) -> None:
        self._breaker = breaker
        self._epoch = epoch
        self._settled = False

    def began(self) -> None:
        """The answer has begun: of a probe, that is proof enough. How it ends is then a call's like any other."""
        if not self._settled and self._breaker.state is not State.CLOSED:
            self._epoch = self._breaker.answered(self._epoch)

    def settle(self, verdict: Verdict) -> None:
        """The call has ended."""
        if not self._settled:
            self._settled = True
            self._breaker.ended(self._epoch, verdict)


class Breaker:
    """Of one target. Belongs to one event loop, on which looking and taking the probe's place are one step.

    Each change of state begins a new epoch; calls of an older one have no say any more. A probe's place is a lease: it comes back when
    its owner settles in whatever way, and by itself soon after the deadline of its call.
    """

    __slots__ = (
        "_chance",
        "_changed",
        "_clock",
        "_closed_at_s",
        "_epoch",
        "_held_s",
        "_interval_s",
        "_next_s",
        "_settings",
        "_window",
        "changed_s",
        "consecutive_failures",
        "state",
    )

    def __init__(self, settings: BreakerSettings, clock: Clock, chance: Chance, changed: Callable[[State], None] = lambda _: None) -> None:
        """`changed` hears of every new state; it must not raise."""
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._changed = changed
        self._window = Rolling(_Slot, settings.window_s)
        self._epoch = 0
        self._interval_s = 0.0  # of probes; 0: it was well for long
        self._next_s = 0.0  # when the next call is let through; while a probe is under way: when its lease ends
        self._held_s = 0.0  # until when no caller is let through, since a health probe has failed
        self._closed_at_s = clock.monotonic()
        self.state = State.CLOSED
        self.changed_s = clock.time()  # since 1970
        self.consecutive_failures = 0

    @property
    def open(self) -> bool:
        """A call that came now would be refused."""
        return self.state is not State.CLOSED and self._clock.monotonic() < self._callers_s

    @property
    def wait_s(self) -> float:
        """Seconds until it is worth asking again; 0: now. While a probe is under way nobody knows: the interval of probes."""
        if self.state is State.CLOSED:
            return 0.0
        left_s = max(0.0, self._callers_s - self._clock.monotonic())
        return min(left_s, self._interval_s) if self.state is State.HALF_OPEN else left_s

    def enter(self, deadline_s: float, *, probing: bool = False) -> Permit | None:
        """Leave for a call with this deadline, on the monotonic clock; None: refused.

        A health probe (`probing`) need not wait as callers do, but for the end of another probe.
        """
        if self.state is State.CLOSED:
            return Permit(self, self._epoch)
        if self._clock.monotonic() < self._callers_s and not (probing and self._vacant):
            return None
        self._next_s = deadline_s + _GRACE_S
        self._epoch += 1  # also when a lease has ended: its owner, should it come back, has no say
        if self.state is State.OPEN:
            self._become(State.HALF_OPEN)
        return Permit(self, self._epoch)

    def hold(self, until_s: float) -> None:
        """A health probe has failed: no caller need find out before then, when the next one has ended; 0: it has not failed.

        Never longer than between two tries of the breaker's own, so that it comes back as soon without health probes.
        """
        self._held_s = min(until_s, self._clock.monotonic() + self._settings.max_probe_interval_s)

    @property
    def _callers_s(self) -> float:
        """When the next caller is let through."""
        return max(self._next_s, self._held_s)

    @property
    def _vacant(self) -> bool:
        """No probe is under way."""
        return self.state is State.OPEN or self._clock.monotonic() >= self._next_s

    def tune(self, settings: BreakerSettings) -> None:
        """Go by these settings from now on. What was counted counts on, unless the window is another."""
        if settings.window_s != self._settings.window_s:
            self._window = Rolling(_Slot, settings.window_s)
        self._settings = settings

    def reset(self) -> None:
        """Close it, and forget what it counted."""
        self._interval_s = 0.0
        self._close()

    def counts(self) -> tuple[int, int]:
        """Calls within the window, and how many of them failed."""
        slots = self._window.recent(self._clock.monotonic())
        return sum(slot.calls for slot in slots), sum(slot.failures for slot in slots)

    def answered(self, epoch: int) -> int:
        """For Permit: a probe's answer has begun. The epoch that its end belongs to."""
        if epoch != self._epoch or self.state is not State.HALF_OPEN:
            return epoch
        self._close()
        return self._epoch

    def ended(self, epoch: int, verdict: Verdict) -> None:
        """For Permit: a call ended."""
        if epoch != self._epoch:
            return
        if self.state is State.HALF_OPEN:
            self._probed(verdict)
        elif verdict is Verdict.WELL:
            self.consecutive_failures = 0
            self._window.at(self._clock.monotonic()).calls += 1
        elif verdict is Verdict.BROKEN:
            self._failed()

    def _probed(self, verdict: Verdict) -> None:
        match verdict:
            case Verdict.WELL | Verdict.ALIVE:
                self._close()
            case Verdict.BROKEN:
                self.consecutive_failures += 1
                self._trip()
            case _:
                self._next_s = 0.0  # it has shown nothing: the next call may try

    def _failed(self) -> None:
        slot = self._window.at(self._clock.monotonic())
        slot.calls += 1
        slot.failures += 1
        self.consecutive_failures += 1
        if self._too_bad():
            self._trip()

    def _too_bad(self) -> bool:
        settings = self._settings
        if settings.consecutive_failures and self.consecutive_failures >= settings.consecutive_failures:
            return True
        calls, failures = self.counts()
        return bool(settings.error_rate) and calls >= settings.minimum_calls and failures >= calls * settings.error_rate

    def _trip(self) -> None:
        now_s = self._clock.monotonic()
        longest_s = self._settings.max_probe_interval_s
        if self.state is State.CLOSED and now_s - self._closed_at_s > longest_s:
            self._interval_s = 0.0  # it was well for a while; one that closes and opens again and again is probed ever less
        self._interval_s = min(self._interval_s * 2 or self._settings.probe_interval_s, longest_s)
        self._next_s = now_s + self._interval_s * self._chance.uniform(1.0 - _JITTER, 1.0)
        self._epoch += 1
        self._become(State.OPEN)

    def _close(self) -> None:
        self._epoch += 1
        self.consecutive_failures = 0
        self._window.clear()
        self._closed_at_s = self._clock.monotonic()
        self._next_s = self._held_s = 0.0
        if self.state is not State.CLOSED:
            self._become(State.CLOSED)

    def _become(self, state: State) -> None:
        self.state = state
        self.changed_s = self._clock.time()
        self._changed(state)
