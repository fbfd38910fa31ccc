"""Which targets cannot do what a question needs, and what callers are told."""

from typing import Any

import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import CapabilityMissing, ContextTooLong
from promptwire_server.layers.capable import refused
from tests.unit.layers.outlooks import A, question
from tests.unit.layers.test_question import FILM, IMAGE, PDF, SOUND, schema, user

TOOLS = [pb.Tool(function=pb.FunctionTool(name="find"))]
CHAT = (pb.CAPABILITY_CHAT,)


def formatted(**settings: Any) -> dict[str, pb.GenerationSettings]:
    return {"generation": pb.GenerationSettings(response_format=pb.ResponseFormat(**settings))}


def generation(**settings: Any) -> dict[str, pb.GenerationSettings]:
    return {"generation": pb.GenerationSettings(**settings)}


@pytest.mark.parametrize(
    ("asked", "capability", "field"),
    [
        ({"messages": [user(IMAGE)]}, pb.CAPABILITY_IMAGE_INPUT, "messages[0].parts[0].media"),
        ({"messages": [user(SOUND)]}, pb.CAPABILITY_AUDIO_INPUT, "messages[0].parts[0].media"),
        ({"messages": [user(PDF)]}, pb.CAPABILITY_DOCUMENT_INPUT, "messages[0].parts[0].media"),
        ({"messages": [user(FILM)]}, pb.CAPABILITY_VIDEO_INPUT, "messages[0].parts[0].media"),
        (generation(tools=TOOLS), pb.CAPABILITY_TOOLS, "generation.tools"),
        ({"generation": schema("{}")}, pb.CAPABILITY_JSON_SCHEMA, "generation.response_format.json_schema"),
        (formatted(json_object={}), pb.CAPABILITY_JSON_OBJECT, "generation.response_format.json_object"),
        (formatted(json_object={}), pb.CAPABILITY_JSON_SCHEMA, "generation.response_format.json_object"),
        (formatted(regex={"pattern": "a"}), pb.CAPABILITY_REGEX, "generation.response_format.regex"),
        (formatted(grammar={"grammar": "a"}), pb.CAPABILITY_GRAMMAR, "generation.response_format.grammar"),
        (generation(logprobs=True), pb.CAPABILITY_LOGPROBS, "generation.logprobs"),
        (generation(top_logprobs=2), pb.CAPABILITY_LOGPROBS, "generation.top_logprobs"),
        (generation(candidate_count=2), pb.CAPABILITY_CANDIDATES, "generation.candidate_count"),
        (
            generation(output_modalities=[pb.MODALITY_TEXT, pb.MODALITY_AUDIO]),
            pb.CAPABILITY_AUDIO_OUTPUT,
            "generation.output_modalities[1]",
        ),
        (generation(output_modalities=[pb.MODALITY_IMAGE]), pb.CAPABILITY_IMAGE_OUTPUT, "generation.output_modalities[0]"),
    ],
)
def test_what_is_known_to_be_missing_is_refused_by_its_field(asked: dict[str, Any], capability: "pb.Capability", field: str) -> None:
    error = refused(question(**asked), A, CHAT, 0)
    assert isinstance(error, CapabilityMissing)
    assert error.violations[0].field == field
    assert error.message.startswith(f"{field}: no model that may answer here")
    assert refused(question(**asked), A, (*CHAT, capability), 0) is None
    assert refused(question(**asked), A, (), 0) is None


@pytest.mark.parametrize(
    "settings",
    [
        pb.GenerationSettings(candidate_count=1),
        pb.GenerationSettings(logprobs=False, seed=1, reasoning=pb.ReasoningSettings(effort=pb.ReasoningSettings.EFFORT_HIGH)),
        pb.GenerationSettings(tools=TOOLS, tool_choice=pb.ToolChoice(mode=pb.ToolChoice.MODE_NONE)),
        pb.GenerationSettings(response_format=pb.ResponseFormat(text=pb.TextFormat())),
    ],
)
def test_knobs_and_what_is_not_used_need_nothing(settings: pb.GenerationSettings) -> None:
    assert refused(question(prompt="hi", generation=settings), A, CHAT, 0) is None


def test_a_prompt_that_surely_does_not_fit_is_refused() -> None:
    error = refused(question(prompt="x" * 4 * 1300), A, (), 1000)
    assert isinstance(error, ContextTooLong)
    assert "about 1300 tokens, and a/m takes 1000" in error.message


@pytest.mark.parametrize(("characters", "window"), [(4 * 1200, 1000), (4000, 1000), (4 * 100_000, 0), (0, 1)])
def test_a_prompt_that_may_fit_is_tried(characters: int, window: int) -> None:
    assert refused(question(prompt="x" * characters), A, (), window) is None


def test_media_do_not_count_as_text() -> None:
    large = pb.ContentPart(media=pb.MediaPart(mime_type="image/png", data=b"x" * 100_000))
    assert refused(question(messages=[user(large)]), A, (), 1000) is None
