"""Ledger: rows of what attempts took, on their way to the server."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from psycopg import AsyncConnection

from promptwire_server.core.ledger import Entry
from promptwire_server.stores.postgres.database import Database
from promptwire_server.stores.postgres.insertion import insert
from promptwire_server.stores.postgres.moment import now_us

_CAPACITY: Final = 16_384  # rows that wait: some seconds of a busy process, about 20 MB at worst

Lost = Callable[[int, str], None]  # rows, and why; must not raise


class Ledger:
    """Takes rows and has them written in groups. A full queue drops the newest: neither blocks nor fails a call, and is told."""

    def __init__(self, database: Database, lost: Lost, capacity: int = _CAPACITY) -> None:
        self._database = database
        self._lost = lost
        self._capacity = capacity
        self._waiting = 0

    def append(self, entries: Sequence[Entry]) -> None:
        """Take rows. Never waits, never raises."""
        if self._waiting + len(entries) > self._capacity:
            self._lost(len(entries), "too many wait: the server is too slow or away")
            return
        self._waiting += len(entries)
        self._database.post(_Rows(self, entries))

    def written(self, count: int) -> None:
        """So many are on the server."""
        self._waiting -= count

    def refused(self, entries: Sequence[Entry], error: Exception) -> None:
        """One of these cannot be written. They are tried one by one."""
        self._waiting -= len(entries)
        if len(entries) == 1:
            self._lost(1, f"the server cannot hold it ({type(error).__name__})")
            return
        for entry in entries:
            self.append([entry])


class _Rows:
    """The job of writing some rows."""

    budgets: Collection[str] = ()

    def __init__(self, ledger: Ledger, entries: Sequence[Entry]) -> None:
        self._ledger = ledger
        self._entries = entries

    async def run(self, connection: AsyncConnection) -> None:
        """See Job."""
        await insert(connection, self._entries, await now_us(connection))

    def done(self) -> None:
        """See Job."""
        self._ledger.written(len(self._entries))

    def failed(self, error: Exception) -> None:
        """See Job."""
        self._ledger.refused(self._entries, error)
