from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Modality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODALITY_UNSPECIFIED: _ClassVar[Modality]
    MODALITY_TEXT: _ClassVar[Modality]
    MODALITY_IMAGE: _ClassVar[Modality]
    MODALITY_AUDIO: _ClassVar[Modality]
    MODALITY_DOCUMENT: _ClassVar[Modality]
    MODALITY_VIDEO: _ClassVar[Modality]
MODALITY_UNSPECIFIED: Modality
MODALITY_TEXT: Modality
MODALITY_IMAGE: Modality
MODALITY_AUDIO: Modality
MODALITY_DOCUMENT: Modality
MODALITY_VIDEO: Modality

class GenerationSettings(_message.Message):
    __slots__ = ("temperature", "top_p", "top_k", "max_output_tokens", "seed", "presence_penalty", "frequency_penalty", "stop_sequences", "candidate_count", "logprobs", "top_logprobs", "logit_bias", "reasoning", "response_format", "tools", "tool_choice", "parallel_tool_calls", "output_modalities", "audio", "provider_options_json")
    class LogitBiasEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class ProviderOptionsJsonEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_PENALTY_FIELD_NUMBER: _ClassVar[int]
    FREQUENCY_PENALTY_FIELD_NUMBER: _ClassVar[int]
    STOP_SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    TOP_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    LOGIT_BIAS_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FORMAT_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    TOOL_CHOICE_FIELD_NUMBER: _ClassVar[int]
    PARALLEL_TOOL_CALLS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_MODALITIES_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_OPTIONS_JSON_FIELD_NUMBER: _ClassVar[int]
    temperature: float
    top_p: float
    top_k: int
    max_output_tokens: int
    seed: int
    presence_penalty: float
    frequency_penalty: float
    stop_sequences: _containers.RepeatedScalarFieldContainer[str]
    candidate_count: int
    logprobs: bool
    top_logprobs: int
    logit_bias: _containers.ScalarMap[str, float]
    reasoning: ReasoningSettings
    response_format: ResponseFormat
    tools: _containers.RepeatedCompositeFieldContainer[Tool]
    tool_choice: ToolChoice
    parallel_tool_calls: bool
    output_modalities: _containers.RepeatedScalarFieldContainer[Modality]
    audio: AudioSettings
    provider_options_json: _containers.ScalarMap[str, str]
    def __init__(self, temperature: _Optional[float] = ..., top_p: _Optional[float] = ..., top_k: _Optional[int] = ..., max_output_tokens: _Optional[int] = ..., seed: _Optional[int] = ..., presence_penalty: _Optional[float] = ..., frequency_penalty: _Optional[float] = ..., stop_sequences: _Optional[_Iterable[str]] = ..., candidate_count: _Optional[int] = ..., logprobs: bool = ..., top_logprobs: _Optional[int] = ..., logit_bias: _Optional[_Mapping[str, float]] = ..., reasoning: _Optional[_Union[ReasoningSettings, _Mapping]] = ..., response_format: _Optional[_Union[ResponseFormat, _Mapping]] = ..., tools: _Optional[_Iterable[_Union[Tool, _Mapping]]] = ..., tool_choice: _Optional[_Union[ToolChoice, _Mapping]] = ..., parallel_tool_calls: bool = ..., output_modalities: _Optional[_Iterable[_Union[Modality, str]]] = ..., audio: _Optional[_Union[AudioSettings, _Mapping]] = ..., provider_options_json: _Optional[_Mapping[str, str]] = ...) -> None: ...

class AudioSettings(_message.Message):
    __slots__ = ("voice", "format")
    VOICE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    voice: str
    format: str
    def __init__(self, voice: _Optional[str] = ..., format: _Optional[str] = ...) -> None: ...

