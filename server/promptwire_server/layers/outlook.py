"""Outlook: which targets are of use now, from those who measure: failing, far worse than others, out of use."""

from collections.abc import Iterable, Sequence

from promptwire_server.core.call import Target
from promptwire_server.core.clock import Clock
from promptwire_server.layers.breakers import Breakers
from promptwire_server.layers.outliers import outliers
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.vitals import Vitals

_JUDGED_S = 1.0  # judging takes about 5 µs a target; it looks back over minutes, so a second is nothing


class Outlook:
    """The Health of all targets."""

    def __init__(self, roster: Roster, breakers: Breakers, clock: Clock, siblings: Iterable[Sequence[Target]] = ()) -> None:
        """`siblings` are the groups within which targets are compared, one for each alias; without any, no target is far worse."""
        self._roster = roster
        self._not_closed = breakers.not_closed
        self._out_of_use = roster.out_of_use
        self._now_s = clock.monotonic
        self._siblings = [tuple(group) for group in siblings if len(group) > 1]
        self._worse: frozenset[Target] = frozenset()
        self._judge_at_s = float("-inf") if self._siblings else float("inf")

    def calm(self) -> bool:
        """See Health."""
        if self._now_s() >= self._judge_at_s:
            self._judge()
        return not (self._not_closed or self._worse or self._out_of_use)

    def open(self, target: Target) -> bool:
        """See Health."""
        breaker = self._not_closed.get(target)
        return (breaker is not None and breaker.open) or target in self._worse

    def disabled(self, target: Target) -> bool:
        """See Health."""
        return target.provider in self._out_of_use

    def _judge(self) -> None:
        self._judge_at_s = self._now_s() + _JUDGED_S
        self._worse = frozenset(target for group in self._siblings for target in outliers(self._known(group)))

    def _known(self, group: Sequence[Target]) -> list[tuple[Target, Vitals]]:
        found = ((target, self._roster.find(target)) for target in group)
        return [(target, vitals) for target, vitals in found if vitals is not None]
