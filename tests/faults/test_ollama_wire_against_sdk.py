"""Our bodies of /api/chat beside those of Ollama's own SDK for the same intent, as the server received them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from ollama import AsyncClient

from promptwire import v1 as pb
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.secret import Secret
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.providers.support import ask, make_call, make_ids

Generation = pb.GenerationSettings
Reasoning = pb.ReasoningSettings
Sdk = Mapping[str, Any]  # arguments of AsyncClient.chat
MODEL = "fake"
PNG = b"\x89PNG\r\n"
HI: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
NICE = {"role": "system", "content": "be nice"}
WHAT = {"role": "user", "content": "what?", "images": [PNG]}
OWN = '{"options":{"num_ctx":8192},"keep_alive":"5m"}'
SCHEMA = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}'
SCHEMA_OBJECT = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PARAMETERS = '{"type":"object","required":["word"],"properties":{"word":{"type":"string","description":"which"}}}'
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Look a word up.",
        "parameters": {"type": "object", "required": ["word"], "properties": {"word": {"type": "string", "description": "which"}}},
    },
}
OTHER: dict[str, Any] = {"type": "function", "function": {"name": "other", "parameters": {"type": "object", "properties": {}}}}
OUR_TOOL = pb.Tool(function=pb.FunctionTool(name="look_up", description="Look a word up.", parameters_json=PARAMETERS))
OUR_OTHER = pb.Tool(function=pb.FunctionTool(name="other", parameters_json='{"type":"object","properties":{}}'))
CALL = pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id="c1", name="look_up", arguments_json='{"word":"a"}'))
IDS = {"messages": "newer servers match results by id, which the SDK has no field for"}


@dataclass(frozen=True)
class Intent:
    """One thing to ask, in our words and in the SDK's."""

    name: str
    ours: pb.ChatRequest
    sdk: Sdk
    stream: bool = False
    differences: dict[str, str] = field(default_factory=dict)  # fields in which the two may differ, each with the reason


def text(value: str) -> pb.ContentPart:
    return pb.ContentPart(text=value)


def said(*messages: tuple["pb.Role", list[pb.ContentPart]], **more: Any) -> pb.ChatRequest:
    return pb.ChatRequest(messages=[pb.ChatMessage(role=role, parts=parts) for role, parts in messages], **more)


def image() -> pb.ContentPart:
    return pb.ContentPart(media=pb.MediaPart(mime_type="image/png", data=PNG))


def setting(name: str, ours: Generation, options: Mapping[str, Any]) -> Intent:
    """An intent whose setting stands among the SDK's options."""
    return Intent(name, pb.ChatRequest(prompt="hi", generation=ours), {"messages": HI, "options": options})


def with_tools(name: str, ours: Generation, tools: list[dict[str, Any]]) -> Intent:
    return Intent(name, pb.ChatRequest(prompt="hi", generation=ours), {"messages": HI, "tools": tools})


def thinking(effort: "Reasoning.Effort", think: bool | str) -> Intent:  # noqa: FBT001 - the SDK's value
    name = Reasoning.Effort.Name(effort).lower()
    ours = pb.ChatRequest(prompt="hi", generation=Generation(reasoning=Reasoning(effort=effort)))
    return Intent(f"reasoning {name}", ours, {"messages": HI, "think": think})


def result(*parts: pb.ContentPart, name: str = "look_up", failed: bool = False) -> list[pb.ContentPart]:
    return [pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id="c1", name=name, parts=parts, is_error=failed))]


THEIR_CALL: dict[str, Any] = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"function": {"name": "look_up", "arguments": {"word": "a"}}}],
}


def after_call(answer: list[pb.ContentPart]) -> pb.ChatRequest:
    return said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [CALL]), (pb.ROLE_TOOL, answer))


