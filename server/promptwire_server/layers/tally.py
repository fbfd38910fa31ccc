"""Tally: calls that ended are counted and logged a little later, many at once.

Right after a call the processor's caches hold gRPC's data, and the same work takes four times as long as in a batch; besides, a batch of
lines is one write to the system. What is money is settled elsewhere, and at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import CallerError
from promptwire_server.core.reply import Ending
from promptwire_server.layers import names
from promptwire_server.layers.metrics import Metrics, Series
from promptwire_server.layers.outcome import outcome_of, who
from promptwire_server.layers.spent import answer_of, lost, together

Field = str | int | float | bool
Line = tuple[str, str, dict[str, Field]]  # level, event, fields
LogLines = Callable[[Sequence[Line]], None]  # must not raise
Later = Callable[[Callable[[], None]], object]  # calls back once, soon

_SPENT = frozenset({pb.SERVED_FROM_UNSPECIFIED, pb.SERVED_FROM_PROVIDER})  # answers that took tokens; others were paid for before
_SHOWN_NAME = 128  # characters of a name that the caller chose
_MOST_WAITING = 1000  # calls; beyond that they are settled at once, so that a flood does not pile up


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that ended."""

    call: Call
    ending: Ending
    first_s: float  # from arrival to the first delta; 0 when there was none
    at_s: float  # on the monotonic clock
    event: str = names.CHAT_FINISHED  # the name of its line, which says what kind of question it was


Write = Callable[[Ended], None]  # must neither wait nor raise


class Tally:
    """Counts and logs ended calls: when `later` calls back, or at once where there is no `later`."""

    def __init__(self, metrics: Metrics, log: LogLines | None = None, later: Later | None = None, write: Write | None = None) -> None:
        """`write` is told of every ended call besides: the journal."""
        self.metrics = metrics
        self._log = log
        self._write = write
        self._later = later
        self._waiting: list[Ended] = []

    def add(self, ended: Ended) -> None:
        """Take a call in."""
        if len(self._waiting) >= _MOST_WAITING:  # without this one, whose price is written down only after this
            self.settle()
        self._waiting.append(ended)
        if self._later is None:
            self.settle()
        elif len(self._waiting) == 1:
            self._later(self.settle)

    def settle(self) -> None:
        """Count and log everything that waits. Harmless when nothing does."""
        waiting, self._waiting = self._waiting, []
        lines = [self._settled(ended) for ended in waiting]
        if self._log is not None and lines:
            self._log(lines)
        if self._write is not None:
            for ended in waiting:
                self._write(ended)

    def _settled(self, ended: Ended) -> Line:
        """Count one call; its line."""
        call, ending = ended.call, ended.ending
        outcome = outcome_of(ending, late=ended.at_s >= call.deadline_s)
        answer = ending.response or ending.partial
        provider, model = who(call, answer)
        self._count(ended, outcome, self.metrics.of_model(provider, model, answered=ending.response is not None))
        fields = _fields(ended, outcome, provider, model)
        _add_amounts(fields, ended)
        return _level(ending, outcome), ended.event, fields

    def _count(self, ended: Ended, outcome: str, series: Series) -> None:
        metrics, ending = self.metrics, ended.ending
        said = ending.response or ending.partial
        if ended.event == names.EMBED_FINISHED:
            series.embedded(outcome)
        else:
            series.ended(outcome, 0 if said is None else said.served_from, ended.at_s - ended.call.arrival_s)
        if ended.first_s:
            series.first_token.add(ended.first_s)
        attempts = lost(ended.call)
        answer = answer_of(ending, attempts)
        if answer is not None and answer.served_from in _SPENT:
            series.took(answer.usage, answer.cost)
        for attempt in attempts:
            metrics.of_model(attempt.provider, attempt.model, answered=False).took(attempt.usage, attempt.cost)
        for attempt in ended.call.trail.attempts:
            metrics.attempted(attempt.provider, _attempt_outcome(attempt, outcome))


def _fields(ended: Ended, outcome: str, provider: str, model: str) -> dict[str, Field]:
    call = ended.call
    fields: dict[str, Field] = {
        names.REQUEST_ID: call.request_id,
        names.TRACE_ID: call.trace_id,
        "tenant": call.principal.tenant,
        "principal": call.principal.name,
        "model_asked": call.request.model[:_SHOWN_NAME],
        "provider": provider,
        "model": model[:_SHOWN_NAME],
        "outcome": outcome,
        "stream": call.stream,
        "duration_ms": _milliseconds(ended.at_s - call.arrival_s),
        "attempts": len(call.trail.attempts),
    }
    if call.run_id:
        fields[names.RUN_ID] = call.run_id
        fields[names.STEP_ID] = call.step_id
    if ended.first_s:
        fields["first_token_ms"] = _milliseconds(ended.first_s)
    return fields


def _add_amounts(fields: dict[str, Field], ended: Ended) -> None:
    attempts = lost(ended.call)
    answer = answer_of(ended.ending, attempts)
    if answer is None and not attempts:
        return
    usage, cost = together(answer, attempts) if attempts or answer is None else (answer.usage, answer.cost)
    fields["input_tokens"] = usage.input_tokens
    fields["output_tokens"] = usage.output_tokens
    if cost.HasField("total_nano_usd"):
        fields["cost_nano_usd"] = cost.total_nano_usd


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


def _milliseconds(value_s: float) -> float:
    return int(value_s * 1e6) / 1000
