"""Ledger: every request that reached a simulated vendor, as the vendor saw it. What the gateway says of itself is held against this."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from promptwire_server.core.call import Target
from promptwire_server.core.clock import Clock
from promptwire_server.layers.breaker import State

_WHOSE = re.compile(rb"call-(\d+)\.")  # stands in every prompt, and goes wherever the question goes
_MODEL = re.compile(rb'"model":"([^"]*)"')


@dataclass(slots=True)
class Visit:
    """One request at a vendor."""

    call: int
    target: Target
    begun_s: float
    key: str  # that it was asked with; empty: the only one
    turn: int  # how many were before it, of this call at this target
    circuit: State  # of the target's breaker at that moment
    in_use: bool  # the operator lets the provider be used
    told_s: float | None = None  # when the first of a stream had been understood
    ended_s: float | None = None
    how: str = "open"  # then "answered", "left" by the gateway before the end, or the fault
    closed_until_s: float = 0.0  # the vendor said so long: do not come back

    def __str__(self) -> str:
        ended = "…" if self.ended_s is None else f"{self.ended_s:.3f}"
        key = f" with {self.key}" if self.key else ""
        return f"call {self.call} at {self.target}{key} {self.begun_s:.3f}-{ended}: {self.how}"


@dataclass
class Ledger:
    """All visits, in the order in which they began."""

    clock: Clock
    circuit: Callable[[Target], State]
    in_use: Callable[[str], bool]
    visits: list[Visit] = field(default_factory=list)
    _turns: dict[tuple[int, Target], int] = field(default_factory=dict)

    def enter(self, provider: str, body: bytes, key: str) -> Visit:
        """A request has arrived."""
        call, target = int(_found(_WHOSE, body)), Target(provider, _found(_MODEL, body).decode())
        turn = self._turns[call, target] = self._turns.get((call, target), 0) + 1
        visit = Visit(call, target, self.clock.monotonic(), key, turn, self.circuit(target), self.in_use(provider))
        self.visits.append(visit)
        return visit

    def leave(self, visit: Visit, how: str) -> None:
        """It has ended; only the first end counts."""
        if visit.ended_s is None:
            visit.ended_s, visit.how = self.clock.monotonic(), how

    def of(self, call: int) -> list[Visit]:
        """The requests that one call led to."""
        return [visit for visit in self.visits if visit.call == call]


def _found(pattern: re.Pattern[bytes], body: bytes) -> bytes:
    match = pattern.search(body)
    if match is None:
        raise AssertionError(f"no {pattern.pattern!r} in {body!r}")
    return match[1]
