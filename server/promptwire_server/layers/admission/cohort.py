"""Cohort: calls that began one after the other, watched until it is sure whether most of them take longer than they should.

Calls are counted by their beginning. Counted by their end, the first to come back are the short ones, and a crowd that grows looks like
none. A call that is overdue is late though it has not ended, so a verdict comes as soon as a crowd shows.

Two things look like a crowd and are none. A call of which an attempt has failed is late because of pauses, of shares of time that a hung
provider used up, of the answer of another: it is void. And who is overdue while nobody of its kind is answered any more waits for somebody
who is silent: a crowd still gets answers, as many as ever. Such a call counts when it is answered, too late.
"""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from heapq import heappop, heappush

from promptwire import v1 as pb
from promptwire_server.layers.admission.usual import Kind

_PATIENCE_S = 10.0  # with those that are overdue and of whom nothing is heard; then others are watched


class Verdict(Enum):
    """What a cohort has shown."""

    CROWDED = auto()  # most were late
    AT_EASE = auto()  # most were in time
    NOTHING = auto()  # most failed, or were never answered: that says nothing of how many at once can be borne


def clean(attempts: Sequence[pb.Attempt]) -> bool:
    """No attempt of a call has failed so far: how long it took is how long an answer takes."""
    for attempt in attempts:  # noqa: SIM110 - on the way of every call, where a generator costs as much as the rest
        if attempt.HasField("failure"):
            return False
    return True


class Mark:
    """One call that is watched."""

    __slots__ = ("alive_s", "attempts", "due_s", "kind", "open")

    def __init__(self, kind: Kind, due_s: float, alive_s: float = 0.0, attempts: Sequence[pb.Attempt] = ()) -> None:
        self.kind = kind
        self.due_s = due_s  # on the monotonic clock; it is late when it is not answered by then,
        self.alive_s = alive_s  # if another of its kind was answered after this
        self.attempts = attempts  # that have ended: they are added as they end
        self.open = True  # it counts, and it is not known how it went

    def __lt__(self, other: "Mark") -> bool:
        return self.due_s < other.due_s


class Cohort:
    """As many calls as `size`, and how they went. `heard_s` tells when somebody of a kind was last answered."""

    def __init__(self, size: int, now_s: float, heard_s: Callable[[Kind], float]) -> None:
        self._size = size
        self._begun_s = now_s
        self._last_due_s = now_s
        self._heard_s = heard_s
        self._calls = 0  # that may say something
        self._void = 0
        self._late = 0
        self._in_time = 0
        self._due: list[Mark] = []  # a heap; those that were answered are still in it
        self._silent: list[Mark] = []  # overdue, but so is everybody of their kind
        self.full = False
        self.answers = 0  # to whatever calls, since it began
        self.peak = 0  # most calls at once when one of these began

    def watch(self, mark: Mark, inside: int) -> None:
        """One more call begins, the last of `inside` that are under way."""
        heappush(self._due, mark)
        self._calls += 1
        self.full = self._calls + self._void >= self._size
        self._last_due_s = max(self._last_due_s, mark.due_s)
        self.peak = max(self.peak, inside)

    def answered(self, mark: Mark, now_s: float) -> None:
        """The call was answered. Harmless for a mark of an earlier cohort."""
        if not mark.open:
            return
        mark.open = False
        if not clean(mark.attempts):
            self._fail()
        elif now_s <= mark.due_s:
            self._in_time += 1
        else:
            self._late += 1

    def withdraw(self, mark: Mark, now_s: float) -> None:
        """The call ended without an answer, which says nothing, unless it was late already."""
        self._sort(now_s)
        if mark.open:
            mark.open = False
            if now_s <= mark.due_s and clean(mark.attempts):
                self._calls -= 1  # its caller left: another takes its place
                self.full = False
            else:
                self._fail()

    def verdict(self, now_s: float) -> Verdict | None:
        """What it has shown; None while that is open."""
        self._sort(now_s)
        if 2 * self._void > self._size:
            return Verdict.NOTHING
        if 2 * self._late > (self._calls if self.full else self._size):
            return Verdict.CROWDED
        if self.full and 2 * self._in_time >= self._calls:
            return Verdict.AT_EASE
        return Verdict.NOTHING if self.full and now_s > self._last_due_s + _PATIENCE_S else None

    def rate(self, now_s: float) -> float:
        """Answers a second."""
        return self.answers / max(1e-6, now_s - self._begun_s)

    def close(self) -> None:
        """Nothing that is still open counts any more."""
        for mark in (*self._due, *self._silent):
            mark.open = False

    def _sort(self, now_s: float) -> None:
        """Look at those that have become overdue."""
        due = self._due
        while due and due[0].due_s < now_s:
            mark = heappop(due)
            if not mark.open:
                continue
            if not clean(mark.attempts):
                mark.open = False
                self._fail()
            elif self._heard_s(mark.kind) > mark.alive_s:
                mark.open = False
                self._late += 1
            else:
                self._silent.append(mark)

    def _fail(self) -> None:
        self._calls -= 1
        self._void += 1
