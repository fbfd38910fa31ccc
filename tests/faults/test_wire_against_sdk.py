"""Our request bodies beside those of the official SDK for the same intent, as the vendor received them."""

from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import openai
import orjson
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionToolParam
from pydantic import BaseModel, ConfigDict

from promptwire import v1 as pb
from promptwire_server.core.clock import SystemClock
from promptwire_server.providers.adapter import Adapter
from promptwire_server.providers.aiohttp_upstream import AiohttpUpstream
from promptwire_server.providers.openai.dialect import OpenAI
from promptwire_server.providers.openai.facts import OPENAI
from promptwire_server.providers.upstream import Endpoint
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.providers.support import ask, make_call, make_ids

Generation = pb.GenerationSettings
Sdk = Callable[[AsyncOpenAI], Awaitable[object]]
MODEL = "fake"
PNG = b"\x89PNG\r\n"
WAV = b"RIFF...."
PDF = b"%PDF-1.7"


class Weather(BaseModel):
    """What the weather is."""

    model_config = ConfigDict(extra="forbid")
    city: str
    degrees: float


class LookUp(BaseModel):
    """Look a word up."""

    word: str


@dataclass(frozen=True)
class Intent:
    """One thing to ask, in our words and in the SDK's."""

    name: str
    ours: pb.ChatRequest
    sdk: Sdk
    stream: bool = False
    # Fields in which the two may differ, each with the reason.
    differences: dict[str, str] = field(default_factory=dict)


def link(mime: str, data: bytes) -> str:
    return f"data:{mime};base64,{b64encode(data).decode()}"


def said(*messages: tuple["pb.Role", list[pb.ContentPart]], **more: Any) -> pb.ChatRequest:
    return pb.ChatRequest(messages=[pb.ChatMessage(role=role, parts=parts) for role, parts in messages], **more)


def text(value: str) -> pb.ContentPart:
    return pb.ContentPart(text=value)


LOOK_UP = openai.pydantic_function_tool(LookUp, name="look_up")
OTHER: ChatCompletionToolParam = {"type": "function", "function": {"name": "other", "parameters": {"type": "object", "properties": {}}}}


def ours_of(tool: ChatCompletionToolParam) -> pb.Tool:
    """The SDK's declaration of a tool in our words: the schema is data of the caller's, so both get the same."""
    function = tool["function"]
    mine = pb.FunctionTool(name=function["name"], description=function.get("description", ""))
    mine.parameters_json = orjson.dumps(function.get("parameters", {})).decode()
    if "strict" in function:
        mine.strict = bool(function["strict"])
    return pb.Tool(function=mine)


TOOLS = [ours_of(LOOK_UP), ours_of(OTHER)]

