"""Insertion: rows of the ledger, written."""

from collections.abc import Sequence
from typing import Final

from psycopg import AsyncConnection

from promptwire_server.core.ledger import Entry
from promptwire_server.stores.columns import COLUMNS, Value, values_of

_INSERT: Final = (
    f"INSERT INTO promptwire.ledger (written_us, {', '.join(COLUMNS)}) "  # noqa: S608 - names of our own
    f"VALUES (%s, {', '.join(['%s'] * len(COLUMNS))})"
)


async def insert(connection: AsyncConnection, entries: Sequence[Entry], now_us: int) -> None:
    """Write rows."""
    if not entries:
        return
    rows = [[_clean(value) for value in values_of(entry, now_us)] for entry in entries]
    async with connection.cursor() as cursor:
        await cursor.executemany(_INSERT.encode(), rows)


def _clean(value: Value) -> Value:
    """As PostgreSQL takes it: its text has no NUL, and callers name their models as they like."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
