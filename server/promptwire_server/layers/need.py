"""Need: what a model must be able to do for a question."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from promptwire import v1 as pb

MediaKind = Literal["image", "audio", "video", "document"]


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a question needs."""

    any_of: tuple["pb.Capability", ...]  # one of them will do
    field: str  # path of the field that asks for it
    what: str  # completes "no model can be asked for"
    instead: str = "leave it out, or choose another model"


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
OF_VECTORS: Final = Need((pb.CAPABILITY_EMBEDDINGS,), "model", "embeddings", "choose another model")


def needs_of(request: pb.ChatRequest, media: Mapping[MediaKind, Sequence[str]]) -> Iterator[Need]:
    """What a chat needs; `media` are the paths of those in its prompt. Knobs that a model lacks are dropped, and are no needs."""
    if request.HasField("generation"):
        yield from _of_generation(request.generation)
    for kind, paths in media.items():
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
