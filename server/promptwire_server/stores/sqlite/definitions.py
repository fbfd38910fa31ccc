"""Definitions: budgets as they are kept in the file."""

from functools import lru_cache

import apsw

from promptwire.admin.v1 import budget_service_pb2 as pb
from promptwire_server.core.budget import Budget
from promptwire_server.core.budget_message import budget_of, message_of


def put(connection: apsw.Connection, budget: Budget) -> None:
    """Keep a budget, in place of the one of the same identifier."""
    connection.execute(
        "INSERT INTO budgets VALUES (?, ?) ON CONFLICT DO UPDATE SET definition = excluded.definition", (budget.budget_id, written(budget))
    )


def delete(connection: apsw.Connection, budget_id: str) -> None:
    """Forget a budget and what was spent of it."""
    for table in ("budgets", "spending", "held", "alerts"):
        connection.execute(f"DELETE FROM {table} WHERE budget_id = ?", (budget_id,))  # noqa: S608 - names of our own


def find(connection: apsw.Connection, budget_id: str) -> Budget | None:
    """A budget; None when it is gone."""
    found = connection.execute("SELECT definition FROM budgets WHERE budget_id = ?", (budget_id,)).fetchone()
    return None if found is None else read(found[0])


def every(connection: apsw.Connection) -> dict[str, Budget]:
    """All of them, by identifier."""
    return {budget_id: read(definition) for budget_id, definition in connection.execute("SELECT * FROM budgets ORDER BY budget_id")}


def written(budget: Budget) -> bytes:
    """The budget as it is kept."""
    return message_of(budget).SerializeToString(deterministic=True)


@lru_cache(maxsize=4096)
def read(definition: bytes) -> Budget:
    """The budget that `written` has put down."""
    return budget_of(pb.Budget.FromString(definition))
