"""Pool: targets among which a strategy chooses: those that may be asked, the healthy ones first. And a target that is named by itself."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from promptwire_server.core.call import Target
from promptwire_server.core.clock import Chance
from promptwire_server.core.errors import NoHealthyUpstream, PromptwireError
from promptwire_server.core.facts import UNKNOWN, Facts
from promptwire_server.layers.affinity import Affinity
from promptwire_server.layers.alias import Member, Strategy
from promptwire_server.layers.capable import refused
from promptwire_server.layers.need import Need
from promptwire_server.layers.question import Question
from promptwire_server.layers.router import Choice
from promptwire_server.layers.strategies import (
    Cheapest,
    Latency,
    LeastInFlight,
    Load,
    Ordering,
    Priority,
    RoundRobin,
    Seat,
    Weighted,
)


class Health(Protocol):
    """Which targets are of use now. Answers at once."""

    def calm(self) -> bool:
        """Nothing fails anywhere and nothing is out of use: there is no need to ask after each."""
        ...

    def open(self, target: Target) -> bool:
        """It fails: its breaker is open, or it was far worse than others when `calm` was asked. False as soon as it should be tried."""
        ...

    def disabled(self, target: Target) -> bool:
        """The operator has taken it out of use."""
        ...


class Knowledge(Protocol):
    """What is known of models."""

    @property
    def changes(self) -> int:
        """Goes up whenever something new is known."""
        ...

    def recalled(self, target: Target) -> Facts:
        """What is known of one, at once: UNKNOWN where that would take a question."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a choice looks at besides the call."""

    load: Load
    health: Health
    knowledge: Knowledge
    chance: Chance


class Pool:
    """Some targets and their strategy."""

    def __init__(self, name: str, members: Sequence[Member], strategy: Strategy, view: View) -> None:
        self._name = name
        self._health, self._knowledge = view.health, view.knowledge
        self._ordering = _ORDERINGS[strategy](view.chance)
        self._seats = tuple(Seat(member, place, view.load(member.target), self._ordering) for place, member in enumerate(members))
        self._as_written = _choices(self._seats)  # of strategies that leave the order as it is
        self._learnt_at = -1  # by the knowledge's count of changes
        self._capabilities_known = False  # of any seat
        self._least_window_tokens = 0  # of the seats whose window is known; 0: of none

    def choices(self, question: Question) -> Sequence[Choice]:
        """Who may be asked, in order; at least one. Raises CapabilityMissing, ContextTooLong or NoHealthyUpstream when nobody may."""
        if self._learnt_at != self._knowledge.changes:
            self._learn()
        needs = tuple(question.needs()) if self._capabilities_known else ()
        # No token is shorter than a byte, so that a prompt which is short fits surely.
        judged = bool(needs) or 0 < self._least_window_tokens < question.size_bytes
        if not self._health.calm() or judged or not self._seats:
            return self._filtered(question, needs, judged=judged)
        ordered = self._ordering.order(self._seats, question)
        return self._as_written if ordered is self._seats else _choices(ordered)

    def likely(self, besides: Container[Target]) -> Target | None:
        """A target that may well be asked, other than those; None: there is no other. Takes no turn, and draws nothing."""
        health, calm = self._health, self._health.calm()
        others = (seat.target for seat in self._seats if seat.target not in besides)
        return next((target for target in others if calm or not (health.disabled(target) or health.open(target))), None)

    def _learn(self) -> None:
        self._learnt_at = self._knowledge.changes
        for seat in self._seats:
            seat.learn(self._knowledge.recalled(seat.target))
        self._ordering.learn(self._seats)
        self._capabilities_known = any(seat.capabilities for seat in self._seats)
        self._least_window_tokens = min((seat.window_tokens for seat in self._seats if seat.window_tokens), default=0)

    def _filtered(self, question: Question, needs: Sequence[Need], *, judged: bool) -> Sequence[Choice]:
        """Those who may be asked, when that may not be all; `judged`: some may not be able to answer."""
        health = self._health
        healthy, failing = [], []
        refusal: PromptwireError | None = None
        for seat in self._seats:
            target = seat.target
            if health.disabled(target):
                continue
            if judged and (error := refused(question, target, seat.capabilities, seat.window_tokens, needs)) is not None:
                refusal = refusal or error
            elif health.open(target):
                failing.append(seat)
            else:
                healthy.append(seat)
        if healthy:
            return _choices(self._ordering.order(healthy, question), failing)
        if failing:
            return [seat.last for seat in failing]
        raise refusal or NoHealthyUpstream(f'every model behind "{self._name[:128]}" is switched off at the moment; choose another one')


def _choices(ordered: Sequence[Seat], failing: Sequence[Seat] = ()) -> Sequence[Choice]:
    """The seats as choices, the failing ones last."""
    choices: list[Choice] = [*ordered, *failing]
    if ordered:
        choices[0] = ordered[0].first
    return choices


class Single:
    """A target that is named by itself."""

    __slots__ = ("_because", "_target", "_view")

    def __init__(self, target: Target, view: View, because: str) -> None:
        self._target = target
        self._view = view
        self._because = because

    def choices(self, question: Question) -> Sequence[Choice]:
        """The target. Raises as a pool does."""
        target = self._target
        if self._view.health.disabled(target):
            raise NoHealthyUpstream(f"{str(target)[:128]} is switched off at the moment; choose another model")
        known = self._view.knowledge.recalled(target)
        if known is not UNKNOWN:
            error = refused(question, target, known.capabilities, known.context_window_tokens)
            if error is not None:
                raise error
        return [Choice(target, self._because)]

    def likely(self, besides: Container[Target]) -> Target | None:
        """See Pool."""
        return None if self._target in besides else self._target


# Rules and splits have chosen already when they come to targets of their own.
_ORDERINGS: Final[dict[Strategy, Callable[[Chance], Ordering]]] = {
    "priority": lambda _: Priority(),
    "rules": lambda _: Priority(),
    "split": lambda _: Priority(),
    "round_robin": lambda _: RoundRobin(),
    "weighted": Weighted,
    "least_in_flight": lambda _: LeastInFlight(),
    "latency": Latency,
    "cheapest": lambda _: Cheapest(),
    "affinity": Affinity,
}
