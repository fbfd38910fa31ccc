"""Calls as bodies of the chat-completions dialect."""

import hashlib
from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import CapabilityMissing, InvalidRequest
from promptwire_server.providers.openai.facts import ANY, OPENAI, Facts
from promptwire_server.providers.openai.request import body_of, to_wire
from tests.unit.providers.support import make_call

Generation = pb.GenerationSettings
PNG = pb.MediaPart(mime_type="image/png", data=b"png")


def wired(request: pb.ChatRequest, dialect: Facts = OPENAI, *, stream: bool = False) -> Any:
    return orjson.loads(body_of(to_wire(make_call(request, stream=stream), "openai", dialect)))


def said(role: pb.Role, *parts: pb.ContentPart, name: str = "") -> pb.ChatRequest:
    return pb.ChatRequest(messages=[pb.ChatMessage(role=role, parts=parts, name=name)])


def text(value: str) -> pb.ContentPart:
    return pb.ContentPart(text=value)


def media(part: pb.MediaPart) -> pb.ContentPart:
    return pb.ContentPart(media=part)


def result(*parts: pb.ContentPart, is_error: bool = False) -> pb.ContentPart:
    return pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id="c1", parts=parts, is_error=is_error))


CALL = pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id="c1", name="f", arguments_json='{"n":  9007199254740993}'))
MINE = pb.ProviderState(provider="openai", data=b'{"reasoning_details":[{"type":"x"}]}')


def test_a_question_is_model_and_messages_and_nothing_else() -> None:
    assert wired(pb.ChatRequest(prompt="hi")) == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_shorthands_stand_around_the_messages() -> None:
    request = pb.ChatRequest(system="be nice", messages=[pb.ChatMessage(parts=[text("one")])], prompt="two")
    assert [(m["role"], m["content"]) for m in wired(request)["messages"]] == [("system", "be nice"), ("user", "one"), ("user", "two")]


def test_a_stream_asks_for_its_usage() -> None:
    body = wired(pb.ChatRequest(prompt="hi"), stream=True)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


@pytest.mark.parametrize(
    ("request_", "messages"),
    [
        (said(pb.ROLE_UNSPECIFIED, text("a")), [{"role": "user", "content": "a"}]),
        (said(pb.ROLE_DEVELOPER, text("a")), [{"role": "developer", "content": "a"}]),
        (said(pb.ROLE_USER, text("a"), name="ann"), [{"role": "user", "name": "ann", "content": "a"}]),
        (
            said(pb.ROLE_USER, text("a"), text("b")),
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
        ),
        (
            said(pb.ROLE_USER, media(PNG)),
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}}]}],
        ),
        (
            said(pb.ROLE_USER, media(pb.MediaPart(uri="https://e.x/i", detail="low"))),
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://e.x/i", "detail": "low"}}]}],
        ),
        (
            said(pb.ROLE_USER, media(pb.MediaPart(mime_type="audio/mpeg", data=b"mp3"))),
            [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "bXAz", "format": "mp3"}}]}],
        ),
        (
            said(pb.ROLE_USER, media(pb.MediaPart(mime_type="application/pdf", data=b"pdf", name="a.pdf"))),
            [
                {
                    "role": "user",
                    "content": [{"type": "file", "file": {"file_data": "data:application/pdf;base64,cGRm", "filename": "a.pdf"}}],
                }
            ],
        ),
        (
            said(pb.ROLE_USER, media(pb.MediaPart(mime_type="application/pdf", file_id="file-1"))),
            [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}],
        ),
        (said(pb.ROLE_ASSISTANT, text("a"), text("b")), [{"role": "assistant", "content": "ab"}]),
        (said(pb.ROLE_ASSISTANT), [{"role": "assistant", "content": ""}]),
        (
            said(pb.ROLE_ASSISTANT, CALL),
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"n":  9007199254740993}'}}],
                }
            ],
        ),
        (
            said(pb.ROLE_ASSISTANT, pb.ContentPart(refusal=pb.RefusalPart(text="no"))),
            [{"role": "assistant", "content": None, "refusal": "no"}],
        ),
        (
            said(pb.ROLE_ASSISTANT, pb.ContentPart(reasoning=pb.ReasoningPart(text="hm"), provider_state=MINE), text("a")),
            [{"role": "assistant", "content": "a", "reasoning_details": [{"type": "x"}]}],
        ),
        (said(pb.ROLE_TOOL, result(text("42"))), [{"role": "tool", "tool_call_id": "c1", "content": "42"}]),
        (said(pb.ROLE_TOOL, result(text("down"), is_error=True)), [{"role": "tool", "tool_call_id": "c1", "content": "Error: down"}]),
        (
            said(pb.ROLE_USER, text("and now?"), result(text("42"))),
            [{"role": "tool", "tool_call_id": "c1", "content": "42"}, {"role": "user", "content": "and now?"}],
        ),
        (
            said(pb.ROLE_ASSISTANT, pb.ContentPart(provider_part=pb.ProviderPart(provider="openai", json='{"type":"custom","id":"c9"}'))),
            [{"role": "assistant", "content": None, "tool_calls": [{"type": "custom", "id": "c9"}]}],
        ),
    ],
)
def test_messages(request_: pb.ChatRequest, messages: list[Any]) -> None:
    assert wired(request_)["messages"] == messages


