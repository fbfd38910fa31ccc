"""Rules: the names that conditions of routing rules may use, and what each means for a call."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from promptwire import v1 as pb
from promptwire_server.layers.question import Question

_EFFORTS: Final = {
    pb.ReasoningSettings.EFFORT_MINIMAL: "minimal",
    pb.ReasoningSettings.EFFORT_LOW: "low",
    pb.ReasoningSettings.EFFORT_MEDIUM: "medium",
    pb.ReasoningSettings.EFFORT_HIGH: "high",
    pb.ReasoningSettings.EFFORT_MAX: "max",
}
_PRIORITIES: Final = {pb.PRIORITY_CRITICAL: "critical", pb.PRIORITY_HIGH: "high", pb.PRIORITY_LOW: "low"}


def _messages(question: Question) -> int:
    request = question.request
    return len(request.messages) + bool(request.system) + bool(request.prompt)


def _json(question: Question) -> bool:
    return question.request.generation.response_format.WhichOneof("format") in ("json_object", "json_schema")


def _reasoning(question: Question) -> str:
    """The effort in a word; "budget" where it is given in tokens only; empty where the model is not asked to think."""
    settings = question.request.generation.reasoning
    return _EFFORTS.get(settings.effort) or ("budget" if settings.budget_tokens else "")


VARIABLES: Final[Mapping[str, Callable[[Question], object]]] = {
    "prompt_tokens": lambda question: question.prompt_tokens,
    "messages": _messages,
    "tools": lambda question: len(question.request.generation.tools),
    "images": lambda question: len(question.media.get("image", ())),
    "audio": lambda question: len(question.media.get("audio", ())),
    "video": lambda question: len(question.media.get("video", ())),
    "documents": lambda question: len(question.media.get("document", ())),
    "json": _json,
    "tenant": lambda question: question.call.principal.tenant,
    "principal": lambda question: question.call.principal.name,
    "labels": lambda question: dict(question.request.labels),
    "priority": lambda question: _PRIORITIES.get(question.request.priority, "normal"),
    "model": lambda question: question.request.model,
    "reasoning": _reasoning,
}


class Values(Mapping[str, object]):
    """The variables of one call; each is worked out when a condition asks for it."""

    __slots__ = ("_question",)

    def __init__(self, question: Question) -> None:
        self._question = question

    def __getitem__(self, name: str) -> object:
        return VARIABLES[name](self._question)

    def __iter__(self) -> Iterator[str]:
        return iter(VARIABLES)

    def __len__(self) -> int:
        return len(VARIABLES)
