import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from promptwire.v1 import chat_pb2 as _chat_pb2
from promptwire.v1 import content_pb2 as _content_pb2
from promptwire.v1 import error_pb2 as _error_pb2
from promptwire.v1 import generation_pb2 as _generation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChainSpec(_message.Message):
    __slots__ = ("name", "description", "inputs", "steps", "outputs", "defaults", "limits")
    class OutputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    DEFAULTS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    inputs: _containers.RepeatedCompositeFieldContainer[ChainInput]
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    outputs: _containers.ScalarMap[str, str]
    defaults: ChainDefaults
    limits: ChainLimits
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., inputs: _Optional[_Iterable[_Union[ChainInput, _Mapping]]] = ..., steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., outputs: _Optional[_Mapping[str, str]] = ..., defaults: _Optional[_Union[ChainDefaults, _Mapping]] = ..., limits: _Optional[_Union[ChainLimits, _Mapping]] = ...) -> None: ...

class ChainInput(_message.Message):
    __slots__ = ("name", "description", "json_schema", "required", "default_json")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    JSON_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_JSON_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    json_schema: str
    required: bool
    default_json: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., json_schema: _Optional[str] = ..., required: bool = ..., default_json: _Optional[str] = ...) -> None: ...

class ChainDefaults(_message.Message):
    __slots__ = ("models", "generation", "policy")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedScalarFieldContainer[str]
    generation: _generation_pb2.GenerationSettings
    policy: StepPolicy
    def __init__(self, models: _Optional[_Iterable[str]] = ..., generation: _Optional[_Union[_generation_pb2.GenerationSettings, _Mapping]] = ..., policy: _Optional[_Union[StepPolicy, _Mapping]] = ...) -> None: ...

class ChainLimits(_message.Message):
    __slots__ = ("timeout", "max_cost_nano_usd", "max_steps", "max_concurrency")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    MAX_STEPS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    timeout: _duration_pb2.Duration
    max_cost_nano_usd: int
    max_steps: int
    max_concurrency: int
    def __init__(self, timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_cost_nano_usd: _Optional[int] = ..., max_steps: _Optional[int] = ..., max_concurrency: _Optional[int] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("id", "when", "policy", "next", "output_key", "prompt", "parallel", "compare", "map", "chain", "transform", "embed", "retrieve", "image", "evaluate")
    ID_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_KEY_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    PARALLEL_FIELD_NUMBER: _ClassVar[int]
    COMPARE_FIELD_NUMBER: _ClassVar[int]
    MAP_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    TRANSFORM_FIELD_NUMBER: _ClassVar[int]
    EMBED_FIELD_NUMBER: _ClassVar[int]
    RETRIEVE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_FIELD_NUMBER: _ClassVar[int]
    id: str
    when: str
    policy: StepPolicy
    next: _containers.RepeatedCompositeFieldContainer[Transition]
    output_key: str
    prompt: PromptAction
    parallel: ParallelAction
    compare: CompareAction
    map: MapAction
    chain: ChainAction
    transform: TransformAction
    embed: EmbedAction
    retrieve: RetrieveAction
    image: ImageAction
    evaluate: EvaluateAction
    def __init__(self, id: _Optional[str] = ..., when: _Optional[str] = ..., policy: _Optional[_Union[StepPolicy, _Mapping]] = ..., next: _Optional[_Iterable[_Union[Transition, _Mapping]]] = ..., output_key: _Optional[str] = ..., prompt: _Optional[_Union[PromptAction, _Mapping]] = ..., parallel: _Optional[_Union[ParallelAction, _Mapping]] = ..., compare: _Optional[_Union[CompareAction, _Mapping]] = ..., map: _Optional[_Union[MapAction, _Mapping]] = ..., chain: _Optional[_Union[ChainAction, _Mapping]] = ..., transform: _Optional[_Union[TransformAction, _Mapping]] = ..., embed: _Optional[_Union[EmbedAction, _Mapping]] = ..., retrieve: _Optional[_Union[RetrieveAction, _Mapping]] = ..., image: _Optional[_Union[ImageAction, _Mapping]] = ..., evaluate: _Optional[_Union[EvaluateAction, _Mapping]] = ...) -> None: ...

class StepPolicy(_message.Message):
    __slots__ = ("timeout", "attempts", "on_error", "default_json", "goto_step")
    class OnError(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ON_ERROR_UNSPECIFIED: _ClassVar[StepPolicy.OnError]
        ON_ERROR_FAIL: _ClassVar[StepPolicy.OnError]
        ON_ERROR_SKIP: _ClassVar[StepPolicy.OnError]
        ON_ERROR_USE_DEFAULT: _ClassVar[StepPolicy.OnError]
        ON_ERROR_GOTO: _ClassVar[StepPolicy.OnError]
    ON_ERROR_UNSPECIFIED: StepPolicy.OnError
    ON_ERROR_FAIL: StepPolicy.OnError
    ON_ERROR_SKIP: StepPolicy.OnError
    ON_ERROR_USE_DEFAULT: StepPolicy.OnError
    ON_ERROR_GOTO: StepPolicy.OnError
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    ON_ERROR_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_JSON_FIELD_NUMBER: _ClassVar[int]
    GOTO_STEP_FIELD_NUMBER: _ClassVar[int]
    timeout: _duration_pb2.Duration
    attempts: int
    on_error: StepPolicy.OnError
    default_json: str
    goto_step: str
    def __init__(self, timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., attempts: _Optional[int] = ..., on_error: _Optional[_Union[StepPolicy.OnError, str]] = ..., default_json: _Optional[str] = ..., goto_step: _Optional[str] = ...) -> None: ...

class Transition(_message.Message):
    __slots__ = ("when", "to")
    WHEN_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    when: str
    to: str
    def __init__(self, when: _Optional[str] = ..., to: _Optional[str] = ...) -> None: ...

class PromptAction(_message.Message):
    __slots__ = ("system", "user", "messages", "models", "generation", "conversation_id", "cache")
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    system: str
    user: str
    messages: _containers.RepeatedCompositeFieldContainer[_content_pb2.ChatMessage]
    models: _containers.RepeatedScalarFieldContainer[str]
    generation: _generation_pb2.GenerationSettings
    conversation_id: str
    cache: _chat_pb2.CacheSettings
    def __init__(self, system: _Optional[str] = ..., user: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[_content_pb2.ChatMessage, _Mapping]]] = ..., models: _Optional[_Iterable[str]] = ..., generation: _Optional[_Union[_generation_pb2.GenerationSettings, _Mapping]] = ..., conversation_id: _Optional[str] = ..., cache: _Optional[_Union[_chat_pb2.CacheSettings, _Mapping]] = ...) -> None: ...

