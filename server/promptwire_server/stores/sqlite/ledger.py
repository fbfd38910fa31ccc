"""Ledger: rows of what attempts took, on their way to the file."""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import cast

import apsw

from promptwire_server.core.ledger import Amounts, Entry, Tokens
from promptwire_server.stores.sqlite.database import Database

_CAPACITY = 16_384  # rows that wait: some seconds of a busy process, about 20 MB at worst
_AT_ONCE = 512  # rows of one job, so that other processes get their turn
# Rows by one statement: each statement gives up the interpreter's lock and takes it back, which costs the event loop more than the row.
_BLOCK = 32

COLUMNS = (
    "tenant", "kind", "at_us", "principal", "api_key_id", "provider", "model", "model_asked", "rpc", "request_id", "attempt", "run_id",
    "chain", "chain_version", "step_id", "step_path", "batch_id", "served_from", "failure",
    "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "reasoning_tokens",
    "input_audio_tokens", "output_audio_tokens", "input_image_tokens", "output_image_tokens", "estimated", "units",
    "total_nano_usd", "input_nano_usd", "cached_input_nano_usd", "cache_write_nano_usd", "output_nano_usd", "other_nano_usd",
    "saved_nano_usd", "price_source", "latency_us", "labels", "budgets", "corrects", "adjustment_nano_usd", "provider_request_id",
    "trace_id", "hold_id",
)  # fmt: skip
_INSERT = f"INSERT INTO ledger (written_us, {', '.join(COLUMNS)}) VALUES "  # noqa: S608 - names of our own
_ROW = f"(?, {', '.join('?' * len(COLUMNS))})"

_FAILURE = Entry._fields.index("failure") + 1  # before it, and behind the budgets, fields and columns are the same
_BUDGETS = Entry._fields.index("budgets") + 1

Value = str | int | bytes | None
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


def values_of(entry: Entry, now_us: int) -> tuple[Value, ...]:
    """The row, as the columns want it."""
    plain = cast("tuple[Value, ...]", entry)  # where the fields are those of the table
    return (
        now_us,
        *plain[:_FAILURE],
        *entry.tokens,
        entry.estimated,
        _json(entry.units),
        *entry.amounts,
        entry.price_source,
        entry.latency_us,
        _json(entry.labels),
        _list(entry.budgets),
        *plain[_BUDGETS:],
    )


def entry_of(values: Sequence[Value]) -> Entry:
    """The row that stands in the columns: `values_of` the other way round, without when it was written."""
    fields = list(values)
    tokens = Tokens(*cast("Sequence[int]", fields[_FAILURE : _FAILURE + len(Tokens._fields)]))
    estimated, units, *rest = fields[_FAILURE + len(tokens) :]
    amounts = Amounts(*cast("Sequence[int | None]", rest[: len(Amounts._fields)]))
    source, latency, labels, budgets, *others = rest[len(amounts) :]
    return Entry._make(
        [
            *fields[:_FAILURE], tokens, bool(estimated), json.loads(cast("str", units)), amounts, source, latency,
            json.loads(cast("str", labels)), tuple(json.loads(cast("str", budgets))), *others,
        ]
    )  # fmt: skip


def _json(value: Mapping[str, str] | Mapping[str, int]) -> str:
    # The default options, for which the encoder is made already: others would take half the time of a row.
    return json.dumps(dict(value)) if value else "{}"


def _list(value: Sequence[str]) -> str:
    return json.dumps(value) if value else "[]"
