"""Purse: budgets, what is spent of them and what is held, decided in transactions of the file, whichever process asks."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

import apsw

from promptwire_server.core.budget import MOST_NANO_USD, Balance, Budget, Spender
from promptwire_server.core.budget_message import adjustment_of, given_of
from promptwire_server.core.ledger import ADJUSTMENT, Entry
from promptwire_server.core.purse import Ask, Change, Conflict, Denial, Gift, Given, Hold, Once, Reached, TooMuch
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.sqlite import definitions, ledger, office, spending
from promptwire_server.stores.sqlite.database import Database

_MOST_ADJUSTED: Final = 10 * MOST_NANO_USD  # all adjustments of a window together

_CAPACITY: Final = 16_384  # rows without a hold that wait for a broken disk: about 20 MB

Tell = Callable[[Sequence[Reached]], None]  # on the event loop; must not raise
Lost = Callable[[int, str], None]  # rows, and why; on the event loop; must not raise


class Purse:
    """Budgets of one file. Needs `tick` about once a second: it shows that this process lives, and takes in what others have changed."""

    def __init__(  # noqa: PLR0913 - what it tells, and to whom, has defaults
        self,
        database: Database,
        owner: str,
        now_us: Callable[[], int],
        tell: Tell = lambda reached: None,  # noqa: ARG005 - a Tell's shape
        settled: Callable[[], None] = lambda: None,
        *,
        lost: Lost = lambda count, why: None,  # noqa: ARG005 - a Lost's shape
        keep_rows: bool = True,
        lease_s: float = 15.0,
    ) -> None:
        """`owner` names this process, and no other ever; `settled` hears on the event loop that something was given back.

        Without a sign for `lease_s`, which is the same in all processes of the file, one is dead, and what it held counts as spent.
        """
        self._database = database
        self._owner = owner
        self._now_us = now_us
        self._tell = tell
        self._settled = settled
        self._lost = lost
        self._waiting = 0  # rows without a hold
        self._keep_rows = keep_rows
        self._lease_us = int(lease_s * 1e6)
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
        """Write down what was spent without a hold: budgets that only tell count it too. Never waits, never raises.

        While the disk is broken it is kept and written later; what is more than can be kept is lost, and told.
        """
        if self._waiting + len(entries) > _CAPACITY:
            self._lost(len(entries), "too many wait: the disk is too slow or broken")
            return
        self._waiting += len(entries)
        self._post("", entries)

    async def every(self) -> Sequence[Budget]:
        """All of them, as the store has them now, by identifier. Raises StoreDown."""
        return list((await self._database.decide(definitions.every)).values())

    async def change(self, change: Change, once: Once) -> Budget | None:
        """Make, change or delete a budget, and what it is then; of a request that was made before, what came of it then.

        What is held and spent stays with a change and goes with a deletion; holds go on without it. Raises Conflict, Reused, StoreDown.
        """
        after = await self._database.decide(lambda connection: _change(connection, change, once, self._now_us()))
        if after is not None:
            self._budgets[after.budget_id] = after
        else:
            self._budgets.pop(change.budget_id, None)
        self._settled()  # there may be room now
        return after

    async def put(self, budget: Budget) -> None:
        """Make a budget, or change one, whatever it was. Raises StoreDown."""
        await self._database.decide(lambda connection: definitions.put(connection, budget))
        self._budgets[budget.budget_id] = budget

    async def delete(self, budget_id: str) -> None:
        """Forget a budget and what was spent of it; holds go on without it. Raises StoreDown."""
        await self._database.decide(lambda connection: definitions.delete(connection, budget_id))
        self._budgets.pop(budget_id, None)

    async def adjust(self, budget: Budget, gift: Gift, once: Once) -> tuple[Given, Balance]:
        """Give a budget more, or less, with a row of kind ADJUSTMENT; of a request that was made before, what was given then.

        Raises Conflict when the budget is gone, Reused, TooMuch and StoreDown.
        """
        given, balance, reached = await self._database.decide(lambda connection: _give(connection, budget, gift, once, self._now_us()))
        self._heed(reached)
        return given, balance

    async def balance(self, budget: Budget) -> Balance:
        """What of a budget is left. Raises StoreDown."""
        return (await self.balances([budget]))[0]

    async def balances(self, budgets: Sequence[Budget]) -> Sequence[Balance]:
        """What of some budgets is left, at one moment. Raises StoreDown."""

        def look(connection: apsw.Connection) -> Sequence[Balance]:
            now_us = self._now_us()
            return [spending.balance_of(connection, budget, now_us) for budget in budgets]

        return await self._database.decide(look)

    async def tick(self) -> None:
        """Show that this process lives, count what dead ones held as spent, take in budgets that others have changed. Raises StoreDown."""
        now_us = self._now_us()
        shows = bool(self._budgets) and now_us - self._shown_us >= self._lease_us // 4
        self._shown_us = now_us if shows else self._shown_us
        owner = self._owner if shows else ""
        self._budgets = await self._database.decide(
            lambda connection: spending.tick(connection, owner, now_us, self._lease_us, keep_rows=self._keep_rows)
        )

    def _post(self, hold_id: str, entries: Sequence[Entry]) -> None:
        loop = asyncio.get_running_loop()
        job = _Settle(hold_id, entries, self._now_us, lambda job: loop.call_soon_threadsafe(self._settled_by, job))
        self._database.post(job, urgent=bool(hold_id))

    def _settled_by(self, job: "_Settle") -> None:
        if not job.hold_id:
            self._waiting -= len(job.entries)
        if job.fault is None:
            self._heed(job.reached)
        else:
            self._lost(len(job.entries), f"the file cannot hold them ({type(job.fault).__name__})")

    def _heed(self, reached: Sequence[Reached]) -> None:
        self._settled()
        if reached:
            self._tell(reached)


def _change(connection: apsw.Connection, change: Change, once: Once, now_us: int) -> Budget | None:
    answer = office.answer_of(connection, once)
    if answer is not None:
        return definitions.read(answer) if answer else None
    present = definitions.find(connection, change.budget_id)
    if (None if present is None else present.etag) != change.before:
        raise Conflict
    if change.after is None or change.reset:
        definitions.delete(connection, change.budget_id)
    if change.after is not None:
        definitions.put(connection, change.after)
    office.keep(connection, once, b"" if change.after is None else definitions.written(change.after), now_us)
    return change.after


def _give(connection: apsw.Connection, budget: Budget, gift: Gift, once: Once, now_us: int) -> tuple[Given, Balance, Sequence[Reached]]:
    answer = office.answer_of(connection, once)
    if answer is not None:
        return given_of(answer), spending.balance_of(connection, budget, now_us), ()
    if definitions.find(connection, budget.budget_id) is None:
        raise Conflict
    amount = gift.amount_nano_usd
    if abs(spending.balance_of(connection, budget, now_us).adjusted_nano_usd + amount) > _MOST_ADJUSTED:
        raise TooMuch
    spending.add(connection, budget, now_us, adjusted=amount)
    row = gift.entry._replace(kind=ADJUSTMENT, at_us=now_us, budgets=(budget.budget_id,), adjustment_nano_usd=amount)
    ledger.insert(connection, [row], now_us)
    given = Given(connection.last_insert_rowid(), budget.budget_id, amount, gift.reason, now_us, once.principal)
    office.keep(connection, once, adjustment_of(given).SerializeToString(), now_us)
    return given, spending.balance_of(connection, budget, now_us), spending.reached(connection, [budget], now_us)


class _Settle:
    """The job of settling."""

    def __init__(self, hold_id: str, entries: Sequence[Entry], now_us: Callable[[], int], ended: Callable[["_Settle"], object]) -> None:
        self.hold_id = hold_id
        self.entries = entries
        self.reached: Sequence[Reached] = ()
        self.fault: Exception | None = None
        self._now_us = now_us
        self._ended = ended

    def run(self, connection: apsw.Connection) -> None:
        """See Job."""
        self.reached = spending.settle(connection, self.hold_id, self.entries, self._now_us())

    def done(self) -> None:
        """See Job."""
        with suppress(RuntimeError):  # of an event loop that is closed: at the very end nobody is told
            self._ended(self)

    def failed(self, error: Exception) -> None:
        """See Job. The hold stays until its owner is dead, and is counted as spent then."""
        self.fault = error
        self.done()


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
