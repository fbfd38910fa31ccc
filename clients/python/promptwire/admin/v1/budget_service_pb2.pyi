import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BudgetEnforcement(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUDGET_ENFORCEMENT_UNSPECIFIED: _ClassVar[BudgetEnforcement]
    BUDGET_ENFORCEMENT_HARD: _ClassVar[BudgetEnforcement]
    BUDGET_ENFORCEMENT_SOFT: _ClassVar[BudgetEnforcement]
BUDGET_ENFORCEMENT_UNSPECIFIED: BudgetEnforcement
BUDGET_ENFORCEMENT_HARD: BudgetEnforcement
BUDGET_ENFORCEMENT_SOFT: BudgetEnforcement

class Budget(_message.Message):
    __slots__ = ("budget_id", "display_name", "scope", "limit_nano_usd", "window", "enforcement", "alert_thresholds", "paused", "create_time", "update_time", "etag")
    BUDGET_ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    ENFORCEMENT_FIELD_NUMBER: _ClassVar[int]
    ALERT_THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    budget_id: str
    display_name: str
    scope: BudgetScope
    limit_nano_usd: int
    window: BudgetWindow
    enforcement: BudgetEnforcement
    alert_thresholds: _containers.RepeatedCompositeFieldContainer[AlertThreshold]
    paused: bool
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    etag: str
    def __init__(self, budget_id: _Optional[str] = ..., display_name: _Optional[str] = ..., scope: _Optional[_Union[BudgetScope, _Mapping]] = ..., limit_nano_usd: _Optional[int] = ..., window: _Optional[_Union[BudgetWindow, _Mapping]] = ..., enforcement: _Optional[_Union[BudgetEnforcement, str]] = ..., alert_thresholds: _Optional[_Iterable[_Union[AlertThreshold, _Mapping]]] = ..., paused: bool = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class BudgetScope(_message.Message):
    __slots__ = ("tenant", "principal", "api_key_id", "labels", "model", "chain_name")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    API_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CHAIN_NAME_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    principal: str
    api_key_id: str
    labels: _containers.ScalarMap[str, str]
    model: str
    chain_name: str
    def __init__(self, tenant: _Optional[str] = ..., principal: _Optional[str] = ..., api_key_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., model: _Optional[str] = ..., chain_name: _Optional[str] = ...) -> None: ...

class BudgetWindow(_message.Message):
    __slots__ = ("calendar", "rolling", "lifetime", "per_call")
    CALENDAR_FIELD_NUMBER: _ClassVar[int]
    ROLLING_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_FIELD_NUMBER: _ClassVar[int]
    PER_CALL_FIELD_NUMBER: _ClassVar[int]
    calendar: CalendarWindow
    rolling: RollingWindow
    lifetime: LifetimeWindow
    per_call: PerCallWindow
    def __init__(self, calendar: _Optional[_Union[CalendarWindow, _Mapping]] = ..., rolling: _Optional[_Union[RollingWindow, _Mapping]] = ..., lifetime: _Optional[_Union[LifetimeWindow, _Mapping]] = ..., per_call: _Optional[_Union[PerCallWindow, _Mapping]] = ...) -> None: ...

class CalendarWindow(_message.Message):
    __slots__ = ("period", "time_zone")
    class Period(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PERIOD_UNSPECIFIED: _ClassVar[CalendarWindow.Period]
        PERIOD_DAY: _ClassVar[CalendarWindow.Period]
        PERIOD_WEEK: _ClassVar[CalendarWindow.Period]
        PERIOD_MONTH: _ClassVar[CalendarWindow.Period]
        PERIOD_MINUTE: _ClassVar[CalendarWindow.Period]
        PERIOD_HOUR: _ClassVar[CalendarWindow.Period]
    PERIOD_UNSPECIFIED: CalendarWindow.Period
    PERIOD_DAY: CalendarWindow.Period
    PERIOD_WEEK: CalendarWindow.Period
    PERIOD_MONTH: CalendarWindow.Period
    PERIOD_MINUTE: CalendarWindow.Period
    PERIOD_HOUR: CalendarWindow.Period
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    period: CalendarWindow.Period
    time_zone: str
    def __init__(self, period: _Optional[_Union[CalendarWindow.Period, str]] = ..., time_zone: _Optional[str] = ...) -> None: ...

class RollingWindow(_message.Message):
    __slots__ = ("duration",)
    DURATION_FIELD_NUMBER: _ClassVar[int]
    duration: _duration_pb2.Duration
    def __init__(self, duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class LifetimeWindow(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PerCallWindow(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AlertThreshold(_message.Message):
    __slots__ = ("percent", "channel")
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    percent: int
    channel: str
    def __init__(self, percent: _Optional[int] = ..., channel: _Optional[str] = ...) -> None: ...

class BudgetStatus(_message.Message):
    __slots__ = ("budget_id", "limit_nano_usd", "adjusted_nano_usd", "spent_nano_usd", "held_nano_usd", "remaining_nano_usd", "exhausted", "window_start_time", "reset_time", "reached_percents", "unpriced_call_count", "as_of_time")
    BUDGET_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    ADJUSTED_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    SPENT_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    HELD_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    REMAINING_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    EXHAUSTED_FIELD_NUMBER: _ClassVar[int]
    WINDOW_START_TIME_FIELD_NUMBER: _ClassVar[int]
    RESET_TIME_FIELD_NUMBER: _ClassVar[int]
    REACHED_PERCENTS_FIELD_NUMBER: _ClassVar[int]
    UNPRICED_CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    budget_id: str
    limit_nano_usd: int
    adjusted_nano_usd: int
    spent_nano_usd: int
    held_nano_usd: int
    remaining_nano_usd: int
    exhausted: bool
    window_start_time: _timestamp_pb2.Timestamp
    reset_time: _timestamp_pb2.Timestamp
    reached_percents: _containers.RepeatedScalarFieldContainer[int]
    unpriced_call_count: int
    as_of_time: _timestamp_pb2.Timestamp
    def __init__(self, budget_id: _Optional[str] = ..., limit_nano_usd: _Optional[int] = ..., adjusted_nano_usd: _Optional[int] = ..., spent_nano_usd: _Optional[int] = ..., held_nano_usd: _Optional[int] = ..., remaining_nano_usd: _Optional[int] = ..., exhausted: bool = ..., window_start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reset_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reached_percents: _Optional[_Iterable[int]] = ..., unpriced_call_count: _Optional[int] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BudgetAdjustment(_message.Message):
    __slots__ = ("adjustment_id", "budget_id", "amount_nano_usd", "reason", "create_time", "created_by")
    ADJUSTMENT_ID_FIELD_NUMBER: _ClassVar[int]
    BUDGET_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    adjustment_id: str
    budget_id: str
    amount_nano_usd: int
    reason: str
    create_time: _timestamp_pb2.Timestamp
    created_by: str
    def __init__(self, adjustment_id: _Optional[str] = ..., budget_id: _Optional[str] = ..., amount_nano_usd: _Optional[int] = ..., reason: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_by: _Optional[str] = ...) -> None: ...

class CreateBudgetRequest(_message.Message):
    __slots__ = ("request_id", "budget")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    budget: Budget
    def __init__(self, request_id: _Optional[str] = ..., budget: _Optional[_Union[Budget, _Mapping]] = ...) -> None: ...

class CreateBudgetResponse(_message.Message):
    __slots__ = ("budget",)
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    budget: Budget
    def __init__(self, budget: _Optional[_Union[Budget, _Mapping]] = ...) -> None: ...

class GetBudgetRequest(_message.Message):
    __slots__ = ("budget_id",)
    BUDGET_ID_FIELD_NUMBER: _ClassVar[int]
    budget_id: str
    def __init__(self, budget_id: _Optional[str] = ...) -> None: ...

class GetBudgetResponse(_message.Message):
    __slots__ = ("budget",)
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    budget: Budget
    def __init__(self, budget: _Optional[_Union[Budget, _Mapping]] = ...) -> None: ...

class ListBudgetsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "scope", "include_status")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_STATUS_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    scope: BudgetScope
    include_status: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., scope: _Optional[_Union[BudgetScope, _Mapping]] = ..., include_status: bool = ...) -> None: ...

class ListBudgetsResponse(_message.Message):
    __slots__ = ("budgets", "next_page_token", "statuses")
    BUDGETS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    budgets: _containers.RepeatedCompositeFieldContainer[Budget]
    next_page_token: str
    statuses: _containers.RepeatedCompositeFieldContainer[BudgetStatus]
    def __init__(self, budgets: _Optional[_Iterable[_Union[Budget, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., statuses: _Optional[_Iterable[_Union[BudgetStatus, _Mapping]]] = ...) -> None: ...

class UpdateBudgetRequest(_message.Message):
    __slots__ = ("request_id", "budget", "update_mask", "etag")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    budget: Budget
    update_mask: _field_mask_pb2.FieldMask
    etag: str
    def __init__(self, request_id: _Optional[str] = ..., budget: _Optional[_Union[Budget, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class UpdateBudgetResponse(_message.Message):
    __slots__ = ("budget",)
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    budget: Budget
    def __init__(self, budget: _Optional[_Union[Budget, _Mapping]] = ...) -> None: ...

class DeleteBudgetRequest(_message.Message):
    __slots__ = ("request_id", "budget_id", "etag")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    BUDGET_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    budget_id: str
    etag: str
    def __init__(self, request_id: _Optional[str] = ..., budget_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteBudgetResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetBudgetStatusRequest(_message.Message):
    __slots__ = ("budget_id",)
    BUDGET_ID_FIELD_NUMBER: _ClassVar[int]
    budget_id: str
    def __init__(self, budget_id: _Optional[str] = ...) -> None: ...

class GetBudgetStatusResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: BudgetStatus
    def __init__(self, status: _Optional[_Union[BudgetStatus, _Mapping]] = ...) -> None: ...

class AdjustBudgetRequest(_message.Message):
    __slots__ = ("request_id", "budget_id", "amount_nano_usd", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    BUDGET_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    budget_id: str
    amount_nano_usd: int
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., budget_id: _Optional[str] = ..., amount_nano_usd: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class AdjustBudgetResponse(_message.Message):
    __slots__ = ("adjustment", "status")
    ADJUSTMENT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    adjustment: BudgetAdjustment
    status: BudgetStatus
    def __init__(self, adjustment: _Optional[_Union[BudgetAdjustment, _Mapping]] = ..., status: _Optional[_Union[BudgetStatus, _Mapping]] = ...) -> None: ...
