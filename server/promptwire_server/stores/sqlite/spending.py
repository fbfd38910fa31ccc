"""Spending: what is spent and held of each budget. Every function is one step within a transaction of the file."""

from collections.abc import Iterable, Sequence
from typing import cast

import apsw

from promptwire_server.core.budget import Balance, Budget
from promptwire_server.core.ledger import CORRECTION, Amounts, Entry, entry_of, text_of
from promptwire_server.core.purse import Ask, Denial, Hold, Reached
from promptwire_server.stores.sqlite import definitions, ledger

_SPENT = """
SELECT COALESCE(SUM(spent_nano_usd), 0), COALESCE(SUM(adjusted_nano_usd), 0), COALESCE(SUM(unpriced), 0)
FROM spending WHERE budget_id = ? AND bucket_us >= ?
"""
_HELD = "SELECT COALESCE(SUM(nano_usd), 0) FROM held WHERE budget_id = ?"
_ADD = """
INSERT INTO spending VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET spent_nano_usd = spent_nano_usd + excluded.spent_nano_usd,
adjusted_nano_usd = adjusted_nano_usd + excluded.adjusted_nano_usd, unpriced = unpriced + excluded.unpriced
"""
# Of two children at once, each has its own share of the parent.
_BACK = """
UPDATE held SET nano_usd = nano_usd + child.back FROM (
    SELECT held.budget_id AS budget, holds.parent AS parent, MAX(0, held.taken_nano_usd - :spent) AS back
    FROM held JOIN holds USING (hold_id) WHERE hold_id = :hold
) AS child WHERE held.hold_id = child.parent AND held.budget_id = child.budget
"""
_TAKE = "UPDATE held SET nano_usd = nano_usd - ? WHERE hold_id = ? AND budget_id = ?"
_ORPHANS = "SELECT hold_id, nano_usd, intent FROM holds WHERE owner NOT IN (SELECT owner FROM owners WHERE alive_us > ?)"


def hold(connection: apsw.Connection, ask: Ask, owner: str, now_us: int) -> tuple[Hold | Denial, Sequence[Reached]]:
    """Set money aside in all budgets of the wish, or in none; and the thresholds that were reached by it."""
    budgets = _found(connection, ask.budgets)
    granted = ask.most_nano_usd
    for budget in budgets:
        if not budget.binds:
            continue
        balance = balance_of(connection, budget, now_us)
        free = balance.free_nano_usd + _left_of(connection, ask.parent, budget)
        if free < ask.least_nano_usd:
            by_holds = balance.unspent_nano_usd >= ask.least_nano_usd
            return Denial(budget.budget_id, balance.limit_nano_usd, free, by_holds, balance.reset_us), ()
        granted = min(granted, free)
    _set_aside(connection, ask, owner, budgets, granted, now_us)
    return Hold(ask.hold_id, granted), reached(connection, budgets, now_us)


def settle(connection: apsw.Connection, hold_id: str, entries: Sequence[Entry], now_us: int) -> Sequence[Reached]:
    """Give a hold back, if there is one, and add rows and what they cost; the thresholds that were reached by it."""
    if hold_id and not drop(connection, hold_id, sum(entry.amounts.total or 0 for entry in entries)):
        entries = [row for entry in entries for row in _corrected(connection, hold_id, entry)]
    ledger.insert(connection, entries, now_us)
    budgets = _found(connection, {budget_id for entry in entries for budget_id in entry.budgets})
    for budget in budgets:
        costs = [entry.amounts.total for entry in entries if budget.budget_id in entry.budgets]
        add(connection, budget, now_us, spent=sum(cost or 0 for cost in costs), unpriced=costs.count(None))
    return reached(connection, budgets, now_us)


def drop(connection: apsw.Connection, hold_id: str, spent: int = 0) -> bool:
    """Give a hold back; False when it is gone. What was taken from a parent and not spent goes back there, while that is held."""
    connection.execute(_BACK, {"hold": hold_id, "spent": spent})
    connection.execute("DELETE FROM held WHERE hold_id = ?", (hold_id,))
    connection.execute("DELETE FROM holds WHERE hold_id = ?", (hold_id,))
    return connection.changes() > 0


def add(connection: apsw.Connection, budget: Budget, now_us: int, *, spent: int = 0, adjusted: int = 0, unpriced: int = 0) -> None:
    """Add to what is spent in the window under way."""
    if spent or adjusted or unpriced:
        connection.execute(_ADD, (budget.budget_id, budget.window.bucket_us(now_us), spent, adjusted, unpriced))


def balance_of(connection: apsw.Connection, budget: Budget, now_us: int) -> Balance:
    """What of a budget is spent, held and left."""
    since_us = budget.window.since_us(now_us)
    spent, adjusted, unpriced = _numbers(connection, _SPENT, budget.budget_id, since_us)
    (held,) = _numbers(connection, _HELD, budget.budget_id)
    return Balance(
        limit_nano_usd=budget.limit_nano_usd,
        adjusted_nano_usd=adjusted,
        spent_nano_usd=spent,
        held_nano_usd=held,
        window_start_us=since_us,
        reset_us=budget.window.ends_us(now_us),
        reached_percents=tuple(sorted(_told(connection, budget, since_us))) if budget.alerts else (),
        unpriced_calls=unpriced,
        as_of_us=now_us,
    )


