"""Rolling: what is counted over the last seconds, in slots of which the oldest is dropped as a whole."""

import math
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_SLOTS = 10  # so a window is between 90 % and all of its nominal length


class Rolling(Generic[T]):
    """Slots of time, made when something is to be counted. Of an idle target there are none."""

    __slots__ = ("_ends_s", "_make", "_newest", "_slot_s", "_slots")

    def __init__(self, make: Callable[[], T], span_s: float) -> None:
        self._make = make
        self._slot_s = span_s / _SLOTS
        self._slots: deque[tuple[int, T]] = deque()  # the oldest first
        self._newest: T | None = None
        self._ends_s = -math.inf  # when that is no longer the one to count in

    def at(self, now_s: float) -> T:
        """The slot to count in, at this time of a monotonic clock."""
        newest = self._newest
        return newest if newest is not None and now_s < self._ends_s else self._next(int(now_s / self._slot_s))

    def recent(self, now_s: float) -> list[T]:
        """The slots of the window, the oldest first."""
        self._drop(int(now_s / self._slot_s))
        return [slot for _, slot in self._slots]

    def clear(self) -> None:
        """Forget everything."""
        self._slots.clear()
        self._newest = None

    def _next(self, number: int) -> T:
        self._drop(number)
        made = self._newest = self._make()
        self._ends_s = (number + 1) * self._slot_s
        self._slots.append((number, made))
        return made

    def _drop(self, number: int) -> None:
        while self._slots and self._slots[0][0] <= number - _SLOTS:
            self._slots.popleft()
