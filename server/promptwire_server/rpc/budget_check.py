"""Checks of budgets as operators write them: every fault at once, each with its path."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from google.protobuf.duration_pb2 import Duration

from promptwire.admin import v1 as admin
from promptwire_server.core.budget import MOST_NANO_USD, known_zone
from promptwire_server.core.errors import Violation
from promptwire_server.core.fields import Found, at_most, check_fields, labels, printable
from promptwire_server.core.money import dollars

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_ID: Final = 64
_MOST_NAME: Final = 256
_MOST_REASON: Final = 1024
_MOST_ALERTS: Final = 16
_MOST_PERCENT: Final = 1000
_SHORTEST_S, _LONGEST_S = 60, 366 * 86_400
CHANGEABLE: Final = ("display_name", "limit_nano_usd", "enforcement", "alert_thresholds", "paused")


@dataclass(frozen=True, slots=True)
class Known:
    """The names that a budget may use."""

    providers: Collection[str] = ()
    channels: Collection[str] = ()  # of alerts


def check_create(request: admin.CreateBudgetRequest, known: Known) -> Iterator[Violation]:
    """Everything wrong with a budget to make."""
    yield from request_id(request.request_id)
    if not request.HasField("budget"):
        yield Violation("budget", "is required")
        return
    budget = request.budget
    if budget.budget_id and not _ID.fullmatch(budget.budget_id):
        yield Violation("budget.budget_id", f"must be letters, digits, _ and -, at most {_MOST_ID}; empty: the server makes one")
    yield from _scope(budget, known)
    yield from _window(budget)
    yield from _changeable(budget, CHANGEABLE, known)
    if budget.alert_thresholds and budget.window.HasField("per_call"):
        yield Violation("budget.alert_thresholds", "are of no use with a window of each call: nothing is added up; leave them out")


def check_update(request: admin.UpdateBudgetRequest, known: Known) -> Iterator[Violation]:
    """Everything wrong with a change."""
    yield from request_id(request.request_id)
    yield from budget_id(request.budget.budget_id, "budget.budget_id")
    paths = request.update_mask.paths
    if not paths:
        yield Violation("update_mask", f"is required: which of {', '.join(CHANGEABLE)} to change")
    for position, path in enumerate(paths):
        if path in ("scope", "window"):
            yield Violation(f"update_mask.paths[{position}]", f"{path} cannot be changed; make another budget")
        elif path not in CHANGEABLE:
            yield Violation(f"update_mask.paths[{position}]", f'"{path[:_MOST_ID]}" is none of {", ".join(CHANGEABLE)}')
    yield from _changeable(request.budget, paths, known)


def check_adjust(request: admin.AdjustBudgetRequest) -> Iterator[Violation]:
    """Everything wrong with an adjustment."""
    if not request.request_id:
        yield Violation("request_id", "is required: a new one for each adjustment, the same for its retries")
    yield from request_id(request.request_id)
    yield from budget_id(request.budget_id)
    if not request.amount_nano_usd:
        yield Violation("amount_nano_usd", "is required, and not 0: how much more, or, below zero, how much less")
    elif abs(request.amount_nano_usd) > MOST_NANO_USD:
        yield Violation("amount_nano_usd", f"must be {dollars(MOST_NANO_USD)} at most, more or less")
    if not request.reason:
        yield Violation("reason", "is required: why, for people")
    elif len(request.reason) > _MOST_REASON:
        yield Violation("reason", f"has {len(request.reason)} characters; at most {_MOST_REASON} are allowed")


def request_id(text: str) -> Iterator[Violation]:
    """The client's identifier of its request."""
    if len(text) > _MOST_ID:
        yield Violation("request_id", f"has {len(text)} characters; at most {_MOST_ID} are allowed")


def budget_id(text: str, path: str = "budget_id") -> Iterator[Violation]:
    """Which budget."""
    if not text:
        yield Violation(path, "is required: which budget; ListBudgets has them all")


