"""Affinity: calls of one session go to one target, where the vendor may still have their prompt in its cache.

Rendezvous hashing: every target has a figure for every session, and the largest wins. When a target goes, only its sessions move; when it
comes back, they return. The bound is that of consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016): a target that
has more than its share of the calls under way passes sessions on to the next.
"""

from collections.abc import Sequence
from math import ceil
from typing import Final

from promptwire_server.layers.question import Question
from promptwire_server.layers.spread import BITS, mixed, spread
from promptwire_server.layers.strategies import Seat, Weighted

_BOUND: Final = 1.25  # times its share of the calls under way
_ALWAYS: Final = 8  # calls that a target takes whatever its share: at rest, two calls of one session are twice the average already
_POINT: Final = 1 / (1 << BITS)


class Affinity(Weighted):
    """By session; calls without one are drawn by weight."""

    first = "session affinity"
    following = "next by session affinity"
    _even = False

    def learn(self, seats: Sequence[Seat]) -> None:
        """See Ordering. Where all weigh the same, the order is known in half the time."""
        self._even = len({seat.weight for seat in seats}) == 1

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:
        """See Ordering."""
        session = question.request.session_id
        if not session:
            return super().order(seats, question)
        if len(seats) == 1:
            return seats
        key = spread(f"{question.call.principal.tenant}\0{session}")
        if self._even:
            ranked = sorted(seats, key=lambda seat: mixed(key ^ seat.seed), reverse=True)
        else:  # the exponent makes a target of double weight win twice as often
            ranked = sorted(seats, key=lambda seat: (mixed(key ^ seat.seed) * _POINT) ** (1 / seat.weight), reverse=True)
        return ranked if ranked[0].busy.in_flight < _ALWAYS else _bounded(ranked)


def _bounded(ranked: list[Seat]) -> Sequence[Seat]:
    """The first one that has room for one more."""
    busy = [seat.busy.in_flight for seat in ranked]
    each = _BOUND * (sum(busy) + 1) / sum(seat.weight for seat in ranked)
    for position, seat in enumerate(ranked):
        if busy[position] < max(_ALWAYS, ceil(each * seat.weight)):
            return [seat, *ranked[:position], *ranked[position + 1 :]]
    return ranked
