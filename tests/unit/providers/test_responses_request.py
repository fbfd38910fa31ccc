"""Calls as bodies of the Responses API, and which calls go there."""

from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import CapabilityMissing, InvalidRequest
from promptwire_server.providers.openai.dialect import OpenAI
from promptwire_server.providers.openai.facts import ANY, OPENAI
from promptwire_server.providers.openai.request import body_of
from promptwire_server.providers.openai.which import api_of
from promptwire_server.providers.responses.request import to_wire
from tests.unit.providers.support import make_call, make_ids

Generation = pb.GenerationSettings
ITEM = b'{"item":{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"sealed"}}'


def wired(call: Call) -> Any:
    return orjson.loads(body_of(to_wire(call, "openai", OPENAI)))


def asked(**generation: Any) -> Call:
    return make_call(pb.ChatRequest(prompt="hi", generation=Generation(**generation)))


def said(*parts: pb.ContentPart, role: "pb.Role" = pb.ROLE_ASSISTANT) -> Call:
    return make_call(pb.ChatRequest(messages=[pb.ChatMessage(role=role, parts=parts)], prompt="more"))


def stated(part: pb.ContentPart, data: bytes, provider: str = "openai") -> pb.ContentPart:
    part.provider_state.CopyFrom(pb.ProviderState(provider=provider, data=data))
    return part


def thought(text: str = "hm") -> pb.ContentPart:
    return pb.ContentPart(reasoning=pb.ReasoningPart(text=text))


def notices(call: Call) -> list[str]:
    return [notice.field for notice in call.trail.notices]


def options(json: str) -> dict[str, str]:
    return {"openai": json}


@pytest.mark.parametrize(
    "model",
    ["o1-pro", "o3-pro-2025-06-10", "o4-mini-deep-research", "gpt-5-codex", "gpt-5.1-codex-max", "gpt-5.5-pro", "computer-use-preview"],
)
def test_models_that_answer_there_alone_are_asked_there(model: str) -> None:
    assert api_of(make_call(model=model), "openai", OPENAI) == "responses"


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5", "gpt-5.1-chat-latest", "o3", "o4-mini"])
def test_all_others_are_asked_by_chat_completions(model: str) -> None:
    assert api_of(make_call(model=model), "openai", OPENAI) == "chat"


def test_a_model_of_the_same_name_elsewhere_is_not() -> None:
    assert api_of(make_call(model="o1-pro"), "mine", ANY) == "chat"


@pytest.mark.parametrize(
    "request_",
    [
        pb.ChatRequest(
            generation=Generation(tools=[pb.Tool(provider_tool=pb.ProviderTool(provider="openai", json='{"type":"web_search"}'))])
        ),
        pb.ChatRequest(
            generation=Generation(tools=[pb.Tool(provider_tool=pb.ProviderTool(provider="openai", json='{"type":"custom","name":"x"}'))])
        ),
        said(stated(thought(), ITEM)).request,
        said(pb.ContentPart(provider_part=pb.ProviderPart(provider="openai", type="computer_call_output", json="{}"))).request,
        said(pb.ContentPart(media=pb.MediaPart(mime_type="application/pdf", uri="https://e.x/a.pdf")), role=pb.ROLE_USER).request,
        said(pb.ContentPart(media=pb.MediaPart(mime_type="image/png", file_id="file-1")), role=pb.ROLE_USER).request,
        said(
            pb.ContentPart(
                tool_result=pb.ToolResultPart(
                    tool_call_id="c1", parts=[pb.ContentPart(media=pb.MediaPart(mime_type="image/png", data=b"png"))]
                )
            ),
            role=pb.ROLE_TOOL,
        ).request,
    ],
    ids=[
        "a tool of the vendor's",
        "a flat custom tool",
        "thoughts",
        "an item",
        "a linked document",
        "a known image",
        "an image from a tool",
    ],
)
def test_what_chat_completions_have_no_words_for_goes_there(request_: pb.ChatRequest) -> None:
    assert api_of(make_call(request_), "openai", OPENAI) == "responses"
    assert api_of(make_call(request_), "openai", ANY) == "chat"


