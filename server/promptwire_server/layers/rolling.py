"""Rolling: what is counted over the last seconds, in slots of which the oldest is dropped as a whole."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_SLOTS = 10  # so a window is between 90 % and all of its nominal length


class Rolling(Generic[T]):
    """Slots of time, made when something is to be counted. Of an idle target there are none."""

    __slots__ = ("_make", "_number", "_slot_s", "_slots")

    def __init__(self, make: Callable[[], T], span_s: float) -> None:
        self._make = make
        self._slot_s = span_s / _SLOTS
        self._slots: deque[tuple[int, T]] = deque()  # the oldest first
        self._number = -1  # of the newest slot

    def at(self, now_s: float) -> T:
        """The slot to count in, at this time of a monotonic clock."""
        number = int(now_s / self._slot_s)
        if number != self._number or not self._slots:
            self._drop(number)
            self._number = number
            self._slots.append((number, self._make()))
        return self._slots[-1][1]

    def recent(self, now_s: float) -> list[T]:
        """The slots of the window, the oldest first."""
        self._drop(int(now_s / self._slot_s))
        return [slot for _, slot in self._slots]

    def clear(self) -> None:
        """Forget everything."""
        self._slots.clear()

    def _drop(self, number: int) -> None:
        while self._slots and self._slots[0][0] <= number - _SLOTS:
            self._slots.popleft()
