"""Callers' limits in memory: those of one process, gone with it. Belongs to one event loop, on which looking and taking are one step."""

import math
from collections import OrderedDict
from collections.abc import Sequence

from promptwire_server.core.clock import Clock
from promptwire_server.core.rate import EARLY_S, SLOT_S, Ask, Draw, Key, Refusal, corrected, used, wait_s

_MOST_KEYS = 100_000  # callers choose names of users, sessions and models; a count takes about 300 bytes
_LOOKED_AT = 2  # old counts for each new one: so those that are over go as fast as others come


class Rates:
    """What was drawn from each bucket, and who holds which slot."""

    def __init__(self, clock: Clock, most_keys: int = _MOST_KEYS) -> None:
        self._clock = clock
        self._most_keys = most_keys
        self._full_s: OrderedDict[Key, float] = OrderedDict()  # when each bucket is full; drawn from longest ago first
        self._held: dict[Key, dict[Lease, float]] = {}  # until when, by each slot
        self._crowded_until_s = -math.inf

    def __len__(self) -> int:
        return len(self._full_s) + len(self._held)

    async def take(self, ask: Ask) -> "Lease | Refusal":
        """See layers.rates.RateStore."""
        now_s = self._clock.monotonic()
        refusal = self._refusal(ask, now_s)
        if refusal is not None:
            return refusal
        lease = Lease(self, ask)
        full_s = self._full_s
        for key, meter, amount in ask.draws:  # as `drawn` does
            was_s = full_s.pop(key, now_s)
            full_s[key] = after_s = (was_s if was_s > now_s else now_s) + amount * meter.unit_s  # noqa: FURB136 - a call less
            lease.full_s.append(after_s)
        for slot in ask.slots:
            self._held.setdefault(slot.key, {})[lease] = now_s + ask.for_s
        return lease

    def settle(self, lease: "Lease", tokens: int | None) -> None:
        """For Lease: its slots are free, and its tokens are known."""
        for slot in lease.ask.slots:
            held = self._held.get(slot.key)
            if held is not None and held.pop(lease, None) is not None and not held:
                del self._held[slot.key]
        if tokens is not None:
            now_s = self._clock.monotonic()
            for draw, mine_s in zip(lease.ask.draws, lease.full_s, strict=True):
                if draw.key[1] == "tokens":
                    full_s = corrected(self._full_s.get(draw.key, 0.0), draw.meter, tokens - draw.amount, mine_s, now_s)
                    if full_s > now_s or draw.key in self._full_s:
                        self._full_s[draw.key] = full_s

    def _refusal(self, ask: Ask, now_s: float) -> Refusal | None:
        worst_s = EARLY_S
        worst: Draw | None = None
        fresh = 0
        for draw in ask.draws:
            full_s = self._full_s.get(draw.key)
            if full_s is None:
                fresh += 1
            elif full_s > now_s and (longer_s := wait_s(full_s, draw, now_s)) > worst_s:
                worst_s, worst = longer_s, draw
        refusal = None if worst is None else _of(worst, self._full_s[worst.key], worst_s, now_s)
        for slot in ask.slots:
            held = self._held.get(slot.key)
            if held is None:
                fresh += 1
            elif len(held) >= slot.most and (count := _living(held, now_s)) >= slot.most and worst_s < SLOT_S:
                worst_s = SLOT_S
                refusal = Refusal(slot.key, count, slot.most, SLOT_S)
        if refusal is None and fresh and not self._room(fresh, now_s):
            key = ask.draws[0].key if ask.draws else ask.slots[0].key
            return Refusal(key, len(self), self._most_keys, SLOT_S)
        return refusal

    def _room(self, fresh: int, now_s: float) -> bool:
        """Forget buckets that are full again, which changes nothing; whether there is room for new counts then."""
        for _ in range(min(_LOOKED_AT * fresh, len(self._full_s))):
            key, full_s = self._full_s.popitem(last=False)
            if full_s > now_s:
                self._full_s[key] = full_s
        if len(self) + fresh <= self._most_keys:
            return True
        if now_s < self._crowded_until_s:
            return False
        for key in [key for key, full_s in self._full_s.items() if full_s <= now_s]:
            del self._full_s[key]
        self._crowded_until_s = now_s + SLOT_S  # looking at all of them takes long, and callers could ask for it again and again
        return len(self) + fresh <= self._most_keys


class Lease:
    """See layers.rates.Lease."""

    __slots__ = ("_rates", "ask", "full_s")

    def __init__(self, rates: Rates, ask: Ask) -> None:
        self._rates: Rates | None = rates  # none any more, once it is settled
        self.ask = ask
        self.full_s: list[float] = []  # of each draw: when its bucket was to be full behind it

    def settle(self, tokens: int | None) -> None:
        """See layers.rates.Lease."""
        rates, self._rates = self._rates, None
        if rates is not None:
            rates.settle(self, tokens)


def _of(draw: Draw, full_s: float, wait_s: float, now_s: float) -> Refusal:
    return Refusal(draw.key, used(full_s, draw.meter, now_s), draw.meter.size, wait_s)


def _living(held: dict[Lease, float], now_s: float) -> int:
    """How many hold a slot, without those whose time is over: whoever held one had to end by then."""
    over: Sequence[Lease] = [lease for lease, until_s in held.items() if until_s <= now_s]
    for lease in over:
        del held[lease]
    return len(held)