@pytest.mark.parametrize(
    "request_",
    [
        pb.ChatRequest(
            generation=Generation(
                tools=[pb.Tool(provider_tool=pb.ProviderTool(provider="openai", json='{"type":"custom","custom":{"name":"x"}}'))]
            )
        ),
        said(stated(thought(), ITEM, "other")).request,
        said(stated(thought(), b'{"reasoning_details":[]}')).request,
        said(pb.ContentPart(media=pb.MediaPart(mime_type="application/pdf", file_id="file-1")), role=pb.ROLE_USER).request,
    ],
    ids=["a custom tool of theirs", "another's thoughts", "thoughts of theirs", "a known document"],
)
def test_what_they_have_words_for_stays(request_: pb.ChatRequest) -> None:
    assert api_of(make_call(request_), "openai", OPENAI) == "chat"


def test_the_operator_chooses_over_the_model_and_the_caller_over_the_operator() -> None:
    assert api_of(make_call(model="o1-pro"), "openai", OPENAI, "chat") == "chat"
    assert api_of(make_call(), "openai", ANY, "responses") == "responses"
    assert api_of(asked(provider_options_json=options('{"api":"responses"}')), "openai", ANY, "chat") == "responses"


@pytest.mark.parametrize("api", ['"completions"', "7", "null_"])
def test_a_choice_that_is_none_is_refused(api: str) -> None:
    with pytest.raises(InvalidRequest, match="provider_options_json"):
        api_of(asked(provider_options_json=options(f'{{"api":{api}}}')), "openai", OPENAI)


def test_a_configured_choice_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match=r"providers\.openai\.api: must be one of chat, responses"):
        OpenAI("openai", OPENAI, make_ids(), api="both")


def test_the_dialect_asks_where_the_call_belongs() -> None:
    dialect = OpenAI("openai", OPENAI, make_ids())
    assert dialect.ask(make_call(model="o1-pro"))[0].path == "/responses"
    assert dialect.ask(make_call(model="gpt-4o"))[0].path == "/chat/completions"


def test_the_choice_itself_is_not_sent() -> None:
    assert "api" not in wired(asked(provider_options_json=options('{"api":"responses"}')))


@pytest.mark.parametrize("name", ["model", "input", "stream", "background"])
def test_protected_fields_cannot_be_set(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"cannot set {name}"):
        wired(asked(provider_options_json=options(f'{{"{name}":1}}')))


def test_settings_that_the_api_lacks_are_dropped_with_a_notice() -> None:
    call = asked(seed=1, top_k=2, presence_penalty=0.1, frequency_penalty=0.1, stop_sequences=["x"], logit_bias={"1": 1.0})
    assert wired(call).keys() == {"model", "input", "store"}
    names = ("top_k", "seed", "presence_penalty", "frequency_penalty", "stop_sequences", "logit_bias")
    assert notices(call) == [f"generation.{name}" for name in names]


def test_a_limit_below_the_least_is_raised_with_a_notice() -> None:
    call = asked(max_output_tokens=5)
    assert (wired(call)["max_output_tokens"], notices(call)) == (16, ["generation.max_output_tokens"])


@pytest.mark.parametrize(
    ("generation", "path"),
    [
        ({"candidate_count": 2}, "generation.candidate_count"),
        ({"output_modalities": [pb.MODALITY_AUDIO]}, "generation.output_modalities"),
        ({"output_modalities": [pb.MODALITY_IMAGE]}, "generation.output_modalities"),
        ({"response_format": pb.ResponseFormat(regex=pb.RegexFormat(pattern="a"))}, "generation.response_format"),
    ],
)
def test_capabilities_that_it_lacks_are_refused(generation: dict[str, Any], path: str) -> None:
    with pytest.raises(CapabilityMissing, match=path):
        wired(asked(**generation))


@pytest.mark.parametrize(("mime", "what"), [("audio/wav", "use chat completions"), ("video/mp4", "use a provider that does")])
def test_media_that_it_does_not_take_are_refused(mime: str, what: str) -> None:
    call = said(pb.ContentPart(media=pb.MediaPart(mime_type=mime, data=b"x")), role=pb.ROLE_USER)
    with pytest.raises(CapabilityMissing, match=rf"messages\[0\]\.parts\[0\]\.media: .*{what}"):
        wired(call)


