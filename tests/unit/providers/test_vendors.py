"""Vendors as rows: what each is sent for one request. A new vendor of OpenAI's shape is a row there and a line here."""

from typing import Any

import genai_prices.data as prices
import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.config.providers import KINDS as CONFIGURED
from promptwire_server.providers.asked import hashed
from promptwire_server.providers.openai.request import body_of, to_wire
from promptwire_server.providers.registry import KINDS
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.providers.vendors import VENDORS, Vendor, vendor_of
from tests.unit.providers.support import make_call

REQUEST = pb.ChatRequest(
    messages=[pb.ChatMessage(role=pb.ROLE_DEVELOPER, name="ann", parts=[pb.ContentPart(text="be brief")])],
    prompt="hi",
    end_user_id="ann",
    generation=pb.GenerationSettings(
        max_output_tokens=9,
        temperature=0.5,
        seed=7,
        top_k=4,
        presence_penalty=1.0,
        logit_bias={"5": 1.0},
        parallel_tool_calls=False,
        reasoning=pb.ReasoningSettings(effort=pb.ReasoningSettings.EFFORT_LOW, include=True),
        response_format=pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(schema_json='{"type":"object"}', strict=False)),
    ),
)
VALUES: dict[str, Any] = {
    "max_tokens": 9,
    "max_completion_tokens": 9,
    "seed": 7,
    "random_seed": 7,
    "top_k": 4,
    "presence_penalty": 1.0,
    "logit_bias": {"5": 1.0},
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
    "reasoning": {"effort": "low", "exclude": False},
    "thinking": {"type": "enabled"},
    "include_reasoning": True,
    "user": hashed("ann"),
    "user_id": hashed("ann"),
    "safety_identifier": hashed("ann"),
    "stream_options": {"include_usage": True},
}
ALWAYS = {"model", "messages", "stream", "temperature", "response_format"}
# Every vendor's: its name, the fields that it is sent besides those, what is dropped with a notice.
MOST = "seed presence_penalty parallel_tool_calls"
USUAL = f"max_tokens {MOST} top_k logit_bias reasoning_effort user stream_options"
LINES = [
    ("openai", f"max_completion_tokens {MOST} logit_bias reasoning_effort safety_identifier stream_options", "top_k reasoning.include"),
    (
        "cerebras",
        "max_completion_tokens seed parallel_tool_calls reasoning_effort user stream_options",
        "presence_penalty logit_bias top_k include",
    ),
    ("cohere", "max_tokens seed presence_penalty reasoning_effort stream_options", "top_k logit_bias parallel_tool_calls include"),
    (
        "deepseek",
        "max_tokens presence_penalty thinking reasoning_effort stream_options",
        "seed top_k logit_bias parallel_tool_calls include json_schema",
    ),
    ("fireworks", USUAL, "include"),
    ("groq", f"max_completion_tokens {MOST} reasoning_effort include_reasoning user stream_options", "name top_k logit_bias"),
    ("huggingface", USUAL, "include"),
    ("mistral", "max_tokens random_seed presence_penalty parallel_tool_calls reasoning_effort", "name top_k logit_bias include"),
    ("moonshot", "max_tokens presence_penalty thinking stream_options", "seed top_k logit_bias parallel_tool_calls include json_schema"),
    ("nvidia", f"max_tokens {MOST} logit_bias reasoning_effort user stream_options", "top_k include"),
    ("openrouter", f"max_tokens {MOST} top_k logit_bias reasoning user stream_options", ""),
    ("perplexity", "max_tokens presence_penalty top_k reasoning_effort", "seed logit_bias parallel_tool_calls include"),
    ("sambanova", "max_tokens parallel_tool_calls top_k reasoning_effort user stream_options", "seed presence_penalty logit_bias include"),
    ("together", USUAL, "include"),
    ("xai", f"max_completion_tokens {MOST} reasoning_effort user stream_options", "top_k logit_bias include"),
    (
        "zai",
        "max_tokens thinking user_id stream_options",
        "seed presence_penalty top_k logit_bias parallel_tool_calls include json_schema",
    ),
    ("llamacpp", USUAL, "include"),
    ("lmstudio", USUAL, "include"),
    ("tgi", f"max_tokens {MOST} reasoning_effort stream_options", "top_k logit_bias include"),
    ("vllm", USUAL, "include"),
    ("vllm-guided", USUAL, "include"),
]


@pytest.mark.parametrize(("name", "sent", "dropped"), LINES, ids=[line[0] for line in LINES])
def test_a_vendor_is_sent_what_it_takes(name: str, sent: str, dropped: str) -> None:
    call = make_call(REQUEST, stream=True)
    body = orjson.loads(body_of(to_wire(call, name, row(name).facts)))
    assert {field: value for field, value in body.items() if field not in ALWAYS} == {field: VALUES[field] for field in sent.split()}
    assert sorted(notice.field.rpartition(".")[2] for notice in call.trail.notices) == sorted(
        field.rpartition(".")[2] for field in dropped.split()
    )


def row(name: str) -> Vendor:
    return next(vendor for vendor in VENDORS if vendor.name == name)


def test_every_vendor_of_openais_shape_has_its_line() -> None:
    assert {line[0] for line in LINES} == {vendor.name for vendor in VENDORS if vendor.dialect == "openai" and vendor.facts.chat}


def test_every_vendor_speaks_a_dialect_that_there_is() -> None:
    assert {vendor.dialect for vendor in VENDORS} <= set(KINDS) == set(CONFIGURED)
    assert len({vendor.name for vendor in VENDORS}) == len(VENDORS)


def test_variables_belong_to_one_vendor_each() -> None:
    named = [name for vendor in VENDORS for name in (*vendor.key_variables, *vendor.url_variables)]
    assert len(named) == len(set(named))


def test_default_models_are_models_that_there_are() -> None:
    listed = {model.id for provider in prices.providers for model in provider.models}
    assert {vendor.default_model for vendor in VENDORS if vendor.default_model} - listed <= {"openrouter/auto"}


@pytest.mark.parametrize(
    ("name", "settings", "found"),
    [
        ("openai", HttpSettings("openai"), "openai"),
        ("mine", HttpSettings("openai", base_url="https://api.openai.com/v1/"), "openai"),
        ("mine", HttpSettings("openai", vendor="vllm", base_url="http://gpu-1:8000/v1"), "vllm"),
        ("vllm", HttpSettings("openai", base_url="http://gpu-1:8000/v1"), "vllm"),
        ("groq", HttpSettings("openai", base_url="http://egress.example/groq"), "groq"),
        ("openai", HttpSettings("openai", base_url="http://127.0.0.1:8000/v1"), ""),
        ("mine", HttpSettings("openai", base_url="http://127.0.0.1:8000/v1"), ""),
        ("deepseek", HttpSettings("anthropic", base_url="https://api.deepseek.com/anthropic"), "anthropic"),
        ("second", HttpSettings("anthropic"), "anthropic"),
        ("eu", HttpSettings("azure", base_url="https://eu.openai.azure.com"), "azure"),
        ("mine", HttpSettings("openai"), ""),
    ],
)
def test_a_vendor_is_known_by_what_is_said_of_it(name: str, settings: HttpSettings, found: str) -> None:
    vendor = vendor_of(name, settings)
    assert (vendor.name if vendor else "") == found
