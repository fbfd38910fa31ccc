"""Books in PostgreSQL. Apart from the others, since its driver is an extra."""

from dataclasses import dataclass
from typing import Any

import psycopg

from promptwire_server.core.budget import Budget
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.secret import Secret
from promptwire_server.stores.postgres.database import Database
from promptwire_server.stores.postgres.purse import Purse
from promptwire_server.stores.postgres.settings import PostgresSettings


@dataclass(frozen=True)
class Base:
    """A database of its own."""

    url: str

    async def put(self, budget: Budget) -> None:
        """See Book."""
        database = Database(PostgresSettings(Secret(self.url), timeout_s=10.0), SystemClock())
        database.start()
        await Purse(database, "the test").put(budget)
        await database.close()

    def config(self) -> dict[str, Any]:
        """See Book."""
        return {"stores": {"budgets": "postgres", "postgres": {"url": self.url, "timeout": "5s"}}}

    def read(self, statement: str) -> list[tuple[Any, ...]]:
        """See Book."""
        with psycopg.connect(self.url, options="-c search_path=promptwire") as connection:
            return connection.execute(statement.encode()).fetchall()
