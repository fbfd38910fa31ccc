"""Purses on PostgreSQL. Apart from the others, since its driver is an extra."""

from psycopg import AsyncConnection

from promptwire_server.core.clock import SystemClock
from promptwire_server.core.secret import Secret
from promptwire_server.stores.postgres.database import Database
from promptwire_server.stores.postgres.purse import Purse
from promptwire_server.stores.postgres.settings import PostgresSettings
from tests.contract.stores.purses import MICRO, Bench, Row


class PostgresBench(Bench):
    """A database of its own. Its clock is the server's, so that all that is kept becomes older where time is to pass."""

    def __init__(self, url: str) -> None:
        self.settings = PostgresSettings(Secret(url), timeout_s=10.0)
        self.databases: list[Database] = []
        super().__init__()

    def another(self) -> Purse:
        """See Bench."""
        database = Database(self.settings, SystemClock())
        database.start()
        self.databases.append(database)
        return Purse(database, f"p{next(self.numbers)}", self.reached.extend)

    async def advance(self, seconds: int) -> None:
        """See Bench."""

        async def age(connection: AsyncConnection) -> None:
            for table, column in (("spending", "bucket_us"), ("alerts", "bucket_us"), ("owners", "alive_us"), ("holds", "made_us")):
                changed = f"UPDATE promptwire.{table} SET {column} = {column} - %s WHERE {column} > 0"  # noqa: S608 - names of our own
                await connection.execute(changed.encode(), (seconds * MICRO,))

        for database in self.databases:  # behind what each process has settled
            await database.decide(_nothing)
        await self.databases[0].decide(age)

    async def rows(self) -> list[Row]:
        """See Bench."""

        async def look(connection: AsyncConnection) -> list[Row]:
            cursor = await connection.execute("SELECT kind, hold_id, total_nano_usd FROM promptwire.ledger ORDER BY entry")
            return await cursor.fetchall()

        return await self.databases[0].decide(look)

    async def aclose(self) -> None:
        """See Bench."""
        for database in self.databases:
            assert await database.close(30) == 0


async def _nothing(_: AsyncConnection) -> None:
    """What is waited for behind all that was given before."""
