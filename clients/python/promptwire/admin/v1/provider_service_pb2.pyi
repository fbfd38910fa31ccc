import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from promptwire.v1 import error_pb2 as _error_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProviderMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROVIDER_MODE_UNSPECIFIED: _ClassVar[ProviderMode]
    PROVIDER_MODE_ENABLED: _ClassVar[ProviderMode]
    PROVIDER_MODE_DRAINING: _ClassVar[ProviderMode]
    PROVIDER_MODE_DISABLED: _ClassVar[ProviderMode]

class ProviderHealth(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROVIDER_HEALTH_UNSPECIFIED: _ClassVar[ProviderHealth]
    PROVIDER_HEALTH_HEALTHY: _ClassVar[ProviderHealth]
    PROVIDER_HEALTH_DEGRADED: _ClassVar[ProviderHealth]
    PROVIDER_HEALTH_UNHEALTHY: _ClassVar[ProviderHealth]

class BreakerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_STATE_UNSPECIFIED: _ClassVar[BreakerState]
    BREAKER_STATE_CLOSED: _ClassVar[BreakerState]
    BREAKER_STATE_OPEN: _ClassVar[BreakerState]
    BREAKER_STATE_HALF_OPEN: _ClassVar[BreakerState]
PROVIDER_MODE_UNSPECIFIED: ProviderMode
PROVIDER_MODE_ENABLED: ProviderMode
PROVIDER_MODE_DRAINING: ProviderMode
PROVIDER_MODE_DISABLED: ProviderMode
PROVIDER_HEALTH_UNSPECIFIED: ProviderHealth
PROVIDER_HEALTH_HEALTHY: ProviderHealth
PROVIDER_HEALTH_DEGRADED: ProviderHealth
PROVIDER_HEALTH_UNHEALTHY: ProviderHealth
BREAKER_STATE_UNSPECIFIED: BreakerState
BREAKER_STATE_CLOSED: BreakerState
BREAKER_STATE_OPEN: BreakerState
BREAKER_STATE_HALF_OPEN: BreakerState

class Provider(_message.Message):
    __slots__ = ("name", "dialect", "endpoint", "mode", "mode_reason", "mode_change_time", "health", "in_flight_count", "max_in_flight_count", "targets", "last_errors", "stats", "last_success_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIALECT_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    MODE_REASON_FIELD_NUMBER: _ClassVar[int]
    MODE_CHANGE_TIME_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_COUNT_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    LAST_ERRORS_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    LAST_SUCCESS_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    dialect: str
    endpoint: str
    mode: ProviderMode
    mode_reason: str
    mode_change_time: _timestamp_pb2.Timestamp
    health: ProviderHealth
    in_flight_count: int
    max_in_flight_count: int
    targets: _containers.RepeatedCompositeFieldContainer[ProviderTarget]
    last_errors: _containers.RepeatedCompositeFieldContainer[ProviderError]
    stats: ProviderCallStats
    last_success_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., dialect: _Optional[str] = ..., endpoint: _Optional[str] = ..., mode: _Optional[_Union[ProviderMode, str]] = ..., mode_reason: _Optional[str] = ..., mode_change_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., health: _Optional[_Union[ProviderHealth, str]] = ..., in_flight_count: _Optional[int] = ..., max_in_flight_count: _Optional[int] = ..., targets: _Optional[_Iterable[_Union[ProviderTarget, _Mapping]]] = ..., last_errors: _Optional[_Iterable[_Union[ProviderError, _Mapping]]] = ..., stats: _Optional[_Union[ProviderCallStats, _Mapping]] = ..., last_success_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ProviderTarget(_message.Message):
    __slots__ = ("model", "health", "breaker", "in_flight_count", "stats")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_COUNT_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    model: str
    health: ProviderHealth
    breaker: Breaker
    in_flight_count: int
    stats: ProviderCallStats
    def __init__(self, model: _Optional[str] = ..., health: _Optional[_Union[ProviderHealth, str]] = ..., breaker: _Optional[_Union[Breaker, _Mapping]] = ..., in_flight_count: _Optional[int] = ..., stats: _Optional[_Union[ProviderCallStats, _Mapping]] = ...) -> None: ...

class Breaker(_message.Message):
    __slots__ = ("state", "state_change_time", "probe_time", "consecutive_failure_count", "window_call_count", "window_failure_count")
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_CHANGE_TIME_FIELD_NUMBER: _ClassVar[int]
    PROBE_TIME_FIELD_NUMBER: _ClassVar[int]
    CONSECUTIVE_FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    state: BreakerState
    state_change_time: _timestamp_pb2.Timestamp
    probe_time: _timestamp_pb2.Timestamp
    consecutive_failure_count: int
    window_call_count: int
    window_failure_count: int
    def __init__(self, state: _Optional[_Union[BreakerState, str]] = ..., state_change_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., probe_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., consecutive_failure_count: _Optional[int] = ..., window_call_count: _Optional[int] = ..., window_failure_count: _Optional[int] = ...) -> None: ...

class ProviderError(_message.Message):
    __slots__ = ("time", "attempt")
    TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    attempt: _error_pb2.Attempt
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attempt: _Optional[_Union[_error_pb2.Attempt, _Mapping]] = ...) -> None: ...

class ProviderCallStats(_message.Message):
    __slots__ = ("window", "call_count", "failure_count", "rate_limited_count", "latency", "time_to_first_token")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMITED_COUNT_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_FIRST_TOKEN_FIELD_NUMBER: _ClassVar[int]
    window: _duration_pb2.Duration
    call_count: int
    failure_count: int
    rate_limited_count: int
    latency: LatencySummary
    time_to_first_token: LatencySummary
    def __init__(self, window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., call_count: _Optional[int] = ..., failure_count: _Optional[int] = ..., rate_limited_count: _Optional[int] = ..., latency: _Optional[_Union[LatencySummary, _Mapping]] = ..., time_to_first_token: _Optional[_Union[LatencySummary, _Mapping]] = ...) -> None: ...

class LatencySummary(_message.Message):
    __slots__ = ("sample_count", "mean", "p50", "p90", "p99", "max")
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    P50_FIELD_NUMBER: _ClassVar[int]
    P90_FIELD_NUMBER: _ClassVar[int]
    P99_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    sample_count: int
    mean: _duration_pb2.Duration
    p50: _duration_pb2.Duration
    p90: _duration_pb2.Duration
    p99: _duration_pb2.Duration
    max: _duration_pb2.Duration
    def __init__(self, sample_count: _Optional[int] = ..., mean: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., p50: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., p90: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., p99: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ListProvidersRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "modes", "healths")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MODES_FIELD_NUMBER: _ClassVar[int]
    HEALTHS_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    modes: _containers.RepeatedScalarFieldContainer[ProviderMode]
    healths: _containers.RepeatedScalarFieldContainer[ProviderHealth]
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., modes: _Optional[_Iterable[_Union[ProviderMode, str]]] = ..., healths: _Optional[_Iterable[_Union[ProviderHealth, str]]] = ...) -> None: ...

