"""Sums: rows of the ledger added up: which of them, by what, in which order. Times in microseconds since 1970 UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from promptwire_server.core.budget import Period
from promptwire_server.core.ledger import Amounts, Tokens

Dimension = Literal["tenant", "principal", "api_key_id", "model", "provider", "chain", "step_id"]  # as in Entry
Column = Literal[Dimension, "run_id", "request_id", "served_from"]
Order = Literal["time", "cost", "tokens", "entries"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows: those for which everything holds."""

    tenant: str | None  # whose; None: everybody's
    start_us: int  # inclusive
    end_us: int  # exclusive
    among: Mapping[Column, tuple[str | int, ...]] = field(default_factory=dict)  # any of these values; never empty
    labels: Mapping[str, str] = field(default_factory=dict)  # all of these
    kinds: tuple[int, ...] = ()  # empty: all


@dataclass(frozen=True, slots=True)
class Question:
    """What to add up."""

    selection: Selection
    until: int  # rows of a higher number are not counted
    period: Period | None = None  # a row each of them; None: all time in one
    zone: str = "UTC"
    by: tuple[Dimension, ...] = ()
    labels: tuple[str, ...] = ()  # also by the values of these
    order: Order = "time"
    offset: int = 0
    limit: int = 100


class Counts(NamedTuple):
    """How many rows, of which kinds."""

    entries: int = 0
    failed: int = 0
    cache_hits: int = 0
    dedup_hits: int = 0
    unpriced: int = 0


@dataclass(slots=True)
class Sum:
    """Rows added up."""

    start_us: int
    end_us: int
    group: tuple[str, ...] = ()  # in the order of `by`
    labels: tuple[str | None, ...] = ()  # in their order; None: the rows have no such label
    counts: Counts = field(default_factory=Counts)
    tokens: Tokens = field(default_factory=Tokens)
    amounts: Amounts = field(default_factory=Amounts)
    estimated: bool = False
    units: dict[str, int] = field(default_factory=dict)


class Summed(NamedTuple):
    """A page of sums."""

    sums: list[Sum]
    more: bool  # there is a next page
    total: Sum | None  # on the first page
