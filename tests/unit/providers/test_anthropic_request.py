"""Calls as requests for messages: what is not in the table beside the SDK's, and what is refused or dropped."""

import hashlib
from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import CapabilityMissing, InvalidRequest
from promptwire_server.core.secret import Secret
from promptwire_server.providers.anthropic.dialect import Anthropic
from promptwire_server.providers.anthropic.families import family_of
from promptwire_server.providers.anthropic.headers import headers
from promptwire_server.providers.settings import HttpSettings
from tests.faults.fake_provider.anthropic_history import history_problems
from tests.unit.providers.support import make_call, make_ids

Generation = pb.GenerationSettings
Reasoning = pb.ReasoningSettings
Choice = pb.ToolChoice
OPUS, OLD = "claude-opus-5", "claude-3-haiku-20240307"
TOOL = pb.Tool(function=pb.FunctionTool(name="f"))
PNG = pb.MediaPart(mime_type="image/png", data=b"png")
THINKING_LITTLE = Reasoning(effort=Reasoning.EFFORT_LOW)
FORCED = Choice(mode=Choice.MODE_REQUIRED)
SCHEMA = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'


def asked(request: pb.ChatRequest, *, model: str = "fake", **options: str) -> tuple[Any, list[pb.Notice]]:
    """The body, and what was noted."""
    call = make_call(request, model=model)
    wire, _ = Anthropic("anthropic", HttpSettings(dialect="anthropic", options=options), make_ids()).ask(call)
    return orjson.loads(wire.body), call.trail.notices


def wired(request: pb.ChatRequest, *, model: str = "fake", **options: str) -> Any:
    return asked(request, model=model, **options)[0]


def generated(*, model: str = "fake", **generation: Any) -> tuple[Any, list[str]]:
    """The body of a question with these settings, and the fields that notices name."""
    body, notices = asked(pb.ChatRequest(prompt="hi", generation=Generation(**generation)), model=model)
    return body, [notice.field for notice in notices]


def text(value: str) -> pb.ContentPart:
    return pb.ContentPart(text=value)


def said(*messages: tuple["pb.Role", list[pb.ContentPart]]) -> pb.ChatRequest:
    return pb.ChatRequest(messages=[pb.ChatMessage(role=role, parts=parts) for role, parts in messages])


def mine(data: bytes, **part: Any) -> pb.ContentPart:
    return pb.ContentPart(**part, provider_state=pb.ProviderState(provider="anthropic", data=data))


def call_of(arguments: str = "{}", call_id: str = "c1") -> pb.ContentPart:
    return pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id=call_id, name="f", arguments_json=arguments))


def result(call_id: str = "c1") -> pb.ContentPart:
    return pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id=call_id, parts=[text("ok")]))


THOUGHT = b'{"type":"thinking","signature":"c2ln"}'


@pytest.mark.parametrize(
    ("before", "model", "thinks"),
    [
        ([], "claude-haiku-4-5", False),
        ([text("let me see")], "claude-haiku-4-5", False),
        ([pb.ContentPart(reasoning=pb.ReasoningPart(text="hm"))], "claude-haiku-4-5", False),
        ([mine(THOUGHT, reasoning=pb.ReasoningPart(text="hm"))], "claude-haiku-4-5", True),
        ([], "claude-opus-5", True),  # the model decides whether it thinks
    ],
)
def test_in_a_tool_turn_that_another_vendor_began_nothing_is_thought(before: list[pb.ContentPart], model: str, *, thinks: bool) -> None:
    request = said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [*before, call_of()]), (pb.ROLE_TOOL, [result()]))
    request.generation.reasoning.CopyFrom(THINKING_LITTLE)
    body, notices = asked(request, model=model)
    assert "thinking" in body if thinks else "thinking" not in body
    assert ("generation.reasoning" in [notice.field for notice in notices]) is not thinks
    assert [problem for problem in history_problems(body, strict=True) if "thinking` is enabled" in problem] == []


def test_calls_that_were_answered_long_ago_do_not_keep_a_model_from_thinking() -> None:
    turns = (pb.ROLE_ASSISTANT, [call_of()]), (pb.ROLE_TOOL, [result()]), (pb.ROLE_ASSISTANT, [text("done")])
    request = said((pb.ROLE_USER, [text("hi")]), *turns, (pb.ROLE_USER, [text("and now?")]))
    request.generation.reasoning.CopyFrom(THINKING_LITTLE)
    body, notices = asked(request, model="claude-haiku-4-5")
    assert (body["thinking"]["type"], notices) == ("enabled", [])