INTENTS = [
    Intent(
        "a question",
        pb.ChatRequest(prompt="hi"),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}]),
    ),
    Intent(
        "a stream with its usage",
        pb.ChatRequest(prompt="hi"),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hi"}], stream=True, stream_options={"include_usage": True}
        ),
        stream=True,
    ),
    Intent(
        "every role",
        said(
            (pb.ROLE_SYSTEM, [text("be nice")]),
            (pb.ROLE_DEVELOPER, [text("be brief")]),
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [text("hello")]),
            (pb.ROLE_USER, [text("more")]),
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[
                {"role": "system", "content": "be nice"},
                {"role": "developer", "content": "be brief"},
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": "hello"},
                {"role": "user", "content": "more"},
            ],
        ),
    ),
    Intent(
        "text, image, sound and document",
        said(
            (
                pb.ROLE_USER,
                [
                    text("what are these?"),
                    pb.ContentPart(media=pb.MediaPart(mime_type="image/png", data=PNG, detail="low")),
                    pb.ContentPart(media=pb.MediaPart(mime_type="image/jpeg", uri="https://example.com/a.jpg")),
                    pb.ContentPart(media=pb.MediaPart(mime_type="audio/wav", data=WAV)),
                    pb.ContentPart(media=pb.MediaPart(mime_type="application/pdf", data=PDF, name="a.pdf")),
                    pb.ContentPart(media=pb.MediaPart(mime_type="application/pdf", file_id="file-1")),
                ],
            )
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "what are these?"},
                        {"type": "image_url", "image_url": {"url": link("image/png", PNG), "detail": "low"}},
                        {"type": "image_url", "image_url": {"url": "https://example.com/a.jpg"}},
                        {"type": "input_audio", "input_audio": {"data": b64encode(WAV).decode(), "format": "wav"}},
                        {"type": "file", "file": {"file_data": link("application/pdf", PDF), "filename": "a.pdf"}},
                        {"type": "file", "file": {"file_id": "file-1"}},
                    ],
                }
            ],
        ),
    ),
    Intent(
        "all settings",
        pb.ChatRequest(
            prompt="hi",
            generation=Generation(
                temperature=0.5,
                top_p=0.9,
                max_output_tokens=50,
                seed=7,
                presence_penalty=0.5,
                frequency_penalty=-0.5,
                stop_sequences=["###"],
                candidate_count=2,
                top_logprobs=2,
                logit_bias={"50256": -100.0},
                reasoning=pb.ReasoningSettings(effort=pb.ReasoningSettings.EFFORT_HIGH),
            ),
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "hi"}],
            temperature=0.5,
            top_p=0.9,
            max_completion_tokens=50,
            seed=7,
            presence_penalty=0.5,
            frequency_penalty=-0.5,
            stop=["###"],
            n=2,
            logprobs=True,
            top_logprobs=2,
            logit_bias={"50256": -100},
            reasoning_effort="high",
        ),
    ),
    Intent(
        "tools, called one at a time",
        pb.ChatRequest(
            prompt="hi",
            generation=Generation(tools=TOOLS, tool_choice=pb.ToolChoice(mode=pb.ToolChoice.MODE_REQUIRED), parallel_tool_calls=False),
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "hi"}],
            tools=[LOOK_UP, OTHER],
            tool_choice="required",
            parallel_tool_calls=False,
        ),
    ),
    Intent(
        "one tool that must be called",
        pb.ChatRequest(
            prompt="hi", generation=Generation(tools=TOOLS, tool_choice=pb.ToolChoice(mode=pb.ToolChoice.MODE_FUNCTION, name="look_up"))
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "hi"}],
            tools=[LOOK_UP, OTHER],
            tool_choice={"type": "function", "function": {"name": "look_up"}},
        ),
    ),
    Intent(
        "some tools that may be called",
        pb.ChatRequest(
            prompt="hi",
            generation=Generation(tools=TOOLS, tool_choice=pb.ToolChoice(mode=pb.ToolChoice.MODE_AUTO, allowed_names=["look_up"])),
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "hi"}],
            tools=[LOOK_UP, OTHER],
            tool_choice={
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "look_up"}}]},
            },
        ),
    ),
    Intent(
        "what a tool answered",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (
                pb.ROLE_ASSISTANT,
                [pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id="c1", name="look_up", arguments_json='{"word":"a"}'))],
            ),
            (pb.ROLE_TOOL, [pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id="c1", parts=[text("a letter")]))]),
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[
                {"role": "user", "content": "hi"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"word":"a"}'}}],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "a letter"},
            ],
        ),
    ),
    Intent(
        "an answer of a certain shape",
        pb.ChatRequest(
            prompt="hi",
            generation=Generation(
                response_format=pb.ResponseFormat(
                    json_schema=pb.JsonSchemaFormat(name="Weather", schema_json=orjson.dumps(Weather.model_json_schema()).decode())
                )
            ),
        ),
        lambda sdk: sdk.chat.completions.parse(model=MODEL, messages=[{"role": "user", "content": "hi"}], response_format=Weather),
        differences={"stream": "false is the default, which this method of the SDK spells out"},
    ),
    Intent(
        "any JSON object",
        pb.ChatRequest(prompt="hi", generation=Generation(response_format=pb.ResponseFormat(json_object=pb.JsonObjectFormat()))),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hi"}], response_format={"type": "json_object"}
        ),
    ),
    Intent(
        "a spoken answer",
        pb.ChatRequest(
            prompt="hi",
            generation=Generation(
                output_modalities=[pb.MODALITY_TEXT, pb.MODALITY_AUDIO], audio=pb.AudioSettings(voice="alloy", format="wav")
            ),
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "hi"}],
            modalities=["text", "audio"],
            audio={"voice": "alloy", "format": "wav"},
        ),
    ),
    Intent(
        "an end user and a session",
        pb.ChatRequest(prompt="hi", end_user_id="ann@example.com", session_id="s1"),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hi"}], safety_identifier="ann@example.com", prompt_cache_key="s1"
        ),
        differences={
            "safety_identifier": "hashed, as the vendor asks for: who it is does not leave the house",
            "prompt_cache_key": "hashed together with the tenant, so that tenants do not share a cache by chance",
        },
    ),
    Intent(
        "a vendor's own setting",
        pb.ChatRequest(prompt="hi", generation=Generation(provider_options_json={"openai": '{"service_tier":"flex","store":false}'})),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hi"}], service_tier="flex", store=False
        ),
    ),
]


@asynccontextmanager
async def our_provider(fake: FakeProvider, api_key: str) -> AsyncIterator[Adapter]:
    endpoint = Endpoint("openai", fake.base_url, {"authorization": f"Bearer {api_key}"})
    provider = Adapter("openai", AiohttpUpstream(endpoint, SystemClock()), OpenAI("openai", OPENAI, make_ids()), clock=SystemClock())
    try:
        yield provider
    finally:
        await provider.aclose()


async def received(fake: FakeProvider, api_key: str) -> dict[str, Any]:
    (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1)
    body: dict[str, Any] = entry["body"]
    return body


async def exhausted(answer: object) -> None:
    if isinstance(answer, openai.AsyncStream):
        async for _ in answer:
            pass


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.name)
async def test_the_vendor_receives_what_the_sdk_would_send(fake: FakeProvider, api_key: str, intent: Intent) -> None:
    async with our_provider(fake, f"{api_key}-ours") as provider:
        await ask(provider, make_call(intent.ours, model=MODEL, stream=intent.stream))
    async with AsyncOpenAI(base_url=fake.base_url, api_key=f"{api_key}-sdk", max_retries=0) as sdk:
        await exhausted(await intent.sdk(sdk))
    ours, theirs = await received(fake, f"{api_key}-ours"), await received(fake, f"{api_key}-sdk")
    for name in intent.differences:
        assert ours.pop(name, None) != theirs.pop(name, None)
    assert ours == theirs


async def test_our_requests_carry_what_the_sdks_carry(fake: FakeProvider, api_key: str) -> None:
    async with our_provider(fake, f"{api_key}-ours") as provider:
        await ask(provider, make_call(model=MODEL))
    async with AsyncOpenAI(base_url=fake.base_url, api_key=f"{api_key}-sdk", max_retries=0) as sdk:
        await sdk.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi there"}])
    (ours,) = await fake.aledger(key_sha256=secret(f"{api_key}-ours"), ended=1)
    (theirs,) = await fake.aledger(key_sha256=secret(f"{api_key}-sdk"), ended=1)
    assert (ours["method"], ours["path"]) == (theirs["method"], theirs["path"])
    assert ours["headers"]["content-type"] == theirs["headers"]["content-type"]
    assert ours["body_bytes"] == theirs["body_bytes"]
