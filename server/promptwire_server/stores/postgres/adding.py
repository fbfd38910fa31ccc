"""Adding: rows of the ledger added up by SQL, in integers. Every function is one step within a reader's snapshot."""

from collections.abc import Sequence
from typing import Final, NamedTuple, cast

from psycopg import AsyncConnection

from promptwire_server.core.budget import Calendar
from promptwire_server.core.ledger import ADJUSTMENT, ATTEMPT, SAVED
from promptwire_server.core.sums import Question, Selection, Sum, Summed
from promptwire_server.stores.postgres.insertion import clean
from promptwire_server.stores.sums import AMOUNTS, CACHE, DEDUP, FIXED_US, TOKENS, Value, add_units, begins, fill, sum_of

Given = Value | list[int] | list[str] | list[str | int]

_COUNTED: Final = f"kind IN ({ATTEMPT}, {SAVED})"
# A sum of BIGINT is NUMERIC, hence exact; one that does not fit back is an error rather than another number.
_SUMS: Final = ", ".join(
    [
        f"COUNT(*) FILTER (WHERE {_COUNTED}) AS entries",
        f"COUNT(*) FILTER (WHERE kind = {ATTEMPT} AND failure != '')",
        f"COUNT(*) FILTER (WHERE {_COUNTED} AND served_from = {CACHE})",
        f"COUNT(*) FILTER (WHERE {_COUNTED} AND served_from = {DEDUP})",
        f"COUNT(*) FILTER (WHERE {_COUNTED} AND total_nano_usd IS NULL)",
        *(f"SUM({name})::bigint" for name in (*TOKENS, *AMOUNTS)),
        "bool_or(estimated)",
    ]
)
_ORDERS: Final = {
    "time": (),
    "cost": ("SUM(total_nano_usd) DESC NULLS LAST",),  # those without a known price are last
    "tokens": ("SUM(input_tokens + output_tokens) DESC",),
    "entries": ("entries DESC",),
}
_LABEL: Final = "(ledger.labels::json ->> %s::text)"
_BYTEWISE: Final = 'COLLATE "C"'  # the same order on every server


class _Parts(NamedTuple):
    """Pieces of a statement, and what stands for their places."""

    keys: Sequence[str]
    key_values: Sequence[Given]
    where: str
    where_values: Sequence[Given]


async def answer(connection: AsyncConnection, question: Question) -> Summed:
    """A page of sums, and on the first page the total."""
    parts = _parts(question, await _starts(connection, question))
    sums = [sum_of(question, row) for row in await _rows(connection, question, parts)]
    more = len(sums) > question.limit
    page = sums[: question.limit]
    total = None if question.offset else await _total(connection, question.selection, parts)
    await _add_units(connection, parts, page, total)
    return Summed(page, more, total)


def where(selection: Selection) -> tuple[str, list[Given]]:
    """The condition of a selection."""
    parts, values = ["at_us >= %s", "at_us < %s"], cast("list[Given]", [selection.start_us, selection.end_us])
    if selection.tenant is not None:
        parts.append("tenant = %s")
        values.append(clean(selection.tenant))
    among: list[tuple[str, Sequence[str | int]]] = list(selection.among.items())
    for column, wanted in [*among, ("kind", selection.kinds)] if selection.kinds else among:
        parts.append(f"{column} = ANY(%s)")
        values.append([clean(each) for each in wanted])
    for key, text in selection.labels.items():
        parts.append(f"{_LABEL} = %s")
        values.extend((clean(key), clean(text)))
    return " AND ".join(parts), values


def _parts(question: Question, starts: list[int]) -> _Parts:
    condition, values = where(question.selection)
    texts = [f"{name} {_BYTEWISE}" for name in (*question.by, *[_LABEL] * len(question.labels))]
    bucket, bucket_values = _bucket(question, starts)
    keys = [clean(key) for key in question.labels]
    return _Parts(
        [bucket, *texts], [*bucket_values, *keys], f"entry <= %s AND kind != {ADJUSTMENT} AND {condition}", [question.until, *values]
    )


def _bucket(question: Question, starts: list[int]) -> tuple[str, Sequence[Given]]:
    """Where the row's time is added."""
    if question.period is None:
        return "%s::bigint", [question.selection.start_us]
    width_us = FIXED_US.get(question.period)
    if width_us is not None:
        return f"at_us - at_us %% {width_us}", []
    return "(%s::bigint[])[width_bucket(at_us, %s::bigint[])]", [starts, starts]


async def _starts(connection: AsyncConnection, question: Question) -> list[int]:
    """Where days, weeks and months begin, from the first row that may count to the last: their lengths vary."""
    if question.period is None or question.period in FIXED_US:
        return []
    span = "SELECT MIN(at_us), MAX(at_us) FROM promptwire.ledger WHERE at_us >= %s AND at_us < %s"
    found = await (await connection.execute(span, (question.selection.start_us, question.selection.end_us))).fetchone()
    first, last = cast("tuple[int | None, int]", found)
    return [] if first is None else list(begins(Calendar(question.period, question.zone), first, last))


async def _rows(connection: AsyncConnection, question: Question, parts: _Parts) -> Sequence[Sequence[Value]]:
    numbers = [str(position) for position in range(1, len(parts.keys) + 1)]
    orders = [*_ORDERS[question.order], *(f"{number} NULLS FIRST" for number in numbers)]
    select = (
        f"SELECT {', '.join(parts.keys)}, {_SUMS} FROM promptwire.ledger WHERE {parts.where}"  # noqa: S608 - names of our own
        f" GROUP BY {', '.join(numbers)} ORDER BY {', '.join(orders)} LIMIT %s OFFSET %s"
    )
    values = [*parts.key_values, *parts.where_values, question.limit + 1, question.offset]
    return await (await connection.execute(select.encode(), values)).fetchall()


async def _total(connection: AsyncConnection, selection: Selection, parts: _Parts) -> Sum:
    total = Sum(selection.start_us, selection.end_us)
    select = f"SELECT {_SUMS} FROM promptwire.ledger WHERE {parts.where}"  # noqa: S608 - names of our own
    (row,) = await (await connection.execute(select.encode(), parts.where_values)).fetchall()
    fill(total, row)
    return total


async def _add_units(connection: AsyncConnection, parts: _Parts, page: Sequence[Sum], total: Sum | None) -> None:
    """Add up what vendors charge apart; few rows have any."""
    numbers = [str(position) for position in range(1, len(parts.keys) + 2)]
    select = (
        f"SELECT {', '.join(parts.keys)}, units.key, SUM(units.value::bigint)::bigint"  # noqa: S608 - names of our own
        f" FROM promptwire.ledger, json_each_text(ledger.units::json) AS units"
        f" WHERE ledger.units != '{{}}' AND {parts.where} GROUP BY {', '.join(numbers)}"
    )
    found = await connection.execute(select.encode(), [*parts.key_values, *parts.where_values])
    add_units(await found.fetchall(), page, total)
