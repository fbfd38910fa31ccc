"""In what vendors differ beyond the names of fields: shapes, choices, ids, media, thoughts."""

from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import CapabilityMissing
from promptwire_server.providers.openai import known
from promptwire_server.providers.openai.facts import ANY, Facts
from promptwire_server.providers.openai.offered import capabilities_of
from promptwire_server.providers.openai.request import body_of, to_wire
from tests.unit.providers.support import make_call

Generation = pb.GenerationSettings
Shape = pb.ResponseFormat
Reasoning = pb.ReasoningSettings
SCHEMA = Shape(json_schema=pb.JsonSchemaFormat(schema_json='{"type":"object"}'))
REGEX = Shape(regex=pb.RegexFormat(pattern="a+"))
GRAMMAR = Shape(grammar=pb.GrammarFormat(grammar='root ::= "a"'))
CHOICES = Shape(choices=pb.ChoicesFormat(choices=["yes.", 'no"']))
TOOL = pb.Tool(function=pb.FunctionTool(name="f"))


def wired(request: pb.ChatRequest, facts: Facts) -> Any:
    return orjson.loads(body_of(to_wire(make_call(request), "v", facts)))


def generated(generation: Generation, facts: Facts) -> dict[str, Any]:
    body = wired(pb.ChatRequest(prompt="hi", generation=generation), facts)
    return {name: value for name, value in body.items() if name not in ("model", "messages")}


@pytest.mark.parametrize(
    ("facts", "shape", "sent"),
    [
        (known.VLLM, REGEX, {"structured_outputs": {"regex": "a+"}}),
        (known.VLLM, GRAMMAR, {"structured_outputs": {"grammar": 'root ::= "a"'}}),
        (known.VLLM, CHOICES, {"structured_outputs": {"choice": ["yes.", 'no"']}}),
        (known.VLLM_GUIDED, REGEX, {"guided_regex": "a+"}),
        (known.VLLM_GUIDED, CHOICES, {"guided_choice": ["yes.", 'no"']}),
        (known.NVIDIA, REGEX, {"nvext": {"guided_regex": "a+"}}),
        (known.NVIDIA, CHOICES, {"nvext": {"guided_choice": ["yes.", 'no"']}}),
        (known.LLAMA_CPP, GRAMMAR, {"grammar": 'root ::= "a"'}),
        (known.LLAMA_CPP, CHOICES, {"grammar": 'root ::= "yes." | "no\\""'}),
        (known.TGI, REGEX, {"response_format": {"type": "regex", "value": "a+"}}),
        (known.TGI, CHOICES, {"response_format": {"type": "regex", "value": '(yes\\.)|(no")'}}),
        (known.TOGETHER, REGEX, {"response_format": {"type": "regex", "pattern": "a+"}}),
        (known.PERPLEXITY, REGEX, {"response_format": {"type": "regex", "regex": {"regex": "a+"}}}),
        (known.FIREWORKS, GRAMMAR, {"response_format": {"type": "grammar", "grammar": 'root ::= "a"'}}),
    ],
)
def test_answers_are_guided_in_the_vendors_words(facts: Facts, shape: pb.ResponseFormat, sent: dict[str, Any]) -> None:
    assert generated(Generation(response_format=shape), facts) == sent


@pytest.mark.parametrize(
    ("facts", "generation", "field"),
    [
        (known.GROQ, Generation(logprobs=True), "generation.logprobs"),
        (known.GROQ, Generation(top_logprobs=2), "generation.top_logprobs"),
        (known.COHERE, Generation(top_logprobs=2), "generation.top_logprobs"),
        (known.GROQ, Generation(candidate_count=2), "generation.candidate_count"),
        (known.PERPLEXITY, Generation(stop_sequences=["a"]), "generation.stop_sequences"),
        (known.PERPLEXITY, Generation(tools=[TOOL]), "generation.tools"),
        (known.PERPLEXITY, Generation(response_format=Shape(json_object=pb.JsonObjectFormat())), "generation.response_format"),
        (
            known.DEEPSEEK,
            Generation(response_format=Shape(json_schema=pb.JsonSchemaFormat(schema_json="{}", strict=True))),
            "generation.response_format.json_schema.strict",
        ),
        (known.LLAMA_CPP, Generation(response_format=REGEX), "generation.response_format"),
        (known.TGI, Generation(response_format=GRAMMAR), "generation.response_format"),
        (ANY, Generation(response_format=CHOICES), "generation.response_format"),
        (known.ZAI, Generation(tools=[TOOL], tool_choice=pb.ToolChoice(mode=pb.ToolChoice.MODE_REQUIRED)), "generation.tool_choice"),
        (
            known.LM_STUDIO,
            Generation(tools=[TOOL], tool_choice=pb.ToolChoice(mode=pb.ToolChoice.MODE_FUNCTION, name="f")),
            "generation.tool_choice",
        ),
        (known.GROQ, Generation(output_modalities=[pb.MODALITY_AUDIO]), "generation.output_modalities"),
    ],
)
def test_what_a_vendor_cannot_do_is_refused_with_its_path(facts: Facts, generation: Generation, field: str) -> None:
    with pytest.raises(CapabilityMissing) as caught:
        generated(generation, facts)
    assert caught.value.violations[0].field == field