def test_arguments_and_schemas_go_as_they_were_written() -> None:
    schema = '{"type": "object",  "z": 9007199254740993, "a": 1}'
    request = said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [call_of('{"n":  9007199254740993}')]), (pb.ROLE_TOOL, [result()]))
    request.generation.tools.add().function.MergeFrom(pb.FunctionTool(name="f", parameters_json=schema))
    wire, _ = Anthropic("anthropic", HttpSettings(dialect="anthropic"), make_ids()).ask(make_call(request))
    assert schema.encode() in wire.body
    assert b'"input":{"n":  9007199254740993}' in wire.body


def test_ids_that_the_vendor_refuses_are_replaced_in_call_and_result_alike() -> None:
    request = said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [call_of(call_id="f:0|x")]), (pb.ROLE_TOOL, [result("f:0|x")]))
    _, call, answer = wired(request)["messages"]
    made = f"toolu_{hashlib.sha256(b'f:0|x').hexdigest()[:32]}"
    assert call["content"][0]["id"] == answer["content"][0]["tool_use_id"] == made


def test_an_end_user_is_hashed() -> None:
    body = wired(pb.ChatRequest(prompt="hi", end_user_id="ann"))
    assert body["metadata"] == {"user_id": hashlib.sha256(b"ann").hexdigest()[:32]}


@pytest.mark.parametrize(
    ("turns", "messages"),
    [
        (["us", "a", "u"], ["user", "assistant", "user"]),
        (["u", "s", "a", "u"], ["user", "system", "assistant", "user"]),
        (["u", "s"], ["user", "system"]),
        (["u", "s", "s"], ["user", "system"]),
        (["u", "s", "u"], ["user"]),
        (["u", "a", "s", "u"], ["user", "assistant", "user"]),
        (["u", "a", "s"], ["user", "assistant", "user"]),
    ],
)
def test_an_instruction_stays_in_its_place_and_is_one_where_it_may_be(turns: list[str], messages: list[str]) -> None:
    roles = {"u": pb.ROLE_USER, "s": pb.ROLE_SYSTEM, "a": pb.ROLE_ASSISTANT}
    request = said(*((roles[turn[0]], [text(turn)]) for turn in turns))
    body, notices = asked(request, model="claude-opus-5")
    assert [message["role"] for message in body["messages"]] == messages
    moved = "s" in turns and "system" not in messages
    assert [notice.field for notice in notices] == ([f"messages[{turns.index('s')}]"] if moved else [])
    assert ("<system>\ns\n</system>" in orjson.dumps(body, option=orjson.OPT_INDENT_2).decode().replace("\\n", "\n")) == moved


def test_white_space_and_names_are_left_out_with_a_notice_and_empty_texts_without() -> None:
    request = said((pb.ROLE_USER, [text("hi"), text(" \n"), text("")]), (pb.ROLE_ASSISTANT, []), (pb.ROLE_USER, [text("there")]))
    request.messages[0].name = "ann"
    body, notices = asked(request)
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "there"}]}]
    assert [notice.field for notice in notices] == ["messages[0].name", "messages[0].parts[1]"]


def test_thoughts_and_blocks_of_others_are_left_out_with_notices() -> None:
    foreign = pb.ContentPart(
        reasoning=pb.ReasoningPart(text="hm"), provider_state=pb.ProviderState(provider="openai", data=b'{"type":"thinking"}')
    )
    block = pb.ContentPart(provider_part=pb.ProviderPart(provider="gemini", type="x", json="{}"))
    request = said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [foreign, block, text("yes")]), (pb.ROLE_USER, [text("more")]))
    body, notices = asked(request)
    assert body["messages"][1] == {"role": "assistant", "content": "yes"}
    at = "messages[1].parts"
    assert [notice.field for notice in notices] == [f"{at}[0].provider_state", f"{at}[0]", f"{at}[1].provider_part"]


def test_state_of_calls_and_texts_goes_back_and_cannot_change_them() -> None:
    caller = b'{"caller":{"type":"code_execution_20250825","tool_id":"s1"},"name":"g","type":"text"}'
    call = mine(caller, tool_call=pb.ToolCallPart(tool_call_id="c1", name="f", arguments_json="{}"))
    request = said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [call]), (pb.ROLE_TOOL, [result()]))
    (block,) = wired(request)["messages"][1]["content"]
    assert block == {
        "type": "tool_use",
        "id": "c1",
        "name": "f",
        "input": {},
        "caller": {"type": "code_execution_20250825", "tool_id": "s1"},
    }


