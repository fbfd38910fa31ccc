"""Affinity: calls of one session go to one target, where the vendor may still have their prompt in its cache.

Rendezvous hashing: every target has a figure for every session, and the largest wins. When a target goes, only its sessions move; when it
comes back, they return. The bound is that of consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016): a target that
has more than its share of the calls under way passes sessions on to the next.
"""

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from promptwire_server.core.call import Target
from promptwire_server.layers.question import Question
from promptwire_server.layers.strategies import Load, Seat, Weighted

_BOUND: Final = 1.25  # times its share of the calls under way
_ALWAYS: Final = 8  # calls that a target takes whatever its share: at rest, two calls of one session are twice the average already
_BITS: Final = 64
_MASK: Final = (1 << _BITS) - 1


class Affinity:
    """By session; calls without one are drawn by weight."""

    first = "session affinity"
    following = "next by session affinity"

    def __init__(self, targets: Sequence[Target], load: Load, elsewise: Weighted) -> None:
        self._seeds = [_hash(str(target)) for target in targets]  # by the positions of their seats
        self._load = load
        self._elsewise = elsewise

    def order(self, seats: Sequence[Seat], question: Question) -> Sequence[Seat]:
        """See Ordering."""
        session = question.request.session_id
        if not session:
            return self._elsewise.order(seats, question)
        if len(seats) == 1:
            return seats
        key = _hash(f"{question.call.principal.tenant}\0{session}")
        ranked = sorted(seats, key=lambda seat: self._figure(seat, key))
        return ranked if self._load.in_flight(ranked[0].target) < _ALWAYS else self._bounded(ranked)

    def _figure(self, seat: Seat, key: int) -> float:
        """Small is good. The logarithm makes a target of double weight win twice as often."""
        drawn = (_mixed(key ^ self._seeds[seat.position]) + 1) / (_MASK + 2)
        return -math.log(drawn) / seat.weight

    def _bounded(self, ranked: list[Seat]) -> Sequence[Seat]:
        busy = [self._load.in_flight(seat.target) for seat in ranked]
        each = _BOUND * (sum(busy) + 1) / sum(seat.weight for seat in ranked)
        for position, seat in enumerate(ranked):
            if busy[position] < max(_ALWAYS, math.ceil(each * seat.weight)):
                return [seat, *ranked[:position], *ranked[position + 1 :]]
        return ranked


def _hash(text: str) -> int:
    """The same in every process: Python's own hash of texts is not."""
    return int.from_bytes(blake2b(text.encode(), digest_size=_BITS // 8).digest())


def _mixed(value: int) -> int:
    """Every bit depends on every bit. A fifth of the time that a hash of a text takes."""
    value = (value ^ (value >> 32)) * 0xD6E8FEB86659FD93 & _MASK
    value = (value ^ (value >> 32)) * 0xD6E8FEB86659FD93 & _MASK
    return value ^ (value >> 32)
