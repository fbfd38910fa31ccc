"""Intents: one thing to ask, in our words and in those of OpenAI's SDK, and the bodies that come of both."""

from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import openai
import orjson
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionFunctionToolParam
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
MARKED = "gpt-5.6-fake"  # a name of the models that take marks for the prompt cache
PNG = b"\x89PNG\r\n"
WAV = b"RIFF...."
MP3 = b"ID3"
PDF = b"%PDF-1.7"
HASHED = "hashed, as the vendor asks for: who it is does not leave the house"
HASHED_SESSION = "hashed together with the tenant, so that tenants do not share a cache by chance"


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
    """One thing to ask."""

    name: str
    ours: pb.ChatRequest
    sdk: Sdk
    stream: bool = False
    model: str = MODEL
    # Fields in which the two may differ, each with the reason.
    differences: dict[str, str] = field(default_factory=dict)


def question(**settings: Any) -> pb.ChatRequest:
    """The plainest question, with these settings."""
    return pb.ChatRequest(prompt="hi", generation=Generation(**settings))


def said(*messages: tuple["pb.Role", list[pb.ContentPart]], **more: Any) -> pb.ChatRequest:
    return pb.ChatRequest(messages=[pb.ChatMessage(role=role, parts=parts) for role, parts in messages], **more)


def text(value: str) -> pb.ContentPart:
    return pb.ContentPart(text=value)


def media(**fields: Any) -> pb.ContentPart:
    return pb.ContentPart(media=pb.MediaPart(**fields))


def called(call_id: str, arguments: str = '{"word":"a"}', *, name: str = "look_up", state: bytes = b"") -> pb.ContentPart:
    part = pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id=call_id, name=name, arguments_json=arguments))
    return with_state(part, state) if state else part


def result(call_id: str, *parts: pb.ContentPart, is_error: bool = False) -> pb.ContentPart:
    return pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id=call_id, parts=parts, is_error=is_error))


def with_state(part: pb.ContentPart, state: bytes) -> pb.ContentPart:
    """The part, as a provider that is called openai gave it."""
    part.provider_state.CopyFrom(pb.ProviderState(provider="openai", data=state))
    return part


def hinted(part: pb.ContentPart, ttl: "pb.CacheHint.Ttl" = pb.CacheHint.TTL_UNSPECIFIED) -> pb.ContentPart:
    part.cache_hint.CopyFrom(pb.CacheHint(ttl=ttl))
    return part


def link(mime: str, data: bytes) -> str:
    return f"data:{mime};base64,{b64encode(data).decode()}"


def vendor_tool(json: str) -> pb.Tool:
    return pb.Tool(provider_tool=pb.ProviderTool(provider="openai", json=json))


def options(json: str) -> dict[str, str]:
    return {"openai": json}


def function(declared: ChatCompletionFunctionToolParam) -> pb.Tool:
    """The SDK's declaration of a tool in our words: the schema is data of the caller's, so both get the same."""
    told = declared["function"]
    mine = pb.FunctionTool(name=told["name"], description=told.get("description", ""))
    if "parameters" in told:
        mine.parameters_json = orjson.dumps(told["parameters"]).decode()
    if "strict" in told:
        mine.strict = bool(told["strict"])
    return pb.Tool(function=mine)


LOOK_UP = openai.pydantic_function_tool(LookUp, name="look_up")
OTHER: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {"name": "other", "parameters": {"type": "object", "properties": {}}},
}
TOOLS = [function(LOOK_UP), function(OTHER)]
SCHEMA = orjson.dumps(Weather.model_json_schema()).decode()


@asynccontextmanager
async def our_provider(fake: FakeProvider, api_key: str, *, api: str = "") -> AsyncIterator[Adapter]:
    """OpenAI as this server speaks it, before the fake provider."""
    endpoint = Endpoint("openai", fake.base_url, {"authorization": f"Bearer {api_key}"})
    dialect = OpenAI("openai", OPENAI, make_ids(), api=api)
    provider = Adapter("openai", AiohttpUpstream(endpoint, SystemClock()), dialect, clock=SystemClock())
    try:
        yield provider
    finally:
        await provider.aclose()


async def bodies(fake: FakeProvider, api_key: str, intent: Intent, *, api: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """What the vendor received from us and from the SDK, without the differences that are listed, and that there must be."""
    async with our_provider(fake, f"{api_key}-ours", api=api) as provider:
        await ask(provider, make_call(intent.ours, model=intent.model, stream=intent.stream))
    async with AsyncOpenAI(base_url=fake.base_url, api_key=f"{api_key}-sdk", max_retries=0) as sdk:
        await _exhausted(await intent.sdk(sdk))
    ours, theirs = await _received(fake, f"{api_key}-ours"), await _received(fake, f"{api_key}-sdk")
    for name in intent.differences:
        assert ours.pop(name, None) != theirs.pop(name, None)
    return ours, theirs


async def _received(fake: FakeProvider, api_key: str) -> dict[str, Any]:
    (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1)
    body: dict[str, Any] = entry["body"]
    return body


async def _exhausted(answer: object) -> None:
    if isinstance(answer, openai.AsyncStream):
        async for _ in answer:
            pass
