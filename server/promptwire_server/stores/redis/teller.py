"""Teller: has decisions on money made by the store, and writes back what this process knows when the store has lost it."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from promptwire_server.core.budget import Budget
from promptwire_server.core.clock import Clock
from promptwire_server.core.purse import Conflict
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.redis import till
from promptwire_server.stores.redis.connection import Argument, Redis
from promptwire_server.stores.redis.fuse import Changed
from promptwire_server.stores.redis.recollection import ALWAYS_US, Recollection, Reply, Span, pairs, span
from promptwire_server.stores.redis.script import Script

_KEYS: Final = ("pw:{money}",)
_TRIES: Final = 8  # clocks and definitions are put right with each
_PAUSE_S: Final = 0.1  # between looks whether the store is open
_LOST: Final = "redis: it has lost what was spent of budgets, and hard ones are closed until all replicas have written it back"

Arguments = Callable[[], Sequence[Argument]]


class Closed(StoreDown):
    """The server answers, but does not know what was spent, or not yet."""


class Teller:
    """Of one process."""

    def __init__(self, redis: Redis, owner: str, clock: Clock, lease_s: float, quiet_s: float, changed: Changed) -> None:
        """See Purse; `changed` hears of a loss, and of the end of it."""
        self.redis = redis
        self.owner = owner
        self.known = Recollection()
        self.lease_us = int(lease_s * 1e6)
        self._clock = clock
        self._quiet_us = int(quiet_s * 1e6)
        self._changed = changed
        self._recovery = asyncio.Lock()
        self._reporting = False
        self._reports = 0
        self._closed = False

    async def ask(self, script: Script, arguments: Arguments, fits: Callable[[], bool] = lambda: True) -> Reply:
        """The reply of a store that is open; of a settlement, also while it is not. Raises StoreDown, and Conflict where nothing `fits`.

        Whoever gets StoreDown does not know whether it has happened.
        """
        if not self.known.gen:
            await self._join()
        for _ in range(_TRIES):
            reply = await self._told(script, self.known.seq, arguments)
            if reply.word == "recovering":
                raise Closed(_LOST)
            self.known.absorb(reply)
            if reply.word == "stale":
                await self.learn()
                if not fits():
                    raise Conflict
            elif reply.word != "clock":
                return reply
        raise StoreDown("redis: budgets change faster than they can be asked for")

    async def tick(self) -> Reply:
        """Show that this process lives, and take in what others have changed. The first time, waits until the store is open."""
        if not self.known.gen:
            await self._join()
        return await self._tick()

    async def learn(self) -> None:
        """Take in all definitions, if the store still has them."""
        if not self.known.gen:
            await self._join()
        reply = Reply.of(await self.redis.decide(till.DEFINED, _KEYS, []))
        if reply.gen == self.known.gen:
            self.known.define(reply.defs, pairs(reply.rest))

    def now_us(self) -> int:
        """As the server has it."""
        return int(self._clock.time() * 1e6) + self.known.ahead_us

    def found(self, budget_ids: Iterable[str]) -> Sequence[Budget]:
        """Budgets that are still there."""
        return [self.known.budgets[each] for each in sorted(budget_ids) if each in self.known.budgets]

    def spans(self, budgets: Iterable[Budget]) -> dict[str, Span]:
        """Where spending counts now."""
        now_us = self.now_us()
        return {budget.budget_id: span(budget.window, now_us) for budget in budgets}

    def asked(self, budget: Budget, where: Span) -> dict[str, object]:
        """What scripts must know of a budget."""
        return {
            "id": self.known.tills.get(budget.budget_id, f"{budget.budget_id}@0"),
            "limit": str(budget.limit_nano_usd),
            "binds": budget.binds,
            "since": str(where.since_us),
            "bucket": str(where.bucket_us),
            "percents": [] if budget.paused else sorted({alert.percent for alert in budget.alerts}),
        }

    async def _join(self) -> None:
        """Learn what there is, once the store is open: before, nobody knows which budgets there are."""
        await self._recover("", "")
        while True:
            if (await self._tick()).word == "open":
                return
            await asyncio.sleep(_PAUSE_S)

    async def _tick(self) -> Reply:
        known = self.known
        head = (self.owner, self.lease_us, self._quiet_us)
        reply = await self._told(till.TICK, known.cursor, lambda: (*head, self._buckets()))
        known.absorb(reply)
        known.cursor = max(known.cursor, reply.seq)
        if reply.word == "open" and self._closed:
            self._closed = False
            self._changed(True, "")  # noqa: FBT003 - that it is there
        if reply.defs != known.version:
            await self.learn()
        return reply

    async def _told(self, script: Script, seq: int, arguments: Arguments) -> Reply:
        """The reply of the generation that this process knows. Raises StoreDown where there is another now, and knows that one then."""
        gen, before_us = self.known.gen, int(self._clock.time() * 1e6)
        reply = Reply.of(await self.redis.decide(script, _KEYS, [gen, seq, *arguments()]))
        if reply.word in {"lost", "other"}:
            await self._recover(reply.word, gen)
            raise Closed(_LOST)
        if gen != self.known.gen or self._reporting:  # what was written back does not have it: as if it had not happened
            raise Closed(_LOST)
        self.known.ahead_us = reply.now_us - (before_us + int(self._clock.time() * 1e6)) // 2
        return reply

    async def _recover(self, word: str, gen: str) -> None:
        """Write back what this process knows, once for each generation."""
        async with self._recovery:
            if self.known.gen != gen:
                return
            if gen and not self._closed:
                self._closed = True
                self._changed(False, _LOST)  # noqa: FBT003 - that it is not there
            self._reporting = True
            try:
                self.known.begin(Reply.of(await self.redis.decide(till.REPORT, _KEYS, self._report(gen if word == "lost" else ""))))
            finally:
                self._reporting = False
            await self.learn()

    def _report(self, lost: str) -> Sequence[Argument]:
        """All that this process knows."""
        known = self.known
        self._reports += 1
        parts = _flat({member: str(value) for member, value in known.parts.items()})
        holds = _flat({hold_id: hold for hold_id, (_, hold) in known.holds.items() if hold})
        definitions, owners = _flat(known.definitions), _flat(dict.fromkeys(known.owners, "1"))
        counts = [len(each) // 2 for each in (parts, holds, definitions, owners)]
        head = (self.owner, f"{self.owner}/{self._reports}", lost, known.version, self._buckets())
        return (*head, *counts, *parts, *holds, *definitions, *owners)

    def _buckets(self) -> str:
        """Where each budget's spending is added now."""
        spans = self.spans(self.known.budgets.values())
        return json.dumps({till_id: str(spans[name].bucket_us) for name, till_id in self.known.tills.items()})


def range_of(spans: Mapping[str, Span]) -> tuple[int, int]:
    """From when until when all of them hold."""
    return max((each.from_us for each in spans.values()), default=0), min((each.until_us for each in spans.values()), default=ALWAYS_US)


def _flat(mapping: Mapping[str, str]) -> list[str]:
    return [word for pair in mapping.items() for word in pair]