INTENTS = [
    Intent("a question", pb.ChatRequest(prompt="hi"), {"messages": HI}),
    Intent("a stream", pb.ChatRequest(prompt="hi"), {"messages": HI, "stream": True}, stream=True),
    Intent(
        "system and prompt", pb.ChatRequest(system="be nice", prompt="hi"), {"messages": [{"role": "system", "content": "be nice"}, *HI]}
    ),
    Intent(
        "system as a message",
        said((pb.ROLE_SYSTEM, [text("be nice")]), (pb.ROLE_USER, [text("hi")])),
        {"messages": [{"role": "system", "content": "be nice"}, *HI]},
    ),
    Intent(
        "a developer's instructions",
        said((pb.ROLE_DEVELOPER, [text("be brief")]), (pb.ROLE_USER, [text("hi")])),
        {"messages": [{"role": "system", "content": "be brief"}, *HI]},
    ),
    Intent(
        "a conversation",
        said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [text("hello")]), (pb.ROLE_USER, [text("more")])),
        {"messages": [*HI, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "more"}]},
    ),
    Intent("no role is the user's", said((pb.ROLE_UNSPECIFIED, [text("hi")])), {"messages": HI}),
    Intent("several texts", said((pb.ROLE_USER, [text("a"), text("b")])), {"messages": [{"role": "user", "content": "ab"}]}),
    Intent("unicode", pb.ChatRequest(prompt="grüß 🎉 \u2028"), {"messages": [{"role": "user", "content": "grüß 🎉 \u2028"}]}),
    Intent("an image", said((pb.ROLE_USER, [image(), text("what?")])), {"messages": [WHAT]}),
    Intent(
        "two images",
        said((pb.ROLE_USER, [text("compare"), image(), image()])),
        {"messages": [{"role": "user", "content": "compare", "images": [PNG, PNG]}]},
    ),
    setting("temperature", Generation(temperature=0.5), {"temperature": 0.5}),
    setting("temperature zero", Generation(temperature=0), {"temperature": 0.0}),
    setting("nucleus", Generation(top_p=0.9), {"top_p": 0.9}),
    setting("top k", Generation(top_k=40), {"top_k": 40}),
    setting("length", Generation(max_output_tokens=50), {"num_predict": 50}),
    setting("seed", Generation(seed=7), {"seed": 7}),
    setting("a large seed", Generation(seed=2**53 + 1), {"seed": 2**53 + 1}),
    setting("presence penalty", Generation(presence_penalty=0.5), {"presence_penalty": 0.5}),
    setting("frequency penalty", Generation(frequency_penalty=-0.5), {"frequency_penalty": -0.5}),
    setting("stop", Generation(stop_sequences=["END"]), {"stop": ["END"]}),
    setting("several stops", Generation(stop_sequences=["a", "b"]), {"stop": ["a", "b"]}),
    setting("several settings", Generation(temperature=1, seed=1, top_k=2), {"temperature": 1.0, "seed": 1, "top_k": 2}),
    Intent(
        "logprobs",
        pb.ChatRequest(prompt="hi", generation=Generation(logprobs=True)),
        {"messages": HI, "logprobs": True},
    ),
    Intent(
        "the likeliest others",
        pb.ChatRequest(prompt="hi", generation=Generation(top_logprobs=3)),
        {"messages": HI, "logprobs": True, "top_logprobs": 3},
    ),
    Intent(
        "any JSON",
        pb.ChatRequest(prompt="hi", generation=Generation(response_format=pb.ResponseFormat(json_object=pb.JsonObjectFormat()))),
        {"messages": HI, "format": "json"},
    ),
    Intent(
        "JSON of a schema",
        pb.ChatRequest(
            prompt="hi", generation=Generation(response_format=pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(schema_json=SCHEMA)))
        ),
        {"messages": HI, "format": SCHEMA_OBJECT},
    ),
    Intent(
        "free text",
        pb.ChatRequest(prompt="hi", generation=Generation(response_format=pb.ResponseFormat(text=pb.TextFormat()))),
        {"messages": HI},
    ),
    thinking(Reasoning.EFFORT_NONE, think=False),
    thinking(Reasoning.EFFORT_MINIMAL, "low"),
    thinking(Reasoning.EFFORT_LOW, "low"),
    thinking(Reasoning.EFFORT_MEDIUM, "medium"),
    thinking(Reasoning.EFFORT_HIGH, "high"),
    thinking(Reasoning.EFFORT_MAX, "high"),
    Intent(
        "reasoning shown",
        pb.ChatRequest(prompt="hi", generation=Generation(reasoning=Reasoning(include=True))),
        {"messages": HI, "think": True},
    ),
    with_tools("a tool", Generation(tools=[OUR_TOOL]), [TOOL]),
    with_tools("two tools", Generation(tools=[OUR_TOOL, OUR_OTHER]), [TOOL, OTHER]),
    with_tools("the model chooses", Generation(tools=[OUR_TOOL], tool_choice=pb.ToolChoice(mode=pb.ToolChoice.MODE_AUTO)), [TOOL]),
    with_tools("some tools allowed", Generation(tools=[OUR_TOOL, OUR_OTHER], tool_choice=pb.ToolChoice(allowed_names=["other"])), [OTHER]),
    with_tools("no tool allowed", Generation(tools=[OUR_TOOL], tool_choice=pb.ToolChoice(mode=pb.ToolChoice.MODE_NONE)), []),
    Intent(
        "a tool's result",
        after_call(result(text("found"))),
        {"messages": [*HI, THEIR_CALL, {"role": "tool", "content": "found", "tool_name": "look_up"}]},
        differences=IDS,
    ),
    Intent(
        "a result whose tool is named by the call alone",
        after_call(result(text("found"), name="")),
        {"messages": [*HI, THEIR_CALL, {"role": "tool", "content": "found", "tool_name": "look_up"}]},
        differences=IDS,
    ),
    Intent(
        "a tool that failed",
        after_call(result(text("gone"), failed=True)),
        {"messages": [*HI, THEIR_CALL, {"role": "tool", "content": "Error: gone", "tool_name": "look_up"}]},
        differences=IDS,
    ),
    Intent(
        "earlier thoughts",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [pb.ContentPart(reasoning=pb.ReasoningPart(text="hm")), text("hello")]),
            (pb.ROLE_USER, [text("more")]),
        ),
        {"messages": [*HI, {"role": "assistant", "content": "hello", "thinking": "hm"}, {"role": "user", "content": "more"}]},
    ),
    Intent(
        "a setting of the vendor's own",
        pb.ChatRequest(prompt="hi", generation=Generation(seed=1, provider_options_json={"ollama": OWN})),
        {"messages": HI, "options": {"seed": 1, "num_ctx": 8192}, "keep_alive": "5m"},
    ),
]


