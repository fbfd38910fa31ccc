"""Budgets as messages of the contract, and back: so they are kept, and so operators see them."""

from google.protobuf.duration_pb2 import Duration

from promptwire.admin.v1 import budget_service_pb2 as pb
from promptwire_server.core.budget import Alert, Balance, Budget, Calendar, Lifetime, PerCall, Period, Rolling, Scope, Window
from promptwire_server.core.ledger import entry_id
from promptwire_server.core.purse import Given

_PERIODS: dict[Period, "pb.CalendarWindow.Period"] = {
    "minute": pb.CalendarWindow.PERIOD_MINUTE,
    "hour": pb.CalendarWindow.PERIOD_HOUR,
    "day": pb.CalendarWindow.PERIOD_DAY,
    "week": pb.CalendarWindow.PERIOD_WEEK,
    "month": pb.CalendarWindow.PERIOD_MONTH,
}
_NAMES = {value: name for name, value in _PERIODS.items()}


def message_of(budget: Budget) -> pb.Budget:
    """The budget as a message."""
    message = pb.Budget(
        budget_id=budget.budget_id,
        display_name=budget.name,
        scope=_scope_message(budget.scope),
        limit_nano_usd=budget.limit_nano_usd,
        window=_window_message(budget.window),
        enforcement=pb.BUDGET_ENFORCEMENT_HARD if budget.hard else pb.BUDGET_ENFORCEMENT_SOFT,
        alert_thresholds=[pb.AlertThreshold(percent=alert.percent, channel=alert.channel) for alert in budget.alerts],
        paused=budget.paused,
        etag=budget.etag,
    )
    if budget.created_us:
        message.create_time.FromMicroseconds(budget.created_us)
    if budget.updated_us:
        message.update_time.FromMicroseconds(budget.updated_us)
    return message


def budget_of(message: pb.Budget) -> Budget:
    """The budget that a message says, which must be whole and right."""
    return Budget(
        budget_id=message.budget_id,
        scope=_scope_of(message.scope),
        window=_window_of(message.window),
        limit_nano_usd=message.limit_nano_usd,
        hard=message.enforcement == pb.BUDGET_ENFORCEMENT_HARD,
        alerts=tuple(Alert(threshold.percent, threshold.channel) for threshold in message.alert_thresholds),
        paused=message.paused,
        name=message.display_name,
        created_us=message.create_time.ToMicroseconds() if message.HasField("create_time") else 0,
        updated_us=message.update_time.ToMicroseconds() if message.HasField("update_time") else 0,
        etag=message.etag,
    )


def status_of(budget: Budget, balance: Balance) -> pb.BudgetStatus:
    """What of a budget is left, as a message."""
    status = pb.BudgetStatus(
        budget_id=budget.budget_id,
        limit_nano_usd=balance.limit_nano_usd,
        adjusted_nano_usd=balance.adjusted_nano_usd,
        spent_nano_usd=balance.spent_nano_usd,
        held_nano_usd=balance.held_nano_usd,
        remaining_nano_usd=balance.free_nano_usd,
        exhausted=balance.free_nano_usd <= 0,
        reached_percents=balance.reached_percents,
        unpriced_call_count=balance.unpriced_calls,
    )
    begun_us = budget.created_us if isinstance(budget.window, Lifetime) else balance.window_start_us
    status.window_start_time.FromMicroseconds(begun_us)
    status.as_of_time.FromMicroseconds(balance.as_of_us)
    if balance.reset_us is not None and not isinstance(budget.window, PerCall):
        status.reset_time.FromMicroseconds(balance.reset_us)
    return status


def adjustment_of(given: Given) -> pb.BudgetAdjustment:
    """A gift as a message."""
    message = pb.BudgetAdjustment(
        adjustment_id=entry_id(given.number),
        budget_id=given.budget_id,
        amount_nano_usd=given.amount_nano_usd,
        reason=given.reason,
        created_by=given.principal,
    )
    message.create_time.FromMicroseconds(given.at_us)
    return message


def given_of(written: bytes) -> Given:
    """The gift that a message says, in its bytes."""
    message = pb.BudgetAdjustment.FromString(written)
    at_us = message.create_time.ToMicroseconds()
    number = int(message.adjustment_id)
    return Given(number, message.budget_id, message.amount_nano_usd, message.reason, at_us, message.created_by)


def _scope_message(scope: Scope) -> pb.BudgetScope:
    return pb.BudgetScope(
        tenant=scope.tenant,
        principal=scope.principal,
        api_key_id=scope.api_key_id,
        chain_name=scope.chain,
        model=scope.model,
        labels=dict(scope.labels),
    )


def _scope_of(message: pb.BudgetScope) -> Scope:
    return Scope(message.tenant, message.principal, message.api_key_id, message.chain_name, message.model, dict(message.labels))


def _window_message(window: Window) -> pb.BudgetWindow:
    if isinstance(window, Calendar):
        return pb.BudgetWindow(calendar=pb.CalendarWindow(period=_PERIODS[window.period], time_zone=window.zone))
    if isinstance(window, Rolling):
        return pb.BudgetWindow(rolling=pb.RollingWindow(duration=Duration(seconds=window.duration_s)))
    if isinstance(window, PerCall):
        return pb.BudgetWindow(per_call=pb.PerCallWindow())
    return pb.BudgetWindow(lifetime=pb.LifetimeWindow())


def _window_of(message: pb.BudgetWindow) -> Window:
    kind = message.WhichOneof("window")
    if kind == "calendar":
        return Calendar(_NAMES[message.calendar.period], message.calendar.time_zone or "UTC")
    if kind == "rolling":
        return Rolling(message.rolling.duration.seconds)
    return PerCall() if kind == "per_call" else Lifetime()