GENERATIONS: list[tuple[Generation, dict[str, Any]]] = [
    (Generation(temperature=0.0, top_p=0.5, seed=7), {"temperature": 0.0, "top_p": 0.5, "seed": 7}),
    (Generation(presence_penalty=1.0, frequency_penalty=-1.0), {"presence_penalty": 1.0, "frequency_penalty": -1.0}),
    (Generation(max_output_tokens=9), {"max_completion_tokens": 9}),
    (Generation(stop_sequences=["a", "b"]), {"stop": ["a", "b"]}),
    (Generation(candidate_count=2), {"n": 2}),
    (Generation(candidate_count=1), {}),
    (Generation(logprobs=True), {"logprobs": True}),
    (Generation(top_logprobs=3), {"logprobs": True, "top_logprobs": 3}),
    (Generation(logit_bias={"5": -100.0}), {"logit_bias": {"5": -100.0}}),
    (Generation(parallel_tool_calls=False), {"parallel_tool_calls": False}),
    (Generation(reasoning=pb.ReasoningSettings(effort=pb.ReasoningSettings.EFFORT_LOW)), {"reasoning_effort": "low"}),
    (Generation(reasoning=pb.ReasoningSettings(effort=pb.ReasoningSettings.EFFORT_NONE)), {"reasoning_effort": "none"}),
    (Generation(reasoning=pb.ReasoningSettings(effort=pb.ReasoningSettings.EFFORT_MAX)), {"reasoning_effort": "max"}),
    (Generation(response_format=pb.ResponseFormat(text=pb.TextFormat())), {}),
    (Generation(response_format=pb.ResponseFormat(json_object=pb.JsonObjectFormat())), {"response_format": {"type": "json_object"}}),
    (Generation(output_modalities=[pb.MODALITY_TEXT]), {}),
    (
        Generation(output_modalities=[pb.MODALITY_TEXT, pb.MODALITY_AUDIO], audio=pb.AudioSettings(voice="ash", format="wav")),
        {"modalities": ["text", "audio"], "audio": {"voice": "ash", "format": "wav"}},
    ),
    (
        Generation(provider_options_json={"openai": '{"service_tier":"flex","seed":3}', "x": "{}"}, seed=7),
        {"service_tier": "flex", "seed": 3},
    ),
]


@pytest.mark.parametrize(("generation", "fields"), GENERATIONS)
def test_settings(generation: Generation, fields: dict[str, Any]) -> None:
    body = wired(pb.ChatRequest(prompt="hi", generation=generation))
    assert {name: value for name, value in body.items() if name not in ("model", "messages")} == fields


@pytest.mark.parametrize(
    ("schema", "strict", "sent"),
    [
        ('{"type":"object","properties":{"a":{}},"required":["a"],"additionalProperties":false}', None, True),
        ('{"type":"object","properties":{"a":{}}}', None, False),
        ('{"type":"array","items":{"type":"object"}}', None, False),
        ('{"type":"object","properties":{"a":{}}}', True, True),
        ('{"type":"object","properties":{},"additionalProperties":false}', False, False),
    ],
)
def test_a_schema_is_strict_where_it_can_be(schema: str, strict: bool | None, sent: bool) -> None:  # noqa: FBT001 - a table
    shape = pb.JsonSchemaFormat(schema_json=schema, name="n")
    if strict is not None:
        shape.strict = strict
    body = wired(pb.ChatRequest(prompt="hi", generation=Generation(response_format=pb.ResponseFormat(json_schema=shape))))
    assert body["response_format"]["json_schema"] == {"name": "n", "schema": orjson.loads(schema), "strict": sent}


def test_schemas_travel_as_they_were_written() -> None:
    schema = '{"type": "object",  "z": 1, "a": 123456789012345678901234567890}'
    tool = pb.Tool(function=pb.FunctionTool(name="f", parameters_json=schema))
    body = body_of(to_wire(make_call(pb.ChatRequest(prompt="hi", generation=Generation(tools=[tool]))), "openai", OPENAI))
    assert schema.encode() in body


