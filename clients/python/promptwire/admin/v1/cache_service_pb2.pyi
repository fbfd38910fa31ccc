import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from promptwire.v1 import usage_pb2 as _usage_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CacheSelector(_message.Message):
    __slots__ = ("tenant", "model", "key_prefix", "min_age", "namespace")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    KEY_PREFIX_FIELD_NUMBER: _ClassVar[int]
    MIN_AGE_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    model: str
    key_prefix: str
    min_age: _duration_pb2.Duration
    namespace: str
    def __init__(self, tenant: _Optional[str] = ..., model: _Optional[str] = ..., key_prefix: _Optional[str] = ..., min_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., namespace: _Optional[str] = ...) -> None: ...

class CacheStats(_message.Message):
    __slots__ = ("entry_count", "size_bytes", "max_size_bytes", "oldest_entry_time", "hit_count", "similar_hit_count", "miss_count", "bypass_count", "write_count", "eviction_count", "expiration_count", "saved_usage", "saved_nano_usd", "start_time", "stale_hit_count")
    ENTRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    OLDEST_ENTRY_TIME_FIELD_NUMBER: _ClassVar[int]
    HIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIMILAR_HIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    MISS_COUNT_FIELD_NUMBER: _ClassVar[int]
    BYPASS_COUNT_FIELD_NUMBER: _ClassVar[int]
    WRITE_COUNT_FIELD_NUMBER: _ClassVar[int]
    EVICTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    EXPIRATION_COUNT_FIELD_NUMBER: _ClassVar[int]
    SAVED_USAGE_FIELD_NUMBER: _ClassVar[int]
    SAVED_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    STALE_HIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    entry_count: int
    size_bytes: int
    max_size_bytes: int
    oldest_entry_time: _timestamp_pb2.Timestamp
    hit_count: int
    similar_hit_count: int
    miss_count: int
    bypass_count: int
    write_count: int
    eviction_count: int
    expiration_count: int
    saved_usage: _usage_pb2.Usage
    saved_nano_usd: int
    start_time: _timestamp_pb2.Timestamp
    stale_hit_count: int
    def __init__(self, entry_count: _Optional[int] = ..., size_bytes: _Optional[int] = ..., max_size_bytes: _Optional[int] = ..., oldest_entry_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., hit_count: _Optional[int] = ..., similar_hit_count: _Optional[int] = ..., miss_count: _Optional[int] = ..., bypass_count: _Optional[int] = ..., write_count: _Optional[int] = ..., eviction_count: _Optional[int] = ..., expiration_count: _Optional[int] = ..., saved_usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., saved_nano_usd: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stale_hit_count: _Optional[int] = ...) -> None: ...

class ModelCacheStats(_message.Message):
    __slots__ = ("model", "stats")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    model: str
    stats: CacheStats
    def __init__(self, model: _Optional[str] = ..., stats: _Optional[_Union[CacheStats, _Mapping]] = ...) -> None: ...

class GetCacheStatsRequest(_message.Message):
    __slots__ = ("tenant", "model", "include_models")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_MODELS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    model: str
    include_models: bool
    def __init__(self, tenant: _Optional[str] = ..., model: _Optional[str] = ..., include_models: bool = ...) -> None: ...

class GetCacheStatsResponse(_message.Message):
    __slots__ = ("stats", "models", "store", "instance_id")
    STATS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    stats: CacheStats
    models: _containers.RepeatedCompositeFieldContainer[ModelCacheStats]
    store: str
    instance_id: str
    def __init__(self, stats: _Optional[_Union[CacheStats, _Mapping]] = ..., models: _Optional[_Iterable[_Union[ModelCacheStats, _Mapping]]] = ..., store: _Optional[str] = ..., instance_id: _Optional[str] = ...) -> None: ...

class PurgeCacheRequest(_message.Message):
    __slots__ = ("request_id", "selector", "all", "dry_run", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    selector: CacheSelector
    all: bool
    dry_run: bool
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., selector: _Optional[_Union[CacheSelector, _Mapping]] = ..., all: bool = ..., dry_run: bool = ..., reason: _Optional[str] = ...) -> None: ...

class PurgeCacheResponse(_message.Message):
    __slots__ = ("purged_count", "purged_bytes", "instance_id")
    PURGED_COUNT_FIELD_NUMBER: _ClassVar[int]
    PURGED_BYTES_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    purged_count: int
    purged_bytes: int
    instance_id: str
    def __init__(self, purged_count: _Optional[int] = ..., purged_bytes: _Optional[int] = ..., instance_id: _Optional[str] = ...) -> None: ...
