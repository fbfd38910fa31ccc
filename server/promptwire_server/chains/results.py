"""Results: what steps and runs give, put together from the answers of the models."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

from promptwire import v1 as pb
from promptwire_server.chains.plan import Plan
from promptwire_server.chains.times import seconds_of, set_seconds
from promptwire_server.chains.turn import Outcome
from promptwire_server.chains.values import Values
from promptwire_server.core.money import add_cost, add_usage

_TEXT: Final = "text"
_quoted: Final = json.JSONEncoder(ensure_ascii=False).encode


class Totals:
    """What a run has spent so far."""

    def __init__(self) -> None:
        self.usage = pb.Usage()
        self.cost = pb.Cost()
        self._upstream_s = 0.0

    def add(self, step: pb.StepResult) -> None:
        """Add a step, failed or not."""
        if step.HasField("usage"):
            add_usage(self.usage, step.usage)
        if step.HasField("cost"):
            add_cost(self.cost, step.cost)
        for response in step.responses:
            if response.HasField("timing"):
                self._upstream_s += seconds_of(response.timing.upstream)

    def write(self, result: pb.RunResult) -> None:
        """Put the sums into the result of the run."""
        result.usage.CopyFrom(self.usage)
        if self.cost.ListFields():
            result.cost.CopyFrom(self.cost)
        if self._upstream_s:
            set_seconds(result.timing.upstream, self._upstream_s)

    @property
    def known_nano_usd(self) -> int | None:
        """What was spent, as far as prices are known; None when none is."""
        return self.cost.total_nano_usd if self.cost.HasField("total_nano_usd") else None


def add_answers(result: pb.StepResult, responses: Sequence[pb.ChatResponse]) -> None:
    """The answers of a step, without the text that the result has already, and their sums."""
    for response in responses:
        _strip(result.responses.add(), response)
        if response.HasField("usage"):
            add_usage(result.usage, response.usage) if result.HasField("usage") else result.usage.CopyFrom(response.usage)
        if response.HasField("cost"):
            add_cost(result.cost, response.cost) if result.HasField("cost") else result.cost.CopyFrom(response.cost)


def add_failed(result: pb.StepResult, attempts: Iterable[pb.Attempt]) -> None:
    """What attempts took that failed: the answers do not say it."""
    for attempt in attempts:
        if attempt.HasField("failure") and attempt.HasField("usage"):
            add_usage(result.usage, attempt.usage)
        if attempt.HasField("failure") and attempt.HasField("cost"):
            add_cost(result.cost, attempt.cost)


def _strip(copy: pb.ChatResponse, response: pb.ChatResponse) -> None:
    """The answer without its text. Other parts stay: tool calls, media, and the texts of further candidates are nowhere else."""
    copy.CopyFrom(response)
    copy.text = ""
    if copy.candidates:
        parts = copy.candidates[0].message.parts
        for index in range(len(parts) - 1, -1, -1):
            if _only_text(parts[index]):
                del parts[index]


def _only_text(part: pb.ContentPart) -> bool:
    return part.WhichOneof("content") == "text" and not part.citations and not part.HasField("provider_state")


def add_outcome(result: pb.StepResult, outcome: Outcome) -> None:
    """The output of a step."""
    result.text = outcome.text
    result.output_json = outcome.output_json


def told(result: pb.StepResult, *, text_delivered: bool) -> pb.StepResult:
    """The result as an event tells it: without the parts that were delivered before."""
    if not text_delivered:
        return result
    copy = pb.StepResult()
    copy.CopyFrom(result)
    copy.text = ""
    for response in copy.responses:
        for candidate in response.candidates:
            del candidate.message.parts[:]
            del candidate.logprobs[:]
    return copy


def add_outputs(result: pb.RunResult, plan: Plan, values: Values) -> None:
    """What the chain gives: its outputs, or the text of the last step. Raises InvalidTemplate."""
    text = values.last_text
    result.text = text or ""
    if plan.outputs:
        outcomes = [(output.name, output.formula.evaluate(values.names)) for output in plan.outputs]
    else:
        outcomes = [(_TEXT, Outcome(text, text))] if text is not None else []
    for name, outcome in outcomes:
        result.outputs[name] = outcome.text
    result.outputs_json = _object(outcomes)


def _object(outcomes: Iterable[tuple[str, Outcome]]) -> str:
    return f"{{{','.join(f'{_quoted(name)}:{outcome.output_json or _quoted(outcome.text)}' for name, outcome in outcomes)}}}"