TOOLS = [pb.Tool(function=pb.FunctionTool(name=name, description="d", strict=True)) for name in ("f", "g")]
CHOICES: list[tuple[pb.ToolChoice, Facts, Any, list[str]]] = [
    (pb.ToolChoice(mode=pb.ToolChoice.MODE_AUTO), OPENAI, "auto", ["f", "g"]),
    (pb.ToolChoice(mode=pb.ToolChoice.MODE_NONE), OPENAI, "none", ["f", "g"]),
    (pb.ToolChoice(mode=pb.ToolChoice.MODE_REQUIRED), OPENAI, "required", ["f", "g"]),
    (pb.ToolChoice(mode=pb.ToolChoice.MODE_FUNCTION, name="g"), OPENAI, {"type": "function", "function": {"name": "g"}}, ["f", "g"]),
    (
        pb.ToolChoice(mode=pb.ToolChoice.MODE_REQUIRED, allowed_names=["g"]),
        OPENAI,
        {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]}},
        ["f", "g"],
    ),
    (pb.ToolChoice(mode=pb.ToolChoice.MODE_REQUIRED, allowed_names=["g"]), ANY, "required", ["g"]),
    (pb.ToolChoice(), OPENAI, None, ["f", "g"]),
]


@pytest.mark.parametrize(("choice", "dialect", "sent", "declared"), CHOICES)
def test_tool_choices(choice: pb.ToolChoice, dialect: Facts, sent: Any, declared: list[str]) -> None:
    body = wired(pb.ChatRequest(prompt="hi", generation=Generation(tools=TOOLS, tool_choice=choice)), dialect)
    assert body.get("tool_choice") == sent
    assert [tool["function"] for tool in body["tools"]] == [{"name": name, "description": "d", "strict": True} for name in declared]


def test_the_vendors_own_tools_travel_as_they_are() -> None:
    tool = pb.Tool(provider_tool=pb.ProviderTool(provider="openai", json='{"type":"custom","custom":{"name":"x"}}'))
    assert wired(pb.ChatRequest(prompt="hi", generation=Generation(tools=[tool])))["tools"] == [{"type": "custom", "custom": {"name": "x"}}]


def test_people_and_sessions_are_named_by_a_hash() -> None:
    body = wired(pb.ChatRequest(prompt="hi", end_user_id="ann@example.com", session_id="s1"))
    assert body["safety_identifier"] == hashlib.sha256(b"ann@example.com").hexdigest()[:32]
    assert body["prompt_cache_key"] == hashlib.sha256(b"default\0s1").hexdigest()[:32]


def test_other_servers_get_the_names_that_they_know() -> None:
    request = said(pb.ROLE_DEVELOPER, text("a"))
    request.generation.MergeFrom(Generation(max_output_tokens=9, top_k=4))
    request.end_user_id = "ann"
    body = wired(request, ANY)
    assert (body["max_tokens"], body["top_k"], body["messages"][0]["role"]) == (9, 4, "system")
    assert set(body) == {"model", "messages", "max_tokens", "top_k", "user"}


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        (pb.ChatRequest(prompt="hi", generation=Generation(top_k=4)), pb.Notice.CODE_SETTING_DROPPED, "generation.top_k"),
        (
            pb.ChatRequest(prompt="hi", generation=Generation(reasoning=pb.ReasoningSettings(budget_tokens=5))),
            pb.Notice.CODE_SETTING_DROPPED,
            "generation.reasoning.budget_tokens",
        ),
        (
            said(pb.ROLE_ASSISTANT, pb.ContentPart(text="a", provider_state=pb.ProviderState(provider="gemini", data=b"x"))),
            pb.Notice.CODE_CONTENT_DROPPED,
            "messages[0].parts[0].provider_state",
        ),
        (
            said(pb.ROLE_ASSISTANT, text("a"), pb.ContentPart(provider_part=pb.ProviderPart(provider="gemini", json="{}"))),
            pb.Notice.CODE_CONTENT_DROPPED,
            "messages[0].parts[1].provider_part",
        ),
        (said(pb.ROLE_ASSISTANT, media(PNG)), pb.Notice.CODE_CONTENT_DROPPED, "messages[0].parts[0].media"),
    ],
)
def test_what_is_dropped_is_noted(request_: pb.ChatRequest, code: "pb.Notice.Code", field: str) -> None:
    call = make_call(request_)
    to_wire(call, "openai", OPENAI)
    assert [(notice.code, notice.field) for notice in call.trail.notices] == [(code, field)]


