from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Capability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPABILITY_UNSPECIFIED: _ClassVar[Capability]
    CAPABILITY_CHAT: _ClassVar[Capability]
    CAPABILITY_STREAMING: _ClassVar[Capability]
    CAPABILITY_TOOLS: _ClassVar[Capability]
    CAPABILITY_PARALLEL_TOOLS: _ClassVar[Capability]
    CAPABILITY_JSON_SCHEMA: _ClassVar[Capability]
    CAPABILITY_JSON_OBJECT: _ClassVar[Capability]
    CAPABILITY_IMAGE_INPUT: _ClassVar[Capability]
    CAPABILITY_AUDIO_INPUT: _ClassVar[Capability]
    CAPABILITY_DOCUMENT_INPUT: _ClassVar[Capability]
    CAPABILITY_AUDIO_OUTPUT: _ClassVar[Capability]
    CAPABILITY_IMAGE_OUTPUT: _ClassVar[Capability]
    CAPABILITY_REASONING: _ClassVar[Capability]
    CAPABILITY_LOGPROBS: _ClassVar[Capability]
    CAPABILITY_CANDIDATES: _ClassVar[Capability]
    CAPABILITY_SEED: _ClassVar[Capability]
    CAPABILITY_EMBEDDINGS: _ClassVar[Capability]
    CAPABILITY_PROMPT_CACHE: _ClassVar[Capability]
    CAPABILITY_REGEX: _ClassVar[Capability]
    CAPABILITY_GRAMMAR: _ClassVar[Capability]
    CAPABILITY_VIDEO_INPUT: _ClassVar[Capability]
CAPABILITY_UNSPECIFIED: Capability
CAPABILITY_CHAT: Capability
CAPABILITY_STREAMING: Capability
CAPABILITY_TOOLS: Capability
CAPABILITY_PARALLEL_TOOLS: Capability
CAPABILITY_JSON_SCHEMA: Capability
CAPABILITY_JSON_OBJECT: Capability
CAPABILITY_IMAGE_INPUT: Capability
CAPABILITY_AUDIO_INPUT: Capability
CAPABILITY_DOCUMENT_INPUT: Capability
CAPABILITY_AUDIO_OUTPUT: Capability
CAPABILITY_IMAGE_OUTPUT: Capability
CAPABILITY_REASONING: Capability
CAPABILITY_LOGPROBS: Capability
CAPABILITY_CANDIDATES: Capability
CAPABILITY_SEED: Capability
CAPABILITY_EMBEDDINGS: Capability
CAPABILITY_PROMPT_CACHE: Capability
CAPABILITY_REGEX: Capability
CAPABILITY_GRAMMAR: Capability
CAPABILITY_VIDEO_INPUT: Capability

class ListModelsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "provider")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    provider: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., provider: _Optional[str] = ...) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models", "next_page_token")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    next_page_token: str
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: Model
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "provider", "provider_model", "targets", "capabilities", "context_window_tokens", "max_output_tokens", "price", "is_default", "source")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_MODEL_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_WINDOW_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    provider: str
    provider_model: str
    targets: _containers.RepeatedScalarFieldContainer[str]
    capabilities: _containers.RepeatedScalarFieldContainer[Capability]
    context_window_tokens: int
    max_output_tokens: int
    price: Price
    is_default: bool
    source: str
    def __init__(self, name: _Optional[str] = ..., provider: _Optional[str] = ..., provider_model: _Optional[str] = ..., targets: _Optional[_Iterable[str]] = ..., capabilities: _Optional[_Iterable[_Union[Capability, str]]] = ..., context_window_tokens: _Optional[int] = ..., max_output_tokens: _Optional[int] = ..., price: _Optional[_Union[Price, _Mapping]] = ..., is_default: bool = ..., source: _Optional[str] = ...) -> None: ...

class Price(_message.Message):
    __slots__ = ("input_nano_usd_per_1k_tokens", "output_nano_usd_per_1k_tokens", "cached_input_nano_usd_per_1k_tokens", "cache_write_nano_usd_per_1k_tokens", "request_nano_usd", "source")
    INPUT_NANO_USD_PER_1K_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_NANO_USD_PER_1K_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_NANO_USD_PER_1K_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_NANO_USD_PER_1K_TOKENS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    input_nano_usd_per_1k_tokens: int
    output_nano_usd_per_1k_tokens: int
    cached_input_nano_usd_per_1k_tokens: int
    cache_write_nano_usd_per_1k_tokens: int
    request_nano_usd: int
    source: str
    def __init__(self, input_nano_usd_per_1k_tokens: _Optional[int] = ..., output_nano_usd_per_1k_tokens: _Optional[int] = ..., cached_input_nano_usd_per_1k_tokens: _Optional[int] = ..., cache_write_nano_usd_per_1k_tokens: _Optional[int] = ..., request_nano_usd: _Optional[int] = ..., source: _Optional[str] = ...) -> None: ...
