"""Window: what was taken within the last minute. It never forgets too early, and remembers at most a second too long.

A sliding window, and no token bucket (GCRA): a bucket of a minute's size that is full lets almost twice the limit pass within one minute,
which vendors that count by fixed or sliding windows refuse. Whatever keeps to the limit in each minute, wherever that begins, is within
it by every way of counting. Slots of a second in place of a list of times: constant size, constant time.
"""

WINDOW_S = 60
_SLOTS = WINDOW_S + 1  # the oldest second has passed in part only


class Window:
    """Amounts by the second in which they were taken."""

    __slots__ = ("_newest", "_slots", "used")

    def __init__(self) -> None:
        self._slots = [0] * _SLOTS  # of second s at s % _SLOTS
        self._newest = 0
        self.used = 0  # in all slots, as of the last question

    def wait_s(self, amount: int, limit: int, now_s: float) -> float:
        """Seconds until there is room for so much. What is more than the limit itself waits for an empty window: else it never fitted."""
        self._advance(int(now_s))
        excess = self.used + min(amount, limit) - limit
        if excess <= 0:
            return 0.0
        second = self._newest - _SLOTS
        while excess > 0:
            second += 1
            excess -= self._slots[second % _SLOTS]
        return second + _SLOTS - now_s

    def take(self, amount: int, now_s: float) -> None:
        """Count an amount."""
        second = int(now_s)
        self._advance(second)
        self._slots[second % _SLOTS] += amount
        self.used += amount

    def give_back(self, amount: int, taken_s: float, now_s: float) -> None:
        """Take back what was counted at a time; what has slid out since is forgotten already."""
        self._advance(int(now_s))
        second = int(taken_s)
        if second > self._newest - _SLOTS:
            self._slots[second % _SLOTS] -= amount
            self.used -= amount

    def _advance(self, second: int) -> None:
        behind = second - self._newest
        if behind <= 0:
            return
        if behind >= _SLOTS:
            self._slots = [0] * _SLOTS
            self.used = 0
        else:
            for passed in range(self._newest + 1, second + 1):
                self.used -= self._slots[passed % _SLOTS]
                self._slots[passed % _SLOTS] = 0
        self._newest = second