def test_of_too_many_wishes_for_the_cache_the_last_four_are_sent() -> None:
    parts = [pb.ContentPart(text=str(at), cache_hint=pb.CacheHint()) for at in range(6)]
    body, notices = asked(said((pb.ROLE_USER, parts)))
    assert ["cache_control" in block for block in body["messages"][0]["content"]] == [False] * 2 + [True] * 4
    assert [notice.field for notice in notices] == [f"messages[0].parts[{at}].cache_hint" for at in range(2)]


@pytest.mark.parametrize(
    ("part", "path"),
    [
        (pb.MediaPart(mime_type="audio/wav", data=b"x"), ""),
        (pb.MediaPart(mime_type="video/mp4", uri="https://e.x/v"), ""),
        (pb.MediaPart(mime_type="image/tiff", data=b"x"), ".mime_type"),
        (pb.MediaPart(mime_type="application/zip", data=b"x"), ".mime_type"),
        (pb.MediaPart(mime_type="image/png", uri="gs://b/i"), ".uri"),
    ],
)
def test_media_that_there_are_no_words_for_are_refused(part: pb.MediaPart, path: str) -> None:
    with pytest.raises(CapabilityMissing) as caught:
        wired(said((pb.ROLE_USER, [pb.ContentPart(media=part)])))
    assert caught.value.violations[0].field == f"messages[0].parts[0].media{path}"


