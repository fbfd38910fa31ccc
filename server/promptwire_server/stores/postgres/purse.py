"""Purse: budgets, what is spent of them and what is held, decided in transactions of the server, whichever replica asks."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Final

from psycopg import AsyncConnection

from promptwire_server.core.budget import Balance, Budget, Spender
from promptwire_server.core.ledger import Entry
from promptwire_server.core.purse import Ask, Change, Denial, Gift, Given, Hold, Once, Reached
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.postgres import definitions, office, spending
from promptwire_server.stores.postgres.database import Database
from promptwire_server.stores.postgres.moment import now_us

_CAPACITY: Final = 16_384  # rows without a hold that wait for a server that is away: about 20 MB

Tell = Callable[[Sequence[Reached]], None]  # must not raise
Lost = Callable[[int, str], None]  # rows, and why; must not raise


class Purse:
    """Budgets of one server. Needs `tick` about once a second: it shows that this process lives, and takes in what others have changed."""

    def __init__(
        self,
        database: Database,
        owner: str,
        tell: Tell = lambda reached: None,  # noqa: ARG005 - a Tell's shape
        settled: Callable[[], None] = lambda: None,
        *,
        lost: Lost = lambda count, why: None,  # noqa: ARG005 - a Lost's shape
        lease_s: float = 15.0,
    ) -> None:
        """`owner` names this process, and no other ever; `settled` hears that something was given back.

        Without a sign for `lease_s`, which is the same in all replicas, one is dead, and what it held counts as spent.
        """
        self._database = database
        self._owner = owner
        self._tell = tell
        self._settled = settled
        self._lost = lost
        self._waiting = 0  # rows without a hold
        self._lease_us = int(lease_s * 1e6)
        self._budgets: dict[str, Budget] = {}  # as of the last look
        self._held: dict[str, Collection[str]] = {}  # the holds of this process that are not settled, and the budgets that they are of

    def budgets(self) -> Iterable[Budget]:
        """All of them, as of a second ago at the most, or of this process's last change."""
        return self._budgets.values()

    @property
    def empty(self) -> bool:
        """There are no budgets at all."""
        return not self._budgets

    def counting(self, spender: Spender) -> tuple[Budget, ...]:
        """Those that an attempt counts against."""
        if not self._budgets:
            return ()
        return tuple(budget for budget in self._budgets.values() if budget.scope.holds(spender))

    async def hold(self, ask: Ask) -> Hold | Denial:
        """Set money aside in all budgets of the wish, or in none. Raises StoreDown. A cancelled wish holds nothing."""
        self._held[ask.hold_id] = ask.budgets
        try:
            decided, reached = await self._database.decide(lambda connection: spending.hold(connection, ask, self._owner), ask.budgets)
        except (asyncio.CancelledError, StoreDown):
            self.settle(ask.hold_id, ())  # behind the decision, which may still be made
            raise
        if isinstance(decided, Denial):
            del self._held[ask.hold_id]
        if reached:
            self._tell(reached)
        return decided

    def settle(self, hold_id: str, entries: Sequence[Entry]) -> None:
        """Give a hold back, and write down what was spent instead. Never waits, never raises."""
        self._database.post(_Settle(hold_id, entries, self._held.get(hold_id, ()), self._settled_by))

    def spend(self, entries: Sequence[Entry]) -> None:
        """Write down what was spent without a hold: budgets that only tell count it too. Never waits, never raises.

        While the server is away it is kept and written later; what is more than can be kept is lost, and told.
        """
        if self._waiting + len(entries) > _CAPACITY:
            self._lost(len(entries), "too many wait: the server is too slow or away")
            return
        self._waiting += len(entries)
        self.settle("", entries)

    async def every(self) -> Sequence[Budget]:
        """All of them, as the store has them now, by identifier. Raises StoreDown."""
        return list((await self._database.decide(definitions.every)).values())

    async def change(self, change: Change, once: Once) -> Budget | None:
        """Make, change or delete a budget, and what it is then; of a request that was made before, what came of it then.

        What is held and spent stays with a change and goes with a deletion; holds go on without it. Raises Conflict, Reused, StoreDown.
        """
        after = await self._database.decide(
            lambda connection: office.change(connection, change, once), (definitions.OFFICE, change.budget_id)
        )
        if after is not None:
            self._budgets[after.budget_id] = after
        else:
            self._budgets.pop(change.budget_id, None)
        self._settled()  # there may be room now
        return after

    async def put(self, budget: Budget) -> None:
        """Make a budget, or change one, whatever it was. Raises StoreDown."""
        await self._database.decide(lambda connection: definitions.put(connection, budget), (budget.budget_id,))
        self._budgets[budget.budget_id] = budget

    async def delete(self, budget_id: str) -> None:
        """Forget a budget and what was spent of it; holds go on without it. Raises StoreDown."""
        await self._database.decide(lambda connection: definitions.delete(connection, budget_id), (budget_id,))
        self._budgets.pop(budget_id, None)

    async def adjust(self, budget: Budget, gift: Gift, once: Once) -> tuple[Given, Balance]:
        """Give a budget more, or less, with a row of kind ADJUSTMENT; of a request that was made before, what was given then.

        Raises Conflict when the budget is gone, Reused, TooMuch and StoreDown.
        """
        given, balance, reached = await self._database.decide(
            lambda connection: office.give(connection, budget, gift, once), (definitions.OFFICE, budget.budget_id)
        )
        self._heed(reached)
        return given, balance

    async def balance(self, budget: Budget) -> Balance:
        """What of a budget is left. Raises StoreDown."""
        return (await self.balances([budget]))[0]

    async def balances(self, budgets: Sequence[Budget]) -> Sequence[Balance]:
        """What of some budgets is left, at one moment. Raises StoreDown."""

        async def look(connection: AsyncConnection) -> Sequence[Balance]:
            now = await now_us(connection)
            return [await spending.balance_of(connection, budget, now) for budget in budgets]

        return await self._database.decide(look)

    async def tick(self) -> None:
        """Show that this process lives, count what dead ones held as spent, take in budgets that others have changed. Raises StoreDown."""
        known = tuple(self._held)

        async def look(connection: AsyncConnection) -> tuple[dict[str, Budget], list[spending.Orphan], list[str]]:
            budgets = await definitions.every(connection)
            if not budgets:
                return budgets, [], []
            await spending.show(connection, self._owner, self._lease_us)
            orphans = await spending.orphans(connection, self._lease_us)
            return budgets, orphans, await spending.forgotten(connection, self._owner, known, self._lease_us)

        self._budgets, orphans, forgotten = await self._database.decide(look)
        for orphan in orphans:
            await self._database.decide(partial(_swept, orphan=orphan), orphan.budgets)
        for hold_id in forgotten:
            self.settle(hold_id, ())

    def _settled_by(self, job: "_Settle") -> None:
        if not job.hold_id:
            self._waiting -= len(job.entries)
        if job.fault is None:
            self._held.pop(job.hold_id, None)
            self._heed(job.reached)
        else:
            self._lost(len(job.entries), f"the server cannot hold them ({type(job.fault).__name__})")

    def _heed(self, reached: Sequence[Reached]) -> None:
        self._settled()
        if reached:
            self._tell(reached)


class _Settle:
    """The job of settling."""

    def __init__(self, hold_id: str, entries: Sequence[Entry], held: Collection[str], ended: Callable[["_Settle"], None]) -> None:
        self.hold_id = hold_id
        self.entries = entries
        self.budgets: Collection[str] = {*held, *(budget_id for entry in entries for budget_id in entry.budgets)}
        self.reached: Sequence[Reached] = ()
        self.fault: Exception | None = None
        self._held = held
        self._ended = ended

    async def run(self, connection: AsyncConnection) -> None:
        """See Job."""
        self.reached = await spending.settle(connection, self.hold_id, self.entries, self._held)

    def done(self) -> None:
        """See Job."""
        self._ended(self)

    def failed(self, error: Exception) -> None:
        """See Job. The hold stays until its owner is dead, and is counted as spent then."""
        self.fault = error
        self._ended(self)


async def _swept(connection: AsyncConnection, orphan: spending.Orphan) -> Sequence[Reached]:
    """What a dead process held is spent, unless another replica has seen to it."""
    return await spending.settle(connection, orphan.hold_id, orphan.rows, orphan.budgets, orphan=True)
