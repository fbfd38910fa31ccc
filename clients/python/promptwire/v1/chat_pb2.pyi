import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from promptwire.v1 import content_pb2 as _content_pb2
from promptwire.v1 import error_pb2 as _error_pb2
from promptwire.v1 import generation_pb2 as _generation_pb2
from promptwire.v1 import usage_pb2 as _usage_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_CRITICAL: _ClassVar[Priority]
    PRIORITY_HIGH: _ClassVar[Priority]
    PRIORITY_NORMAL: _ClassVar[Priority]
    PRIORITY_LOW: _ClassVar[Priority]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_STOP: _ClassVar[FinishReason]
    FINISH_REASON_LENGTH: _ClassVar[FinishReason]
    FINISH_REASON_TOOL_CALLS: _ClassVar[FinishReason]
    FINISH_REASON_CONTENT_FILTER: _ClassVar[FinishReason]
    FINISH_REASON_REFUSAL: _ClassVar[FinishReason]
    FINISH_REASON_PAUSE: _ClassVar[FinishReason]

class ServedFrom(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVED_FROM_UNSPECIFIED: _ClassVar[ServedFrom]
    SERVED_FROM_PROVIDER: _ClassVar[ServedFrom]
    SERVED_FROM_CACHE: _ClassVar[ServedFrom]
    SERVED_FROM_DEDUP: _ClassVar[ServedFrom]
    SERVED_FROM_IDEMPOTENCY: _ClassVar[ServedFrom]
PRIORITY_UNSPECIFIED: Priority
PRIORITY_CRITICAL: Priority
PRIORITY_HIGH: Priority
PRIORITY_NORMAL: Priority
PRIORITY_LOW: Priority
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_STOP: FinishReason
FINISH_REASON_LENGTH: FinishReason
FINISH_REASON_TOOL_CALLS: FinishReason
FINISH_REASON_CONTENT_FILTER: FinishReason
FINISH_REASON_REFUSAL: FinishReason
FINISH_REASON_PAUSE: FinishReason
SERVED_FROM_UNSPECIFIED: ServedFrom
SERVED_FROM_PROVIDER: ServedFrom
SERVED_FROM_CACHE: ServedFrom
SERVED_FROM_DEDUP: ServedFrom
SERVED_FROM_IDEMPOTENCY: ServedFrom

class ChatRequest(_message.Message):
    __slots__ = ("model", "prompt", "system", "messages", "generation", "fallback_models", "priority", "request_id", "session_id", "cache", "dedup", "labels", "end_user_id", "max_cost_nano_usd")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_MODELS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    DEDUP_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    END_USER_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    model: str
    prompt: str
    system: str
    messages: _containers.RepeatedCompositeFieldContainer[_content_pb2.ChatMessage]
    generation: _generation_pb2.GenerationSettings
    fallback_models: _containers.RepeatedScalarFieldContainer[str]
    priority: Priority
    request_id: str
    session_id: str
    cache: CacheSettings
    dedup: bool
    labels: _containers.ScalarMap[str, str]
    end_user_id: str
    max_cost_nano_usd: int
    def __init__(self, model: _Optional[str] = ..., prompt: _Optional[str] = ..., system: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[_content_pb2.ChatMessage, _Mapping]]] = ..., generation: _Optional[_Union[_generation_pb2.GenerationSettings, _Mapping]] = ..., fallback_models: _Optional[_Iterable[str]] = ..., priority: _Optional[_Union[Priority, str]] = ..., request_id: _Optional[str] = ..., session_id: _Optional[str] = ..., cache: _Optional[_Union[CacheSettings, _Mapping]] = ..., dedup: bool = ..., labels: _Optional[_Mapping[str, str]] = ..., end_user_id: _Optional[str] = ..., max_cost_nano_usd: _Optional[int] = ...) -> None: ...

