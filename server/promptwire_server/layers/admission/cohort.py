"""Cohort: calls that began one after the other, watched until it is sure whether most of them take longer than they should.

Calls are counted by their beginning. Counted by their end, the first to come back are the short ones, and a crowd that grows looks like
none. A call that is overdue is late though it has not ended, so a verdict comes as soon as a crowd shows, and also when nothing ends any
more.
"""

from heapq import heappop, heappush

from promptwire_server.layers.admission.usual import Kind


class Mark:
    """One call that is watched."""

    __slots__ = ("due_s", "kind", "open")

    def __init__(self, kind: Kind, due_s: float) -> None:
        self.kind = kind
        self.due_s = due_s  # on the monotonic clock; it is late when it is not answered by then
        self.open = True  # it counts, and it is not known how it went

    def __lt__(self, other: "Mark") -> bool:
        return self.due_s < other.due_s


class Cohort:
    """As many calls as `size`, and how they went."""

    def __init__(self, size: int, now_s: float) -> None:
        self._size = size
        self._begun_s = now_s
        self._calls = 0  # that were not withdrawn
        self._late = 0
        self._in_time = 0
        self._due: list[Mark] = []  # a heap; those that were answered are still in it
        self.full = False
        self.answers = 0  # to whatever calls, since it began
        self.peak = 0  # most calls at once when one of these began

    def watch(self, mark: Mark, inside: int) -> None:
        """One more call begins, the last of `inside` that are under way."""
        heappush(self._due, mark)
        self._calls += 1
        self.full = self._calls >= self._size
        self.peak = max(self.peak, inside)

    def answered(self, mark: Mark, now_s: float) -> None:
        """The call was answered. Harmless for a mark of an earlier cohort."""
        if mark.open and now_s <= mark.due_s:
            mark.open = False
            self._in_time += 1

    def withdraw(self, mark: Mark, now_s: float) -> None:
        """The call ended without an answer, which says nothing, unless it was late already."""
        if mark.open and now_s <= mark.due_s:
            mark.open = False
            self._calls -= 1

    def crowded(self, now_s: float) -> bool | None:
        """Most were late, or were not; None while that is open."""
        due = self._due
        while due and due[0].due_s < now_s:
            mark = heappop(due)
            self._late += mark.open
            mark.open = False
        if 2 * self._late > (self._calls if self.full else self._size):
            return True
        return False if self.full and 2 * self._in_time >= self._calls else None

    def rate(self, now_s: float) -> float:
        """Answers a second."""
        return self.answers / max(1e-6, now_s - self._begun_s)

    def close(self) -> None:
        """Nothing that is still open counts any more."""
        for mark in self._due:
            mark.open = False
