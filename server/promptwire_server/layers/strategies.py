"""Strategies: in which order the targets of an alias are tried. Each knows one alias; what it remembers is a number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from promptwire_server.core.call import Target
from promptwire_server.core.clock import Chance
from promptwire_server.core.facts import Facts
from promptwire_server.core.price import expected_nano_usd
from promptwire_server.layers.alias import PRICE_CLASSES, Member
from promptwire_server.layers.question import Question
from promptwire_server.layers.router import Choice

_UNKNOWN_CLASS: Final = PRICE_CLASSES.index("medium")
_DEAREST: Final = float("inf")
_DRAWN_BITS: Final = 48  # so many that no pair is likelier than another by more than one in millions
_UNKNOWN_S: Final = 1e9  # slower than any that is known


class Load(Protocol):
    """How busy targets are, as the gateway sees it. Answers at once."""

    def in_flight(self, target: Target) -> int:
        """Calls under way."""
        ...

    def latency_s(self, target: Target) -> float:
        """How long answers take lately, weighted so that a slow one counts at once and is forgotten slowly; 0.0: not known."""
        ...


Knowledge = Callable[[Target], Facts]  # what is known of a model, at once: UNKNOWN where that would take a question


class Seat:
    """A member of one pool, with what need not be worked out anew for each call."""

    __slots__ = ("capabilities", "context_window_tokens", "first", "following", "position", "price", "rank", "target", "weight")

    def __init__(self, member: Member, position: int) -> None:
        self.target = member.target
        self.position = position  # in its pool
        self.weight = member.weight
        self.rank = PRICE_CLASSES.index(member.price_class) if member.price_class else _UNKNOWN_CLASS
        self.price = member.facts.price
        self.capabilities = member.facts.capabilities
        self.context_window_tokens = member.facts.context_window_tokens
        self.first = Choice(member.target, "")  # as the choice that is tried first, and as a later one
        self.following = self.first

    def named(self, first: str, following: str) -> None:
        """Say why it is chosen."""
        self.first, self.following = Choice(self.target, first), Choice(self.target, following)


class Ordering(Protocol):
    """A strategy for one alias."""

    @property
    def first(self) -> str:
        """Why a target is the first, in a few words."""
        ...

    @property
    def following(self) -> str:
        """Why it is a later one."""
        ...

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:
        """The same seats, the one to try first at the front. There is at least one; never changes `seats`."""
        ...


@dataclass(frozen=True, slots=True)
class Priority:
    """As the operator wrote them."""

    first = "first by priority"
    following = "next by priority"

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:  # noqa: ARG002 - see Ordering
        """See Ordering."""
        return seats


class RoundRobin:
    """Each in its turn."""

    first = "its turn"
    following = "next in turn"

    def __init__(self) -> None:
        self._turn = -1

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:  # noqa: ARG002 - see Ordering
        """See Ordering."""
        self._turn += 1
        return _from(seats, self._turn)


@dataclass(frozen=True, slots=True)
class Weighted:
    """Drawn by weight. So are the later ones: the calls of a target that is down go to the others by their weights."""

    chance: Chance
    first = "drawn by weight"
    following = "drawn next by weight"

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:  # noqa: ARG002 - see Ordering
        """See Ordering."""
        left = list(seats)
        total = sum([seat.weight for seat in left])
        ordered = []
        while len(left) > 1:
            seat = left.pop(_drawn(left, self.chance.uniform(0.0, total)))
            total -= seat.weight
            ordered.append(seat)
        return ordered + left


class LeastInFlight:
    """The fewest calls under way for its weight. Those that are equal take turns: else the first would get every call of a quiet day."""

    first = "fewest in flight"
    following = "next by calls in flight"

    def __init__(self, load: Load) -> None:
        self._load = load
        self._turn = -1

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:  # noqa: ARG002 - see Ordering
        """See Ordering."""
        self._turn += 1
        in_flight = self._load.in_flight
        return sorted(_from(seats, self._turn), key=lambda seat: in_flight(seat.target) / seat.weight)


class Latency:
    """Two are drawn, and the faster one is first: the fastest of all would be overrun by callers who all see the same figures.

    A target's figure is its latency times the calls that it would have with this one (Finagle's peak EWMA).
    """

    first = "faster of two"
    following = "slower of two, or not drawn"

    def __init__(self, load: Load, chance: Chance) -> None:
        self._load = load
        self._chance = chance

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:  # noqa: ARG002 - see Ordering
        """See Ordering."""
        count = len(seats)
        if count == 1:
            return seats
        drawn = self._chance.bits(_DRAWN_BITS)
        one = drawn % count
        other = drawn // count % (count - 1)
        other += other >= one
        if self._figure(seats[other]) < self._figure(seats[one]):
            one, other = other, one
        return [seats[one], seats[other], *(seat for position, seat in enumerate(seats) if position not in (one, other))]

    def _figure(self, seat: Seat) -> float:
        latency_s = self._load.latency_s(seat.target)
        in_flight = self._load.in_flight(seat.target)
        if latency_s <= 0 and in_flight:
            return _UNKNOWN_S + in_flight  # one call finds out; the others wait for what it finds
        return latency_s * (in_flight + 1)


@dataclass(frozen=True, slots=True)
class Cheapest:
    """The lowest price for this prompt and an answer of usual length. The operator's price classes go before prices."""

    knowledge: Knowledge
    first = "cheapest"
    following = "next by price"

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:
        """See Ordering. Those without a known price come last in their class."""
        return sorted(seats, key=lambda seat: self._figure(seat, question))

    def _figure(self, seat: Seat, question: Question) -> tuple[int, float]:
        price = seat.price or self.knowledge(seat.target).price
        nano = None if price is None else expected_nano_usd(price, question.prompt_tokens, question.answer_tokens)
        return seat.rank, _DEAREST if nano is None else nano


def _from(seats: Sequence[Seat], turn: int) -> Sequence[Seat]:
    start = turn % len(seats)
    return [*seats[start:], *seats[:start]] if start else seats


def _drawn(seats: Sequence[Seat], point: float) -> int:
    """The position that a point in the sum of all weights falls upon."""
    for position, seat in enumerate(seats):
        point -= seat.weight
        if point < 0:
            return position
    return len(seats) - 1
