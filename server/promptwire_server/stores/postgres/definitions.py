"""Definitions: budgets as they are kept on the server."""

from collections.abc import Collection
from functools import lru_cache
from typing import Final, cast

from psycopg import AsyncConnection

from promptwire.admin.v1 import budget_service_pb2 as pb
from promptwire_server.core.budget import Budget
from promptwire_server.core.budget_message import budget_of, message_of

OFFICE: Final = ""  # in place of a budget: nobody else makes, changes or deletes one meanwhile
_OFFICE_LOCK: Final = 0x70776F6666


async def put(connection: AsyncConnection, budget: Budget) -> None:
    """Keep a budget, in place of the one of the same identifier."""
    await connection.execute(
        "INSERT INTO promptwire.budgets VALUES (%s, %s) ON CONFLICT (budget_id) DO UPDATE SET definition = excluded.definition",
        (budget.budget_id, written(budget)),
    )


async def delete(connection: AsyncConnection, budget_id: str) -> None:
    """Forget a budget and what was spent of it."""
    await connection.execute("DELETE FROM promptwire.budgets WHERE budget_id = %s", (budget_id,))
    await connection.execute("DELETE FROM promptwire.spending WHERE budget_id = %s", (budget_id,))
    await connection.execute("DELETE FROM promptwire.held WHERE budget_id = %s", (budget_id,))
    await connection.execute("DELETE FROM promptwire.alerts WHERE budget_id = %s", (budget_id,))


async def lock(connection: AsyncConnection, budget_ids: Collection[str]) -> list[Budget]:
    """Budgets that are still there, in their order, locked in it to the end of the transaction: so nobody waits for each other.

    OFFICE among them comes first: what is not there yet cannot be locked by itself.
    """
    if OFFICE in budget_ids:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_OFFICE_LOCK,))
    if not budget_ids:
        return []
    statement = "SELECT definition FROM promptwire.budgets WHERE budget_id = ANY(%s) ORDER BY budget_id FOR UPDATE"
    found = await (await connection.execute(statement, (sorted(budget_ids),))).fetchall()
    return [read(cast("bytes", definition)) for (definition,) in found]


async def every(connection: AsyncConnection) -> dict[str, Budget]:
    """All of them, by identifier."""
    found = await (await connection.execute("SELECT definition FROM promptwire.budgets ORDER BY budget_id")).fetchall()
    budgets = [read(cast("bytes", definition)) for (definition,) in found]
    return {budget.budget_id: budget for budget in budgets}


def written(budget: Budget) -> bytes:
    """A budget as it is kept."""
    return message_of(budget).SerializeToString(deterministic=True)


@lru_cache(maxsize=4096)
def read(definition: bytes) -> Budget:
    """A budget that was kept."""
    return budget_of(pb.Budget.FromString(definition))
