"""The layer that pays, on a real purse in memory or on none."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from promptwire_server.core.budget import Budget, Spender
from promptwire_server.core.clock import Chance, Clock, SystemClock
from promptwire_server.core.handler import Handler
from promptwire_server.core.ids import Ids
from promptwire_server.core.ledger import Entry
from promptwire_server.core.purse import Ask, Denial, Hold
from promptwire_server.core.store import StoreDown
from promptwire_server.layers.book import Book
from promptwire_server.layers.payment import Cashier, PaymentSettings, Purse
from promptwire_server.layers.recorder import Recorder
from promptwire_server.layers.spend import Spend
from promptwire_server.layers.waiters import Waiters
from promptwire_server.stores.sqlite import purse as sqlite
from promptwire_server.stores.sqlite.database import Database

QUICK = PaymentSettings(patience_s=5.0)


class NoBudgets:
    """A purse without budgets."""

    empty = True

    def counting(self, _: Spender) -> Sequence[Budget]:
        return ()

    async def hold(self, ask: Ask) -> Hold | Denial:
        raise StoreDown(f"there is none for {ask.hold_id}")

    def settle(self, hold_id: str, entries: Sequence[Entry]) -> None:
        raise AssertionError((hold_id, entries))

    def spend(self, entries: Sequence[Entry]) -> None:
        raise AssertionError(entries)


class Till:
    """Rows that were written without a budget, and what pays."""

    def __init__(self, clock: Clock, purse: Purse | None = None, waiters: Waiters | None = None) -> None:
        self.clock = clock
        self.rows: list[Entry] = []
        self.ids = Ids(clock, Chance(Random(7)))
        self.recorder = Recorder(self)
        self.cashier = Cashier(purse or NoBudgets(), waiters or Waiters(), QUICK, clock)

    def append(self, entries: Sequence[Entry]) -> None:
        self.rows.extend(entries)

    def before(self, inner: Handler, book: Book) -> Spend:
        """The layer."""
        return Spend(inner, book=book, cashier=self.cashier, recorder=self.recorder, ids=self.ids, clock=self.clock)


class Bank(Till):
    """What pays, with budgets in memory."""

    def __init__(self, clock: SystemClock, database: Database) -> None:
        waiters = Waiters()
        self.database = database
        self.purse = sqlite.Purse(database, "p1", lambda: int(clock.time() * 1e6), settled=waiters.call)
        super().__init__(clock, self.purse, waiters)

    async def kept(self) -> list[tuple[object, ...]]:
        """Kind, provider, tokens, cost and budgets of all rows, in their order."""
        statement = "SELECT kind, provider, input_tokens, output_tokens, total_nano_usd, budgets FROM ledger ORDER BY entry"
        return await self.database.decide(lambda connection: list(connection.execute(statement).fetchall()))


@asynccontextmanager
async def bank() -> AsyncIterator[Bank]:
    """A bank that is closed at the end, by which all is written."""
    clock = SystemClock()
    database = Database(None, clock=clock, report=print)
    database.start()
    try:
        yield Bank(clock, database)
    finally:
        database.close(30)
