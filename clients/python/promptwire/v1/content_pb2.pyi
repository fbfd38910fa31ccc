from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_SYSTEM: _ClassVar[Role]
    ROLE_DEVELOPER: _ClassVar[Role]
    ROLE_USER: _ClassVar[Role]
    ROLE_ASSISTANT: _ClassVar[Role]
    ROLE_TOOL: _ClassVar[Role]
ROLE_UNSPECIFIED: Role
ROLE_SYSTEM: Role
ROLE_DEVELOPER: Role
ROLE_USER: Role
ROLE_ASSISTANT: Role
ROLE_TOOL: Role

class ChatMessage(_message.Message):
    __slots__ = ("role", "parts", "name", "message_id")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    role: Role
    parts: _containers.RepeatedCompositeFieldContainer[ContentPart]
    name: str
    message_id: str
    def __init__(self, role: _Optional[_Union[Role, str]] = ..., parts: _Optional[_Iterable[_Union[ContentPart, _Mapping]]] = ..., name: _Optional[str] = ..., message_id: _Optional[str] = ...) -> None: ...

class ContentPart(_message.Message):
    __slots__ = ("text", "media", "tool_call", "tool_result", "reasoning", "refusal", "provider_part", "provider_state", "cache_hint", "citations")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_FIELD_NUMBER: _ClassVar[int]
    TOOL_RESULT_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_PART_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_STATE_FIELD_NUMBER: _ClassVar[int]
    CACHE_HINT_FIELD_NUMBER: _ClassVar[int]
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    text: str
    media: MediaPart
    tool_call: ToolCallPart
    tool_result: ToolResultPart
    reasoning: ReasoningPart
    refusal: RefusalPart
    provider_part: ProviderPart
    provider_state: ProviderState
    cache_hint: CacheHint
    citations: _containers.RepeatedCompositeFieldContainer[Citation]
    def __init__(self, text: _Optional[str] = ..., media: _Optional[_Union[MediaPart, _Mapping]] = ..., tool_call: _Optional[_Union[ToolCallPart, _Mapping]] = ..., tool_result: _Optional[_Union[ToolResultPart, _Mapping]] = ..., reasoning: _Optional[_Union[ReasoningPart, _Mapping]] = ..., refusal: _Optional[_Union[RefusalPart, _Mapping]] = ..., provider_part: _Optional[_Union[ProviderPart, _Mapping]] = ..., provider_state: _Optional[_Union[ProviderState, _Mapping]] = ..., cache_hint: _Optional[_Union[CacheHint, _Mapping]] = ..., citations: _Optional[_Iterable[_Union[Citation, _Mapping]]] = ...) -> None: ...

class MediaPart(_message.Message):
    __slots__ = ("mime_type", "data", "uri", "file_id", "name", "detail", "transcript")
    MIME_TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    mime_type: str
    data: bytes
    uri: str
    file_id: str
    name: str
    detail: str
    transcript: str
    def __init__(self, mime_type: _Optional[str] = ..., data: _Optional[bytes] = ..., uri: _Optional[str] = ..., file_id: _Optional[str] = ..., name: _Optional[str] = ..., detail: _Optional[str] = ..., transcript: _Optional[str] = ...) -> None: ...

class ToolCallPart(_message.Message):
    __slots__ = ("tool_call_id", "name", "arguments_json")
    TOOL_CALL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    tool_call_id: str
    name: str
    arguments_json: str
    def __init__(self, tool_call_id: _Optional[str] = ..., name: _Optional[str] = ..., arguments_json: _Optional[str] = ...) -> None: ...

class ToolResultPart(_message.Message):
    __slots__ = ("tool_call_id", "name", "parts", "is_error")
    TOOL_CALL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    IS_ERROR_FIELD_NUMBER: _ClassVar[int]
    tool_call_id: str
    name: str
    parts: _containers.RepeatedCompositeFieldContainer[ContentPart]
    is_error: bool
    def __init__(self, tool_call_id: _Optional[str] = ..., name: _Optional[str] = ..., parts: _Optional[_Iterable[_Union[ContentPart, _Mapping]]] = ..., is_error: bool = ...) -> None: ...

class ReasoningPart(_message.Message):
    __slots__ = ("text", "redacted")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REDACTED_FIELD_NUMBER: _ClassVar[int]
    text: str
    redacted: bool
    def __init__(self, text: _Optional[str] = ..., redacted: bool = ...) -> None: ...

class RefusalPart(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class ProviderPart(_message.Message):
    __slots__ = ("provider", "type", "json")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    provider: str
    type: str
    json: str
    def __init__(self, provider: _Optional[str] = ..., type: _Optional[str] = ..., json: _Optional[str] = ...) -> None: ...

class ProviderState(_message.Message):
    __slots__ = ("provider", "data")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    provider: str
    data: bytes
    def __init__(self, provider: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class CacheHint(_message.Message):
    __slots__ = ("ttl",)
    class Ttl(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        TTL_UNSPECIFIED: _ClassVar[CacheHint.Ttl]
        TTL_5_MINUTES: _ClassVar[CacheHint.Ttl]
        TTL_1_HOUR: _ClassVar[CacheHint.Ttl]
    TTL_UNSPECIFIED: CacheHint.Ttl
    TTL_5_MINUTES: CacheHint.Ttl
    TTL_1_HOUR: CacheHint.Ttl
    TTL_FIELD_NUMBER: _ClassVar[int]
    ttl: CacheHint.Ttl
    def __init__(self, ttl: _Optional[_Union[CacheHint.Ttl, str]] = ...) -> None: ...

class Citation(_message.Message):
    __slots__ = ("title", "uri", "quoted_text", "start_index", "end_index", "provider_json")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    QUOTED_TEXT_FIELD_NUMBER: _ClassVar[int]
    START_INDEX_FIELD_NUMBER: _ClassVar[int]
    END_INDEX_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_JSON_FIELD_NUMBER: _ClassVar[int]
    title: str
    uri: str
    quoted_text: str
    start_index: int
    end_index: int
    provider_json: str
    def __init__(self, title: _Optional[str] = ..., uri: _Optional[str] = ..., quoted_text: _Optional[str] = ..., start_index: _Optional[int] = ..., end_index: _Optional[int] = ..., provider_json: _Optional[str] = ...) -> None: ...
