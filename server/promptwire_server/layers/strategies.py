"""Strategies: in which order the targets of an alias are tried. Each knows one alias; what it remembers is a number."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import ClassVar, Final, Protocol

from promptwire_server.core.call import Target
from promptwire_server.core.clock import Chance
from promptwire_server.core.facts import Facts
from promptwire_server.core.price import FREE, expected_nano_usd
from promptwire_server.layers.alias import PRICE_CLASSES, Member
from promptwire_server.layers.question import Question
from promptwire_server.layers.router import Choice
from promptwire_server.layers.spread import spread

_UNKNOWN_CLASS: Final = PRICE_CLASSES.index("medium")
_DEAREST: Final = float("inf")
_DRAWN_BITS: Final = 48  # so many that no pair is likelier than another by more than one in millions
_UNKNOWN_S: Final = 1e9  # slower than any that is known
_PLACE: Final = attrgetter("place")
_LAST: Final = "it fails at the moment, and so do the others"


class Busy(Protocol):
    """How busy one target is, as the gateway sees it."""

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        ...

    @property
    def latency_s(self) -> float:
        """How long answers take lately, weighted so that a slow one counts at once and is forgotten slowly; 0.0: not known."""
        ...


Load = Callable[[Target], Busy]  # of targets that configuration names: the same as long as it does


class Seat(Choice):
    """A member of one pool, as a choice after the first, and with what need not be worked out anew for each call."""

    __slots__ = ("busy", "capabilities", "first", "last", "member", "place", "price", "rank", "seed", "weight", "window_tokens")

    def __init__(self, member: Member, place: int, busy: Busy, ordering: "Ordering") -> None:
        super().__init__(member.target, ordering.following)
        self.first = Choice(member.target, ordering.first)
        self.last = Choice(member.target, _LAST)
        self.member = member
        self.busy = busy
        self.weight = member.weight
        self.place = place  # among the seats, for strategies that have one for each
        self.rank = PRICE_CLASSES.index(member.price_class) if member.price_class else _UNKNOWN_CLASS
        self.seed = spread(str(member.target))
        self.learn(member.facts)

    def learn(self, known: Facts) -> None:
        """What is known of the model elsewhere; what the operator says in this place goes over it."""
        told = self.member.facts
        self.price = told.price or known.price
        self.capabilities = told.capabilities or known.capabilities
        self.window_tokens = told.context_window_tokens or known.context_window_tokens


class Ordering(ABC):
    """A strategy for one alias."""

    first: ClassVar[str]  # why a target is the first, in a few words
    following: ClassVar[str]  # why it is a later one

    @abstractmethod
    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:
        """The same seats, the one to try first at the front. There is at least one; never changes `seats`."""

    def learn(self, seats: Sequence[Seat]) -> None:  # noqa: B027 - most learn nothing
        """Something new is known of the models of all seats."""


class Priority(Ordering):
    """As the operator wrote them."""

    first = "first by priority"
    following = "next by priority"

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:  # noqa: ARG002 - see Ordering
        """See Ordering."""
        return seats


class RoundRobin(Ordering):
    """Each in its turn."""

    first = "its turn"
    following = "next in turn"

    def __init__(self) -> None:
        self._turn = -1

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:  # noqa: ARG002 - see Ordering
        """See Ordering."""
        self._turn += 1
        return _from(seats, self._turn)


class Weighted(Ordering):
    """Drawn by weight. So are the later ones: the calls of a target that is down go to the others by their weights."""

    first = "drawn by weight"
    following = "drawn next by weight"

    def __init__(self, chance: Chance) -> None:
        self._draw = chance.source.random

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:  # noqa: ARG002 - see Ordering
        """See Ordering."""
        if len(seats) == 1:
            return seats
        # Each rings at a random time, as often as its weight says: the order in which they ring is the order of such drawings.
        draw, log = self._draw, math.log
        return sorted(seats, key=lambda seat: -log(1.0 - draw()) / seat.weight)


class LeastInFlight(Ordering):
    """The fewest calls under way for its weight. Those that are equal take turns: else the first would get every call of a quiet day."""

    first = "fewest in flight"
    following = "next by calls in flight"

    def __init__(self) -> None:
        self._turn = -1

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:  # noqa: ARG002 - see Ordering
        """See Ordering."""
        self._turn += 1
        return sorted(_from(seats, self._turn), key=lambda seat: seat.busy.in_flight / seat.weight)


class Latency(Ordering):
    """Two are drawn, and the faster one is first: the fastest of all would be overrun by callers who all see the same figures.

    A target's figure is its latency times the calls that it would have with this one (Finagle's peak EWMA).
    """

    first = "faster of two"
    following = "slower of two, or not drawn"

    def __init__(self, chance: Chance) -> None:
        self._draw = chance.source.getrandbits

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:  # noqa: ARG002 - see Ordering
        """See Ordering."""
        count = len(seats)
        if count == 1:
            return seats
        drawn = self._draw(_DRAWN_BITS)
        one = drawn % count
        other = drawn // count % (count - 1)
        other += other >= one
        ordered = list(seats)
        first, second = ordered[one], ordered[other]
        del ordered[max(one, other)], ordered[min(one, other)]
        if _slowness(second.busy) < _slowness(first.busy):
            first, second = second, first
        return [first, second, *ordered]


def _slowness(busy: Busy) -> float:
    latency_s, in_flight = busy.latency_s, busy.in_flight
    if latency_s <= 0 and in_flight:
        return _UNKNOWN_S + in_flight  # one call finds out; the others wait for what it finds
    return latency_s * (in_flight + 1)


class Cheapest(Ordering):
    """The lowest price for this prompt and an answer of usual length. The operator's price classes go before prices."""

    first = "cheapest"
    following = "next by price"

    def __init__(self) -> None:
        self._settled = False

    def learn(self, seats: Sequence[Seat]) -> None:
        """See Ordering. Where each is dearer than the one before in every way, the prompt need not be looked at."""
        ranked = sorted(seats, key=_rates)
        self._settled = all(_dearer(other, one) for one, other in pairwise(ranked))
        for place, seat in enumerate(ranked):
            seat.place = place

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:
        """See Ordering. Those without a known price come last in their class."""
        if self._settled:
            return sorted(seats, key=_PLACE)
        prompt, answer = question.prompt_tokens, question.answer_tokens
        return sorted(seats, key=lambda seat: _cost(seat, prompt, answer))


