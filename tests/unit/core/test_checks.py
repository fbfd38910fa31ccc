"""Chat requests are checked whole: each fault has its path, and what the contract allows passes."""

import pytest
from google.protobuf import json_format

from promptwire import v1 as pb
from promptwire_server.core.checks import check_chat, check_generation
from promptwire_server.core.embedding import check_embed


def request_of(**fields: object) -> pb.ChatRequest:
    return json_format.ParseDict({"prompt": "hi", **fields}, pb.ChatRequest())


def paths(**fields: object) -> list[str]:
    return [violation.field for violation in check_chat(request_of(**fields))]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"prompt": ""}, "prompt"),
        ({"priority": 77}, "priority"),
        ({"requestId": "x" * 65}, "request_id"),
        ({"requestId": "a\nb"}, "request_id"),
        ({"sessionId": "x" * 129}, "session_id"),
        ({"endUserId": "x" * 129}, "end_user_id"),
        ({"labels": {str(number): "" for number in range(17)}}, "labels"),
        ({"labels": {"team": "x" * 65}}, "labels.team"),
        ({"fallbackModels": ["fast", ""]}, "fallback_models[1]"),
        ({"fallbackModels": ["m" * 257]}, "fallback_models[0]"),
        ({"model": "m" * 257}, "model"),
        ({"model": "a\0b"}, "model"),
        ({"maxCostNanoUsd": -1}, "max_cost_nano_usd"),
        ({"cache": {"mode": 9}}, "cache.mode"),
        ({"cache": {"ttl": "0s"}}, "cache.ttl"),
        ({"cache": {"maxAge": "-1s"}}, "cache.max_age"),
        ({"cache": {"minSimilarity": 0}}, "cache.min_similarity"),
        ({"messages": [{"role": 42, "parts": [{"text": "x"}]}]}, "messages[0].role"),
        ({"messages": [{}]}, "messages[0].parts"),
        ({"messages": [{"parts": [{}]}]}, "messages[0].parts[0]"),
        ({"messages": [{"name": "n" * 65, "parts": [{"text": "x"}]}]}, "messages[0].name"),
        ({"messages": [{"parts": [{"media": {}}]}]}, "messages[0].parts[0].media"),
        ({"messages": [{"parts": [{"media": {"data": "QQ=="}}]}]}, "messages[0].parts[0].media.mime_type"),
        ({"messages": [{"parts": [{"media": {"uri": "http://example.com/a.png"}}]}]}, "messages[0].parts[0].media.uri"),
        ({"messages": [{"parts": [{"media": {"uri": "file:///etc/passwd"}}]}]}, "messages[0].parts[0].media.uri"),
        ({"messages": [{"role": "ROLE_TOOL", "parts": [{"text": "x"}]}]}, "messages[0].parts[0]"),
        ({"messages": [{"role": "ROLE_TOOL", "parts": [{"toolResult": {}}]}]}, "messages[0].parts[0].tool_result.tool_call_id"),
        ({"messages": [{"parts": [{"toolCall": {"toolCallId": "a", "name": "f"}}]}]}, "messages[0].parts[0]"),
        ({"messages": [{"parts": [{"text": "x", "cacheHint": {"ttl": 9}}]}]}, "messages[0].parts[0].cache_hint.ttl"),
    ],
)
def test_names_the_field_at_fault(fields: dict[str, object], path: str) -> None:
    assert paths(**fields) == [path]


def test_a_model_s_name_may_be_as_long_as_a_label_and_a_path_are() -> None:
    assert paths(model="p/" + "m" * 254) == []


