"""Office: what operators ask for, each once by a request_id of theirs: budgets made, changed, deleted, given more. In a transaction."""

from collections.abc import Sequence
from typing import Final, cast

from psycopg import AsyncConnection

from promptwire_server.core.budget import MOST_NANO_USD, Balance, Budget
from promptwire_server.core.budget_message import adjustment_of, given_of
from promptwire_server.core.ledger import ADJUSTMENT
from promptwire_server.core.purse import Change, Conflict, Gift, Given, Once, Reached, Reused, TooMuch
from promptwire_server.stores.postgres import definitions, spending
from promptwire_server.stores.postgres.insertion import insert
from promptwire_server.stores.postgres.moment import now_us

_MOST_ADJUSTED: Final = 10 * MOST_NANO_USD  # all adjustments of a window together


async def change(connection: AsyncConnection, wish: Change, once: Once) -> Budget | None:
    """Make, change or delete a budget, and what it is then. Raises Conflict and Reused."""
    found = await _alone(connection, wish.budget_id)
    answer = await _answer_of(connection, once)
    if answer is not None:
        return definitions.read(answer) if answer else None
    if (found[0].etag if found else None) != wish.before:
        raise Conflict
    if wish.after is None or wish.reset:
        await definitions.delete(connection, wish.budget_id)
    if wish.after is not None:
        await definitions.put(connection, wish.after)
    await _keep(connection, once, b"" if wish.after is None else definitions.written(wish.after))
    return wish.after


async def give(connection: AsyncConnection, budget: Budget, gift: Gift, once: Once) -> tuple[Given, Balance, Sequence[Reached]]:
    """Give a budget more, or less, with a row of it. Raises Conflict, Reused and TooMuch."""
    found = await _alone(connection, budget.budget_id)
    now = await now_us(connection)
    answer = await _answer_of(connection, once)
    if answer is not None:
        return given_of(answer), await spending.balance_of(connection, budget, now), ()
    if not found:
        raise Conflict
    amount = gift.amount_nano_usd
    if abs((await spending.balance_of(connection, budget, now)).adjusted_nano_usd + amount) > _MOST_ADJUSTED:
        raise TooMuch
    await spending.add(connection, budget, now, adjusted=amount)
    row = gift.entry._replace(kind=ADJUSTMENT, at_us=now, budgets=(budget.budget_id,), adjustment_nano_usd=amount)
    await insert(connection, [row], now)
    given = Given(await _last_row(connection), budget.budget_id, amount, gift.reason, now, once.principal)
    await _keep(connection, once, adjustment_of(given).SerializeToString())
    return given, await spending.balance_of(connection, budget, now), await spending.reached(connection, [budget], now)


async def _alone(connection: AsyncConnection, budget_id: str) -> Sequence[Budget]:
    """The budget, if it is there, while nobody else changes any."""
    return await definitions.lock(connection, [definitions.OFFICE, budget_id])


async def _answer_of(connection: AsyncConnection, once: Once) -> bytes | None:
    """What came of the request; None when it was not made before. Raises Reused when its body was another."""
    if not once.request_id:
        return None
    kept = "SELECT digest, answer FROM promptwire.office WHERE account = %s AND request_id = %s"
    found = await (await connection.execute(kept, (once.account, once.request_id))).fetchone()
    if found is None:
        return None
    digest, answer = found
    if digest != once.digest:
        raise Reused
    return cast("bytes", answer)


async def _keep(connection: AsyncConnection, once: Once, answer: bytes) -> None:
    """Write down what came of a request."""
    if once.request_id:
        row = (once.account, once.request_id, once.digest, await now_us(connection), answer)
        await connection.execute("INSERT INTO promptwire.office VALUES (%s, %s, %s, %s, %s)", row)


async def _last_row(connection: AsyncConnection) -> int:
    found = await (await connection.execute("SELECT lastval()")).fetchone()
    return cast("int", found[0]) if found else 0
