"""Usage: the ledger read and added up, by connections of its own: whoever writes does not wait for whoever reads."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar, cast

import apsw

from promptwire_server.core.ledger import Entry
from promptwire_server.core.store import StoreDown
from promptwire_server.core.sums import Question, Selection, Summed
from promptwire_server.stores.columns import COLUMNS, Value, entry_of
from promptwire_server.stores.sqlite import adding
from promptwire_server.stores.sqlite.database import Database

_AT_ONCE: Final = 2  # readers of a process; more wait: each keeps a processor busy
_BUSY_MS: Final = 5_000
_LOOK_STEPS: Final = 1_000_000  # of SQLite's machine, some 20 ms: how soon a look ends that nobody waits for

T = TypeVar("T")
Read = Callable[[apsw.Connection], T]


class Usage:
    """The ledger of one file."""

    def __init__(self, file: Path, database: Database, settle: Callable[[], None]) -> None:
        """`settle` hands over what has ended and waits in this process."""
        self._file = file
        self._database = database
        self._settle = settle
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def newest(self) -> int:
        """The number of the newest row, once everything that has ended in this process is written; 0: there is none. Raises StoreDown."""
        self._settle()
        return await self._database.decide(_newest)

    async def added_up(self, question: Question) -> Summed:
        """Rows added up. Raises StoreDown. Cancelled, it stops."""
        return await self._read(lambda connection: adding.answer(connection, question))

    async def entries(self, selection: Selection, after: int, limit: int) -> Sequence[tuple[int, Entry]]:
        """Rows with their numbers, in the order in which they were written. Raises StoreDown. Cancelled, it stops."""
        return await self._read(lambda connection: _entries(connection, selection, after, limit))

    async def _read(self, read: Read[T]) -> T:
        reader = _Reader(self._file)
        async with self._turns:
            try:
                return await asyncio.to_thread(reader.run, read)
            except apsw.Error as error:
                raise StoreDown(f"cannot read {self._file}: {error}") from error
            finally:
                reader.stop()


class _Reader:
    """A connection for one look, in a thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stopped = False

    def run(self, read: Read[T]) -> T:
        """What it reads, in one snapshot."""
        connection = apsw.Connection(str(self._file), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(_BUSY_MS)
            # Rather than `interrupt`, which is lost on a statement that begins just then.
            connection.set_progress_handler(lambda: self._stopped, _LOOK_STEPS)
            connection.execute("PRAGMA temp_store = MEMORY; BEGIN")
            return read(connection)
        finally:
            connection.close(True)  # noqa: FBT003 - apsw's signature: never raise

    def stop(self) -> None:
        """Nobody waits any more."""
        self._stopped = True


def _newest(connection: apsw.Connection) -> int:
    (newest,) = connection.execute("SELECT COALESCE(MAX(entry), 0) FROM ledger").fetchall()[0]
    return cast("int", newest)


def _entries(connection: apsw.Connection, selection: Selection, after: int, limit: int) -> Sequence[tuple[int, Entry]]:
    where, values = adding.where(selection)
    # Rows are nearly in the order of their time: where the oldest stands that counts, an index tells, instead of all before it.
    first = "SELECT COALESCE(MIN(entry), 0) FROM ledger INDEXED BY ledger_by_time WHERE at_us >= ? AND at_us < ?"
    (least,) = cast("tuple[int]", connection.execute(first, (selection.start_us, selection.end_us)).fetchall()[0]) if not after else (0,)
    select = f"SELECT entry, {', '.join(COLUMNS)} FROM ledger NOT INDEXED WHERE entry >= ? AND {where} ORDER BY entry LIMIT ?"  # noqa: S608 - names of our own
    rows = connection.execute(select, (max(after + 1, least), *values, limit))
    return [(cast("int", number), entry_of(cast("Sequence[Value]", row))) for number, *row in rows]