def test_no_question_is_refused_unless_the_vendor_has_the_conversation() -> None:
    with pytest.raises(InvalidRequest, match="there is no question"):
        wired(make_call(pb.ChatRequest()))
    kept = Generation(provider_options_json=options('{"previous_response_id":"resp_1"}'))
    assert wired(make_call(pb.ChatRequest(generation=kept)))["input"] == []


def test_state_of_another_provider_is_dropped_with_a_notice() -> None:
    call = said(stated(thought(), ITEM, "azure"))
    assert [item["role"] for item in wired(call)["input"]] == ["user"]
    assert "messages[0].parts[0].provider_state" in notices(call)


def test_state_of_chat_completions_is_dropped_with_a_notice() -> None:
    call = said(stated(thought(), b'{"reasoning_details":[]}'))
    assert [item["role"] for item in wired(call)["input"]] == ["user"]
    assert "messages[0].parts[0].provider_state" in notices(call)


def test_reasoning_without_state_is_dropped_with_a_notice() -> None:
    call = said(thought())
    wired(call)
    assert notices(call) == ["messages[0].parts[0]"]


def test_reasoning_goes_back_word_for_word() -> None:
    assert wired(said(stated(thought(), ITEM)))["input"][0] == orjson.loads(ITEM)["item"]


def test_contents_of_one_message_go_back_as_one_item() -> None:
    state = b'{"item":{"type":"message","id":"msg_1","role":"assistant"}}'
    new = pb.ContentPart(provider_part=pb.ProviderPart(provider="openai", type="new", json='{"type":"new"}'))
    no = pb.ContentPart(refusal=pb.RefusalPart(text="no"))
    parts = [stated(pb.ContentPart(text="a"), state), stated(new, state), stated(no, state), pb.ContentPart(text="b")]
    first, second, _ = wired(said(*parts))["input"]
    assert [content["type"] for content in first["content"]] == ["output_text", "new", "refusal"]
    assert second == {"role": "assistant", "content": "b"}


def test_a_name_is_dropped_with_a_notice() -> None:
    call = make_call(pb.ChatRequest(messages=[pb.ChatMessage(parts=[pb.ContentPart(text="hi")], name="ann")]))
    assert wired(call)["input"] == [{"role": "user", "content": "hi"}]
    assert notices(call) == ["messages[0].name"]


def test_a_wish_for_the_cache_that_cannot_be_met_is_noted_once() -> None:
    hinted = [pb.ContentPart(text=text, cache_hint=pb.CacheHint()) for text in "ab"]
    call = said(*hinted, role=pb.ROLE_USER)
    assert wired(call)["input"][0]["content"] == [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    assert notices(call) == ["messages[0].parts[0].cache_hint"]


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (pb.ChatMessage(parts=[pb.ContentPart()]), r"messages\[0\]\.parts\[0\]"),
        (pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[pb.ContentPart()]), r"messages\[0\]\.parts\[0\]"),
        (pb.ChatMessage(role=pb.ROLE_TOOL, parts=[pb.ContentPart(text="x")]), r"messages\[0\]\.parts\[0\]"),
        (pb.ChatMessage(parts=[thought()]), r"messages\[0\]\.parts\[0\]"),
        (pb.ChatMessage(role=pb.ROLE_TOOL, parts=[pb.ContentPart(tool_result=pb.ToolResultPart())]), "tool_call_id"),
        (pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[pb.ContentPart(tool_call=pb.ToolCallPart(name="f"))]), "tool_call_id"),
    ],
)
def test_parts_that_make_no_sense_are_refused_with_their_path(message: pb.ChatMessage, path: str) -> None:
    with pytest.raises(InvalidRequest, match=path):
        wired(make_call(pb.ChatRequest(messages=[message])))


def test_arguments_and_schemas_stay_as_they_were_written() -> None:
    tool = pb.Tool(function=pb.FunctionTool(name="f", parameters_json='{"b":  9007199254740993, "a": 1}'))
    body = body_of(to_wire(asked(tools=[tool]), "openai", OPENAI))
    assert b'{"b":  9007199254740993, "a": 1}' in body
