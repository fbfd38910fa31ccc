import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from promptwire.v1 import error_pb2 as _error_pb2
from promptwire.v1 import events_pb2 as _events_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuditCategory(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIT_CATEGORY_UNSPECIFIED: _ClassVar[AuditCategory]
    AUDIT_CATEGORY_ADMIN: _ClassVar[AuditCategory]
    AUDIT_CATEGORY_AUTHENTICATION: _ClassVar[AuditCategory]
    AUDIT_CATEGORY_POLICY: _ClassVar[AuditCategory]
    AUDIT_CATEGORY_BUDGET: _ClassVar[AuditCategory]
    AUDIT_CATEGORY_PROVIDER: _ClassVar[AuditCategory]
    AUDIT_CATEGORY_SYSTEM: _ClassVar[AuditCategory]
    AUDIT_CATEGORY_ACCESS: _ClassVar[AuditCategory]
AUDIT_CATEGORY_UNSPECIFIED: AuditCategory
AUDIT_CATEGORY_ADMIN: AuditCategory
AUDIT_CATEGORY_AUTHENTICATION: AuditCategory
AUDIT_CATEGORY_POLICY: AuditCategory
AUDIT_CATEGORY_BUDGET: AuditCategory
AUDIT_CATEGORY_PROVIDER: AuditCategory
AUDIT_CATEGORY_SYSTEM: AuditCategory
AUDIT_CATEGORY_ACCESS: AuditCategory

class AuditActor(_message.Message):
    __slots__ = ("tenant", "principal", "api_key_id", "peer_address")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    API_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    PEER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    principal: str
    api_key_id: str
    peer_address: str
    def __init__(self, tenant: _Optional[str] = ..., principal: _Optional[str] = ..., api_key_id: _Optional[str] = ..., peer_address: _Optional[str] = ...) -> None: ...

class AuditEvent(_message.Message):
    __slots__ = ("sequence", "time", "category", "action", "actor", "tenant", "resource_type", "resource_id", "failure", "reason", "before_json", "after_json", "request_id", "trace_id", "instance_id")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BEFORE_JSON_FIELD_NUMBER: _ClassVar[int]
    AFTER_JSON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    time: _timestamp_pb2.Timestamp
    category: AuditCategory
    action: str
    actor: AuditActor
    tenant: str
    resource_type: str
    resource_id: str
    failure: _error_pb2.Failure
    reason: str
    before_json: str
    after_json: str
    request_id: str
    trace_id: str
    instance_id: str
    def __init__(self, sequence: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., category: _Optional[_Union[AuditCategory, str]] = ..., action: _Optional[str] = ..., actor: _Optional[_Union[AuditActor, _Mapping]] = ..., tenant: _Optional[str] = ..., resource_type: _Optional[str] = ..., resource_id: _Optional[str] = ..., failure: _Optional[_Union[_error_pb2.Failure, _Mapping]] = ..., reason: _Optional[str] = ..., before_json: _Optional[str] = ..., after_json: _Optional[str] = ..., request_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., instance_id: _Optional[str] = ...) -> None: ...

class AuditFilter(_message.Message):
    __slots__ = ("categories", "actions", "tenants", "principals", "api_key_ids", "resource_types", "resource_ids", "failed")
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    PRINCIPALS_FIELD_NUMBER: _ClassVar[int]
    API_KEY_IDS_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_TYPES_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_IDS_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    categories: _containers.RepeatedScalarFieldContainer[AuditCategory]
    actions: _containers.RepeatedScalarFieldContainer[str]
    tenants: _containers.RepeatedScalarFieldContainer[str]
    principals: _containers.RepeatedScalarFieldContainer[str]
    api_key_ids: _containers.RepeatedScalarFieldContainer[str]
    resource_types: _containers.RepeatedScalarFieldContainer[str]
    resource_ids: _containers.RepeatedScalarFieldContainer[str]
    failed: bool
    def __init__(self, categories: _Optional[_Iterable[_Union[AuditCategory, str]]] = ..., actions: _Optional[_Iterable[str]] = ..., tenants: _Optional[_Iterable[str]] = ..., principals: _Optional[_Iterable[str]] = ..., api_key_ids: _Optional[_Iterable[str]] = ..., resource_types: _Optional[_Iterable[str]] = ..., resource_ids: _Optional[_Iterable[str]] = ..., failed: bool = ...) -> None: ...

class ListAuditEventsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "filter", "start_time", "end_time")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    filter: AuditFilter
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., filter: _Optional[_Union[AuditFilter, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListAuditEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[AuditEvent]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[AuditEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class StreamAuditEventsRequest(_message.Message):
    __slots__ = ("filter", "after_sequence", "heartbeat_interval")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    filter: AuditFilter
    after_sequence: int
    heartbeat_interval: _duration_pb2.Duration
    def __init__(self, filter: _Optional[_Union[AuditFilter, _Mapping]] = ..., after_sequence: _Optional[int] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StreamAuditEventsResponse(_message.Message):
    __slots__ = ("event", "heartbeat")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    event: AuditEvent
    heartbeat: _events_pb2.Heartbeat
    def __init__(self, event: _Optional[_Union[AuditEvent, _Mapping]] = ..., heartbeat: _Optional[_Union[_events_pb2.Heartbeat, _Mapping]] = ...) -> None: ...
