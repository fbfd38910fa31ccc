import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from promptwire.v1 import chat_pb2 as _chat_pb2
from promptwire.v1 import error_pb2 as _error_pb2
from promptwire.v1 import events_pb2 as _events_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StreamChatRequest(_message.Message):
    __slots__ = ("chat", "restart_policy", "heartbeat_interval")
    class RestartPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        RESTART_POLICY_UNSPECIFIED: _ClassVar[StreamChatRequest.RestartPolicy]
        RESTART_POLICY_NEVER: _ClassVar[StreamChatRequest.RestartPolicy]
        RESTART_POLICY_RESTART_WITH_DISCARD: _ClassVar[StreamChatRequest.RestartPolicy]
        RESTART_POLICY_CONTINUE: _ClassVar[StreamChatRequest.RestartPolicy]
    RESTART_POLICY_UNSPECIFIED: StreamChatRequest.RestartPolicy
    RESTART_POLICY_NEVER: StreamChatRequest.RestartPolicy
    RESTART_POLICY_RESTART_WITH_DISCARD: StreamChatRequest.RestartPolicy
    RESTART_POLICY_CONTINUE: StreamChatRequest.RestartPolicy
    CHAT_FIELD_NUMBER: _ClassVar[int]
    RESTART_POLICY_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    chat: _chat_pb2.ChatRequest
    restart_policy: StreamChatRequest.RestartPolicy
    heartbeat_interval: _duration_pb2.Duration
    def __init__(self, chat: _Optional[_Union[_chat_pb2.ChatRequest, _Mapping]] = ..., restart_policy: _Optional[_Union[StreamChatRequest.RestartPolicy, str]] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StreamChatResponse(_message.Message):
    __slots__ = ("sequence", "started", "part_started", "part_delta", "part_finished", "attempt_failed", "notice", "heartbeat", "finished")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PART_STARTED_FIELD_NUMBER: _ClassVar[int]
    PART_DELTA_FIELD_NUMBER: _ClassVar[int]
    PART_FINISHED_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FAILED_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    started: ChatStarted
    part_started: _events_pb2.PartStarted
    part_delta: _events_pb2.PartDelta
    part_finished: _events_pb2.PartFinished
    attempt_failed: _events_pb2.AttemptFailed
    notice: _error_pb2.Notice
    heartbeat: _events_pb2.Heartbeat
    finished: ChatFinished
    def __init__(self, sequence: _Optional[int] = ..., started: _Optional[_Union[ChatStarted, _Mapping]] = ..., part_started: _Optional[_Union[_events_pb2.PartStarted, _Mapping]] = ..., part_delta: _Optional[_Union[_events_pb2.PartDelta, _Mapping]] = ..., part_finished: _Optional[_Union[_events_pb2.PartFinished, _Mapping]] = ..., attempt_failed: _Optional[_Union[_events_pb2.AttemptFailed, _Mapping]] = ..., notice: _Optional[_Union[_error_pb2.Notice, _Mapping]] = ..., heartbeat: _Optional[_Union[_events_pb2.Heartbeat, _Mapping]] = ..., finished: _Optional[_Union[ChatFinished, _Mapping]] = ...) -> None: ...

class ChatStarted(_message.Message):
    __slots__ = ("request_id", "model", "provider", "trace_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: str
    provider: str
    trace_id: str
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., trace_id: _Optional[str] = ...) -> None: ...

class ChatFinished(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _chat_pb2.ChatResponse
    def __init__(self, response: _Optional[_Union[_chat_pb2.ChatResponse, _Mapping]] = ...) -> None: ...

class CountTokensRequest(_message.Message):
    __slots__ = ("chat",)
    CHAT_FIELD_NUMBER: _ClassVar[int]
    chat: _chat_pb2.ChatRequest
    def __init__(self, chat: _Optional[_Union[_chat_pb2.ChatRequest, _Mapping]] = ...) -> None: ...

class CountTokensResponse(_message.Message):
    __slots__ = ("input_tokens", "estimated", "model", "provider", "method")
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    input_tokens: int
    estimated: bool
    model: str
    provider: str
    method: str
    def __init__(self, input_tokens: _Optional[int] = ..., estimated: bool = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., method: _Optional[str] = ...) -> None: ...
