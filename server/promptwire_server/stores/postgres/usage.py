"""Usage: the ledger of all replicas read and added up, by connections of its own: whoever writes does not wait for whoever reads."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar, cast

import psycopg
from psycopg import AsyncConnection

from promptwire_server.core.ledger import Entry
from promptwire_server.core.store import StoreDown
from promptwire_server.core.sums import Question, Selection, Summed
from promptwire_server.stores.columns import COLUMNS, Value, entry_of
from promptwire_server.stores.postgres import adding
from promptwire_server.stores.postgres.connection import connected, said
from promptwire_server.stores.postgres.database import Database
from promptwire_server.stores.postgres.finality import complete
from promptwire_server.stores.postgres.settings import NAME, PostgresSettings

_AT_ONCE: Final = 2  # readers of a process; more wait: each keeps a processor of the server busy
_SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

T = TypeVar("T")
Read = Callable[[AsyncConnection], Awaitable[T]]


class Usage:
    """The ledger of one server."""

    def __init__(self, settings: PostgresSettings, database: Database, settle: Callable[[], None]) -> None:
        """`settle` hands over what has ended and waits in this process."""
        self._settings = settings
        self._database = database
        self._settle = settle
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def newest(self) -> int:
        """Up to which number the ledger is complete, once all that has ended in this process is written; 0: empty. Raises StoreDown."""
        self._settle()
        await self._database.decide(_nothing)
        return await self._read(complete)

    async def added_up(self, question: Question) -> Summed:
        """Rows added up. Raises StoreDown. Cancelled, it stops."""

        async def read(connection: AsyncConnection) -> Summed:
            await connection.execute(_SNAPSHOT)
            return await adding.answer(connection, question)

        return await self._read(read)

    async def entries(self, selection: Selection, after: int, limit: int) -> Sequence[tuple[int, Entry]]:
        """Rows with their numbers, as far as the ledger is complete: who goes on behind them misses none. Raises StoreDown."""

        async def read(connection: AsyncConnection) -> Sequence[tuple[int, Entry]]:
            until = await complete(connection)
            await connection.execute(_SNAPSHOT)
            return await _entries(connection, selection, (after, until), limit)

        return await self._read(read)

    async def _read(self, read: Read[T]) -> T:
        async with self._turns:
            try:
                connection = await connected(self._settings)
                try:
                    return await read(connection)
                finally:
                    connection.pgconn.finish()
            except (psycopg.Error, OSError) as error:
                raise StoreDown(f"{NAME}: cannot read the ledger: {said(error)}") from error


async def _entries(connection: AsyncConnection, selection: Selection, span: tuple[int, int], limit: int) -> Sequence[tuple[int, Entry]]:
    after, until = span
    where, values = adding.where(selection)
    least = 0 if after else await _oldest(connection, selection)
    select = (
        f"SELECT entry, {', '.join(COLUMNS)} FROM promptwire.ledger"  # noqa: S608 - names of our own
        f" WHERE entry >= %s AND entry <= %s AND {where} ORDER BY entry LIMIT %s"
    )
    found = await connection.execute(select.encode(), (max(after + 1, least), until, *values, limit))
    return [(cast("int", number), entry_of(cast("Sequence[Value]", row))) for number, *row in await found.fetchall()]


async def _oldest(connection: AsyncConnection, selection: Selection) -> int:
    """Where the first row of that time stands, before which nobody need look; 0: there is none."""
    # OFFSET keeps the planner from looking for it row by row, in the order of numbers.
    statement = (
        "SELECT COALESCE(MIN(entry), 0)::bigint FROM "
        "(SELECT entry FROM promptwire.ledger WHERE at_us >= %s AND at_us < %s OFFSET 0) AS wanted"
    )
    found = await (await connection.execute(statement, (selection.start_us, selection.end_us))).fetchone()
    return cast("int", found[0]) if found else 0


async def _nothing(_: AsyncConnection) -> None:
    """What is waited for behind all that was given before."""
