import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "contract_version", "capabilities", "limits", "start_time", "default_model", "instance_id")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_MODEL_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    version: str
    contract_version: str
    capabilities: ServerCapabilities
    limits: ServerLimits
    start_time: _timestamp_pb2.Timestamp
    default_model: str
    instance_id: str
    def __init__(self, version: _Optional[str] = ..., contract_version: _Optional[str] = ..., capabilities: _Optional[_Union[ServerCapabilities, _Mapping]] = ..., limits: _Optional[_Union[ServerLimits, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., default_model: _Optional[str] = ..., instance_id: _Optional[str] = ...) -> None: ...

class ServerCapabilities(_message.Message):
    __slots__ = ("chat", "count_tokens", "embeddings", "chains", "runs", "batches", "conversations", "models", "cache", "budgets", "idempotency", "chain_registry", "admin", "authentication", "guards")
    CHAT_FIELD_NUMBER: _ClassVar[int]
    COUNT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    CHAINS_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    CONVERSATIONS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    BUDGETS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_FIELD_NUMBER: _ClassVar[int]
    CHAIN_REGISTRY_FIELD_NUMBER: _ClassVar[int]
    ADMIN_FIELD_NUMBER: _ClassVar[int]
    AUTHENTICATION_FIELD_NUMBER: _ClassVar[int]
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    chat: bool
    count_tokens: bool
    embeddings: bool
    chains: bool
    runs: bool
    batches: bool
    conversations: bool
    models: bool
    cache: bool
    budgets: bool
    idempotency: bool
    chain_registry: bool
    admin: bool
    authentication: bool
    guards: bool
    def __init__(self, chat: bool = ..., count_tokens: bool = ..., embeddings: bool = ..., chains: bool = ..., runs: bool = ..., batches: bool = ..., conversations: bool = ..., models: bool = ..., cache: bool = ..., budgets: bool = ..., idempotency: bool = ..., chain_registry: bool = ..., admin: bool = ..., authentication: bool = ..., guards: bool = ...) -> None: ...

class ServerLimits(_message.Message):
    __slots__ = ("max_request_bytes", "max_response_bytes", "max_call_duration", "max_messages", "max_chain_steps")
    MAX_REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_RESPONSE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_CALL_DURATION_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    MAX_CHAIN_STEPS_FIELD_NUMBER: _ClassVar[int]
    max_request_bytes: int
    max_response_bytes: int
    max_call_duration: _duration_pb2.Duration
    max_messages: int
    max_chain_steps: int
    def __init__(self, max_request_bytes: _Optional[int] = ..., max_response_bytes: _Optional[int] = ..., max_call_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_messages: _Optional[int] = ..., max_chain_steps: _Optional[int] = ...) -> None: ...
