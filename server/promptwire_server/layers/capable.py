"""Capable: whether a target can do what a question needs, as far as that is known. What is not known is tried."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from promptwire import v1 as pb
from promptwire_server.core.call import Target
from promptwire_server.core.errors import CapabilityMissing, ContextTooLong, Violation
from promptwire_server.layers.question import MediaKind, Question

_SURELY: Final = 1.25  # an estimate of the prompt's length is off by so much, even for English


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a question needs."""

    any_of: tuple["pb.Capability", ...]  # one of them will do
    field: str  # path of the field that asks for it
    what: str  # completes "no model can be asked for"


_OF_MEDIA: Final[dict[MediaKind, tuple["pb.Capability", str]]] = {
    "image": (pb.CAPABILITY_IMAGE_INPUT, "images"),
    "audio": (pb.CAPABILITY_AUDIO_INPUT, "sound"),
    "document": (pb.CAPABILITY_DOCUMENT_INPUT, "documents"),
    "video": (pb.CAPABILITY_VIDEO_INPUT, "video"),
}
_OF_FORMATS: Final[dict[str, tuple[tuple["pb.Capability", ...], str]]] = {
    "json_schema": ((pb.CAPABILITY_JSON_SCHEMA,), "answers that fit a schema"),
    "json_object": ((pb.CAPABILITY_JSON_OBJECT, pb.CAPABILITY_JSON_SCHEMA), "answers in JSON"),
    "regex": ((pb.CAPABILITY_REGEX,), "answers that match an expression"),
    "grammar": ((pb.CAPABILITY_GRAMMAR,), "answers of a grammar"),
}
_OF_MODALITIES: Final[dict["pb.Modality", tuple["pb.Capability", str]]] = {
    pb.MODALITY_AUDIO: (pb.CAPABILITY_AUDIO_OUTPUT, "spoken answers"),
    pb.MODALITY_IMAGE: (pb.CAPABILITY_IMAGE_OUTPUT, "images in answers"),
}


def refused(
    question: Question, target: Target, capabilities: Sequence["pb.Capability"], window_tokens: int
) -> CapabilityMissing | ContextTooLong | None:
    """Why a target cannot be asked that can do this, and takes prompts of so many tokens; None: it may be asked.

    Without capabilities nothing is known of them, and 0 tokens are unknown too. How much a model thinks, its seed and the like are knobs:
    one that is missing is dropped with a notice, and rules no target out.
    """
    if capabilities and (need := _lacking(question, capabilities)) is not None:
        message = f"no model that may answer here can be asked for {need.what}; leave it out, or choose another model"
        return CapabilityMissing(f"{need.field}: {message}", violations=[Violation(need.field, message)])
    if question.size_bytes > window_tokens > 0 and question.prompt_tokens > window_tokens * _SURELY:
        return ContextTooLong(
            f"the prompt has about {question.prompt_tokens} tokens, and {target} takes {window_tokens}; shorten it, or choose another model"
        )
    return None


def _lacking(question: Question, capabilities: Sequence["pb.Capability"]) -> Need | None:
    return next((need for need in _needs(question) if not any(one in capabilities for one in need.any_of)), None)


def _needs(question: Question) -> Iterator[Need]:
    request = question.request
    if request.HasField("generation"):
        yield from _of_generation(request.generation)
    for kind, paths in question.media.items():
        capability, what = _OF_MEDIA[kind]
        yield Need((capability,), paths[0], what)


def _of_generation(generation: pb.GenerationSettings) -> Iterator[Need]:
    if generation.tools and generation.tool_choice.mode != pb.ToolChoice.MODE_NONE:
        yield Need((pb.CAPABILITY_TOOLS,), "generation.tools", "tool calls")
    named = generation.response_format.WhichOneof("format") or ""
    if named in _OF_FORMATS:
        any_of, what = _OF_FORMATS[named]
        yield Need(any_of, f"generation.response_format.{named}", what)
    if generation.logprobs or generation.top_logprobs:
        yield Need((pb.CAPABILITY_LOGPROBS,), f"generation.{'logprobs' if generation.logprobs else 'top_logprobs'}", "log probabilities")
    if generation.candidate_count > 1:
        yield Need((pb.CAPABILITY_CANDIDATES,), "generation.candidate_count", "several answers at once")
    for index, modality in enumerate(generation.output_modalities):
        if modality in _OF_MODALITIES:
            capability, what = _OF_MODALITIES[modality]
            yield Need((capability,), f"generation.output_modalities[{index}]", what)
