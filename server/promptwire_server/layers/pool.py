"""Pool: targets among which a strategy chooses: those that may be asked, the healthy ones first. And a target that is named by itself."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from promptwire_server.core.call import Target
from promptwire_server.core.clock import Chance
from promptwire_server.core.errors import NoHealthyUpstream, PromptwireError
from promptwire_server.layers.affinity import Affinity
from promptwire_server.layers.alias import Member, Strategy
from promptwire_server.layers.capable import refused
from promptwire_server.layers.question import Question
from promptwire_server.layers.router import Choice
from promptwire_server.layers.strategies import (
    Cheapest,
    Knowledge,
    Latency,
    LeastInFlight,
    Load,
    Ordering,
    Priority,
    RoundRobin,
    Seat,
    Weighted,
)

_LAST: Final = "it fails at the moment, and so do the others"


class Health(Protocol):
    """Which targets are of use now. Answers at once."""

    def open(self, target: Target) -> bool:
        """It fails: its breaker is open, or it is far worse than others. False as soon as somebody should try it again."""
        ...

    def disabled(self, target: Target) -> bool:
        """The operator has taken it out of use."""
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
        self._seats = tuple(Seat(member, position) for position, member in enumerate(members))
        self._view = view
        self._ordering = _ORDERINGS[strategy](members, view)
        for seat in self._seats:
            seat.named(self._ordering.first, self._ordering.following)

    def choices(self, question: Question) -> list[Choice]:
        """Who may be asked, in order; at least one. Raises CapabilityMissing, ContextTooLong or NoHealthyUpstream when nobody may."""
        health, knowledge = self._view.health, self._view.knowledge
        size_bytes = question.size_bytes
        healthy, failing = [], []
        refusal: PromptwireError | None = None
        for seat in self._seats:
            target = seat.target
            if health.disabled(target):
                continue
            known = knowledge(target)
            capabilities = seat.capabilities or known.capabilities
            window_tokens = seat.context_window_tokens or known.context_window_tokens
            # No token is shorter than a byte: a prompt that surely fits is not looked at.
            if (capabilities or size_bytes > window_tokens > 0) and (
                error := refused(question, target, capabilities, window_tokens)
            ) is not None:
                refusal = refusal or error
            elif health.open(target):
                failing.append(seat)
            else:
                healthy.append(seat)
        if healthy:
            return self._ordered(healthy, failing, question)
        if failing:
            return [Choice(seat.target, _LAST) for seat in failing]
        raise refusal or NoHealthyUpstream(f'every model behind "{self._name[:128]}" is switched off at the moment; choose another one')

    def likely(self, besides: Container[Target]) -> Target | None:
        """A target that may well be asked, other than those; None: there is no other. Takes no turn, and draws nothing."""
        health = self._view.health
        others = (seat.target for seat in self._seats if seat.target not in besides)
        return next((target for target in others if not health.disabled(target) and not health.open(target)), None)

    def _ordered(self, healthy: list[Seat], failing: list[Seat], question: Question) -> list[Choice]:
        ordered = self._ordering.order(healthy, question)
        choices = [seat.following for seat in ordered]
        choices[0] = ordered[0].first
        if failing:
            choices += [seat.following for seat in failing]
        return choices


class Single:
    """A target that is named by itself."""

    __slots__ = ("_target", "_view")

    def __init__(self, target: Target, view: View) -> None:
        self._target = target
        self._view = view

    def choices(self, question: Question) -> list[Choice]:
        """The target. Raises as a pool does."""
        target = self._target
        if self._view.health.disabled(target):
            raise NoHealthyUpstream(f"{str(target)[:128]} is switched off at the moment; choose another model")
        known = self._view.knowledge(target)
        error = refused(question, target, known.capabilities, known.context_window_tokens)
        if error is not None:
            raise error
        return [Choice(target, "")]

    def likely(self, besides: Container[Target]) -> Target | None:
        """See Pool."""
        return None if self._target in besides else self._target


# Rules and splits have chosen already when they come to targets of their own.
_ORDERINGS: Final[dict[Strategy, Callable[[Sequence[Member], View], Ordering]]] = {
    "priority": lambda _, __: Priority(),
    "rules": lambda _, __: Priority(),
    "split": lambda _, __: Priority(),
    "round_robin": lambda _, __: RoundRobin(),
    "weighted": lambda _, view: Weighted(view.chance),
    "least_in_flight": lambda _, view: LeastInFlight(view.load),
    "latency": lambda _, view: Latency(view.load, view.chance),
    "cheapest": lambda _, view: Cheapest(view.knowledge),
    "affinity": lambda members, view: Affinity([member.target for member in members], view.load, Weighted(view.chance)),
}
