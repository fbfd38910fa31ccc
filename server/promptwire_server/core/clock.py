"""Time and chance, given to whoever needs them: the only module that takes them from the operating system."""

import random
import secrets
import time
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    def time(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)


@dataclass
class ManualClock:
    """A clock that stands still until told, for tests."""

    now_s: float = 0.0
    epoch_s: float = 1_700_000_000.0

    def monotonic(self) -> float:
        """Seconds advanced so far."""
        return self.now_s

    def time(self) -> float:
        """A fixed date plus the seconds advanced so far."""
        return self.epoch_s + self.now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


@dataclass(frozen=True)
class Chance:
    """Randomness: jitter for delays, bits for identifiers. Seed it to make a run repeatable."""

    source: random.Random = field(default_factory=lambda: random.Random(secrets.randbits(128)))  # noqa: S311 - ids and jitter, no secrets

    def bits(self, count: int) -> int:
        """That many random bits."""
        return self.source.getrandbits(count)

    def uniform(self, low: float, high: float) -> float:
        """A number between low and high."""
        return self.source.uniform(low, high)
