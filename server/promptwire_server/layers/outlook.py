"""Outlook: what a choice of targets looks at, from those who measure: how busy, how slow, failing, far worse than others, out of use."""

from collections.abc import Iterable, Sequence

from promptwire_server.core.call import Target
from promptwire_server.core.clock import Clock
from promptwire_server.layers.breakers import Breakers
from promptwire_server.layers.outliers import outliers
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.vitals import Vitals

_JUDGED_S = 1.0  # judging takes about 5 µs a target; it looks back over minutes, so a second is nothing


class Outlook:
    """The Load and the Health of all targets."""

    def __init__(self, roster: Roster, breakers: Breakers, clock: Clock, siblings: Iterable[Sequence[Target]] = ()) -> None:
        """`siblings` are the groups within which targets are compared, one for each alias; without any, no target is far worse."""
        self._roster = roster
        self._breaker_open = breakers.open
        self._now_s = clock.monotonic
        self._siblings = [tuple(group) for group in siblings if len(group) > 1]
        self._worse: frozenset[Target] = frozenset()
        self._judge_at_s = float("-inf") if self._siblings else float("inf")

    def in_flight(self, target: Target) -> int:
        """See Load."""
        vitals = self._roster.find(target)
        return 0 if vitals is None else vitals.in_flight

    def latency_s(self, target: Target) -> float:
        """See Load."""
        vitals = self._roster.find(target)
        return 0.0 if vitals is None else vitals.latency_s

    def open(self, target: Target) -> bool:
        """See Health."""
        if self._breaker_open(target):
            return True
        if self._now_s() >= self._judge_at_s:
            self._judge()
        return bool(self._worse) and target in self._worse  # spares the target's hash, which takes as long as all the rest

    def disabled(self, target: Target) -> bool:
        """See Health."""
        return not self._roster.enabled(target.provider)

    def _judge(self) -> None:
        self._judge_at_s = self._now_s() + _JUDGED_S
        self._worse = frozenset(target for group in self._siblings for target in outliers(self._known(group)))

    def _known(self, group: Sequence[Target]) -> list[tuple[Target, Vitals]]:
        found = ((target, self._roster.find(target)) for target in group)
        return [(target, vitals) for target, vitals in found if vitals is not None]