def _rates(seat: Seat) -> tuple[int, float, float, float]:
    """What it costs: the class, a prompt's token, an answer's token, the call."""
    price = seat.price
    if price is not None and price.source == FREE:
        return seat.rank, 0, 0, 0
    if price is None or price.rates.input is None or price.rates.output is None:
        return seat.rank, _DEAREST, _DEAREST, _DEAREST
    return seat.rank, price.rates.input, price.rates.output, price.request_nano_usd or 0


def _dearer(seat: Seat, than: Seat) -> bool:
    """Whatever the lengths of prompt and answer, or just as dear."""
    if (seat.price is not None and seat.price.tiers) or (than.price is not None and than.price.tiers):
        return False
    (rank, *rates), (rank_before, *rates_before) = _rates(seat), _rates(than)
    return rank > rank_before or all(one >= other for one, other in zip(rates, rates_before, strict=True))


def _cost(seat: Seat, prompt_tokens: int, answer_tokens: int) -> tuple[int, float]:
    nano = None if seat.price is None else expected_nano_usd(seat.price, prompt_tokens, answer_tokens)
    return seat.rank, _DEAREST if nano is None else nano


def _from(seats: Sequence[Seat], turn: int) -> Sequence[Seat]:
    start = turn % len(seats)
    return [*seats[start:], *seats[:start]] if start else seats