@pytest.mark.parametrize("model", ["m" * 257, "a\nb"])
def test_vectors_are_asked_of_a_model_with_a_name_that_can_be_shown(model: str) -> None:
    assert [violation.field for violation in check_embed(pb.EmbedRequest(model=model, texts=["a"]))] == ["model"]


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "NaN"}, "temperature"),
        ({"topP": 0}, "top_p"),
        ({"topK": 0}, "top_k"),
        ({"maxOutputTokens": 0}, "max_output_tokens"),
        ({"presencePenalty": -3}, "presence_penalty"),
        ({"frequencyPenalty": 3}, "frequency_penalty"),
        ({"stopSequences": ["x"] * 17}, "stop_sequences"),
        ({"stopSequences": [""]}, "stop_sequences[0]"),
        ({"candidateCount": 17}, "candidate_count"),
        ({"topLogprobs": 21}, "top_logprobs"),
        ({"logitBias": {"5": 101}}, "logit_bias.5"),
        ({"logitBias": {"word": 1}}, "logit_bias"),
        ({"reasoning": {"effort": 99}}, "reasoning.effort"),
        ({"reasoning": {"budgetTokens": -1}}, "reasoning.budget_tokens"),
        ({"responseFormat": {}}, "response_format"),
        ({"responseFormat": {"jsonSchema": {"schemaJson": "[1]"}}}, "response_format.json_schema.schema_json"),
        ({"responseFormat": {"jsonSchema": {"schemaJson": "{}", "name": "a b"}}}, "response_format.json_schema.name"),
        ({"responseFormat": {"regex": {}}}, "response_format.regex.pattern"),
        ({"responseFormat": {"grammar": {}}}, "response_format.grammar.grammar"),
        ({"responseFormat": {"choices": {"choices": ["a", "a"]}}}, "response_format.choices.choices"),
        ({"tools": [{}]}, "tools[0]"),
        ({"tools": [{"function": {"name": "no good"}}]}, "tools[0].function.name"),
        ({"tools": [{"function": {"name": "f"}}, {"function": {"name": "f"}}]}, "tools[1].function.name"),
        ({"tools": [{"function": {"name": "f", "parametersJson": "{"}}]}, "tools[0].function.parameters_json"),
        ({"toolChoice": {"mode": "MODE_REQUIRED"}}, "tool_choice.mode"),
        ({"toolChoice": {"mode": "MODE_FUNCTION", "name": "g"}}, "tool_choice.name"),
        ({"toolChoice": {"mode": 99}}, "tool_choice.mode"),
        ({"outputModalities": [0]}, "output_modalities[0]"),
        ({"providerOptionsJson": {"openai": "1"}}, "provider_options_json.openai"),
    ],
)
def test_names_the_setting_at_fault(settings: dict[str, object], path: str) -> None:
    assert paths(generation=settings) == [f"generation.{path}"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"prompt": "", "messages": [{"parts": [{"text": "hi"}]}]},
        {"messages": [{"role": "ROLE_ASSISTANT"}]},
        {"messages": [{"parts": [{"text": ""}]}]},
        {"messages": [{"parts": [{"media": {"uri": "gs://bucket/a.png"}}]}]},
        {"messages": [{"role": "ROLE_TOOL", "parts": [{"toolResult": {"toolCallId": "a", "parts": [{"text": "x"}]}}]}]},
        {"generation": {"temperature": 0, "topP": 1, "seed": "-5", "stopSequences": ["x"] * 16}},
        {"generation": {"tools": [{"function": {"name": "f"}}], "toolChoice": {"mode": "MODE_FUNCTION", "name": "f"}}},
        {"labels": {"team": "search"}, "requestId": "r" * 64},
    ],
)
def test_lets_through_what_the_contract_allows(fields: dict[str, object]) -> None:
    assert paths(**fields) == []


def test_tells_every_fault_at_once() -> None:
    assert paths(prompt="", priority=77, generation={"topK": 0}) == ["prompt", "generation.top_k", "priority"]


def test_prefixes_the_paths() -> None:
    assert check_chat(pb.ChatRequest(), "chat")[0].field == "chat.prompt"
    assert check_generation(pb.GenerationSettings(top_k=0), "spec.defaults.generation")[0].field == "spec.defaults.generation.top_k"


def test_deeply_nested_json_is_a_fault_and_no_crash() -> None:
    deep = "[" * 100_000
    assert paths(generation={"providerOptionsJson": {"openai": deep}}) == ["generation.provider_options_json.openai"]


def test_messages_never_quote_what_was_said() -> None:
    secret = "s3cr3t" * 20
    for violation in check_chat(request_of(requestId=secret, endUserId=secret, generation={"providerOptionsJson": {"openai": secret}})):
        assert "s3cr3t" not in violation.message