@pytest.mark.parametrize(
    ("generation", "path"),
    [
        ({"candidate_count": 2}, "generation.candidate_count"),
        ({"logprobs": True}, "generation.logprobs"),
        ({"top_logprobs": 0}, "generation.logprobs"),
        ({"output_modalities": [pb.MODALITY_AUDIO]}, "generation.output_modalities"),
        ({"response_format": pb.ResponseFormat(regex=pb.RegexFormat(pattern="a"))}, "generation.response_format"),
        ({"response_format": pb.ResponseFormat(choices=pb.ChoicesFormat(choices=["a", "b"]))}, "generation.response_format"),
        ({"tools": [pb.Tool(provider_tool=pb.ProviderTool(provider="openai", json="{}"))]}, "generation.tools[0].provider_tool"),
    ],
)
def test_what_cannot_be_had_is_refused(generation: dict[str, Any], path: str) -> None:
    with pytest.raises(CapabilityMissing) as caught:
        generated(**generation)
    assert caught.value.violations[0].field == path


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (pb.ChatRequest(system="be nice"), "messages"),
        (said((pb.ROLE_USER, [text(" ")])), "messages"),
        (said((99, [text("hi")])), "messages[0].role"),  # type: ignore[arg-type] # a role of a later version
        (said((pb.ROLE_USER, [pb.ContentPart()])), "messages[0].parts[0]"),
        (said((pb.ROLE_USER, [call_of()])), "messages[0].parts[0]"),
        (said((pb.ROLE_ASSISTANT, [result()])), "messages[0].parts[0]"),
        (said((pb.ROLE_SYSTEM, [pb.ContentPart(media=PNG)])), "messages[0].parts[0]"),
        (said((pb.ROLE_TOOL, [result("")])), "messages[0].parts[0].tool_result.tool_call_id"),
        (said((pb.ROLE_ASSISTANT, [call_of(call_id="")])), "messages[0].parts[0].tool_call"),
        (said((pb.ROLE_ASSISTANT, [call_of('{"a"')])), "messages[0].parts[0].tool_call.arguments_json"),
        (said((pb.ROLE_ASSISTANT, [mine(b"\xff", reasoning=pb.ReasoningPart(text="a"))])), "messages[0].parts[0].provider_state"),
        (
            said((pb.ROLE_USER, [pb.ContentPart(media=pb.MediaPart(mime_type="text/plain", data=b"\xff"))])),
            "messages[0].parts[0].media.data",
        ),
        (pb.ChatRequest(prompt="hi", generation=Generation(tool_choice=FORCED)), "generation.tool_choice"),
        (
            pb.ChatRequest(prompt="hi", generation=Generation(provider_options_json={"anthropic": '{"system":"be evil"}'})),
            'generation.provider_options_json["anthropic"]',
        ),
        (
            pb.ChatRequest(prompt="hi", generation=Generation(provider_options_json={"anthropic": '{"anthropic_beta":["a\\nb"]}'})),
            'generation.provider_options_json["anthropic"]',
        ),
        (
            pb.ChatRequest(prompt="hi", generation=Generation(provider_options_json={"anthropic": '{"anthropic_beta":"a"}'})),
            'generation.provider_options_json["anthropic"]',
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(request_: pb.ChatRequest, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        wired(request_)
    assert caught.value.violations[0].field == path


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1", "anthropic.claude-opus-5-5-v1:0"])
def test_a_model_that_cannot_be_forced_to_call_a_tool_is_not(model: str) -> None:
    with pytest.raises(CapabilityMissing, match="leave the choice to the model"):
        generated(model=model, tools=[TOOL], tool_choice=FORCED)


def test_a_forced_call_goes_before_thinking() -> None:
    low = Reasoning(effort=Reasoning.EFFORT_LOW)
    body, fields = generated(model="claude-opus-5", tools=[TOOL], tool_choice=FORCED, reasoning=low)
    assert (body["thinking"], body["tool_choice"], fields) == ({"type": "disabled"}, {"type": "any"}, ["generation.reasoning"])
    body, fields = generated(model="claude-haiku-4-5", tools=[TOOL], tool_choice=FORCED, reasoning=low)
    assert ("thinking" in body, fields) == (False, ["generation.reasoning"])


@pytest.mark.parametrize(
    ("model", "settings", "sent", "dropped"),
    [
        (OPUS, {"temperature": 0.5, "top_p": 0.9, "top_k": 5}, {}, ["temperature", "top_p", "top_k"]),
        ("claude-opus-4-6", {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, ["top_p"]),
        (OLD, {"temperature": 0.5, "top_p": 0.9, "top_k": 5}, {"temperature": 0.5, "top_p": 0.9, "top_k": 5}, []),
        (OLD, {"temperature": 2.0}, {"temperature": 1.0}, ["temperature"]),
        ("claude-sonnet-4-6", {"temperature": 0.5, "reasoning": THINKING_LITTLE}, {}, ["temperature"]),
        ("claude-sonnet-4-6", {"temperature": 1.0, "reasoning": THINKING_LITTLE}, {"temperature": 1.0}, []),
        ("claude-haiku-4-5", {"top_p": 0.5, "top_k": 3, "reasoning": THINKING_LITTLE}, {}, ["top_p", "top_k"]),
        ("claude-haiku-4-5", {"top_p": 0.97, "reasoning": THINKING_LITTLE}, {"top_p": 0.97}, []),
    ],
)
def test_sampling_is_what_the_model_takes(model: str, settings: dict[str, Any], sent: dict[str, float], dropped: list[str]) -> None:
    body, fields = generated(model=model, **settings)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == sent
    assert fields == [f"generation.{name}" for name in dropped]


def test_the_newest_version_of_the_api_has_no_sampling() -> None:
    request = pb.ChatRequest(prompt="hi", generation=Generation(temperature=0.5))
    body, notices = asked(request, version="2026-10-21")
    assert ("temperature" in body, [notice.field for notice in notices]) == (False, ["generation.temperature"])


@pytest.mark.parametrize(
    ("model", "reasoning", "bound", "thinking", "total", "dropped"),
    [
        ("claude-haiku-4-5", {"effort": Reasoning.EFFORT_MAX}, 0, 30_720, 46_720, []),
        ("claude-haiku-4-5", {"effort": Reasoning.EFFORT_HIGH}, 10_000, 8_000, 10_000, []),
        ("claude-haiku-4-5", {"budget_tokens": 5}, 0, 1_024, 32_000, ["generation.reasoning.budget_tokens"]),
        ("claude-haiku-4-5", {"budget_tokens": 60_000}, 0, 51_200, 64_000, ["generation.reasoning.budget_tokens"]),
        ("claude-haiku-4-5", {"budget_tokens": 9_000}, 2_000, 1_600, 2_000, ["generation.reasoning.budget_tokens"]),
        ("claude-haiku-4-5", {"budget_tokens": 9_000}, 1_025, 1_024, 1_025, ["generation.reasoning.budget_tokens"]),
        ("claude-haiku-4-5", {"budget_tokens": 9_000}, 1_024, 0, 1_024, ["generation.reasoning"]),
        ("claude-opus-4-6", {"budget_tokens": 9_000}, 0, 9_000, 32_000, []),
        (OLD, {"effort": Reasoning.EFFORT_LOW}, 0, 0, 4_096, ["generation.reasoning"]),
        ("claude-opus-4-8", {"include": True}, 0, 0, 32_000, ["generation.reasoning.include"]),
        ("claude-opus-4-8", {"include": False}, 0, 0, 32_000, []),
    ],
)
def test_a_budget_leaves_room_for_an_answer(
    model: str, reasoning: dict[str, Any], bound: int, thinking: int, total: int, dropped: list[str]
) -> None:
    more = {"max_output_tokens": bound} if bound else {}
    body, fields = generated(model=model, reasoning=Reasoning(**reasoning), **more)
    assert (body.get("thinking", {}).get("budget_tokens", 0), body["max_tokens"], fields) == (thinking, total, dropped)


@pytest.mark.parametrize(
    ("model", "settings", "native"),
    [
        (OPUS, {}, True),
        (OPUS, {"strict": False}, False),
        (OLD, {}, False),
        (OPUS, {"schema_json": '{"type":"object","properties":{}}'}, False),
        (OPUS, {"schema_json": '{"type":"object","properties":{},"additionalProperties":true}', "strict": True}, True),
        (OPUS, {"schema_json": '{"type":"array","items":{"type":"integer","minimum":1}}'}, False),
        (OPUS, {"schema_json": '{"type":"array","items":{"type":"string","enum":["minimum"]}}'}, True),
        (OPUS, {"schema_json": SCHEMA.replace("city", "minimum")}, True),
    ],
)
def test_a_schema_is_held_where_it_can_be_and_asked_for_in_words_elsewhere(model: str, settings: dict[str, Any], native: bool) -> None:  # noqa: FBT001
    shape = pb.JsonSchemaFormat(**{"schema_json": SCHEMA, **settings})
    body, _ = generated(model=model, response_format=pb.ResponseFormat(json_schema=shape))
    assert ("output_config" in body) == native
    assert (shape.schema_json in body.get("system", "")) == (not native)


def test_a_schema_that_must_be_held_is_refused_where_it_cannot_be() -> None:
    shape = pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(schema_json=SCHEMA, strict=True))
    with pytest.raises(CapabilityMissing, match="strict"):
        generated(model=OLD, response_format=shape)


def test_json_is_asked_for_last_of_the_instructions() -> None:
    shape = Generation(response_format=pb.ResponseFormat(json_object=pb.JsonObjectFormat()))
    nice, json = wired(pb.ChatRequest(system="be nice", prompt="hi", generation=shape))["system"]
    assert (nice["text"], "JSON object" in json["text"]) == ("be nice", True)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("claude-opus-5-20260520", "claude-opus-5"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4-0"),
        ("claude-opus-4-20250514", "claude-opus-4-0"),
        ("anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("anthropic/claude-opus-4.6", "claude-opus-4-6"),
        ("claude-3-5-haiku-latest", "claude-3-5-sonnet-20241022"),
        ("claude-haiku-5-5@20261007", "claude-opus-5-latest"),
        ("claude-opus-5-9", "claude-opus-6-20270112"),
        ("claude-opus-4-9", "claude-newest"),
    ],
)
def test_a_family_is_known_by_any_of_its_names(name: str, row: str) -> None:
    assert family_of(name) is family_of(row)


def test_models_that_nobody_knows_yet_are_treated_as_the_newest_and_others_as_the_first() -> None:
    assert (family_of("claude-opus-9").thinking, family_of("claude-opus-9").sampling) == ("adaptive", "none")
    assert (family_of("deepseek-chat").thinking, family_of("deepseek-chat").sampling) == ("budget", "all")
    assert family_of("claude-opus-4-1").most_output == family_of("claude-opus-4-0").most_output == 32_000


@pytest.mark.parametrize(
    ("key", "options", "shown"),
    [
        ("sk-ant-api03-x", {}, {"x-api-key": "sk-ant-api03-x"}),
        ("sk-ant-oat01-x", {}, {"authorization": "Bearer sk-ant-oat01-x"}),
        ("whatever", {"auth": "bearer"}, {"authorization": "Bearer whatever"}),
        ("", {}, {}),
    ],
)
def test_a_key_is_shown_as_its_kind_wants_it(key: str, options: dict[str, str], shown: dict[str, str]) -> None:
    settings = HttpSettings(dialect="anthropic", api_key=Secret(key) if key else None, options=options)
    assert headers(settings) == {"anthropic-version": "2023-06-01", **shown}
