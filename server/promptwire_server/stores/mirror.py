"""Mirror: what is probably left of a limit that a vendor keeps: its last word, less what was taken since, and what has come back."""

import math

from promptwire_server.core.limits import BELIEVED_S, Allowance

Mark = tuple[float, float]  # where a mirror stood when a call was let through: what had been taken, and when


class Mirror:
    """One limit of one target's."""

    __slots__ = ("_at_s", "_heard_s", "_left", "_said", "counted", "taken")

    def __init__(self, said: Allowance, now_s: float) -> None:
        self.counted = said.counted
        self.taken = 0.0  # by all calls so far
        self._said = said
        self._heard_s = now_s
        self._left = said.remaining  # as of _at_s
        self._at_s = now_s

    def left(self, now_s: float) -> float:
        """How much is there now."""
        said = self._said
        if said.per_s and said.limit is not None:
            return min(said.limit, self._left + said.per_s * (now_s - self._at_s))
        if now_s >= self._heard_s + said.whole_in_s:
            return math.inf  # another window has begun; how full it is, the next answer tells
        return self._left

    def wait_s(self, amount: float, now_s: float) -> float:
        """Seconds until so much is there, or until the vendor's word is too old to go by."""
        said = self._said
        until_stale_s = self._heard_s + BELIEVED_S - now_s
        left = self.left(now_s)
        wanted = amount if said.limit is None else min(amount, said.limit)
        if left >= wanted or until_stale_s <= 0:
            return 0.0
        wait_s = (wanted - left) / said.per_s if said.per_s else self._heard_s + said.whole_in_s - now_s
        return min(wait_s, until_stale_s)

    def take(self, amount: float, now_s: float) -> Mark:
        """Count what a call takes."""
        mark = (self.taken, now_s)
        self._left = self.left(now_s) - amount
        self._at_s = now_s
        self.taken += amount
        return mark

    def give_back(self, amount: float) -> None:
        """Nothing was sent after all."""
        self._left += amount
        self.taken -= amount

    def hear(self, said: Allowance, mark: Mark | None, amount: float, now_s: float) -> None:
        """Go by the vendor's new word, in the answer to a call that took `amount` at `mark`.

        When the vendor counted is not known: any time between the call and its answer. So the truth lies between its number less what
        others have taken meanwhile, and its number with what came back meanwhile; the mirror's own count decides within that.
        """
        if mark is None:
            left = said.remaining
        else:
            taken, at_s = mark
            others = self.taken - taken - amount
            came_back = said.per_s * (now_s - at_s)
            left = min(max(self.left(now_s), said.remaining - others), said.remaining + came_back)
        self._said, self._heard_s, self._left, self._at_s = said, now_s, left, now_s