class CacheSettings(_message.Message):
    __slots__ = ("mode", "ttl", "max_age", "min_similarity", "namespace")
    class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        MODE_UNSPECIFIED: _ClassVar[CacheSettings.Mode]
        MODE_READ_WRITE: _ClassVar[CacheSettings.Mode]
        MODE_READ_ONLY: _ClassVar[CacheSettings.Mode]
        MODE_REFRESH: _ClassVar[CacheSettings.Mode]
        MODE_BYPASS: _ClassVar[CacheSettings.Mode]
    MODE_UNSPECIFIED: CacheSettings.Mode
    MODE_READ_WRITE: CacheSettings.Mode
    MODE_READ_ONLY: CacheSettings.Mode
    MODE_REFRESH: CacheSettings.Mode
    MODE_BYPASS: CacheSettings.Mode
    MODE_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_FIELD_NUMBER: _ClassVar[int]
    MIN_SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    mode: CacheSettings.Mode
    ttl: _duration_pb2.Duration
    max_age: _duration_pb2.Duration
    min_similarity: float
    namespace: str
    def __init__(self, mode: _Optional[_Union[CacheSettings.Mode, str]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., min_similarity: _Optional[float] = ..., namespace: _Optional[str] = ...) -> None: ...

class CacheHit(_message.Message):
    __slots__ = ("age", "stale", "similarity")
    AGE_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    age: _duration_pb2.Duration
    stale: bool
    similarity: float
    def __init__(self, age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., stale: bool = ..., similarity: _Optional[float] = ...) -> None: ...

class ChatResponse(_message.Message):
    __slots__ = ("text", "candidates", "model", "provider", "usage", "cost", "request_id", "attempts", "served_from", "timing", "trace_id", "notices", "provider_response_id", "provider_extra_json", "cache_key", "variant", "cache_hit")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    SERVED_FROM_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_RESPONSE_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    CACHE_KEY_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    CACHE_HIT_FIELD_NUMBER: _ClassVar[int]
    text: str
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    model: str
    provider: str
    usage: _usage_pb2.Usage
    cost: _usage_pb2.Cost
    request_id: str
    attempts: _containers.RepeatedCompositeFieldContainer[_error_pb2.Attempt]
    served_from: ServedFrom
    timing: _usage_pb2.Timing
    trace_id: str
    notices: _containers.RepeatedCompositeFieldContainer[_error_pb2.Notice]
    provider_response_id: str
    provider_extra_json: str
    cache_key: str
    variant: str
    cache_hit: CacheHit
    def __init__(self, text: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., cost: _Optional[_Union[_usage_pb2.Cost, _Mapping]] = ..., request_id: _Optional[str] = ..., attempts: _Optional[_Iterable[_Union[_error_pb2.Attempt, _Mapping]]] = ..., served_from: _Optional[_Union[ServedFrom, str]] = ..., timing: _Optional[_Union[_usage_pb2.Timing, _Mapping]] = ..., trace_id: _Optional[str] = ..., notices: _Optional[_Iterable[_Union[_error_pb2.Notice, _Mapping]]] = ..., provider_response_id: _Optional[str] = ..., provider_extra_json: _Optional[str] = ..., cache_key: _Optional[str] = ..., variant: _Optional[str] = ..., cache_hit: _Optional[_Union[CacheHit, _Mapping]] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("index", "message", "finish_reason", "provider_finish_reason", "logprobs", "provider_extra_json")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    index: int
    message: _content_pb2.ChatMessage
    finish_reason: FinishReason
    provider_finish_reason: str
    logprobs: _containers.RepeatedCompositeFieldContainer[TokenLogprob]
    provider_extra_json: str
    def __init__(self, index: _Optional[int] = ..., message: _Optional[_Union[_content_pb2.ChatMessage, _Mapping]] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., provider_finish_reason: _Optional[str] = ..., logprobs: _Optional[_Iterable[_Union[TokenLogprob, _Mapping]]] = ..., provider_extra_json: _Optional[str] = ...) -> None: ...

class TokenLogprob(_message.Message):
    __slots__ = ("token", "logprob", "bytes", "top")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    token: str
    logprob: float
    bytes: bytes
    top: _containers.RepeatedCompositeFieldContainer[TokenLogprob]
    def __init__(self, token: _Optional[str] = ..., logprob: _Optional[float] = ..., bytes: _Optional[bytes] = ..., top: _Optional[_Iterable[_Union[TokenLogprob, _Mapping]]] = ...) -> None: ...
