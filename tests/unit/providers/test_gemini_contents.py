"""The conversation as contents of generateContent."""

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.providers.gemini.request import to_wire
from promptwire_server.providers.json_value import JsonObject
from tests.unit.providers.gemini_words import (
    DROPPED,
    MODEL,
    NEW,
    OLD,
    PNG,
    TOOL,
    USER,
    called,
    contents,
    media,
    noticed,
    result,
    said,
    stated,
    text,
    wired,
)
from tests.unit.providers.support import make_call

SKIPPED = "skip_thought_signature_validator"


def test_a_question_is_little() -> None:
    assert wired(pb.ChatRequest(prompt="hi")) == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def test_instructions_stand_before_the_conversation_wherever_they_were() -> None:
    request = said((pb.ROLE_SYSTEM, [text("b")]), (USER, [text("x")]), (pb.ROLE_DEVELOPER, [text("c"), text("d")]), system="a", prompt="y")
    body = wired(request)
    assert body["systemInstruction"] == {"role": "user", "parts": [{"text": value} for value in "abcd"]}
    assert contents(request) == [("user", [{"text": "x"}]), ("user", [{"text": "y"}])]


@pytest.mark.parametrize(
    ("part", "wire"),
    [
        (PNG, {"inlineData": {"mimeType": "image/png", "data": "cG5n"}}),
        (pb.MediaPart(mime_type="video/mp4", uri="https://e.x/v"), {"fileData": {"fileUri": "https://e.x/v", "mimeType": "video/mp4"}}),
        (pb.MediaPart(uri="https://e.x/i"), {"fileData": {"fileUri": "https://e.x/i"}}),
        (
            pb.MediaPart(mime_type="audio/wav", file_id="files/abc"),
            {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc", "mimeType": "audio/wav"}},
        ),
        (pb.MediaPart(file_id="https://e.x/files/a"), {"fileData": {"fileUri": "https://e.x/files/a"}}),
        (
            pb.MediaPart(mime_type="image/png", data=b"png", detail="high"),
            {"inlineData": {"mimeType": "image/png", "data": "cG5n"}, "mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"}},
        ),
        (pb.MediaPart(mime_type="image/png", data=b"png", detail="auto"), {"inlineData": {"mimeType": "image/png", "data": "cG5n"}}),
    ],
)
def test_media(part: pb.MediaPart, wire: JsonObject) -> None:
    assert contents(said((USER, [media(part)]))) == [("user", [wire])]


@pytest.mark.parametrize(
    ("part", "wire"),
    [
        (text("a"), [{"text": "a"}]),
        (stated(text("a")), [{"text": "a", "thoughtSignature": "c2ln"}]),
        (stated(text("")), [{"text": "", "thoughtSignature": "c2ln"}]),
        (text(""), []),
        (pb.ContentPart(refusal=pb.RefusalPart(text="no")), [{"text": "no"}]),
        (stated(pb.ContentPart(reasoning=pb.ReasoningPart(text="hm")), b'{"thought":true}'), [{"text": "hm", "thought": True}]),
        (stated(media(PNG)), [{"inlineData": {"mimeType": "image/png", "data": "cG5n"}, "thoughtSignature": "c2ln"}]),
        (stated(called("f", "c1", "")), [{"functionCall": {"id": "c1", "name": "f", "args": {}}, "thoughtSignature": "c2ln"}]),
        (
            pb.ContentPart(provider_part=pb.ProviderPart(provider="gemini", json='{"executableCode":{"code":"1"},"thoughtSignature":"s"}')),
            [{"executableCode": {"code": "1"}, "thoughtSignature": "s"}],
        ),
        (stated(text("a"), b'{"text":"b","thoughtSignature":"c2ln"}'), [{"text": "a", "thoughtSignature": "c2ln"}]),
    ],
)
def test_what_the_model_said_goes_back_with_its_state(part: pb.ContentPart, wire: list[JsonObject]) -> None:
    request = said((MODEL, [part]), prompt="and now?")
    assert contents(request) == [*([("model", wire)] if wire else []), ("user", [{"text": "and now?"}])]
    assert noticed(request) == []


