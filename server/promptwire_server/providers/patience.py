"""Patience: which timer of an exchange runs out first, and the error when it does."""

from typing import Literal

from promptwire_server.core.errors import DeadlineExceeded, PromptwireError
from promptwire_server.providers.failed import timed_out, too_late
from promptwire_server.providers.upstream import Timeouts

TICK_S = 0.002  # loops round their clocks to a millisecond, and wake up that much early
Cause = Literal["deadline", "connect", "first_token", "idle", "total"]
_ADVICE = {"first_token": "no first token", "idle": "nothing more", "total": "no end"}


class Patience:
    """The timers of one exchange. Every time is on the clock that `begun_s` is on."""

    __slots__ = ("_begun_s", "_cause", "_end_s", "_name", "_timeouts")

    def __init__(self, name: str, timeouts: Timeouts, *, begun_s: float, remaining_s: float) -> None:
        self._name = name
        self._begun_s = begun_s
        self._timeouts = timeouts
        self._cause: Cause = "deadline" if remaining_s <= timeouts.total_s else "total"
        self._end_s = begun_s + min(remaining_s, timeouts.total_s)

    @property
    def end_s(self) -> float:
        """When the exchange is over, come what may."""
        return self._end_s

    def until_first_token_s(self, begun_s: float) -> float:
        """When to give up on the first event of an exchange that began then."""
        return min(self._end_s, begun_s + self._timeouts.first_token_s)

    def until_idle_s(self, since_s: float) -> float:
        """When to give up on the next event, if the last one came then."""
        return min(self._end_s, since_s + self._timeouts.idle_s)

    def error(self, at_s: float, waited_for: Cause) -> PromptwireError:
        """The error for a wait that ended unsuccessfully then."""
        cause = waited_for if at_s + TICK_S < self._end_s else self._cause
        if waited_for == "connect":
            return self._unconnected(at_s, cause)
        if cause == "deadline":
            return too_late(self._name)
        seconds = {"first_token": self._timeouts.first_token_s, "idle": self._timeouts.idle_s, "total": self._timeouts.total_s}[cause]
        return timed_out(self._name, f"{_ADVICE[cause]} within {seconds:g} s", cause)

    def _unconnected(self, at_s: float, cause: Cause) -> PromptwireError:
        """The error for a request that was never sent: it is known to have cost nothing."""
        if cause == "deadline":
            return DeadlineExceeded.during("upstream", f"the deadline passed before {self._name} had a connection free; allow more time")
        return timed_out(self._name, f"no connection within {at_s - self._begun_s:.3g} s", "connect")
