import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from promptwire.v1 import chat_pb2 as _chat_pb2
from promptwire.v1 import content_pb2 as _content_pb2
from promptwire.v1 import error_pb2 as _error_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PartStarted(_message.Message):
    __slots__ = ("candidate_index", "part_index", "part")
    CANDIDATE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PART_INDEX_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    candidate_index: int
    part_index: int
    part: _content_pb2.ContentPart
    def __init__(self, candidate_index: _Optional[int] = ..., part_index: _Optional[int] = ..., part: _Optional[_Union[_content_pb2.ContentPart, _Mapping]] = ...) -> None: ...

class PartDelta(_message.Message):
    __slots__ = ("candidate_index", "part_index", "text", "reasoning", "arguments_json", "refusal", "data", "transcript", "logprobs")
    CANDIDATE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PART_INDEX_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    candidate_index: int
    part_index: int
    text: str
    reasoning: str
    arguments_json: str
    refusal: str
    data: bytes
    transcript: str
    logprobs: _containers.RepeatedCompositeFieldContainer[_chat_pb2.TokenLogprob]
    def __init__(self, candidate_index: _Optional[int] = ..., part_index: _Optional[int] = ..., text: _Optional[str] = ..., reasoning: _Optional[str] = ..., arguments_json: _Optional[str] = ..., refusal: _Optional[str] = ..., data: _Optional[bytes] = ..., transcript: _Optional[str] = ..., logprobs: _Optional[_Iterable[_Union[_chat_pb2.TokenLogprob, _Mapping]]] = ...) -> None: ...

class PartFinished(_message.Message):
    __slots__ = ("candidate_index", "part_index", "part")
    CANDIDATE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PART_INDEX_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    candidate_index: int
    part_index: int
    part: _content_pb2.ContentPart
    def __init__(self, candidate_index: _Optional[int] = ..., part_index: _Optional[int] = ..., part: _Optional[_Union[_content_pb2.ContentPart, _Mapping]] = ...) -> None: ...

class AttemptFailed(_message.Message):
    __slots__ = ("attempt", "next_action", "next_provider", "next_model", "discard_partial_output", "delay")
    class NextAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NEXT_ACTION_UNSPECIFIED: _ClassVar[AttemptFailed.NextAction]
        NEXT_ACTION_RETRY: _ClassVar[AttemptFailed.NextAction]
        NEXT_ACTION_FALLBACK: _ClassVar[AttemptFailed.NextAction]
        NEXT_ACTION_CONTINUE: _ClassVar[AttemptFailed.NextAction]
    NEXT_ACTION_UNSPECIFIED: AttemptFailed.NextAction
    NEXT_ACTION_RETRY: AttemptFailed.NextAction
    NEXT_ACTION_FALLBACK: AttemptFailed.NextAction
    NEXT_ACTION_CONTINUE: AttemptFailed.NextAction
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    NEXT_ACTION_FIELD_NUMBER: _ClassVar[int]
    NEXT_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    NEXT_MODEL_FIELD_NUMBER: _ClassVar[int]
    DISCARD_PARTIAL_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    attempt: _error_pb2.Attempt
    next_action: AttemptFailed.NextAction
    next_provider: str
    next_model: str
    discard_partial_output: bool
    delay: _duration_pb2.Duration
    def __init__(self, attempt: _Optional[_Union[_error_pb2.Attempt, _Mapping]] = ..., next_action: _Optional[_Union[AttemptFailed.NextAction, str]] = ..., next_provider: _Optional[str] = ..., next_model: _Optional[str] = ..., discard_partial_output: bool = ..., delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
