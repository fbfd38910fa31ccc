"""`promptwire budget`: limits of what may be spent."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Annotated, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

from cyclopts import Parameter

from promptwire import Promptwire
from promptwire.admin import v1 as admin
from promptwire_server.cli.amounts import nano_usd, pairs, time_of, zone_of
from promptwire_server.cli.connection import HERE, Connection, Seconds
from promptwire_server.cli.exits import CommandError, ExitCode
from promptwire_server.cli.render import note, one_line, print_table, write
from promptwire_server.config.units import duration_text, seconds
from promptwire_server.core.money import dollars

_COLUMNS: Final = ("budget", "counts", "window", "limit", "spent", "held", "left", "used", "")
_TIMEOUT_S: Final = 15.0
_PERIODS: Final = {
    "minute": admin.CalendarWindow.PERIOD_MINUTE,
    "hour": admin.CalendarWindow.PERIOD_HOUR,
    "day": admin.CalendarWindow.PERIOD_DAY,
    "week": admin.CalendarWindow.PERIOD_WEEK,
    "month": admin.CalendarWindow.PERIOD_MONTH,
}

T = TypeVar("T")
Name = Annotated[str, Parameter(help="The budget's identifier: letters, digits, _ and -.")]
Json = Annotated[bool, Parameter(help="All of it as one line of JSON, as in the contract.")]
Dollars = Annotated[str, Parameter(help='Most that the calls of a window may cost, in dollars: "500", "0.25".')]
Alerts = Annotated[
    list[str],
    Parameter(name="--alert", help="Per cent of the limit at which somebody is told, once a window: 80, or 80:channel. Repeatable."),
]
Labels = Annotated[list[str], Parameter(name="--label", help="Only calls with this label, key=value. Repeatable.")]


def create(  # noqa: PLR0913 - the options of a budget
    name: Name,
    /,
    *,
    limit: Dollars,
    window: Annotated[
        str, Parameter(help="month, week, day, hour or minute of the calendar; the time just passed, e.g. 7d; lifetime; per-call.")
    ] = "month",
    time_zone: Annotated[str, Parameter(help="Whose midnight begins days, weeks and months, e.g. Europe/Berlin. Default: UTC.")] = "",
    soft: Annotated[bool, Parameter(help="Only tell: calls go on when it is spent.")] = False,
    tenant: Annotated[str, Parameter(help="Only calls of this tenant.")] = "",
    principal: Annotated[str, Parameter(help="Only calls of this principal.")] = "",
    key: Annotated[str, Parameter(help="Only calls with this API key.")] = "",
    model: Annotated[str, Parameter(help="Only calls that this model answers: provider/model, or provider/*.")] = "",
    chain: Annotated[str, Parameter(help="Only calls of this chain.")] = "",
    label: Labels = [],  # noqa: B006 - never changed
    alert: Alerts = [],  # noqa: B006 - never changed
    title: Annotated[str, Parameter(help="A name for people.")] = "",
    timeout: Seconds = _TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """Make a budget. Without a scope it counts all calls that the credential may speak for."""
    scope = admin.BudgetScope(
        tenant=tenant, principal=principal, api_key_id=key, model=model, chain_name=chain, labels=pairs(label, "--label")
    )
    budget = admin.Budget(
        budget_id=name,
        display_name=title,
        scope=scope,
        limit_nano_usd=nano_usd(limit, "--limit"),
        window=_window(window, time_zone),
        enforcement=admin.BUDGET_ENFORCEMENT_SOFT if soft else admin.BUDGET_ENFORCEMENT_HARD,
        alert_thresholds=_alerts(alert),
    )
    made = _asked(connection.open(timeout), lambda client: client.admin.create_budget(budget))
    note(f"made: {made.budget_id}, {dollars(made.limit_nano_usd)} {_window_text(made.window)}, {_counts(made)}")
    return ExitCode.OK


def show_all(
    *,
    tenant: Annotated[str, Parameter(help="Only budgets of this tenant.")] = "",
    json: Json = False,
    timeout: Seconds = _TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """List the budgets: what each counts, its limit, what is spent, held and left."""
    scope = admin.BudgetScope(tenant=tenant)
    found = _asked(connection.open(timeout), lambda client: client.admin.list_budgets(scope=scope))
    if json:
        response = admin.ListBudgetsResponse(budgets=[budget for budget, _ in found], statuses=[status for _, status in found])
        write(one_line(response) + "\n")
        return ExitCode.OK
    print_table(_COLUMNS, [_row(budget, status) for budget, status in found])
    if not found:
        note("no budgets; `promptwire budget create NAME --limit 500` makes one")
    return ExitCode.OK


def show(
    name: Name,
    /,
    *,
    json: Json = False,
    timeout: Seconds = _TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """Show one budget and what is left of it."""
    budget, status = asyncio.run(_shown(connection.open(timeout), name))
    if json:
        write(one_line(admin.ListBudgetsResponse(budgets=[budget], statuses=[status])) + "\n")
        return ExitCode.OK
    print_table(("", budget.budget_id), list(_facts(budget, status)))
    return ExitCode.OK


def change(  # noqa: PLR0913 - the options of a change
    name: Name,
    /,
    *,
    limit: Annotated[str | None, Parameter(help='Another limit, in dollars: "600".')] = None,
    enforcement: Annotated[Literal["hard", "soft"] | None, Parameter(help="Refuse what does not fit, or only tell.")] = None,
    alert: Annotated[list[str] | None, Parameter(help="Alerts in place of all that were: 80, or 80:channel. Repeatable.")] = None,
    paused: Annotated[Literal["yes", "no"] | None, Parameter(help="Count, but neither refuse nor tell.")] = None,
    title: Annotated[str | None, Parameter(help="Another name for people.")] = None,
    timeout: Seconds = _TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """Change a budget. What is spent and held stays; its scope and its window stay as they are."""
    budget = admin.Budget(budget_id=name, display_name=title or "", paused=paused == "yes", alert_thresholds=_alerts(alert or []))
    if limit is not None:
        budget.limit_nano_usd = nano_usd(limit, "--limit")
    budget.enforcement = admin.BUDGET_ENFORCEMENT_SOFT if enforcement == "soft" else admin.BUDGET_ENFORCEMENT_HARD
    given = {"limit_nano_usd": limit, "enforcement": enforcement, "alert_thresholds": alert, "paused": paused, "display_name": title}
    fields = [field for field, value in given.items() if value is not None]
    if not fields:
        raise CommandError("nothing to change", "give --limit, --enforcement, --alert, --paused or --title")
    changed = _asked(connection.open(timeout), lambda client: client.admin.update_budget(budget, fields))
    note(f"changed: {changed.budget_id}, {dollars(changed.limit_nano_usd)} {_window_text(changed.window)}")
    return ExitCode.OK


def adjust(
    name: Name,
    amount: Annotated[str, Parameter(help='How many dollars more, in the window under way; "-5": less.', allow_leading_hyphen=True)],
    /,
    *,
    reason: Annotated[str, Parameter(help="Why, for people and the ledger.")],
    request_id: Annotated[str, Parameter(help="A name of your own: however often it is asked for, it is given once.")] = "",
    timeout: Seconds = _TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """Give a budget more, or less, once. The limit stays."""
    nano = nano_usd(amount, "AMOUNT")
    given = _asked(connection.open(timeout), lambda client: client.admin.adjust_budget(name, nano, reason=reason, request_id=request_id))
    note(f"given: {dollars(nano)} to {name}, entry {given.adjustment.adjustment_id}; {dollars(given.status.remaining_nano_usd)} is left")
    return ExitCode.OK


def delete(name: Name, /, *, timeout: Seconds = _TIMEOUT_S, connection: Connection = HERE) -> int:
    """Delete a budget. Calls go on without it; the ledger keeps its entries."""
    _asked(connection.open(timeout), lambda client: client.admin.delete_budget(name))
    note(f"deleted: {name}")
    return ExitCode.OK


def _asked(client: Promptwire, do: Callable[[Promptwire], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with client:
            return await do(client)

    return asyncio.run(ask())


async def _shown(client: Promptwire, name: str) -> tuple[admin.Budget, admin.BudgetStatus]:
    async with client:
        return await client.admin.get_budget(name), await client.admin.budget_status(name)


def _window(text: str, time_zone: str) -> admin.BudgetWindow:
    if text in _PERIODS:
        return admin.BudgetWindow(calendar=admin.CalendarWindow(period=_PERIODS[text], time_zone=time_zone))
    if text == "lifetime":
        return admin.BudgetWindow(lifetime=admin.LifetimeWindow())
    if text in ("per-call", "per_call"):
        return admin.BudgetWindow(per_call=admin.PerCallWindow())
    window = admin.BudgetWindow()
    try:
        window.rolling.duration.FromNanoseconds(int(seconds(text) * 1e9))
    except ValueError:
        raise CommandError(f"--window {text}: is none", f"write {', '.join(_PERIODS)}, lifetime, per-call, or a time such as 7d") from None
    return window


def _alerts(texts: Sequence[str]) -> list[admin.AlertThreshold]:
    alerts = []
    for text in texts:
        percent, _, channel = text.partition(":")
        if not percent.removesuffix("%").isdecimal():
            raise CommandError(f"--alert {text}: is none", "write per cent of the limit, e.g. 80 or 80:channel")
        alerts.append(admin.AlertThreshold(percent=int(percent.removesuffix("%")), channel=channel))
    return alerts


def _row(budget: admin.Budget, status: admin.BudgetStatus) -> tuple[str, ...]:
    return (
        budget.budget_id,
        _counts(budget),
        _window_text(budget.window),
        dollars(status.limit_nano_usd + status.adjusted_nano_usd),
        dollars(status.spent_nano_usd),
        dollars(status.held_nano_usd),
        dollars(status.remaining_nano_usd),
        _used(status),
        _state(budget, status),
    )


def _facts(budget: admin.Budget, status: admin.BudgetStatus) -> Iterator[tuple[str, str]]:
    zone = _zone(budget)
    yield "counts", _counts(budget)
    yield "window", _window_text(budget.window)
    yield "limit", dollars(status.limit_nano_usd)
    for name, amount in (("adjusted", status.adjusted_nano_usd), ("spent", status.spent_nano_usd), ("held", status.held_nano_usd)):
        yield name, dollars(amount)
    yield "left", f"{dollars(status.remaining_nano_usd)} ({_used(status)} used)"
    yield "enforcement", _state(budget, status) or "hard"
    if budget.alert_thresholds:
        reached = set(status.reached_percents)
        yield "alerts", ", ".join(_alert_text(each, reached=each.percent in reached) for each in budget.alert_thresholds)
    if status.HasField("reset_time"):
        yield "resets", f"{time_of(status.reset_time, zone)} {zone.key}"
    if status.unpriced_call_count:
        yield "without a price", f"{status.unpriced_call_count} calls, which are not counted"


def _alert_text(alert: admin.AlertThreshold, *, reached: bool) -> str:
    return f"{alert.percent} %{' to ' + alert.channel if alert.channel else ''}{' (reached)' if reached else ''}"


def _counts(budget: admin.Budget) -> str:
    """Which calls count, in words."""
    scope = budget.scope
    named = {"tenant": scope.tenant, "principal": scope.principal, "key": scope.api_key_id, "model": scope.model, "chain": scope.chain_name}
    parts = [f"{name} {value}" for name, value in named.items() if value]
    return ", ".join([*parts, *(f"{key}={value}" for key, value in sorted(scope.labels.items()))]) or "all calls"


def _window_text(window: admin.BudgetWindow) -> str:
    kind = window.WhichOneof("window")
    if kind == "calendar":
        name = admin.CalendarWindow.Period.Name(window.calendar.period).removeprefix("PERIOD_").lower()
        return f"a {name}" + (f" ({window.calendar.time_zone})" if window.calendar.time_zone not in ("", "UTC") else "")
    if kind == "rolling":
        return f"in {duration_text(window.rolling.duration.seconds)}"
    return "a call" if kind == "per_call" else "in all"


def _zone(budget: admin.Budget) -> ZoneInfo:
    return zone_of(budget.window.calendar.time_zone)


def _used(status: admin.BudgetStatus) -> str:
    limit = status.limit_nano_usd + status.adjusted_nano_usd
    return f"{(status.spent_nano_usd + status.held_nano_usd) * 100 // limit} %" if limit > 0 else ""


def _state(budget: admin.Budget, status: admin.BudgetStatus) -> str:
    words = ["soft"] if budget.enforcement == admin.BUDGET_ENFORCEMENT_SOFT else []
    words += ["paused"] if budget.paused else []
    return ", ".join([*words, *(["spent"] if status.exhausted and not budget.window.HasField("per_call") else [])])
