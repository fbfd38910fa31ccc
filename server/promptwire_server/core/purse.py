"""Purse: holds on budgets, decided at once for all budgets that an attempt counts against, and settled at what it cost. Nano-USD."""

from dataclasses import dataclass

from promptwire_server.core.budget import Budget
from promptwire_server.core.ledger import Entry


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish to spend."""

    hold_id: str  # new
    budgets: tuple[str, ...]  # those that the attempt counts against
    most_nano_usd: int  # the attempt's worst case
    least_nano_usd: int  # what it would still be made for, where hard budgets hold no more; as `most` when less is of no use
    intent: Entry | None  # the row to write, at the whole hold, should this process not live to settle; None: given back then, unused
    parent: str = ""  # a hold, of a run, that this one is taken from as far as it goes, and that gets back what is left of this one


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside."""

    hold_id: str
    nano_usd: int


@dataclass(frozen=True, slots=True)
class Denial:
    """A budget that does not allow it. Nothing was set aside anywhere."""

    budget_id: str
    limit_nano_usd: int
    free_nano_usd: int  # what of it could be spent now
    by_holds: bool  # it would fit if calls under way cost nothing: worth waiting for them
    reset_us: int | None  # when spending starts again from nothing; None: never


@dataclass(frozen=True, slots=True)
class Reached:
    """A threshold of a budget was reached, for the first time in its window."""

    budget_id: str
    percent: int
    spent_nano_usd: int
    held_nano_usd: int
    limit_nano_usd: int
    window_start_us: int


@dataclass(frozen=True, slots=True)
class Once:
    """A request that is done once, however often it is made."""

    account: str  # whose request: names of requests are each caller's own
    request_id: str = ""  # empty: each time it is made
    digest: str = ""  # of its body
    principal: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A budget to make, change or delete, as long as it is as it was seen."""

    budget_id: str
    before: str | None  # its etag as it was seen; None: there was none
    after: Budget | None  # None: delete it
    reset: bool = False  # forget what was spent


@dataclass(frozen=True, slots=True)
class Gift:
    """More, or less, for a budget, in the window under way."""

    amount_nano_usd: int
    reason: str
    entry: Entry  # the row of it; its kind, amount and budget are filled in


@dataclass(frozen=True, slots=True)
class Given:
    """A gift that was given."""

    number: int  # of its row in the ledger
    budget_id: str
    amount_nano_usd: int
    reason: str
    at_us: int
    principal: str


class Conflict(Exception):
    """A budget is not as it was seen. Nothing has changed."""


class Reused(Exception):
    """The request_id belongs to a request with another body. Nothing has changed."""


class TooMuch(Exception):
    """All adjustments together would be more than can be counted. Nothing has changed."""
