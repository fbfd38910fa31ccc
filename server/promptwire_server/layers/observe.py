"""Observe: the outermost layer. Counts and times every question, fills in what only the outside knows, writes one log line at the end."""

from collections.abc import Callable
from contextvars import ContextVar

from google.protobuf.duration_pb2 import Duration

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import CallerError, PromptwireError
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Ending, Reply
from promptwire_server.layers import names
from promptwire_server.layers.metrics import Metrics

Field = str | int | float | bool
# (level, event, fields) of one line. Must not raise.
CallLog = Callable[[str, str, dict[str, Field]], None]

# The call that the running task works on, so that lines of others (libraries, providers) say which one. Each RPC and step is a task.
CURRENT: ContextVar[Call | None] = ContextVar("promptwire_call", default=None)

_NANO = 1_000_000_000
_SHOWN_NAME = 128  # characters of a name that the caller chose


class Observe:
    """Counts, times, fills in and logs."""

    def __init__(self, inner: Handler, *, metrics: Metrics, clock: Clock, log: CallLog | None = None) -> None:
        self._inner = inner
        self.metrics = metrics
        self.clock = clock
        self.log = log

    async def __call__(self, call: Call) -> Reply:
        """The inner answer, watched until its end."""
        observation = _Observation(self, call)
        CURRENT.set(call)
        self.metrics.in_flight += 1
        try:
            reply = await self._inner(call)
        except BaseException as error:
            observation.done(Ending(None, error if isinstance(error, Exception) else None, delivered=False))
            raise
        reply.attend(observation)
        reply.on_done(observation.done)
        return reply


class _Observation:
    """One call under observation: an Observer of its Reply."""

    __slots__ = ("_call", "_first_s", "_layer")

    def __init__(self, layer: Observe, call: Call) -> None:
        self._layer = layer
        self._call = call
        self._first_s = 0.0  # from arrival to the first delta

    def started(self, event: pb.ChatStarted) -> None:
        event.request_id = self._call.request_id
        event.trace_id = self._call.trace_id

    def first_delta(self) -> None:
        if not self._first_s:
            self._first_s = self._layer.clock.monotonic() - self._call.arrival_s

    def complete(self, response: pb.ChatResponse) -> None:
        call = self._call
        trail = call.trail
        response.request_id = call.request_id
        response.trace_id = call.trace_id
        if not response.served_from:
            response.served_from = pb.SERVED_FROM_PROVIDER
        if trail.attempts:
            if response.attempts:
                del response.attempts[:]
            response.attempts.extend(trail.attempts)
        if trail.notices:
            response.notices.extend(trail.notices)
        timing = response.timing
        _set(timing.total, self._layer.clock.monotonic() - call.arrival_s)
        if self._first_s:
            _set(timing.time_to_first_token, self._first_s)
        if trail.upstream_s:
            _set(timing.upstream, trail.upstream_s)

    def done(self, ending: Ending) -> None:
        """Count, and write the line. Runs once, however the call ended."""
        call, layer = self._call, self._layer
        now_s = layer.clock.monotonic()
        outcome = _outcome(ending, late=now_s >= call.deadline_s)
        answer = ending.response or ending.partial
        provider, model = _who(call, answer)
        self._count(outcome, provider, model, now_s - call.arrival_s, answer, answered=ending.response is not None)
        if layer.log is not None:
            fields = self._line(outcome, provider, model, now_s - call.arrival_s)
            if answer is not None:
                _add_amounts(fields, answer)
            layer.log(_level(ending, outcome), names.CHAT_FINISHED, fields)

    def _count(self, outcome: str, provider: str, model: str, duration_s: float, answer: pb.ChatResponse | None, *, answered: bool) -> None:
        metrics = self._layer.metrics
        metrics.in_flight -= 1
        series = metrics.of_model(provider, model, answered=answered)
        series.ended(outcome, 0 if answer is None else answer.served_from, duration_s)
        if self._first_s:
            series.first_token.add(self._first_s)
        if answer is not None:
            series.add_usage(answer.usage)
            if answer.HasField("cost"):
                series.cost_nano_usd += answer.cost.total_nano_usd
        for attempt in self._call.trail.attempts:
            metrics.attempted(attempt.provider, _attempt_outcome(attempt, outcome))

    def _line(self, outcome: str, provider: str, model: str, duration_s: float) -> dict[str, Field]:
        call = self._call
        fields: dict[str, Field] = {
            names.REQUEST_ID: call.request_id,
            names.TRACE_ID: call.trace_id,
            "tenant": call.principal.tenant,
            "principal": call.principal.name,
            "model_asked": call.request.model[:_SHOWN_NAME],
            "provider": provider,
            "model": model,
            "outcome": outcome,
            "stream": call.stream,
            "duration_ms": _milliseconds(duration_s),
            "attempts": len(call.trail.attempts),
        }
        if call.run_id:
            fields[names.RUN_ID] = call.run_id
            fields[names.STEP_ID] = call.step_id
        if self._first_s:
            fields["first_token_ms"] = _milliseconds(self._first_s)
        return fields


def _add_amounts(fields: dict[str, Field], answer: pb.ChatResponse) -> None:
    usage = answer.usage
    fields["input_tokens"] = usage.input_tokens
    fields["output_tokens"] = usage.output_tokens
    if answer.HasField("cost"):
        fields["cost_nano_usd"] = answer.cost.total_nano_usd


def _outcome(ending: Ending, *, late: bool) -> str:
    error = ending.error
    if isinstance(error, PromptwireError):
        return error.reason_name
    if error is not None:
        return names.INTERNAL
    if ending.response is not None:
        return names.OK
    return names.DEADLINE if late else names.CANCELLED  # abandoned: by the server's own deadline, or by the reader


def _who(call: Call, answer: pb.ChatResponse | None) -> tuple[str, str]:
    """The provider and model that answered, or that were tried last."""
    if answer is not None and (provider := answer.provider):
        return provider, answer.model
    attempts = call.trail.attempts
    return (attempts[-1].provider, attempts[-1].model) if attempts else ("", "")


def _attempt_outcome(attempt: pb.Attempt, outcome: str) -> str:
    """How a try went. One without failure is the last, and went as the call did."""
    if not attempt.HasField("failure"):
        return outcome
    return pb.ErrorReason.Name(attempt.failure.reason).removeprefix("ERROR_REASON_")


def _level(ending: Ending, outcome: str) -> str:
    if outcome == names.INTERNAL:
        return "error"
    quiet = outcome in (names.OK, names.CANCELLED) or isinstance(ending.error, CallerError)
    return "info" if quiet else "warning"


def _set(duration: Duration, value_s: float) -> None:
    whole_s = int(value_s)
    if whole_s:
        duration.seconds = whole_s
    duration.nanos = int((value_s - whole_s) * _NANO)


def _milliseconds(value_s: float) -> float:
    return int(value_s * 1e6) / 1000
