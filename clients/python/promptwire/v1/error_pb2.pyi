import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from promptwire.v1 import usage_pb2 as _usage_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_DRAINING: _ClassVar[ErrorReason]
    ERROR_REASON_QUEUE_TOO_LONG: _ClassVar[ErrorReason]
    ERROR_REASON_RATE_LIMITED: _ClassVar[ErrorReason]
    ERROR_REASON_BUDGET_EXHAUSTED: _ClassVar[ErrorReason]
    ERROR_REASON_PRICE_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_BUDGET_STORE_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_FIELD: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_TEMPLATE: _ClassVar[ErrorReason]
    ERROR_REASON_CONTEXT_TOO_LONG: _ClassVar[ErrorReason]
    ERROR_REASON_TOO_LARGE: _ClassVar[ErrorReason]
    ERROR_REASON_CREDENTIAL_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_POLICY_DENIED: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_BLOCKED_INPUT: _ClassVar[ErrorReason]
    ERROR_REASON_BLOCKED_OUTPUT: _ClassVar[ErrorReason]
    ERROR_REASON_CAPABILITY_MISSING: _ClassVar[ErrorReason]
    ERROR_REASON_UPSTREAM_ACCOUNT: _ClassVar[ErrorReason]
    ERROR_REASON_UPSTREAM_RATE_LIMITED: _ClassVar[ErrorReason]
    ERROR_REASON_UPSTREAM_FAILED: _ClassVar[ErrorReason]
    ERROR_REASON_NO_HEALTHY_UPSTREAM: _ClassVar[ErrorReason]
    ERROR_REASON_STREAM_INTERRUPTED: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_ID_REUSED: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_IN_PROGRESS: _ClassVar[ErrorReason]
    ERROR_REASON_OUTPUT_SCHEMA_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_EVENTS_COMPACTED: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_DISABLED: _ClassVar[ErrorReason]
    ERROR_REASON_UPSTREAM_POLICY: _ClassVar[ErrorReason]
    ERROR_REASON_CANCELLED: _ClassVar[ErrorReason]
    ERROR_REASON_CHAIN_FAILED: _ClassVar[ErrorReason]
    ERROR_REASON_ETAG_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_UPSTREAM_INVALID_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_ALREADY_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_IN_USE: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_DRAINING: ErrorReason
ERROR_REASON_QUEUE_TOO_LONG: ErrorReason
ERROR_REASON_RATE_LIMITED: ErrorReason
ERROR_REASON_BUDGET_EXHAUSTED: ErrorReason
ERROR_REASON_PRICE_UNKNOWN: ErrorReason
ERROR_REASON_BUDGET_STORE_UNAVAILABLE: ErrorReason
ERROR_REASON_INVALID_FIELD: ErrorReason
ERROR_REASON_INVALID_TEMPLATE: ErrorReason
ERROR_REASON_CONTEXT_TOO_LONG: ErrorReason
ERROR_REASON_TOO_LARGE: ErrorReason
ERROR_REASON_CREDENTIAL_INVALID: ErrorReason
ERROR_REASON_POLICY_DENIED: ErrorReason
ERROR_REASON_NOT_FOUND: ErrorReason
ERROR_REASON_BLOCKED_INPUT: ErrorReason
ERROR_REASON_BLOCKED_OUTPUT: ErrorReason
ERROR_REASON_CAPABILITY_MISSING: ErrorReason
ERROR_REASON_UPSTREAM_ACCOUNT: ErrorReason
ERROR_REASON_UPSTREAM_RATE_LIMITED: ErrorReason
ERROR_REASON_UPSTREAM_FAILED: ErrorReason
ERROR_REASON_NO_HEALTHY_UPSTREAM: ErrorReason
ERROR_REASON_STREAM_INTERRUPTED: ErrorReason
ERROR_REASON_DEADLINE: ErrorReason
ERROR_REASON_REQUEST_ID_REUSED: ErrorReason
ERROR_REASON_REQUEST_IN_PROGRESS: ErrorReason
ERROR_REASON_OUTPUT_SCHEMA_MISMATCH: ErrorReason
ERROR_REASON_EVENTS_COMPACTED: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_DISABLED: ErrorReason
ERROR_REASON_UPSTREAM_POLICY: ErrorReason
ERROR_REASON_CANCELLED: ErrorReason
ERROR_REASON_CHAIN_FAILED: ErrorReason
ERROR_REASON_ETAG_MISMATCH: ErrorReason
ERROR_REASON_UPSTREAM_INVALID_REQUEST: ErrorReason
ERROR_REASON_ALREADY_EXISTS: ErrorReason
ERROR_REASON_IN_USE: ErrorReason

class Failure(_message.Message):
    __slots__ = ("code", "reason", "message", "provider", "http_status", "retry_after", "provider_code", "field")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    HTTP_STATUS_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_CODE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: ErrorReason
    message: str
    provider: str
    http_status: int
    retry_after: _duration_pb2.Duration
    provider_code: str
    field: str
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[_Union[ErrorReason, str]] = ..., message: _Optional[str] = ..., provider: _Optional[str] = ..., http_status: _Optional[int] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., provider_code: _Optional[str] = ..., field: _Optional[str] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("provider", "model", "failure", "latency", "provider_request_id", "usage", "cost", "chosen_because")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_BECAUSE_FIELD_NUMBER: _ClassVar[int]
    provider: str
    model: str
    failure: Failure
    latency: _duration_pb2.Duration
    provider_request_id: str
    usage: _usage_pb2.Usage
    cost: _usage_pb2.Cost
    chosen_because: str
    def __init__(self, provider: _Optional[str] = ..., model: _Optional[str] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., provider_request_id: _Optional[str] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., cost: _Optional[_Union[_usage_pb2.Cost, _Mapping]] = ..., chosen_because: _Optional[str] = ...) -> None: ...

class AttemptTrail(_message.Message):
    __slots__ = ("attempts",)
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    def __init__(self, attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ("code", "message", "field")
    class Code(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CODE_UNSPECIFIED: _ClassVar[Notice.Code]
        CODE_SETTING_DROPPED: _ClassVar[Notice.Code]
        CODE_CONTENT_DROPPED: _ClassVar[Notice.Code]
        CODE_USAGE_ESTIMATED: _ClassVar[Notice.Code]
        CODE_USAGE_CORRECTED: _ClassVar[Notice.Code]
        CODE_FALLBACK_USED: _ClassVar[Notice.Code]
        CODE_DEPRECATED: _ClassVar[Notice.Code]
        CODE_TOOL_CALL_ID_MADE: _ClassVar[Notice.Code]
        CODE_OUTPUT_LIMITED: _ClassVar[Notice.Code]
    CODE_UNSPECIFIED: Notice.Code
    CODE_SETTING_DROPPED: Notice.Code
    CODE_CONTENT_DROPPED: Notice.Code
    CODE_USAGE_ESTIMATED: Notice.Code
    CODE_USAGE_CORRECTED: Notice.Code
    CODE_FALLBACK_USED: Notice.Code
    CODE_DEPRECATED: Notice.Code
    CODE_TOOL_CALL_ID_MADE: Notice.Code
    CODE_OUTPUT_LIMITED: Notice.Code
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    code: Notice.Code
    message: str
    field: str
    def __init__(self, code: _Optional[_Union[Notice.Code, str]] = ..., message: _Optional[str] = ..., field: _Optional[str] = ...) -> None: ...
