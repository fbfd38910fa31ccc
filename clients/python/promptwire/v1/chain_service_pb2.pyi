import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from promptwire.v1 import chain_pb2 as _chain_pb2
from promptwire.v1 import chat_pb2 as _chat_pb2
from promptwire.v1 import run_pb2 as _run_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunChainRequest(_message.Message):
    __slots__ = ("prompts", "spec", "chain", "inputs", "inputs_json", "model", "request_id", "priority", "labels", "limits", "session_id")
    class InputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    INPUTS_JSON_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    prompts: _containers.RepeatedScalarFieldContainer[str]
    spec: _chain_pb2.ChainSpec
    chain: _chain_pb2.ChainRef
    inputs: _containers.ScalarMap[str, str]
    inputs_json: str
    model: str
    request_id: str
    priority: _chat_pb2.Priority
    labels: _containers.ScalarMap[str, str]
    limits: _chain_pb2.ChainLimits
    session_id: str
    def __init__(self, prompts: _Optional[_Iterable[str]] = ..., spec: _Optional[_Union[_chain_pb2.ChainSpec, _Mapping]] = ..., chain: _Optional[_Union[_chain_pb2.ChainRef, _Mapping]] = ..., inputs: _Optional[_Mapping[str, str]] = ..., inputs_json: _Optional[str] = ..., model: _Optional[str] = ..., request_id: _Optional[str] = ..., priority: _Optional[_Union[_chat_pb2.Priority, str]] = ..., labels: _Optional[_Mapping[str, str]] = ..., limits: _Optional[_Union[_chain_pb2.ChainLimits, _Mapping]] = ..., session_id: _Optional[str] = ...) -> None: ...

class RunChainResponse(_message.Message):
    __slots__ = ("run_id", "request_id", "result", "chain_name", "chain_version", "chain_hash", "trace_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CHAIN_NAME_FIELD_NUMBER: _ClassVar[int]
    CHAIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHAIN_HASH_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    request_id: str
    result: _run_pb2.RunResult
    chain_name: str
    chain_version: int
    chain_hash: str
    trace_id: str
    def __init__(self, run_id: _Optional[str] = ..., request_id: _Optional[str] = ..., result: _Optional[_Union[_run_pb2.RunResult, _Mapping]] = ..., chain_name: _Optional[str] = ..., chain_version: _Optional[int] = ..., chain_hash: _Optional[str] = ..., trace_id: _Optional[str] = ...) -> None: ...

class StreamChainRequest(_message.Message):
    __slots__ = ("run", "on_disconnect", "heartbeat_interval", "omit_parts")
    class OnDisconnect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ON_DISCONNECT_UNSPECIFIED: _ClassVar[StreamChainRequest.OnDisconnect]
        ON_DISCONNECT_CANCEL: _ClassVar[StreamChainRequest.OnDisconnect]
        ON_DISCONNECT_CONTINUE: _ClassVar[StreamChainRequest.OnDisconnect]
    ON_DISCONNECT_UNSPECIFIED: StreamChainRequest.OnDisconnect
    ON_DISCONNECT_CANCEL: StreamChainRequest.OnDisconnect
    ON_DISCONNECT_CONTINUE: StreamChainRequest.OnDisconnect
    RUN_FIELD_NUMBER: _ClassVar[int]
    ON_DISCONNECT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    OMIT_PARTS_FIELD_NUMBER: _ClassVar[int]
    run: RunChainRequest
    on_disconnect: StreamChainRequest.OnDisconnect
    heartbeat_interval: _duration_pb2.Duration
    omit_parts: bool
    def __init__(self, run: _Optional[_Union[RunChainRequest, _Mapping]] = ..., on_disconnect: _Optional[_Union[StreamChainRequest.OnDisconnect, str]] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., omit_parts: bool = ...) -> None: ...

class StreamChainResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _run_pb2.RunEvent
    def __init__(self, event: _Optional[_Union[_run_pb2.RunEvent, _Mapping]] = ...) -> None: ...

class ValidateChainRequest(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: RunChainRequest
    def __init__(self, run: _Optional[_Union[RunChainRequest, _Mapping]] = ...) -> None: ...

class ValidateChainResponse(_message.Message):
    __slots__ = ("valid", "faults", "plan", "max_model_calls", "max_cost_nano_usd", "chain_hash")
    VALID_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    MAX_MODEL_CALLS_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    CHAIN_HASH_FIELD_NUMBER: _ClassVar[int]
    valid: bool
    faults: _containers.RepeatedCompositeFieldContainer[_chain_pb2.ChainFault]
    plan: _containers.RepeatedCompositeFieldContainer[PlannedStep]
    max_model_calls: int
    max_cost_nano_usd: int
    chain_hash: str
    def __init__(self, valid: bool = ..., faults: _Optional[_Iterable[_Union[_chain_pb2.ChainFault, _Mapping]]] = ..., plan: _Optional[_Iterable[_Union[PlannedStep, _Mapping]]] = ..., max_model_calls: _Optional[int] = ..., max_cost_nano_usd: _Optional[int] = ..., chain_hash: _Optional[str] = ...) -> None: ...

class PlannedStep(_message.Message):
    __slots__ = ("step_id", "step_path", "action", "models", "conditional", "next")
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_PATH_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    CONDITIONAL_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    step_id: str
    step_path: str
    action: str
    models: _containers.RepeatedScalarFieldContainer[str]
    conditional: bool
    next: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, step_id: _Optional[str] = ..., step_path: _Optional[str] = ..., action: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ..., conditional: bool = ..., next: _Optional[_Iterable[str]] = ...) -> None: ...