SHAPE = pb.ResponseFormat
REFUSED: list[tuple[pb.ChatRequest, str]] = [
    (
        pb.ChatRequest(prompt="a", generation=Generation(response_format=SHAPE(regex=pb.RegexFormat(pattern="a")))),
        "generation.response_format",
    ),
    (pb.ChatRequest(prompt="a", generation=Generation(output_modalities=[pb.MODALITY_VIDEO])), "generation.output_modalities"),
    (pb.ChatRequest(prompt="a", generation=Generation(output_modalities=[pb.MODALITY_IMAGE])), "generation.output_modalities"),
    (
        pb.ChatRequest(prompt="a", generation=Generation(tools=[pb.Tool(provider_tool=pb.ProviderTool(provider="x", json="{}"))])),
        "generation.tools[0].provider_tool",
    ),
    (said(pb.ROLE_USER, media(pb.MediaPart(mime_type="video/mp4", uri="https://e.x/v"))), "messages[0].parts[0].media"),
    (said(pb.ROLE_USER, media(pb.MediaPart(mime_type="audio/wav", uri="https://e.x/a"))), "messages[0].parts[0].media"),
    (said(pb.ROLE_USER, media(pb.MediaPart(mime_type="application/pdf", uri="https://e.x/d"))), "messages[0].parts[0].media"),
    (said(pb.ROLE_TOOL, result(media(PNG))), "messages[0].parts[0].tool_result.parts"),
]


@pytest.mark.parametrize(("request_", "field"), REFUSED)
def test_what_the_dialect_has_no_words_for_is_refused(request_: pb.ChatRequest, field: str) -> None:
    with pytest.raises(CapabilityMissing) as caught:
        wired(request_)
    assert caught.value.violations[0].field == field


WRONG: list[tuple[pb.ChatRequest, str]] = [
    (pb.ChatRequest(), "messages"),
    (said(pb.ROLE_USER, pb.ContentPart()), "messages[0].parts[0]"),
    (said(pb.ROLE_USER, CALL), "messages[0].parts[0]"),
    (said(pb.ROLE_TOOL, text("a")), "messages[0].parts[0]"),
    (said(99, text("a")), "messages[0].role"),  # type: ignore[arg-type]  # a role of a later version
    (said(pb.ROLE_USER, media(pb.MediaPart(data=b"x"))), "messages[0].parts[0].media.mime_type"),
    (said(pb.ROLE_USER, media(pb.MediaPart(mime_type="image/png"))), "messages[0].parts[0].media"),
    (said(pb.ROLE_ASSISTANT, pb.ContentPart(tool_call=pb.ToolCallPart(name="f"))), "messages[0].parts[0].tool_call"),
    (said(pb.ROLE_TOOL, pb.ContentPart(tool_result=pb.ToolResultPart())), "messages[0].parts[0].tool_result.tool_call_id"),
    (
        pb.ChatRequest(prompt="a", generation=Generation(response_format=SHAPE(json_schema=pb.JsonSchemaFormat(schema_json="{")))),
        "generation.response_format.json_schema.schema_json",
    ),
    (
        pb.ChatRequest(prompt="a", generation=Generation(tools=[pb.Tool(function=pb.FunctionTool(name="f", parameters_json="[]"))])),
        "generation.tools[0].function.parameters_json",
    ),
    (pb.ChatRequest(prompt="a", generation=Generation(tools=[pb.Tool()])), "generation.tools[0].function.name"),
    (
        pb.ChatRequest(prompt="a", generation=Generation(tool_choice=pb.ToolChoice(mode=pb.ToolChoice.MODE_FUNCTION, name="f"))),
        "generation.tool_choice",
    ),
    *(
        (
            pb.ChatRequest(prompt="a", generation=Generation(provider_options_json={"openai": options})),
            'generation.provider_options_json["openai"]',
        )
        for options in ("{", "[]", '{"model":"x"}', '{"messages":[]}', '{"stream":true}', '{"stream_options":{}}')
    ),
]


@pytest.mark.parametrize(("request_", "field"), WRONG)
def test_what_is_wrong_is_named_by_its_path(request_: pb.ChatRequest, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        wired(request_)
    assert caught.value.violations[0].field == field


def test_servers_that_guide_take_regular_expressions() -> None:
    request = pb.ChatRequest(prompt="a", generation=Generation(response_format=SHAPE(regex=pb.RegexFormat(pattern="a+"))))
    assert wired(request, Facts(guided="guided"))["guided_regex"] == "a+"


def test_reasoning_goes_back_where_the_vendor_wants_it() -> None:
    request = said(pb.ROLE_ASSISTANT, pb.ContentPart(reasoning=pb.ReasoningPart(text="hm")), text("a"))
    assert wired(request, Facts(reasoning_back="reasoning_content"))["messages"][0]["reasoning_content"] == "hm"
    assert "hm" not in str(wired(request))