class ListProvidersResponse(_message.Message):
    __slots__ = ("providers", "next_page_token", "instance_id")
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    providers: _containers.RepeatedCompositeFieldContainer[Provider]
    next_page_token: str
    instance_id: str
    def __init__(self, providers: _Optional[_Iterable[_Union[Provider, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., instance_id: _Optional[str] = ...) -> None: ...

class GetProviderRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetProviderResponse(_message.Message):
    __slots__ = ("provider", "instance_id")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    provider: Provider
    instance_id: str
    def __init__(self, provider: _Optional[_Union[Provider, _Mapping]] = ..., instance_id: _Optional[str] = ...) -> None: ...

class ResetBreakerRequest(_message.Message):
    __slots__ = ("request_id", "name", "model", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    model: str
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., model: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ResetBreakerResponse(_message.Message):
    __slots__ = ("provider", "instance_id")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    provider: Provider
    instance_id: str
    def __init__(self, provider: _Optional[_Union[Provider, _Mapping]] = ..., instance_id: _Optional[str] = ...) -> None: ...

class SetProviderEnabledRequest(_message.Message):
    __slots__ = ("request_id", "name", "enabled", "drain_timeout", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    DRAIN_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    enabled: bool
    drain_timeout: _duration_pb2.Duration
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., enabled: bool = ..., drain_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class SetProviderEnabledResponse(_message.Message):
    __slots__ = ("provider", "instance_id")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    provider: Provider
    instance_id: str
    def __init__(self, provider: _Optional[_Union[Provider, _Mapping]] = ..., instance_id: _Optional[str] = ...) -> None: ...