def test_what_is_switched_off_is_not_missed() -> None:
    assert generated(Generation(logprobs=False, candidate_count=1), known.GROQ) == {}


def test_the_word_for_a_certain_tool_call_is_the_vendors() -> None:
    choice = Generation(tools=[TOOL], tool_choice=pb.ToolChoice(mode=pb.ToolChoice.MODE_REQUIRED))
    assert [generated(choice, facts)["tool_choice"] for facts in (known.MISTRAL, known.GROQ)] == ["any", "required"]


def test_a_schema_that_cannot_be_held_is_asked_for_in_words_and_noted() -> None:
    call = make_call(pb.ChatRequest(system="be nice", prompt="hi", generation=Generation(response_format=SCHEMA)))
    body: Any = orjson.loads(body_of(to_wire(call, "v", known.DEEPSEEK)))
    assert body["response_format"] == {"type": "json_object"}
    assert [message["role"] for message in body["messages"]] == ["system", "system", "user"]
    assert '{"type":"object"}' in body["messages"][0]["content"]
    assert [notice.field for notice in call.trail.notices] == ["generation.response_format.json_schema"]


@pytest.mark.parametrize(
    ("facts", "reasoning", "sent"),
    [
        (known.OPENROUTER, Reasoning(effort=Reasoning.EFFORT_MAX), {"reasoning": {"effort": "xhigh"}}),
        (
            known.OPENROUTER,
            Reasoning(effort=Reasoning.EFFORT_LOW, budget_tokens=50, include=False),
            {"reasoning": {"max_tokens": 50, "exclude": True}},
        ),
        (known.OPENROUTER, Reasoning(), {}),
        (known.DEEPSEEK, Reasoning(effort=Reasoning.EFFORT_NONE), {"thinking": {"type": "disabled"}}),
        (known.DEEPSEEK, Reasoning(effort=Reasoning.EFFORT_MAX), {"thinking": {"type": "enabled"}, "reasoning_effort": "max"}),
        (known.ZAI, Reasoning(effort=Reasoning.EFFORT_HIGH), {"thinking": {"type": "enabled"}}),
        (known.ZAI, Reasoning(effort=Reasoning.EFFORT_NONE), {"thinking": {"type": "disabled"}}),
        (known.GROQ, Reasoning(include=False), {"include_reasoning": False}),
        (Facts(reasoning=""), Reasoning(effort=Reasoning.EFFORT_HIGH), {}),
    ],
)
def test_effort_goes_in_the_vendors_words(facts: Facts, reasoning: pb.ReasoningSettings, sent: dict[str, Any]) -> None:
    assert generated(Generation(reasoning=reasoning), facts) == sent


def conversation(call_id: str, *tools: pb.Tool, thought: str = "hm") -> pb.ChatRequest:
    called = [
        pb.ContentPart(reasoning=pb.ReasoningPart(text=thought)),
        pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id=call_id, name="f", arguments_json="{}")),
    ]
    result = pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id=call_id, parts=[pb.ContentPart(text="42")]))
    messages = [
        pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=called if thought else called[1:]),
        pb.ChatMessage(role=pb.ROLE_TOOL, parts=[result]),
    ]
    return pb.ChatRequest(messages=messages, generation=Generation(tools=tools))


def test_ids_of_tool_calls_become_what_mistral_takes_and_still_belong_together() -> None:
    own, other = (wired(conversation(call_id, TOOL), known.MISTRAL)["messages"] for call_id in ("Ab3dE6gH9", "call_0123456789"))
    assert own[0]["tool_calls"][0]["id"] == own[1]["tool_call_id"] == "Ab3dE6gH9"
    made = other[0]["tool_calls"][0]["id"]
    assert other[1]["tool_call_id"] == made
    assert (len(made), made.isalnum()) == (9, True)


