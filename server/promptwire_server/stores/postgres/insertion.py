"""Insertion: rows of the ledger, written."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar, cast

from psycopg import AsyncConnection

from promptwire_server.core.ledger import Entry
from promptwire_server.stores.columns import COLUMNS, values_of

_INSERT: Final = (
    f"INSERT INTO promptwire.ledger (written_us, {', '.join(COLUMNS)}) "  # noqa: S608 - names of our own
    f"VALUES (%s, {', '.join(['%s'] * len(COLUMNS))})"
)

T = TypeVar("T")


async def insert(connection: AsyncConnection, entries: Sequence[Entry], now_us: int) -> None:
    """Write rows."""
    if not entries:
        return
    rows = [[clean(value) for value in values_of(_legible(entry), now_us)] for entry in entries]
    async with connection.cursor() as cursor:
        await cursor.executemany(_INSERT.encode(), rows)


def clean(value: T) -> T:
    """As PostgreSQL takes it: its text has no NUL, and callers name their models as they like."""
    return cast("T", value.replace("\0", "\ufffd")) if isinstance(value, str) else value


def _legible(entry: Entry) -> Entry:
    """With maps that it can read as JSON, in which a NUL is escaped."""
    if not entry.labels and not entry.units:
        return entry
    return entry._replace(labels=_clean_map(entry.labels), units=_clean_map(entry.units))


def _clean_map(texts: Mapping[str, T]) -> dict[str, T]:
    return {clean(key): clean(value) for key, value in texts.items()}
