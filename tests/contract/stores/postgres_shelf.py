"""A ledger on PostgreSQL, to be read. Apart from others, since its driver is an extra."""

from collections.abc import Callable, Sequence

from psycopg import AsyncConnection

from promptwire_server.core.clock import SystemClock
from promptwire_server.core.ledger import Entry
from promptwire_server.core.secret import Secret
from promptwire_server.stores.postgres.database import Database
from promptwire_server.stores.postgres.insertion import insert
from promptwire_server.stores.postgres.settings import PostgresSettings
from promptwire_server.stores.postgres.usage import Usage

_WRITTEN_US = 1_700_000_000_000_000


class PostgresShelf:
    """A database of its own."""

    def __init__(self, url: str) -> None:
        self._settings = PostgresSettings(Secret(url), timeout_s=10.0)
        self._database = Database(self._settings, SystemClock())
        self._database.start()

    def usage(self, settle: Callable[[], None] = lambda: None) -> Usage:
        """It, to be read."""
        return Usage(self._settings, self._database, settle)

    async def write(self, entries: Sequence[Entry]) -> None:
        """Add rows."""

        async def insertion(connection: AsyncConnection) -> None:
            await insert(connection, entries, _WRITTEN_US)

        await self._database.decide(insertion)

    async def close(self) -> None:
        """No more of it."""
        await self._database.close(30)
