import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from promptwire.v1 import chain_pb2 as _chain_pb2
from promptwire.v1 import chat_pb2 as _chat_pb2
from promptwire.v1 import error_pb2 as _error_pb2
from promptwire.v1 import events_pb2 as _events_pb2
from promptwire.v1 import usage_pb2 as _usage_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_STATE_UNSPECIFIED: _ClassVar[RunState]
    RUN_STATE_PENDING: _ClassVar[RunState]
    RUN_STATE_RUNNING: _ClassVar[RunState]
    RUN_STATE_SUCCEEDED: _ClassVar[RunState]
    RUN_STATE_FAILED: _ClassVar[RunState]
    RUN_STATE_CANCELLED: _ClassVar[RunState]

class StepState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STEP_STATE_UNSPECIFIED: _ClassVar[StepState]
    STEP_STATE_SUCCEEDED: _ClassVar[StepState]
    STEP_STATE_SKIPPED: _ClassVar[StepState]
    STEP_STATE_FAILED: _ClassVar[StepState]
    STEP_STATE_DEFAULTED: _ClassVar[StepState]
RUN_STATE_UNSPECIFIED: RunState
RUN_STATE_PENDING: RunState
RUN_STATE_RUNNING: RunState
RUN_STATE_SUCCEEDED: RunState
RUN_STATE_FAILED: RunState
RUN_STATE_CANCELLED: RunState
STEP_STATE_UNSPECIFIED: StepState
STEP_STATE_SUCCEEDED: StepState
STEP_STATE_SKIPPED: StepState
STEP_STATE_FAILED: StepState
STEP_STATE_DEFAULTED: StepState

class RunResult(_message.Message):
    __slots__ = ("text", "outputs", "outputs_json", "steps", "usage", "cost", "timing", "notices")
    class OutputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_JSON_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    text: str
    outputs: _containers.ScalarMap[str, str]
    outputs_json: str
    steps: _containers.RepeatedCompositeFieldContainer[StepResult]
    usage: _usage_pb2.Usage
    cost: _usage_pb2.Cost
    timing: _usage_pb2.Timing
    notices: _containers.RepeatedCompositeFieldContainer[_error_pb2.Notice]
    def __init__(self, text: _Optional[str] = ..., outputs: _Optional[_Mapping[str, str]] = ..., outputs_json: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[StepResult, _Mapping]]] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., cost: _Optional[_Union[_usage_pb2.Cost, _Mapping]] = ..., timing: _Optional[_Union[_usage_pb2.Timing, _Mapping]] = ..., notices: _Optional[_Iterable[_Union[_error_pb2.Notice, _Mapping]]] = ...) -> None: ...