def _scope(budget: admin.Budget, known: Known) -> Iterator[Violation]:
    if not budget.HasField("scope"):
        yield Violation("budget.scope", "is required; empty ({}) means all calls that the credential may speak for")
        return
    found: Found = []
    check_fields(budget.scope, _SCOPE, "budget.scope.", found)
    yield from found
    model = budget.scope.model
    provider, slash, name = model.partition("/")
    if model and not (provider and slash and name):
        yield Violation("budget.scope.model", 'must be "provider/model" or "provider/*"; aliases are refused, since they move')
    elif model and provider not in known.providers:
        yield Violation("budget.scope.model", f'"{provider[:_MOST_ID]}" is no provider here; there are {_named(known.providers)}')


_SCOPE = {
    **dict.fromkeys(("tenant", "principal", "api_key_id", "chain_name", "model"), at_most(_MOST_NAME)),
    "labels": labels,
}


def _window(budget: admin.Budget) -> Iterator[Violation]:
    window = budget.window
    kind = window.WhichOneof("window")
    if kind is None:
        yield Violation("budget.window", "is required: calendar, rolling, lifetime or per_call")
    elif kind == "calendar":
        yield from _calendar(window.calendar)
    elif kind == "rolling":
        yield from _duration(window.rolling.duration)


def _calendar(window: admin.CalendarWindow) -> Iterator[Violation]:
    if not window.period or window.period not in admin.CalendarWindow.Period.values():
        names = ", ".join(name for name, value in admin.CalendarWindow.Period.items() if value)
        yield Violation("budget.window.calendar.period", f"is required: one of {names}")
    if window.time_zone and not known_zone(window.time_zone):
        message = 'is no name of the IANA time zone database; write one such as "Europe/Berlin", or nothing for UTC'
        yield Violation("budget.window.calendar.time_zone", message)


def _duration(duration: Duration) -> Iterator[Violation]:
    if duration.nanos or not _SHORTEST_S <= duration.seconds <= _LONGEST_S:
        yield Violation("budget.window.rolling.duration", "must be whole seconds, from 60 (a minute) to 31622400 (366 days)")


def _changeable(budget: admin.Budget, paths: Collection[str], known: Known) -> Iterator[Violation]:
    found: Found = []
    if "display_name" in paths:
        at_most(_MOST_NAME)(budget.display_name, "budget.display_name", found)
        printable(budget.display_name, "budget.display_name", found)
    yield from found
    if "limit_nano_usd" in paths:
        if not budget.HasField("limit_nano_usd"):
            yield Violation("budget.limit_nano_usd", "is required: the most that the calls of a window may cost; 0 allows what is free")
        elif not 0 <= budget.limit_nano_usd <= MOST_NANO_USD:
            yield Violation("budget.limit_nano_usd", f"must be 0 to {MOST_NANO_USD} ({dollars(MOST_NANO_USD)})")
    if "enforcement" in paths and (not budget.enforcement or budget.enforcement not in admin.BudgetEnforcement.values()):
        yield Violation("budget.enforcement", "is required: BUDGET_ENFORCEMENT_HARD or BUDGET_ENFORCEMENT_SOFT")
    if "alert_thresholds" in paths:
        yield from _alerts(budget, known)


def _alerts(budget: admin.Budget, known: Known) -> Iterator[Violation]:
    alerts = budget.alert_thresholds
    if len(alerts) > _MOST_ALERTS:
        yield Violation("budget.alert_thresholds", f"has {len(alerts)} items; at most {_MOST_ALERTS} are allowed")
        return
    seen: dict[tuple[int, str], int] = {}
    for position, alert in enumerate(alerts):
        path = f"budget.alert_thresholds[{position}]"
        if not 1 <= alert.percent <= _MOST_PERCENT:
            yield Violation(f"{path}.percent", f"must be 1 to {_MOST_PERCENT}, per cent of the limit")
        if alert.channel and alert.channel not in known.channels:
            there = f"there are {_named(known.channels)}" if known.channels else "none is configured (alerts.channels)"
            yield Violation(f"{path}.channel", f'"{alert.channel[:_MOST_ID]}" is no channel here; {there}')
        first = seen.setdefault((alert.percent, alert.channel), position)
        if first != position:
            yield Violation(path, f"is the same as alert_thresholds[{first}]; remove one")


def _named(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
