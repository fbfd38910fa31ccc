"""Ears: what a store of money tells its process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from promptwire_server.core.purse import Reached


@dataclass(frozen=True, slots=True)
class Ears:
    """Whoever hears it must not raise."""

    reached: Callable[[Sequence[Reached]], None]  # thresholds of budgets; on the event loop
    settled: Callable[[], None]  # something was given back; on the event loop
    failing: Callable[[str, int], None]  # what is wrong, and how much waits to be written; from any thread
    lost: Callable[[int, str], None]  # rows, and why; from any thread
    changed: Callable[[bool, str], None]  # whether a store that replicas share answers, and why not; on the event loop
