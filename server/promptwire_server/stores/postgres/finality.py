"""Finality: up to which row the ledger is complete. Numbers are given before they are committed, by many replicas at once."""

import asyncio
from collections.abc import Collection
from typing import Final, cast

from psycopg import AsyncConnection

from promptwire_server.core.store import StoreDown
from promptwire_server.stores.postgres.settings import NAME

_LOOK_S: Final = 0.005  # between looks at those who write: a transaction takes a few milliseconds
_LONGEST_S: Final = 10.0  # a replica that stands still amid a transaction is cut off by the server in half of this
_LAST: Final = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM promptwire.ledger_entry_seq"
# The server lets go of a transaction's locks after everybody can see its rows.
_WRITERS: Final = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND relation = 'promptwire.ledger'::regclass
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def complete(connection: AsyncConnection) -> int:
    """No row of this number or a lower one will be written any more; 0: there is none. Not within a transaction. Raises StoreDown."""
    found = await (await connection.execute(_LAST)).fetchone()
    last = cast("int", found[0]) if found else 0
    writers = await _writers(connection)
    try:
        async with asyncio.timeout(_LONGEST_S):
            while writers:  # who came later has higher numbers
                await asyncio.sleep(_LOOK_S)
                writers &= await _writers(connection)
    except TimeoutError:
        raise StoreDown(f"{NAME}: a transaction writes the ledger for more than {_LONGEST_S:g} s") from None
    return last


async def _writers(connection: AsyncConnection) -> set[str]:
    found: Collection[tuple[str]] = await (await connection.execute(_WRITERS)).fetchall()
    return {transaction for (transaction,) in found}