class ReasoningSettings(_message.Message):
    __slots__ = ("effort", "budget_tokens", "include")
    class Effort(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        EFFORT_UNSPECIFIED: _ClassVar[ReasoningSettings.Effort]
        EFFORT_NONE: _ClassVar[ReasoningSettings.Effort]
        EFFORT_MINIMAL: _ClassVar[ReasoningSettings.Effort]
        EFFORT_LOW: _ClassVar[ReasoningSettings.Effort]
        EFFORT_MEDIUM: _ClassVar[ReasoningSettings.Effort]
        EFFORT_HIGH: _ClassVar[ReasoningSettings.Effort]
        EFFORT_MAX: _ClassVar[ReasoningSettings.Effort]
    EFFORT_UNSPECIFIED: ReasoningSettings.Effort
    EFFORT_NONE: ReasoningSettings.Effort
    EFFORT_MINIMAL: ReasoningSettings.Effort
    EFFORT_LOW: ReasoningSettings.Effort
    EFFORT_MEDIUM: ReasoningSettings.Effort
    EFFORT_HIGH: ReasoningSettings.Effort
    EFFORT_MAX: ReasoningSettings.Effort
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    BUDGET_TOKENS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    effort: ReasoningSettings.Effort
    budget_tokens: int
    include: bool
    def __init__(self, effort: _Optional[_Union[ReasoningSettings.Effort, str]] = ..., budget_tokens: _Optional[int] = ..., include: bool = ...) -> None: ...

class ResponseFormat(_message.Message):
    __slots__ = ("text", "json_object", "json_schema", "regex", "grammar", "choices")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    JSON_OBJECT_FIELD_NUMBER: _ClassVar[int]
    JSON_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    REGEX_FIELD_NUMBER: _ClassVar[int]
    GRAMMAR_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    text: TextFormat
    json_object: JsonObjectFormat
    json_schema: JsonSchemaFormat
    regex: RegexFormat
    grammar: GrammarFormat
    choices: ChoicesFormat
    def __init__(self, text: _Optional[_Union[TextFormat, _Mapping]] = ..., json_object: _Optional[_Union[JsonObjectFormat, _Mapping]] = ..., json_schema: _Optional[_Union[JsonSchemaFormat, _Mapping]] = ..., regex: _Optional[_Union[RegexFormat, _Mapping]] = ..., grammar: _Optional[_Union[GrammarFormat, _Mapping]] = ..., choices: _Optional[_Union[ChoicesFormat, _Mapping]] = ...) -> None: ...

class TextFormat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class JsonObjectFormat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class JsonSchemaFormat(_message.Message):
    __slots__ = ("schema_json", "name", "description", "strict")
    SCHEMA_JSON_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    schema_json: str
    name: str
    description: str
    strict: bool
    def __init__(self, schema_json: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., strict: bool = ...) -> None: ...

class RegexFormat(_message.Message):
    __slots__ = ("pattern",)
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    pattern: str
    def __init__(self, pattern: _Optional[str] = ...) -> None: ...

class GrammarFormat(_message.Message):
    __slots__ = ("grammar", "syntax")
    GRAMMAR_FIELD_NUMBER: _ClassVar[int]
    SYNTAX_FIELD_NUMBER: _ClassVar[int]
    grammar: str
    syntax: str
    def __init__(self, grammar: _Optional[str] = ..., syntax: _Optional[str] = ...) -> None: ...

class ChoicesFormat(_message.Message):
    __slots__ = ("choices",)
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    choices: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, choices: _Optional[_Iterable[str]] = ...) -> None: ...

class Tool(_message.Message):
    __slots__ = ("function", "provider_tool")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_TOOL_FIELD_NUMBER: _ClassVar[int]
    function: FunctionTool
    provider_tool: ProviderTool
    def __init__(self, function: _Optional[_Union[FunctionTool, _Mapping]] = ..., provider_tool: _Optional[_Union[ProviderTool, _Mapping]] = ...) -> None: ...

class FunctionTool(_message.Message):
    __slots__ = ("name", "description", "parameters_json", "strict")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_JSON_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    parameters_json: str
    strict: bool
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., parameters_json: _Optional[str] = ..., strict: bool = ...) -> None: ...

class ProviderTool(_message.Message):
    __slots__ = ("provider", "json")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    provider: str
    json: str
    def __init__(self, provider: _Optional[str] = ..., json: _Optional[str] = ...) -> None: ...

class ToolChoice(_message.Message):
    __slots__ = ("mode", "name", "allowed_names")
    class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        MODE_UNSPECIFIED: _ClassVar[ToolChoice.Mode]
        MODE_AUTO: _ClassVar[ToolChoice.Mode]
        MODE_NONE: _ClassVar[ToolChoice.Mode]
        MODE_REQUIRED: _ClassVar[ToolChoice.Mode]
        MODE_FUNCTION: _ClassVar[ToolChoice.Mode]
    MODE_UNSPECIFIED: ToolChoice.Mode
    MODE_AUTO: ToolChoice.Mode
    MODE_NONE: ToolChoice.Mode
    MODE_REQUIRED: ToolChoice.Mode
    MODE_FUNCTION: ToolChoice.Mode
    MODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_NAMES_FIELD_NUMBER: _ClassVar[int]
    mode: ToolChoice.Mode
    name: str
    allowed_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, mode: _Optional[_Union[ToolChoice.Mode, str]] = ..., name: _Optional[str] = ..., allowed_names: _Optional[_Iterable[str]] = ...) -> None: ...
