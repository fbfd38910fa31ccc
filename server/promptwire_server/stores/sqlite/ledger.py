"""Ledger: rows of what attempts took, on their way to the file."""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

import apsw

from promptwire_server.core.ledger import Entry
from promptwire_server.stores.columns import COLUMNS, values_of
from promptwire_server.stores.sqlite.database import Database

_CAPACITY = 16_384  # rows that wait: some seconds of a busy process, about 20 MB at worst
_AT_ONCE = 512  # rows of one job, so that other processes get their turn
# Rows by one statement: each statement gives up the interpreter's lock and takes it back, which costs the event loop more than the row.
_BLOCK = 32

_INSERT = f"INSERT INTO ledger (written_us, {', '.join(COLUMNS)}) VALUES "  # noqa: S608 - names of our own
_ROW = f"(?, {', '.join('?' * len(COLUMNS))})"

Lost = Callable[[int, str], None]  # rows, and why; from any thread; must not raise


class Ledger:
    """Takes rows and has them written in groups. A full queue drops the newest: neither blocks nor fails a call, and is told."""

    def __init__(self, database: Database, now_us: Callable[[], int], lost: Lost, capacity: int = _CAPACITY) -> None:
        self._database = database
        self._now_us = now_us
        self._lost = lost
        self._capacity = capacity
        self._waiting: deque[Entry] = deque()
        self._posted = False

    def append(self, entries: Sequence[Entry]) -> None:
        """Take rows. Never waits, never raises."""
        if len(self._waiting) + len(entries) > self._capacity:
            self._lost(len(entries), "too many wait: the disk is too slow or broken")
            return
        self._waiting.extend(entries)
        if not self._posted:
            self._posted = True
            self._database.post(_Rows(self))

    def write(self, connection: apsw.Connection, limit: int = _AT_ONCE) -> int:
        """Write what waits, up to a number; how many. They stay until `written`: the commit is yet to come."""
        rows = list(islice(self._waiting, limit))
        insert(connection, rows, self._now_us())
        return len(rows)

    def written(self, count: int) -> None:
        """So many are on disk."""
        for _ in range(count):
            self._waiting.popleft()
        self._posted = False  # before looking: what comes later sees it, and at worst there are two jobs
        if self._waiting:
            self._posted = True
            self._database.post(_Rows(self))

    def refused(self, error: Exception) -> None:
        """One of those at the front cannot be written. They are tried one by one."""
        if isinstance(error, _OneByOne):
            self._waiting.popleft()
            self._lost(1, f"the file cannot hold it ({type(error.__cause__).__name__})")
        self._database.post(_Rows(self, limit=1))


class _OneByOne(Exception):
    """A row cannot be written."""


class _Rows:
    """The job of writing what waits."""

    def __init__(self, ledger: Ledger, limit: int = _AT_ONCE) -> None:
        self._ledger = ledger
        self._limit = limit
        self._count = 0

    def run(self, connection: apsw.Connection) -> None:
        """See Job."""
        try:
            self._count = self._ledger.write(connection, self._limit)
        except (ValueError, TypeError, OverflowError, apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError) as error:
            if self._limit > 1:
                raise
            raise _OneByOne from error

    def done(self) -> None:
        """See Job."""
        self._ledger.written(self._count)

    def failed(self, error: Exception) -> None:
        """See Job."""
        self._ledger.refused(error)


def insert(connection: apsw.Connection, entries: Sequence[Entry], now_us: int) -> None:
    """Write rows."""
    whole = len(entries) - len(entries) % _BLOCK
    for start in range(0, whole, _BLOCK):
        block = entries[start : start + _BLOCK]
        connection.execute(_INSERT + ", ".join([_ROW] * _BLOCK), [value for entry in block for value in values_of(entry, now_us)])
    connection.executemany(_INSERT + _ROW, [values_of(entry, now_us) for entry in entries[whole:]])