def test_thoughts_go_back_where_there_are_tools() -> None:
    assert wired(conversation("c1", TOOL), known.DEEPSEEK)["messages"][0]["reasoning_content"] == "hm"
    assert wired(conversation("c1", TOOL, thought=""), known.DEEPSEEK)["messages"][0]["reasoning_content"] == ""
    assert "reasoning_content" not in wired(conversation("c1"), known.DEEPSEEK)["messages"][0]
    assert wired(conversation("c1"), known.VLLM)["messages"][0]["reasoning"] == "hm"


def test_several_thoughts_of_one_message_go_back_together() -> None:
    request = conversation("c1", TOOL)
    request.messages[0].parts.add().reasoning.text = " indeed"
    assert wired(request, known.VLLM)["messages"][0]["reasoning"] == "hm indeed"


WAV = pb.MediaPart(mime_type="audio/wav", data=b"wav")
PDF = pb.MediaPart(mime_type="application/pdf", uri="https://e.x/d.pdf")


@pytest.mark.parametrize(
    ("facts", "media", "sent"),
    [
        (known.MISTRAL, WAV, {"type": "input_audio", "input_audio": "d2F2"}),
        (known.MISTRAL, PDF, {"type": "document_url", "document_url": "https://e.x/d.pdf"}),
        (known.PERPLEXITY, PDF, {"type": "file_url", "file_url": {"url": "https://e.x/d.pdf"}}),
    ],
)
def test_media_go_in_the_vendors_words(facts: Facts, media: pb.MediaPart, sent: dict[str, Any]) -> None:
    request = pb.ChatRequest(messages=[pb.ChatMessage(parts=[pb.ContentPart(media=media)])])
    assert wired(request, facts)["messages"][0]["content"] == [sent]


@pytest.mark.parametrize(
    ("facts", "media"),
    [
        (known.DEEPSEEK, pb.MediaPart(mime_type="image/png", data=b"png")),
        (known.GROQ, WAV),
        (known.GROQ, PDF),
        (known.MISTRAL, pb.MediaPart(mime_type="application/pdf", file_id="f1")),
        (known.VLLM, pb.MediaPart(mime_type="video/mp4", file_id="f1")),
    ],
)
def test_media_that_a_vendor_does_not_take_are_refused(facts: Facts, media: pb.MediaPart) -> None:
    with pytest.raises(CapabilityMissing, match=r"messages\[0\]\.parts\[0\]\.media"):
        wired(pb.ChatRequest(messages=[pb.ChatMessage(parts=[pb.ContentPart(media=media)])]), facts)


def test_the_extra_parameters_of_vllm_travel_as_they_are() -> None:
    options = '{"min_p": 0.1, "repetition_penalty": 1.1, "chat_template_kwargs": {"enable_thinking": false}, "stop_token_ids": [2]}'
    sent = generated(Generation(provider_options_json={"v": options}, response_format=REGEX), known.VLLM)
    assert sent == {**orjson.loads(options), "structured_outputs": {"regex": "a+"}}


def test_options_go_into_what_the_vendor_is_sent_anyway() -> None:
    options = '{"structured_outputs": {"whitespace_pattern": " "}}'
    sent = generated(Generation(provider_options_json={"v": options}, response_format=REGEX), known.VLLM)
    assert sent == {"structured_outputs": {"regex": "a+", "whitespace_pattern": " "}}


def test_what_a_vendor_offers_follows_from_its_facts() -> None:
    groq, vllm = capabilities_of(known.GROQ), capabilities_of(known.VLLM)
    assert {pb.CAPABILITY_TOOLS, pb.CAPABILITY_JSON_SCHEMA, pb.CAPABILITY_IMAGE_INPUT} <= groq
    assert not {pb.CAPABILITY_LOGPROBS, pb.CAPABILITY_CANDIDATES, pb.CAPABILITY_AUDIO_INPUT, pb.CAPABILITY_REGEX} & groq
    assert {pb.CAPABILITY_REGEX, pb.CAPABILITY_GRAMMAR, pb.CAPABILITY_VIDEO_INPUT, pb.CAPABILITY_EMBEDDINGS} <= vllm