class ParallelAction(_message.Message):
    __slots__ = ("branches", "join", "quorum")
    class Join(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        JOIN_UNSPECIFIED: _ClassVar[ParallelAction.Join]
        JOIN_ALL: _ClassVar[ParallelAction.Join]
        JOIN_FIRST: _ClassVar[ParallelAction.Join]
        JOIN_QUORUM: _ClassVar[ParallelAction.Join]
    JOIN_UNSPECIFIED: ParallelAction.Join
    JOIN_ALL: ParallelAction.Join
    JOIN_FIRST: ParallelAction.Join
    JOIN_QUORUM: ParallelAction.Join
    BRANCHES_FIELD_NUMBER: _ClassVar[int]
    JOIN_FIELD_NUMBER: _ClassVar[int]
    QUORUM_FIELD_NUMBER: _ClassVar[int]
    branches: _containers.RepeatedCompositeFieldContainer[Branch]
    join: ParallelAction.Join
    quorum: int
    def __init__(self, branches: _Optional[_Iterable[_Union[Branch, _Mapping]]] = ..., join: _Optional[_Union[ParallelAction.Join, str]] = ..., quorum: _Optional[int] = ...) -> None: ...

class Branch(_message.Message):
    __slots__ = ("id", "steps")
    ID_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    id: str
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    def __init__(self, id: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ...) -> None: ...

class CompareAction(_message.Message):
    __slots__ = ("prompt", "models", "evaluator")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    EVALUATOR_FIELD_NUMBER: _ClassVar[int]
    prompt: PromptAction
    models: _containers.RepeatedScalarFieldContainer[str]
    evaluator: Evaluator
    def __init__(self, prompt: _Optional[_Union[PromptAction, _Mapping]] = ..., models: _Optional[_Iterable[str]] = ..., evaluator: _Optional[_Union[Evaluator, _Mapping]] = ...) -> None: ...

class Evaluator(_message.Message):
    __slots__ = ("judge", "expression", "built_in", "plugin")
    class BuiltIn(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        BUILT_IN_UNSPECIFIED: _ClassVar[Evaluator.BuiltIn]
        BUILT_IN_MAJORITY: _ClassVar[Evaluator.BuiltIn]
        BUILT_IN_LONGEST: _ClassVar[Evaluator.BuiltIn]
        BUILT_IN_VALID_JSON: _ClassVar[Evaluator.BuiltIn]
        BUILT_IN_CHEAPEST: _ClassVar[Evaluator.BuiltIn]
        BUILT_IN_FASTEST: _ClassVar[Evaluator.BuiltIn]
    BUILT_IN_UNSPECIFIED: Evaluator.BuiltIn
    BUILT_IN_MAJORITY: Evaluator.BuiltIn
    BUILT_IN_LONGEST: Evaluator.BuiltIn
    BUILT_IN_VALID_JSON: Evaluator.BuiltIn
    BUILT_IN_CHEAPEST: Evaluator.BuiltIn
    BUILT_IN_FASTEST: Evaluator.BuiltIn
    JUDGE_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    BUILT_IN_FIELD_NUMBER: _ClassVar[int]
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    judge: JudgeEvaluator
    expression: str
    built_in: Evaluator.BuiltIn
    plugin: str
    def __init__(self, judge: _Optional[_Union[JudgeEvaluator, _Mapping]] = ..., expression: _Optional[str] = ..., built_in: _Optional[_Union[Evaluator.BuiltIn, str]] = ..., plugin: _Optional[str] = ...) -> None: ...

class JudgeEvaluator(_message.Message):
    __slots__ = ("models", "rubric", "max_score")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    RUBRIC_FIELD_NUMBER: _ClassVar[int]
    MAX_SCORE_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedScalarFieldContainer[str]
    rubric: str
    max_score: float
    def __init__(self, models: _Optional[_Iterable[str]] = ..., rubric: _Optional[str] = ..., max_score: _Optional[float] = ...) -> None: ...

class MapAction(_message.Message):
    __slots__ = ("items", "item_name", "steps", "max_concurrency", "max_items")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ITEM_NAME_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    MAX_ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: str
    item_name: str
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    max_concurrency: int
    max_items: int
    def __init__(self, items: _Optional[str] = ..., item_name: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., max_concurrency: _Optional[int] = ..., max_items: _Optional[int] = ...) -> None: ...

class ChainAction(_message.Message):
    __slots__ = ("chain", "inputs")
    class InputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    chain: ChainRef
    inputs: _containers.ScalarMap[str, str]
    def __init__(self, chain: _Optional[_Union[ChainRef, _Mapping]] = ..., inputs: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ChainRef(_message.Message):
    __slots__ = ("name", "version", "label", "hash")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    label: str
    hash: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., label: _Optional[str] = ..., hash: _Optional[str] = ...) -> None: ...

class TransformAction(_message.Message):
    __slots__ = ("template", "expression", "object")
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    template: str
    expression: str
    object: TransformObject
    def __init__(self, template: _Optional[str] = ..., expression: _Optional[str] = ..., object: _Optional[_Union[TransformObject, _Mapping]] = ...) -> None: ...

class TransformObject(_message.Message):
    __slots__ = ("fields",)
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    fields: _containers.ScalarMap[str, str]
    def __init__(self, fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class EmbedAction(_message.Message):
    __slots__ = ("model", "texts", "dimensions")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    model: str
    texts: str
    dimensions: int
    def __init__(self, model: _Optional[str] = ..., texts: _Optional[str] = ..., dimensions: _Optional[int] = ...) -> None: ...

class RetrieveAction(_message.Message):
    __slots__ = ("index", "query", "top_k")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    index: str
    query: str
    top_k: int
    def __init__(self, index: _Optional[str] = ..., query: _Optional[str] = ..., top_k: _Optional[int] = ...) -> None: ...

class ImageAction(_message.Message):
    __slots__ = ("image", "max_width", "max_height", "mime_type")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    MAX_WIDTH_FIELD_NUMBER: _ClassVar[int]
    MAX_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    MIME_TYPE_FIELD_NUMBER: _ClassVar[int]
    image: str
    max_width: int
    max_height: int
    mime_type: str
    def __init__(self, image: _Optional[str] = ..., max_width: _Optional[int] = ..., max_height: _Optional[int] = ..., mime_type: _Optional[str] = ...) -> None: ...

class EvaluateAction(_message.Message):
    __slots__ = ("candidates", "evaluator")
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    EVALUATOR_FIELD_NUMBER: _ClassVar[int]
    candidates: str
    evaluator: Evaluator
    def __init__(self, candidates: _Optional[str] = ..., evaluator: _Optional[_Union[Evaluator, _Mapping]] = ...) -> None: ...

class ChainFault(_message.Message):
    __slots__ = ("field", "message", "reason", "line")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    field: str
    message: str
    reason: _error_pb2.ErrorReason
    line: int
    def __init__(self, field: _Optional[str] = ..., message: _Optional[str] = ..., reason: _Optional[_Union[_error_pb2.ErrorReason, str]] = ..., line: _Optional[int] = ...) -> None: ...
