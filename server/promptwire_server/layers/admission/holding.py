"""Holding: how long calls keep their slots, which says how soon one gets free."""

_REMEMBERED = 50  # calls


class Holding:
    """Counts calls in and out, and how long they stay."""

    __slots__ = ("_ended", "_since_s", "_usual_s", "inside")

    def __init__(self) -> None:
        self.inside = 0
        self._since_s = 0.0  # the sum of when those inside began
        self._usual_s = 0.0
        self._ended = 0

    def began(self, now_s: float) -> None:
        """A call has come in."""
        self.inside += 1
        self._since_s += now_s

    def ended(self, since_s: float, now_s: float) -> float:
        """A call that came in at `since_s` has gone; how long it stayed."""
        stayed_s = now_s - since_s
        self.inside -= 1
        self._since_s = self._since_s - since_s if self.inside else 0.0  # sums of floats drift
        if self._ended < _REMEMBERED:
            self._ended += 1
        self._usual_s += (stayed_s - self._usual_s) / self._ended
        return stayed_s

    def usual_s(self, now_s: float) -> float:
        """How long a call stays, about; 0 while nothing is known. When nothing ends any more, those inside say that it takes longer."""
        if not self.inside:
            return self._usual_s
        return max(self._usual_s, now_s - self._since_s / self.inside)