def reached(connection: apsw.Connection, budgets: Iterable[Budget], now_us: int) -> Sequence[Reached]:
    """The thresholds that nobody was told of in this window."""
    return [each for budget in budgets if budget.alerts and not budget.paused for each in _newly_reached(connection, budget, now_us)]


def tick(connection: apsw.Connection, owner: str, now_us: int, lease_us: int, *, keep_rows: bool = True) -> dict[str, Budget]:
    """Show that a process lives, if one is named, and count what those held as spent that did not for so long; all budgets."""
    if owner:
        connection.execute("INSERT INTO owners VALUES (?, ?) ON CONFLICT DO UPDATE SET alive_us = excluded.alive_us", (owner, now_us))
    for hold_id, nano_usd, intent in connection.execute(_ORPHANS, (now_us - lease_us,)).fetchall():
        rows = [_orphan(entry_of(str(intent)), cast("int", nano_usd), now_us)] if intent else []
        settle(connection, str(hold_id), rows, now_us)
    if owner:
        connection.execute("DELETE FROM owners WHERE alive_us <= ?", (now_us - lease_us,))
    if not keep_rows:
        connection.execute("DELETE FROM ledger WHERE written_us <= ?", (now_us - lease_us,))
    return definitions.every(connection)


def _set_aside(connection: apsw.Connection, ask: Ask, owner: str, budgets: Sequence[Budget], nano_usd: int, now_us: int) -> None:
    intent = ask.intent and ask.intent._replace(hold_id=ask.hold_id, budgets=tuple(budget.budget_id for budget in budgets))
    connection.execute("INSERT OR IGNORE INTO owners VALUES (?, ?)", (owner, now_us))
    row = (ask.hold_id, owner, now_us, nano_usd, text_of(intent) if intent else "", ask.parent)
    connection.execute("INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?)", row)
    for budget in budgets:
        taken = min(nano_usd, _left_of(connection, ask.parent, budget))
        if taken:
            connection.execute(_TAKE, (taken, ask.parent, budget.budget_id))
        connection.execute("INSERT INTO held VALUES (?, ?, ?, ?)", (budget.budget_id, ask.hold_id, nano_usd, taken))


def _left_of(connection: apsw.Connection, parent: str, budget: Budget) -> int:
    """What a run still holds of a budget."""
    if not parent:
        return 0
    left = "SELECT COALESCE(SUM(nano_usd), 0) FROM held WHERE hold_id = ? AND budget_id = ?"
    return _numbers(connection, left, parent, budget.budget_id)[0]


def _orphan(intent: Entry, nano_usd: int, now_us: int) -> Entry:
    """The row of an attempt whose end nobody saw: it may have cost all that was held for it."""
    return intent._replace(at_us=now_us, estimated=True, amounts=Amounts(total=nano_usd))


def _corrected(connection: apsw.Connection, hold_id: str, entry: Entry) -> Sequence[Entry]:
    """What to write when a hold was counted as spent before its owner came back: the difference."""
    row = "SELECT entry, total_nano_usd, budgets FROM ledger WHERE hold_id = ? AND kind != ?"
    found = connection.execute(row, (hold_id, CORRECTION)).fetchone()
    if found is None or entry.hold_id != hold_id:
        return [entry]
    number, counted, _ = found
    difference = (entry.amounts.total or 0) - (counted or 0)
    return [entry._replace(kind=CORRECTION, corrects=number, amounts=Amounts(total=difference))]


def _newly_reached(connection: apsw.Connection, budget: Budget, now_us: int) -> Iterable[Reached]:
    balance = balance_of(connection, budget, now_us)
    used = balance.spent_nano_usd + balance.held_nano_usd
    limit = balance.limit_nano_usd + balance.adjusted_nano_usd
    for percent in sorted({alert.percent for alert in budget.alerts} - set(balance.reached_percents)):
        if used * 100 >= limit * percent and used:
            connection.execute("INSERT INTO alerts VALUES (?, ?, ?)", (budget.budget_id, budget.window.bucket_us(now_us), percent))
            yield Reached(budget.budget_id, percent, balance.spent_nano_usd, balance.held_nano_usd, limit, balance.window_start_us)


def _told(connection: apsw.Connection, budget: Budget, since_us: int) -> Iterable[int]:
    """The thresholds that somebody was told of in this window."""
    told = "SELECT percent FROM alerts WHERE budget_id = ? AND bucket_us >= ?"
    return {percent for (percent,) in connection.execute(told, (budget.budget_id, since_us))}


def _found(connection: apsw.Connection, budget_ids: Iterable[str]) -> Sequence[Budget]:
    """Budgets that are still there."""
    return [budget for budget_id in sorted(budget_ids) if (budget := definitions.find(connection, budget_id)) is not None]


def _numbers(connection: apsw.Connection, statement: str, *values: str | int) -> Sequence[int]:
    return cast("Sequence[int]", connection.execute(statement, values).fetchall()[0])
