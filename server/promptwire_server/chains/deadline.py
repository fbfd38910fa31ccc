"""Deadlines of runs and steps: the nearest bound, and whose it is."""

from dataclasses import dataclass
from enum import Enum

from promptwire_server.core.errors import DeadlineExceeded


class Whose(Enum):
    """Who set the bound that is nearest."""

    CALLER = "caller"
    CHAIN = "chain"
    STEP = "step"


_ADVICE = {
    Whose.CALLER: "the caller's deadline passed; allow more time for the call",
    Whose.CHAIN: "the time of the run is up; raise limits.timeout",
    Whose.STEP: "the time of the step is up; raise policy.timeout",
}


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the time is up, on the monotonic clock."""

    at_s: float
    whose: Whose

    def within(self, timeout_s: float | None, now_s: float, whose: Whose) -> "Deadline":
        """The nearer one: this, or a timeout that begins now."""
        if timeout_s is None or now_s + timeout_s >= self.at_s:
            return self
        return Deadline(now_s + timeout_s, whose)

    def passed(self, step_id: str) -> DeadlineExceeded:
        """The error for when it has."""
        return DeadlineExceeded.during("step", f"step '{step_id}': {_ADVICE[self.whose]}")
