"""Sums as databases give them: numbers of a row, where calendars' buckets begin, and the columns that are added up."""

from collections.abc import Iterator, Sequence
from typing import Final, cast

from promptwire_server.core.budget import Calendar
from promptwire_server.core.ledger import Amounts, Tokens
from promptwire_server.core.sums import Counts, Question, Sum

Value = str | int | bytes | None

FIXED_US: Final = {"minute": 60_000_000, "hour": 3_600_000_000}  # the other buckets vary in length
CACHE, DEDUP = 2, 3  # of pb.ServedFrom
TOKENS: Final = tuple(f"{name}_tokens" for name in Tokens._fields)
AMOUNTS: Final = tuple(f"{name}_nano_usd" for name in Amounts._fields)


def begins(calendar: Calendar, first_us: int, last_us: int) -> Iterator[int]:
    """The begins of all windows from the one of a moment to that of another."""
    start_us = calendar.bucket_us(first_us)
    while start_us <= last_us:
        yield start_us
        start_us = cast("int", calendar.ends_us(start_us))  # which is where the next begins


def sum_of(question: Question, row: Sequence[Value]) -> Sum:
    """Begin, dimensions, labels, then the numbers that `fill` takes."""
    start_us, dimensions = cast("int", row[0]), len(question.by)
    end_us: int | None = question.selection.end_us
    if question.period is not None:
        end_us = Calendar(question.period, question.zone).ends_us(start_us)
    labels = 1 + dimensions + len(question.labels)
    found = Sum(
        start_us,
        cast("int", end_us),
        cast("tuple[str, ...]", tuple(row[1 : 1 + dimensions])),
        cast("tuple[str | None, ...]", tuple(row[1 + dimensions : labels])),
    )
    fill(found, cast("Sequence[int | None]", row[labels:]))
    return found


def fill(into: Sum, numbers: Sequence[int | None]) -> None:
    """Take in counts, tokens, amounts, and whether something is estimated; of no rows at all they are NULL."""
    counts, rest = numbers[: len(Counts._fields)], numbers[len(Counts._fields) :]
    into.counts = Counts(*(number or 0 for number in counts))
    into.tokens = Tokens(*(number or 0 for number in rest[: len(Tokens._fields)]))
    *amounts, estimated = rest[len(Tokens._fields) :]
    into.amounts = Amounts(*amounts)
    into.estimated = bool(estimated)


def add_units(rows: Sequence[Sequence[Value]], page: Sequence[Sum], total: Sum | None) -> None:
    """Take in what vendors charge apart: rows of a sum's keys, the unit, and how many."""
    sums = {(each.start_us, *each.group, *each.labels): each for each in page}
    for *key, unit, count in rows:
        for into in (sums.get(tuple(key)), total):  # type: ignore[arg-type] # keys are as in `sums`
            if into is not None:
                name = cast("str", unit)
                into.units[name] = into.units.get(name, 0) + cast("int", count)
