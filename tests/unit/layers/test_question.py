"""What a call asks for, and what the conditions of rules see of it."""

from typing import Any

import pytest

from promptwire import v1 as pb
from promptwire_server.layers.rules import VARIABLES, Values
from tests.unit.layers.outlooks import question

IMAGE = pb.ContentPart(media=pb.MediaPart(mime_type="image/png", data=b"x"))
LINK = pb.ContentPart(media=pb.MediaPart(uri="https://example.com/x"))
SOUND = pb.ContentPart(media=pb.MediaPart(mime_type="audio/wav", data=b"x"))
PDF = pb.ContentPart(media=pb.MediaPart(mime_type="application/pdf", data=b"x"))
FILM = pb.ContentPart(media=pb.MediaPart(mime_type="video/mp4", uri="gs://x"))


def user(*parts: pb.ContentPart) -> pb.ChatMessage:
    return pb.ChatMessage(role=pb.ROLE_USER, parts=parts)


def schema(text: str) -> pb.GenerationSettings:
    return pb.GenerationSettings(response_format=pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(schema_json=text)))


@pytest.mark.parametrize(
    ("request_fields", "tokens"),
    [
        ({}, 0),
        ({"prompt": "12345"}, 2),
        ({"system": "1234", "prompt": "1234"}, 2),
        ({"messages": [user(pb.ContentPart(text="12345678"), IMAGE)]}, 2),
        ({"messages": [user(pb.ContentPart(tool_call=pb.ToolCallPart(name="find", arguments_json="{}{}")))]}, 2),
        ({"messages": [user(pb.ContentPart(tool_result=pb.ToolResultPart(parts=[pb.ContentPart(text="1234")])))]}, 1),
        ({"messages": [user(pb.ContentPart(reasoning=pb.ReasoningPart(text="1234")))]}, 1),
        ({"generation": schema('{"a":1} ')}, 2),
        ({"generation": pb.GenerationSettings(tools=[pb.Tool(function=pb.FunctionTool(name="abcd", parameters_json="{}{}"))])}, 2),
    ],
)
def test_a_prompt_is_a_quarter_of_its_characters_long(request_fields: dict[str, Any], tokens: int) -> None:
    assert question(**request_fields).prompt_tokens == tokens


def test_media_are_found_with_their_places_also_in_results_of_tools() -> None:
    result = pb.ContentPart(tool_result=pb.ToolResultPart(parts=[pb.ContentPart(text="x"), IMAGE]))
    asked = question(messages=[user(pb.ContentPart(text="look"), LINK, SOUND), user(result), user(PDF, FILM)])
    assert asked.media == {
        "image": ["messages[0].parts[1].media", "messages[1].parts[0].tool_result.parts[1].media"],
        "audio": ["messages[0].parts[2].media"],
        "document": ["messages[2].parts[0].media"],
        "video": ["messages[2].parts[1].media"],
    }


def test_an_answer_is_reckoned_at_usual_length_but_never_longer_than_allowed() -> None:
    allowed = question(generation=pb.GenerationSettings(max_output_tokens=16))
    assert (allowed.answer_tokens, question().answer_tokens) == (16, 400)
    assert question(generation=pb.GenerationSettings(max_output_tokens=100_000)).answer_tokens == 400


def test_conditions_see_the_call() -> None:
    generation = schema("{}")
    generation.tools.add()
    generation.reasoning.effort = pb.ReasoningSettings.EFFORT_HIGH
    asked = question(
        tenant="shop",
        name="search",
        model="smart",
        system="be good",
        prompt="what is this",
        messages=[user(IMAGE, SOUND, PDF, FILM)],
        generation=generation,
        priority=pb.PRIORITY_LOW,
        labels={"team": "x"},
    )
    assert dict(Values(asked)) == {
        "prompt_tokens": 6,
        "messages": 3,
        "tools": 1,
        "images": 1,
        "audio": 1,
        "video": 1,
        "documents": 1,
        "json": True,
        "tenant": "shop",
        "principal": "search",
        "labels": {"team": "x"},
        "priority": "low",
        "model": "smart",
        "reasoning": "high",
    }


def test_what_a_plain_call_does_not_ask_for_counts_as_false() -> None:
    values = Values(question(prompt="hi"))
    assert [name for name in VARIABLES if values[name]] == ["prompt_tokens", "messages", "tenant", "principal", "priority"]
    assert values["priority"] == "normal"


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (pb.ReasoningSettings(effort=pb.ReasoningSettings.EFFORT_NONE), ""),
        (pb.ReasoningSettings(effort=pb.ReasoningSettings.EFFORT_MINIMAL), "minimal"),
        (pb.ReasoningSettings(budget_tokens=1000), "budget"),
        (pb.ReasoningSettings(budget_tokens=0), ""),
    ],
)
def test_reasoning_is_a_word(settings: pb.ReasoningSettings, word: str) -> None:
    assert Values(question(generation=pb.GenerationSettings(reasoning=settings)))["reasoning"] == word
