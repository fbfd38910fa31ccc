"""Purse: budgets, what is spent of them and what is held, decided in transactions of the file, whichever process asks."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import apsw

from promptwire_server.core.budget import Balance, Budget, Spender
from promptwire_server.core.ledger import ADJUSTMENT, Entry
from promptwire_server.core.purse import Ask, Denial, Hold, Reached
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.sqlite import definitions, ledger, spending
from promptwire_server.stores.sqlite.database import Database

Tell = Callable[[Sequence[Reached]], None]  # on the event loop; must not raise


class Purse:
    """Budgets of one file. Needs `tick` about once a second: it shows that this process lives, and takes in what others have changed."""

    def __init__(
        self,
        database: Database,
        owner: str,
        now_us: Callable[[], int],
        tell: Tell = lambda reached: None,  # noqa: ARG005 - a Tell's shape
        settled: Callable[[], None] = lambda: None,
        *,
        keep_rows: bool = True,
    ) -> None:
        """`owner` names this process, and no other ever; `settled` hears on the event loop that something was given back."""
        self._database = database
        self._owner = owner
        self._now_us = now_us
        self._tell = tell
        self._settled = settled
        self._keep_rows = keep_rows
        self._shown_us = 0  # when this process last showed that it lives
        self._budgets: dict[str, Budget] = {}  # as of the last look

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
        try:
            decided, reached = await self._database.decide(lambda connection: spending.hold(connection, ask, self._owner, self._now_us()))
        except (asyncio.CancelledError, StoreDown):
            self._database.post(_Release(ask.hold_id))  # behind the decision, which may still be made
            raise
        if reached:
            self._tell(reached)
        return decided

    def settle(self, hold_id: str, entries: Sequence[Entry]) -> None:
        """Give a hold back, and write down what was spent instead. Never waits, never raises."""
        self._post(hold_id, entries)

    def spend(self, entries: Sequence[Entry]) -> None:
        """Write down what was spent without a hold: budgets that only tell count it too. Never waits, never raises."""
        self._post("", entries)

    async def put(self, budget: Budget) -> None:
        """Make a budget, or change one. Raises StoreDown."""
        await self._database.decide(lambda connection: definitions.put(connection, budget))
        self._budgets[budget.budget_id] = budget

    async def delete(self, budget_id: str) -> None:
        """Forget a budget and what was spent of it; holds go on without it. Raises StoreDown."""
        await self._database.decide(lambda connection: definitions.delete(connection, budget_id))
        self._budgets.pop(budget_id, None)

    async def adjust(self, budget: Budget, amount_nano_usd: int, entry: Entry) -> Balance:
        """Give a budget more, or less, for the window under way, with a row of kind ADJUSTMENT. Raises StoreDown."""

        def give(connection: apsw.Connection) -> Balance:
            now_us = self._now_us()
            spending.add(connection, budget, now_us, adjusted=amount_nano_usd)
            row = entry._replace(kind=ADJUSTMENT, budgets=(budget.budget_id,), adjustment_nano_usd=amount_nano_usd)
            ledger.insert(connection, [row], now_us)
            return spending.balance_of(connection, budget, now_us)

        return await self._database.decide(give)

    async def balance(self, budget: Budget) -> Balance:
        """What of a budget is left. Raises StoreDown."""
        return await self._database.decide(lambda connection: spending.balance_of(connection, budget, self._now_us()))

    async def tick(self) -> None:
        """Show that this process lives, count what dead ones held as spent, take in budgets that others have changed. Raises StoreDown."""
        now_us = self._now_us()
        shows = bool(self._budgets) and now_us - self._shown_us >= spending.ALIVE_US // 4
        self._shown_us = now_us if shows else self._shown_us
        owner = self._owner if shows else ""
        self._budgets = await self._database.decide(lambda connection: spending.tick(connection, owner, now_us, keep_rows=self._keep_rows))

    def _post(self, hold_id: str, entries: Sequence[Entry]) -> None:
        loop = asyncio.get_running_loop()
        self._database.post(
            _Settle(hold_id, entries, self._now_us, lambda reached: loop.call_soon_threadsafe(self._heed, reached)), urgent=bool(hold_id)
        )

    def _heed(self, reached: Sequence[Reached]) -> None:
        self._settled()
        if reached:
            self._tell(reached)


class _Settle:
    """The job of settling."""

    def __init__(
        self, hold_id: str, entries: Sequence[Entry], now_us: Callable[[], int], told: Callable[[Sequence[Reached]], object]
    ) -> None:
        self._hold_id = hold_id
        self._entries = entries
        self._now_us = now_us
        self._told = told
        self._reached: Sequence[Reached] = ()

    def run(self, connection: apsw.Connection) -> None:
        """See Job."""
        self._reached = spending.settle(connection, self._hold_id, self._entries, self._now_us())

    def done(self) -> None:
        """See Job."""
        with suppress(RuntimeError):  # of an event loop that is closed: at the very end nobody is told
            self._told(self._reached)

    def failed(self, error: Exception) -> None:
        """See Job. The hold stays until its owner is dead, and is counted as spent then."""


class _Release:
    """The job of giving a hold back unused."""

    def __init__(self, hold_id: str) -> None:
        self._hold_id = hold_id

    def run(self, connection: apsw.Connection) -> None:
        """See Job."""
        spending.drop(connection, self._hold_id)

    def done(self) -> None:
        """See Job."""

    def failed(self, error: Exception) -> None:
        """See Job."""