def test_arguments_travel_as_they_were_written() -> None:
    body = orjson.dumps(to_wire(make_call(said((MODEL, [stated(called())]), (TOOL, [result(text("1"))]))), "gemini"))
    assert b'"args":{"n":  9007199254740993}' in body


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        (result(text("42")), {"result": "42"}),
        (result(text('{"a": 1}')), {"a": 1}),
        (result(text('{"a"'), text(": 1}")), {"a": 1}),
        (result(text("[1]")), {"result": "[1]"}),
        (result(), {"result": ""}),
        (result(text("down"), is_error=True), {"error": "down"}),
        (result(text('{"code": 5}'), is_error=True), {"error": {"code": 5}}),
    ],
)
def test_results_are_objects(answer: pb.ContentPart, response: JsonObject) -> None:
    request = said((USER, [text("x")]), (MODEL, [stated(called())]), (TOOL, [answer]))
    assert contents(request)[2] == ("user", [{"functionResponse": {"id": "c1", "name": "f", "response": response}}])


def test_results_of_one_message_stand_in_one_content_with_their_names() -> None:
    request = said(
        (USER, [text("x")]),
        (MODEL, [stated(called("f", "c1", "{}")), called("g", "c2", "{}")]),
        (TOOL, [result(text("1"), call_id="c1")]),
        (TOOL, [result(text("2"), call_id="c2", name="h")]),
        (USER, [text("y"), result(text("3"), call_id="c1")]),
        (USER, [text("z")]),
    )
    turns = contents(request)
    assert [role for role, _ in turns] == ["user", "model", "user", "user", "user"]
    assert [part["functionResponse"]["name"] for part in turns[2][1]] == ["f", "h", "f"]
    assert turns[3:] == [("user", [{"text": "y"}]), ("user", [{"text": "z"}])]


def test_calls_of_neighbouring_messages_are_one_step() -> None:
    request = said(
        (USER, [text("x")]), (MODEL, [stated(called())]), (MODEL, [called("g", "c2", "{}")]), (TOOL, [result(), result(call_id="c2")])
    )
    assert [len(parts) for _, parts in contents(request)] == [1, 2, 2]


def test_media_of_results_stand_within_them_where_the_model_takes_that() -> None:
    request = said((MODEL, [stated(called())]), (TOOL, [result(text("see"), media(PNG))]))
    image = {"inlineData": {"mimeType": "image/png", "data": "cG5n"}}
    assert contents(request)[1][1] == [{"functionResponse": {"id": "c1", "name": "f", "response": {"result": "see"}, "parts": [image]}}]
    assert contents(request, OLD)[1][1] == [{"functionResponse": {"id": "c1", "name": "f", "response": {"result": "see"}}}, image]


FOREIGN = (MODEL, [stated(called("f", "c1", "{}"), b"x", "openai"), called("g", "c2", "{}")])
ANSWERS = (TOOL, [result(call_id="c1"), result(call_id="c2")])


def signatures(request: pb.ChatRequest, model: str = NEW) -> list[str | None]:
    parts = [part for _, parts in contents(request, model) for part in parts]
    return [part.get("thoughtSignature") for part in parts if "functionCall" in part]


def test_calls_of_others_in_the_turn_under_way_are_marked() -> None:
    request = said((USER, [text("x")]), FOREIGN, ANSWERS)
    assert signatures(request) == [SKIPPED, None]
    assert noticed(request) == [(DROPPED, "messages[1].parts[0].provider_state"), (DROPPED, "messages[1].parts[0]")]


def test_only_what_would_be_refused_is_marked() -> None:
    assert signatures(said((USER, [text("x")]), FOREIGN, ANSWERS, prompt="more")) == [None, None]
    assert signatures(said((USER, [text("x")]), FOREIGN, ANSWERS), OLD) == [None, None]
    assert signatures(said((USER, [text("x")]), (MODEL, [stated(called())]), (TOOL, [result()]))) == ["c2ln"]
