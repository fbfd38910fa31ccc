"""Split: which side of an A/B test a call is on. Whoever it goes by, caller, session or end user, always meets the same side."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

from promptwire_server.core.call import Call
from promptwire_server.layers.alias import Arm, Sticky
from promptwire_server.layers.spread import BITS, spread

_KEYS: Final[dict[Sticky, Callable[[Call], str]]] = {
    "caller": lambda call: f"{call.principal.tenant}\0{call.principal.name}",
    "session": lambda call: call.request.session_id and f"{call.principal.tenant}\0{call.request.session_id}",
    "end_user": lambda call: call.request.end_user_id and f"{call.principal.tenant}\0{call.request.end_user_id}",
}


class Split:
    """The arms of one alias."""

    def __init__(self, alias: str, arms: Sequence[Arm], sticky: Sticky) -> None:
        self._alias = alias  # so that two splits do not put the same callers together
        self._arms = tuple(arms)
        self._ends = tuple(accumulate(arm.percent for arm in arms))
        self._key = _KEYS[sticky]

    def side(self, call: Call) -> int:
        """The position of the arm. A call without session or end user is one of its own."""
        key = self._key(call) or call.request_id
        point = spread(f"{self._alias}\0{key}") / (1 << BITS) * self._ends[-1]
        return bisect_right(self._ends, point, hi=len(self._ends) - 1)