class StepResult(_message.Message):
    __slots__ = ("step_id", "step_path", "visit", "state", "text", "output_json", "responses", "usage", "cost", "duration", "failure", "scores")
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_PATH_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    RESPONSES_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    step_id: str
    step_path: str
    visit: int
    state: StepState
    text: str
    output_json: str
    responses: _containers.RepeatedCompositeFieldContainer[_chat_pb2.ChatResponse]
    usage: _usage_pb2.Usage
    cost: _usage_pb2.Cost
    duration: _duration_pb2.Duration
    failure: _error_pb2.Failure
    scores: _containers.RepeatedCompositeFieldContainer[Score]
    def __init__(self, step_id: _Optional[str] = ..., step_path: _Optional[str] = ..., visit: _Optional[int] = ..., state: _Optional[_Union[StepState, str]] = ..., text: _Optional[str] = ..., output_json: _Optional[str] = ..., responses: _Optional[_Iterable[_Union[_chat_pb2.ChatResponse, _Mapping]]] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., cost: _Optional[_Union[_usage_pb2.Cost, _Mapping]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., failure: _Optional[_Union[_error_pb2.Failure, _Mapping]] = ..., scores: _Optional[_Iterable[_Union[Score, _Mapping]]] = ...) -> None: ...

class Score(_message.Message):
    __slots__ = ("index", "model", "score", "winner", "reason", "text")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    WINNER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    index: int
    model: str
    score: float
    winner: bool
    reason: str
    text: str
    def __init__(self, index: _Optional[int] = ..., model: _Optional[str] = ..., score: _Optional[float] = ..., winner: bool = ..., reason: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class RunEvent(_message.Message):
    __slots__ = ("run_id", "sequence", "emit_time", "step_id", "step_path", "visit", "run_started", "step_started", "part_started", "part_delta", "part_finished", "attempt_failed", "step_finished", "step_skipped", "usage_updated", "notice", "heartbeat", "run_finished")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EMIT_TIME_FIELD_NUMBER: _ClassVar[int]
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_PATH_FIELD_NUMBER: _ClassVar[int]
    VISIT_FIELD_NUMBER: _ClassVar[int]
    RUN_STARTED_FIELD_NUMBER: _ClassVar[int]
    STEP_STARTED_FIELD_NUMBER: _ClassVar[int]
    PART_STARTED_FIELD_NUMBER: _ClassVar[int]
    PART_DELTA_FIELD_NUMBER: _ClassVar[int]
    PART_FINISHED_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FAILED_FIELD_NUMBER: _ClassVar[int]
    STEP_FINISHED_FIELD_NUMBER: _ClassVar[int]
    STEP_SKIPPED_FIELD_NUMBER: _ClassVar[int]
    USAGE_UPDATED_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    RUN_FINISHED_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    sequence: int
    emit_time: _timestamp_pb2.Timestamp
    step_id: str
    step_path: str
    visit: int
    run_started: RunStarted
    step_started: StepStarted
    part_started: _events_pb2.PartStarted
    part_delta: _events_pb2.PartDelta
    part_finished: _events_pb2.PartFinished
    attempt_failed: _events_pb2.AttemptFailed
    step_finished: StepFinished
    step_skipped: StepSkipped
    usage_updated: UsageUpdated
    notice: _error_pb2.Notice
    heartbeat: _events_pb2.Heartbeat
    run_finished: RunFinished
    def __init__(self, run_id: _Optional[str] = ..., sequence: _Optional[int] = ..., emit_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., step_id: _Optional[str] = ..., step_path: _Optional[str] = ..., visit: _Optional[int] = ..., run_started: _Optional[_Union[RunStarted, _Mapping]] = ..., step_started: _Optional[_Union[StepStarted, _Mapping]] = ..., part_started: _Optional[_Union[_events_pb2.PartStarted, _Mapping]] = ..., part_delta: _Optional[_Union[_events_pb2.PartDelta, _Mapping]] = ..., part_finished: _Optional[_Union[_events_pb2.PartFinished, _Mapping]] = ..., attempt_failed: _Optional[_Union[_events_pb2.AttemptFailed, _Mapping]] = ..., step_finished: _Optional[_Union[StepFinished, _Mapping]] = ..., step_skipped: _Optional[_Union[StepSkipped, _Mapping]] = ..., usage_updated: _Optional[_Union[UsageUpdated, _Mapping]] = ..., notice: _Optional[_Union[_error_pb2.Notice, _Mapping]] = ..., heartbeat: _Optional[_Union[_events_pb2.Heartbeat, _Mapping]] = ..., run_finished: _Optional[_Union[RunFinished, _Mapping]] = ...) -> None: ...

class RunStarted(_message.Message):
    __slots__ = ("chain_name", "chain_version", "chain_hash", "request_id", "trace_id")
    CHAIN_NAME_FIELD_NUMBER: _ClassVar[int]
    CHAIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHAIN_HASH_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    chain_name: str
    chain_version: int
    chain_hash: str
    request_id: str
    trace_id: str
    def __init__(self, chain_name: _Optional[str] = ..., chain_version: _Optional[int] = ..., chain_hash: _Optional[str] = ..., request_id: _Optional[str] = ..., trace_id: _Optional[str] = ...) -> None: ...

class StepStarted(_message.Message):
    __slots__ = ("action", "model")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    action: str
    model: str
    def __init__(self, action: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class StepFinished(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: StepResult
    def __init__(self, result: _Optional[_Union[StepResult, _Mapping]] = ...) -> None: ...

class StepSkipped(_message.Message):
    __slots__ = ("reason", "failure")
    REASON_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    failure: _error_pb2.Failure
    def __init__(self, reason: _Optional[str] = ..., failure: _Optional[_Union[_error_pb2.Failure, _Mapping]] = ...) -> None: ...

class UsageUpdated(_message.Message):
    __slots__ = ("usage", "cost")
    USAGE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    usage: _usage_pb2.Usage
    cost: _usage_pb2.Cost
    def __init__(self, usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., cost: _Optional[_Union[_usage_pb2.Cost, _Mapping]] = ...) -> None: ...

class RunFinished(_message.Message):
    __slots__ = ("state", "result", "failure")
    STATE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    state: RunState
    result: RunResult
    failure: _error_pb2.Failure
    def __init__(self, state: _Optional[_Union[RunState, str]] = ..., result: _Optional[_Union[RunResult, _Mapping]] = ..., failure: _Optional[_Union[_error_pb2.Failure, _Mapping]] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("run_id", "state", "chain_name", "chain_version", "chain_hash", "request_id", "create_time", "start_time", "end_time", "last_sequence", "result", "failure", "labels", "limits")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CHAIN_NAME_FIELD_NUMBER: _ClassVar[int]
    CHAIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHAIN_HASH_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    state: RunState
    chain_name: str
    chain_version: int
    chain_hash: str
    request_id: str
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    last_sequence: int
    result: RunResult
    failure: _error_pb2.Failure
    labels: _containers.ScalarMap[str, str]
    limits: _chain_pb2.ChainLimits
    def __init__(self, run_id: _Optional[str] = ..., state: _Optional[_Union[RunState, str]] = ..., chain_name: _Optional[str] = ..., chain_version: _Optional[int] = ..., chain_hash: _Optional[str] = ..., request_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_sequence: _Optional[int] = ..., result: _Optional[_Union[RunResult, _Mapping]] = ..., failure: _Optional[_Union[_error_pb2.Failure, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., limits: _Optional[_Union[_chain_pb2.ChainLimits, _Mapping]] = ...) -> None: ...
