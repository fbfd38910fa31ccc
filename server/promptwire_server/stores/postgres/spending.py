"""Spending: what is spent and held of each budget. Every function is a part of a transaction, which locks the budgets that it changes."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple, cast

from psycopg import AsyncConnection

from promptwire_server.core.budget import Balance, Budget
from promptwire_server.core.ledger import CORRECTION, Amounts, Entry, entry_of, text_of
from promptwire_server.core.purse import Ask, Denial, Hold, Reached
from promptwire_server.stores.postgres import definitions
from promptwire_server.stores.postgres.insertion import insert
from promptwire_server.stores.postgres.moment import now_us

_BALANCES: Final = """
SELECT COALESCE(SUM(spent_nano_usd), 0)::bigint, COALESCE(SUM(adjusted_nano_usd), 0)::bigint, COALESCE(SUM(unpriced), 0)::bigint,
    (SELECT COALESCE(SUM(nano_usd), 0)::bigint FROM promptwire.held WHERE budget_id = %(budget)s),
    (SELECT COALESCE(SUM(nano_usd), 0)::bigint FROM promptwire.held WHERE budget_id = %(budget)s AND hold_id = %(parent)s)
FROM promptwire.spending WHERE budget_id = %(budget)s AND bucket_us >= %(since)s
"""
_ADD: Final = """
INSERT INTO promptwire.spending AS spending VALUES (%s, %s, %s, %s, %s) ON CONFLICT (budget_id, bucket_us) DO UPDATE SET
spent_nano_usd = spending.spent_nano_usd + excluded.spent_nano_usd,
adjusted_nano_usd = spending.adjusted_nano_usd + excluded.adjusted_nano_usd, unpriced = spending.unpriced + excluded.unpriced
"""
# Of two children at once, each has its own share of the parent.
_BACK: Final = """
UPDATE promptwire.held SET nano_usd = held.nano_usd + child.back FROM (
    SELECT held.budget_id AS budget, holds.parent AS parent, GREATEST(0, held.taken_nano_usd - %s) AS back
    FROM promptwire.held JOIN promptwire.holds USING (hold_id) WHERE hold_id = %s
) AS child WHERE held.hold_id = child.parent AND held.budget_id = child.budget
"""
_TAKE: Final = "UPDATE promptwire.held SET nano_usd = nano_usd - %s WHERE hold_id = %s AND budget_id = %s"
_ORPHANS: Final = """
SELECT hold_id, nano_usd, intent, ARRAY(SELECT budget_id FROM promptwire.held WHERE held.hold_id = holds.hold_id)
FROM promptwire.holds WHERE owner NOT IN (SELECT owner FROM promptwire.owners WHERE alive_us > %s)
"""
_ALIVE: Final = "INSERT INTO promptwire.owners VALUES (%s, %s) ON CONFLICT (owner) DO UPDATE SET alive_us = excluded.alive_us"


class Orphan(NamedTuple):
    """What a dead process has left."""

    hold_id: str
    rows: Sequence[Entry]  # that it becomes
    budgets: Collection[str]  # that it is of


async def hold(connection: AsyncConnection, ask: Ask, owner: str) -> tuple[Hold | Denial, Sequence[Reached]]:
    """Set money aside in all budgets of the wish, or in none; and the thresholds that were reached by it."""
    budgets = await definitions.lock(connection, ask.budgets)
    now = await now_us(connection)
    granted, lefts = ask.most_nano_usd, {}
    for budget in budgets:
        balance, left = await _balance_and_left(connection, budget, now, ask.parent)
        lefts[budget.budget_id] = left
        free = balance.free_nano_usd + left
        if not budget.binds:
            continue
        if free < ask.least_nano_usd:
            by_holds = balance.unspent_nano_usd >= ask.least_nano_usd
            return Denial(budget.budget_id, balance.limit_nano_usd, free, by_holds, balance.reset_us), ()
        granted = min(granted, free)
    await _set_aside(connection, ask, owner, budgets, {name: min(granted, left) for name, left in lefts.items()}, granted, now)
    return Hold(ask.hold_id, granted), await reached(connection, budgets, now)


async def settle(
    connection: AsyncConnection, hold_id: str, entries: Sequence[Entry], held: Collection[str], *, orphan: bool = False
) -> Sequence[Reached]:
    """Give a hold back, if there is one, and add rows and what they cost; the thresholds that were reached by it.

    `held`: the budgets that it is of. Of an orphan that somebody else has settled meanwhile, nothing is added.
    """
    budgets = await definitions.lock(connection, {*held, *(budget_id for entry in entries for budget_id in entry.budgets)})
    if hold_id and not await drop(connection, hold_id, sum(entry.amounts.total or 0 for entry in entries)):
        if orphan:
            return ()
        entries = [row for entry in entries for row in await _corrected(connection, hold_id, entry)]
    now = await now_us(connection)
    if orphan:
        entries = [entry._replace(at_us=now) for entry in entries]
    await insert(connection, entries, now)
    for budget in budgets:
        costs = [entry.amounts.total for entry in entries if budget.budget_id in entry.budgets]
        await add(connection, budget, now, spent=sum(cost or 0 for cost in costs), unpriced=costs.count(None))
    return await reached(connection, budgets, now) if entries else ()


async def drop(connection: AsyncConnection, hold_id: str, spent: int = 0) -> bool:
    """Give a hold back; False when it is gone. What was taken from a parent and not spent goes back there, while that is held."""
    await connection.execute(_BACK, (spent, hold_id))
    await connection.execute("DELETE FROM promptwire.held WHERE hold_id = %s", (hold_id,))
    return (await connection.execute("DELETE FROM promptwire.holds WHERE hold_id = %s", (hold_id,))).rowcount > 0


async def add(connection: AsyncConnection, budget: Budget, now: int, *, spent: int = 0, adjusted: int = 0, unpriced: int = 0) -> None:
    """Add to what is spent in the window under way."""
    if spent or adjusted or unpriced:
        await connection.execute(_ADD, (budget.budget_id, budget.window.bucket_us(now), spent, adjusted, unpriced))


async def balance_of(connection: AsyncConnection, budget: Budget, now: int) -> Balance:
    """What of a budget is spent, held and left."""
    balance, _ = await _balance_and_left(connection, budget, now, "")
    return balance


async def reached(connection: AsyncConnection, budgets: Iterable[Budget], now: int) -> Sequence[Reached]:
    """The thresholds that nobody was told of in this window."""
    found: list[Reached] = []
    for budget in budgets:
        if budget.alerts and not budget.paused:
            found += await _newly_reached(connection, budget, now)
    return found


async def show(connection: AsyncConnection, owner: str, lease_us: int) -> None:
    """Show that a process lives, and forget those that have not for so long."""
    now = await now_us(connection)
    await connection.execute(_ALIVE, (owner, now))
    await connection.execute("DELETE FROM promptwire.owners WHERE alive_us <= %s", (now - lease_us,))


async def orphans(connection: AsyncConnection, lease_us: int) -> list[Orphan]:
    """What is held by processes that have not shown for so long that they live."""
    now = await now_us(connection)
    found = await (await connection.execute(_ORPHANS, (now - lease_us,))).fetchall()
    return [Orphan(hold_id, _orphan(intent, nano_usd), budgets) for hold_id, nano_usd, intent, budgets in found]


async def forgotten(connection: AsyncConnection, owner: str, known: Collection[str], lease_us: int) -> list[str]:
    """What a living process holds and does not know of: it had given up waiting when it was decided."""
    now = await now_us(connection)
    statement = "SELECT hold_id FROM promptwire.holds WHERE owner = %s AND made_us <= %s AND NOT hold_id = ANY(%s)"
    found = await (await connection.execute(statement, (owner, now - lease_us, list(known)))).fetchall()
    return [cast("str", hold_id) for (hold_id,) in found]


async def _set_aside(
    connection: AsyncConnection, ask: Ask, owner: str, budgets: Sequence[Budget], taken: dict[str, int], nano_usd: int, now: int
) -> None:
    intent = ask.intent and ask.intent._replace(hold_id=ask.hold_id, budgets=tuple(budget.budget_id for budget in budgets))
    await connection.execute("INSERT INTO promptwire.owners VALUES (%s, %s) ON CONFLICT DO NOTHING", (owner, now))
    row = (ask.hold_id, owner, now, nano_usd, text_of(intent) if intent else "", ask.parent)
    await connection.execute("INSERT INTO promptwire.holds VALUES (%s, %s, %s, %s, %s, %s)", row)
    for budget in budgets:
        name = budget.budget_id
        if taken[name]:
            await connection.execute(_TAKE, (taken[name], ask.parent, name))
        await connection.execute("INSERT INTO promptwire.held VALUES (%s, %s, %s, %s)", (name, ask.hold_id, nano_usd, taken[name]))


async def _balance_and_left(connection: AsyncConnection, budget: Budget, now: int, parent: str) -> tuple[Balance, int]:
    """The balance, and what a run still holds of it."""
    since_us = budget.window.since_us(now)
    values = {"budget": budget.budget_id, "parent": parent, "since": since_us}
    found = await (await connection.execute(_BALANCES, values)).fetchall()
    spent, adjusted, unpriced, held, left = cast("tuple[int, int, int, int, int]", found[0])
    balance = Balance(
        limit_nano_usd=budget.limit_nano_usd,
        adjusted_nano_usd=adjusted,
        spent_nano_usd=spent,
        held_nano_usd=held,
        window_start_us=since_us,
        reset_us=budget.window.ends_us(now),
        reached_percents=tuple(sorted(await _told(connection, budget, since_us))) if budget.alerts else (),
        unpriced_calls=unpriced,
        as_of_us=now,
    )
    return balance, left if parent else 0


def _orphan(intent: str, nano_usd: int) -> Sequence[Entry]:
    """The row of an attempt whose end nobody saw: it may have cost all that was held for it."""
    return [entry_of(intent)._replace(estimated=True, amounts=Amounts(total=nano_usd))] if intent else []


async def _corrected(connection: AsyncConnection, hold_id: str, entry: Entry) -> Sequence[Entry]:
    """What to write when a hold was counted as spent before its owner came back: the difference."""
    row = "SELECT entry, total_nano_usd FROM promptwire.ledger WHERE hold_id = %s AND kind != %s"
    found = await (await connection.execute(row, (hold_id, CORRECTION))).fetchone()
    if found is None or entry.hold_id != hold_id:
        return [entry]
    number, counted = found
    difference = (entry.amounts.total or 0) - (counted or 0)
    return [entry._replace(kind=CORRECTION, corrects=number, amounts=Amounts(total=difference))]


async def _newly_reached(connection: AsyncConnection, budget: Budget, now: int) -> list[Reached]:
    balance = await balance_of(connection, budget, now)
    used = balance.spent_nano_usd + balance.held_nano_usd
    limit = balance.limit_nano_usd + balance.adjusted_nano_usd
    found = []
    for percent in sorted({alert.percent for alert in budget.alerts} - set(balance.reached_percents)):
        if used * 100 >= limit * percent and used:
            bucket_us = budget.window.bucket_us(now)
            await connection.execute("INSERT INTO promptwire.alerts VALUES (%s, %s, %s)", (budget.budget_id, bucket_us, percent))
            spent, held = balance.spent_nano_usd, balance.held_nano_usd
            found.append(Reached(budget.budget_id, percent, spent, held, limit, balance.window_start_us))
    return found


async def _told(connection: AsyncConnection, budget: Budget, since_us: int) -> set[int]:
    """The thresholds that somebody was told of in this window."""
    told = "SELECT percent FROM promptwire.alerts WHERE budget_id = %s AND bucket_us >= %s"
    found = await (await connection.execute(told, (budget.budget_id, since_us))).fetchall()
    return {cast("int", percent) for (percent,) in found}
