"""Adding: rows of the ledger added up by SQL, in integers. Every function is one step within a reader's snapshot."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, cast

import apsw

from promptwire_server.core.budget import Calendar
from promptwire_server.core.ledger import ADJUSTMENT, ATTEMPT, SAVED
from promptwire_server.core.sums import Question, Selection, Sum, Summed
from promptwire_server.stores.sums import AMOUNTS, CACHE, DEDUP, FIXED_US, TOKENS, Value, add_units, begins, fill, sum_of

_COUNTED: Final = f"kind IN ({ATTEMPT}, {SAVED})"
_SUMS: Final = ", ".join(
    [
        f"SUM({_COUNTED}) AS entries",
        f"SUM(kind = {ATTEMPT} AND failure != x'')",
        f"SUM({_COUNTED} AND served_from = {CACHE})",
        f"SUM({_COUNTED} AND served_from = {DEDUP})",
        f"SUM({_COUNTED} AND total_nano_usd IS NULL)",
        *(f"SUM({name})" for name in (*TOKENS, *AMOUNTS)),
        "MAX(estimated)",
    ]
)
_ORDERS: Final = {
    "time": (),
    "cost": ("SUM(total_nano_usd) DESC",),  # those without a known price are last: SQLite has NULL below everything
    "tokens": ("SUM(input_tokens + output_tokens) DESC",),
    "entries": ("entries DESC",),
}
_LABEL: Final = "(SELECT value FROM json_each(ledger.labels) WHERE key = ?)"


class _Parts(NamedTuple):
    """Pieces of a statement, and what stands for their question marks."""

    keys: Sequence[str]
    key_values: Sequence[Value]
    where: str
    where_values: Sequence[Value]


def answer(connection: apsw.Connection, question: Question) -> Summed:
    """A page of sums, and on the first page the total."""
    _measure(connection, question)
    parts = _parts(question)
    sums = [sum_of(question, row) for row in _rows(connection, question, parts)]
    more = len(sums) > question.limit
    page = sums[: question.limit]
    total = None if question.offset else _total(connection, question.selection, parts)
    _add_units(connection, parts, page, total)
    return Summed(page, more, total)


def where(selection: Selection) -> tuple[str, list[Value]]:
    """The condition of a selection."""
    parts, values = ["at_us >= ?", "at_us < ?"], cast("list[Value]", [selection.start_us, selection.end_us])
    if selection.tenant is not None:
        parts.append("tenant = ?")
        values.append(selection.tenant)
    among: list[tuple[str, Sequence[str | int]]] = list(selection.among.items())
    for column, wanted in [*among, ("kind", selection.kinds)] if selection.kinds else among:
        parts.append(f"{column} IN ({', '.join('?' * len(wanted))})")
        values.extend(wanted)
    for key, text in selection.labels.items():
        parts.append(f"{_LABEL} = ?")
        values.extend((key, text))
    return " AND ".join(parts), values


def _parts(question: Question) -> _Parts:
    condition, values = where(question.selection)
    keys = [_bucket(question), *question.by, *[_LABEL] * len(question.labels)]
    key_values = [question.selection.start_us] if question.period is None else []
    return _Parts(keys, [*key_values, *question.labels], f"entry <= ? AND kind != {ADJUSTMENT} AND {condition}", [question.until, *values])


def _bucket(question: Question) -> str:
    """Where the row's time is added."""
    if question.period is None:
        return "?"
    width_us = FIXED_US.get(question.period)
    if width_us is not None:
        return f"at_us - at_us % {width_us}"
    return "(SELECT start_us FROM temp.buckets WHERE start_us <= at_us ORDER BY start_us DESC LIMIT 1)"


def _measure(connection: apsw.Connection, question: Question) -> None:
    """Write down where days, weeks and months begin, from the first row to the last: their lengths vary."""
    if question.period is None or question.period in FIXED_US:
        return
    connection.execute("CREATE TEMP TABLE buckets (start_us INTEGER PRIMARY KEY)")
    for first, last in cast("Iterator[tuple[int | None, int]]", connection.execute("SELECT MIN(at_us), MAX(at_us) FROM ledger")):
        if first is not None:
            starts = begins(Calendar(question.period, question.zone), first, last)
            connection.executemany("INSERT INTO temp.buckets VALUES (?)", ((start,) for start in starts))


def _rows(connection: apsw.Connection, question: Question, parts: _Parts) -> Sequence[Sequence[Value]]:
    numbers = [str(position) for position in range(1, len(parts.keys) + 1)]
    select = (
        f"SELECT {', '.join(parts.keys)}, {_SUMS} FROM ledger WHERE {parts.where}"  # noqa: S608 - names of our own
        f" GROUP BY {', '.join(numbers)} ORDER BY {', '.join([*_ORDERS[question.order], *numbers])} LIMIT ? OFFSET ?"
    )
    values = [*parts.key_values, *parts.where_values, question.limit + 1, question.offset]
    return cast("Sequence[Sequence[Value]]", connection.execute(select, values).fetchall())


def _total(connection: apsw.Connection, selection: Selection, parts: _Parts) -> Sum:
    total = Sum(selection.start_us, selection.end_us)
    select = f"SELECT {_SUMS} FROM ledger WHERE {parts.where}"  # noqa: S608 - names of our own
    (row,) = connection.execute(select, parts.where_values).fetchall()
    fill(total, cast("Sequence[int | None]", row))
    return total


def _add_units(connection: apsw.Connection, parts: _Parts, page: Sequence[Sum], total: Sum | None) -> None:
    """Add up what vendors charge apart; few rows have any."""
    numbers = [str(position) for position in range(1, len(parts.keys) + 2)]
    select = (
        f"SELECT {', '.join(parts.keys)}, units.key, SUM(units.value) FROM ledger, json_each(ledger.units) AS units"  # noqa: S608 - names of our own
        f" WHERE ledger.units != '{{}}' AND {parts.where} GROUP BY {', '.join(numbers)}"
    )
    found = connection.execute(select, [*parts.key_values, *parts.where_values]).fetchall()
    add_units(cast("Sequence[Sequence[Value]]", found), page, total)