@asynccontextmanager
async def our_provider(fake: FakeProvider, api_key: str) -> AsyncIterator[Provider]:
    settings = HttpSettings(dialect="ollama", base_url=fake.origin, api_key=Secret(api_key))
    provider = build("ollama", settings, clock=SystemClock(), ids=make_ids())
    try:
        yield provider
    finally:
        await provider.aclose()


async def received(fake: FakeProvider, api_key: str) -> dict[str, Any]:
    (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1)
    assert entry["status"] == 200, entry["said"]
    body: dict[str, Any] = entry["body"]
    return body


async def asked(sdk: AsyncClient, intent: Intent) -> None:
    answer: Any = await sdk.chat(model=MODEL, **intent.sdk)
    if intent.stream:
        async for _ in answer:
            pass


def without_ids(body: dict[str, Any]) -> list[Any]:
    """The messages without what the SDK cannot say."""
    messages = body.pop("messages")
    for message in messages:
        message.pop("tool_call_id", None)
        for call in message.get("tool_calls", ()):
            call.pop("id", None)
    return list(messages)


def normal(body: dict[str, Any]) -> dict[str, Any]:
    """An empty list of tools and none are the same."""
    return {name: value for name, value in body.items() if not (name == "tools" and not value)}


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.name)
async def test_the_server_receives_what_the_sdk_would_send(fake: FakeProvider, api_key: str, intent: Intent) -> None:
    async with our_provider(fake, f"{api_key}-ours") as provider:
        await ask(provider, make_call(intent.ours, model=MODEL, stream=intent.stream))
    sdk = AsyncClient(host=fake.origin, headers={"authorization": f"Bearer {api_key}-sdk"})
    try:
        await asked(sdk, intent)
    finally:
        await sdk._client.aclose()
    ours, theirs = await received(fake, f"{api_key}-ours"), await received(fake, f"{api_key}-sdk")
    if "messages" in intent.differences:
        assert ours["messages"] != theirs["messages"]
        assert without_ids(ours) == without_ids(theirs)
    assert normal(ours) == normal(theirs)


def test_there_are_enough_intents() -> None:
    assert len({intent.name for intent in INTENTS}) == len(INTENTS) >= 40
