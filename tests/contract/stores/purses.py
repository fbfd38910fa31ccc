"""Purses on each store, as of processes of their own, for the tests of what they all promise."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from promptwire_server.core.budget import Balance, Budget, Lifetime, Scope, Spender
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.ledger import Amounts, Entry
from promptwire_server.core.purse import Ask, Change, Denial, Gift, Given, Hold, Once, Reached
from promptwire_server.stores.sqlite.database import Database
from promptwire_server.stores.sqlite.purse import Purse as SqlitePurse

MICRO = 1_000_000
WHOLE = Budget("whole", Scope(), Lifetime(), 1000)
NOW_S = 1_700_000_000  # 2023-11-14 22:13:20 UTC
Row = tuple[object, ...]


class Purse(Protocol):
    """What every store's purse can do."""

    def counting(self, spender: Spender) -> Sequence[Budget]: ...
    async def hold(self, ask: Ask) -> Hold | Denial: ...
    def settle(self, hold_id: str, entries: Sequence[Entry]) -> None: ...
    def spend(self, entries: Sequence[Entry]) -> None: ...
    async def put(self, budget: Budget) -> None: ...
    async def delete(self, budget_id: str) -> None: ...
    async def adjust(self, budget: Budget, gift: Gift, once: Once) -> tuple[Given, Balance]: ...
    async def every(self) -> Sequence[Budget]: ...
    async def change(self, change: Change, once: Once) -> Budget | None: ...
    async def balances(self, budgets: Sequence[Budget]) -> Sequence[Balance]: ...
    async def balance(self, budget: Budget) -> Balance: ...
    async def tick(self) -> None: ...


class Bench(ABC):
    """Purses on one store, each as of a process of its own."""

    def __init__(self) -> None:
        self.reached: list[Reached] = []
        self.numbers = iter(range(1_000_000))
        self.purse = self.another()

    def ask(self, most: int, *budgets: Budget, least: int | None = None) -> Ask:
        """A wish to spend."""
        ids = tuple(budget.budget_id for budget in budgets or (WHOLE,))
        return Ask(f"h{next(self.numbers)}", ids, most, most if least is None else least, Entry("shop", model="m"))

    def row(self, hold: str, cost: int | None, *budgets: Budget) -> list[Entry]:
        """What an attempt came to."""
        ids = tuple(budget.budget_id for budget in budgets or (WHOLE,))
        return [Entry("shop", hold_id=hold, amounts=Amounts(total=cost), budgets=ids)]

    @abstractmethod
    def another(self) -> Purse:
        """A purse of another process."""

    @abstractmethod
    async def advance(self, seconds: int) -> None:
        """Let so much time pass."""

    @abstractmethod
    async def rows(self) -> list[Row]:
        """Kind, hold and cost of all rows, in their order."""

    @abstractmethod
    async def aclose(self) -> None:
        """Write what waits."""


class SqliteBench(Bench):
    """A file, or memory, which has one process; and a clock that all share."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.now_us = NOW_S * MICRO
        self.databases: list[Database] = []
        super().__init__()

    def another(self) -> SqlitePurse:
        """See Bench; of memory, another purse on the same database."""
        if self.file is not None or not self.databases:
            database = Database(self.file, clock=SystemClock(), report=print)
            database.start()
            self.databases.append(database)
        return SqlitePurse(self.databases[-1], f"p{next(self.numbers)}", lambda: self.now_us, self.reached.extend)

    async def advance(self, seconds: int) -> None:
        """See Bench."""
        self.now_us += seconds * MICRO

    async def rows(self) -> list[Row]:
        """See Bench."""
        statement = "SELECT kind, hold_id, total_nano_usd FROM ledger ORDER BY entry"
        return await self.databases[0].decide(lambda connection: list(connection.execute(statement).fetchall()))

    async def aclose(self) -> None:
        """See Bench."""
        for database in self.databases:
            assert await asyncio.to_thread(database.close, 30) == 0
