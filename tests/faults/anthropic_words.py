"""Words for intents: one thing to ask of Anthropic, in our words and in those of its SDK."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict

from promptwire import v1 as pb
from tests.faults.fake_provider import seal
from tests.faults.fake_provider.anthropic_blocks import REDACTED, THINKING

Generation = pb.GenerationSettings
Reasoning = pb.ReasoningSettings
Choice = pb.ToolChoice
Sdk = Mapping[str, Any]  # arguments of AsyncAnthropic.messages.create
Parts = list[pb.ContentPart]

MODEL = "fake"
LEAST = 8192  # what is asked of a model that nobody knows, where the caller sets no bound
USUAL = 32_000  # and of one that is known
OLD_VERSION = {"anthropic-version": "2023-06-01"}  # the SDK speaks a newer one, which has no sampling settings any more
PNG, PDF = b"\x89PNG\r\n", b"%PDF-1.7"
PNG64, PDF64 = b64encode(PNG).decode(), b64encode(PDF).decode()
HI: dict[str, Any] = {"role": "user", "content": "hi"}
EPHEMERAL = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"], "additionalProperties": False}
LOOK_UP: dict[str, Any] = {"name": "look_up", "description": "Look a word up.", "input_schema": SCHEMA}
OTHER: dict[str, Any] = {"name": "other", "input_schema": {"type": "object"}}
CALL: dict[str, Any] = {"type": "tool_use", "id": "c1", "name": "look_up", "input": {"word": "a"}}
SIGNATURE = seal.signature(THINKING, "let me see", "salt")
SEALED = seal.wrapped(REDACTED, "secret", "salt")
THOUGHT = {"type": "thinking", "thinking": "let me see", "signature": SIGNATURE}
HIDDEN = {"type": "redacted_thinking", "data": SEALED}


class Weather(BaseModel):
    """What the weather is."""

    model_config = ConfigDict(extra="forbid")
    city: str
    degrees: float


@dataclass(frozen=True)
class Intent:
    """One thing to ask, in our words and in the SDK's."""

    name: str
    ours: pb.ChatRequest
    sdk: Sdk
    stream: bool = False
    model: str = MODEL
    # Fields in which the two may differ, each with the reason.
    differences: Mapping[str, str] = field(default_factory=dict)


def text(value: str, hint: pb.CacheHint | None = None) -> pb.ContentPart:
    return pb.ContentPart(text=value, cache_hint=hint)


def media(mime: str = "", *, hint: pb.CacheHint | None = None, **source: Any) -> pb.ContentPart:
    return pb.ContentPart(media=pb.MediaPart(mime_type=mime, **source), cache_hint=hint)


def said(*messages: tuple["pb.Role", Parts], **more: Any) -> pb.ChatRequest:
    return pb.ChatRequest(messages=[pb.ChatMessage(role=role, parts=parts) for role, parts in messages], **more)


def asked(*parts: pb.ContentPart) -> pb.ChatRequest:
    return said((pb.ROLE_USER, list(parts)))


def user(*blocks: dict[str, Any]) -> Sdk:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def plain(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": value, **more}


def setting(name: str, ours: Generation, sdk: Sdk, *, model: str = MODEL, **more: Any) -> Intent:
    """An intent that differs from a question by its settings."""
    return Intent(name, pb.ChatRequest(prompt="hi", generation=ours), {"messages": [HI], **sdk}, model=model, **more)


def sampled(name: str, ours: Generation, **sdk: float) -> Intent:
    """The SDK has no words for these any more; its own guide says to send them so."""
    return setting(name, ours, {"extra_body": sdk, "extra_headers": OLD_VERSION})


def thinking(name: str, ours: Reasoning, sdk: Sdk, *, model: str, bound: int = 0) -> Intent:
    generation = Generation(reasoning=ours)
    if bound:
        generation.max_output_tokens = bound
    return setting(name, generation, {"max_tokens": bound or USUAL, **sdk}, model=model)


def ours_of(tool: dict[str, Any]) -> pb.Tool:
    """The SDK's declaration in our words: the schema is data of the caller's, so both get the same."""
    function = pb.FunctionTool(name=tool["name"], description=tool.get("description", ""))
    if tool is not OTHER:
        function.parameters_json = orjson.dumps(tool["input_schema"]).decode()
    if "strict" in tool:
        function.strict = tool["strict"]
    return pb.Tool(function=function)


TOOLS = [ours_of(LOOK_UP), ours_of(OTHER)]


def tools(name: str, sdk: Sdk, choice: pb.ToolChoice | None = None, **more: Any) -> Intent:
    ours = Generation(tools=TOOLS, tool_choice=choice, **more)
    return setting(name, ours, {"tools": [LOOK_UP, OTHER], **sdk})


def called(call_id: str = "c1") -> pb.ContentPart:
    return pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id=call_id, name="look_up", arguments_json='{"word":"a"}'))


def result(*parts: pb.ContentPart, call_id: str = "c1", failed: bool = False) -> pb.ContentPart:
    return pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id=call_id, parts=parts, is_error=failed))


def answered(*results: pb.ContentPart) -> pb.ChatRequest:
    return said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [called()]), (pb.ROLE_TOOL, list(results)))


def their_answer(**block: Any) -> Sdk:
    block = {"type": "tool_result", "tool_use_id": "c1", **block}
    return {"messages": [HI, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [block]}]}


def reasoned(block: dict[str, Any]) -> pb.ContentPart:
    """The part that our answers have for a block of thinking."""
    state = {name: value for name, value in block.items() if name != "thinking"}
    shown = block.get("thinking", "")
    return pb.ContentPart(
        reasoning=pb.ReasoningPart(text=shown, redacted=not shown),
        provider_state=pb.ProviderState(provider="anthropic", data=orjson.dumps(state)),
    )


def own(block: dict[str, Any]) -> pb.ContentPart:
    return pb.ContentPart(provider_part=pb.ProviderPart(provider="anthropic", type=block["type"], json=orjson.dumps(block).decode()))


SEARCHED: list[dict[str, Any]] = [
    {"type": "server_tool_use", "id": "srv1", "name": "web_search", "input": {"query": "snow"}},
    {"type": "web_search_tool_result", "tool_use_id": "srv1", "content": []},
]
CITATION = {"type": "web_search_result_location", "cited_text": "Snow", "encrypted_index": "x", "title": "A page", "url": "https://e.x/"}
CITED = pb.ContentPart(
    text="It snows.", provider_state=pb.ProviderState(provider="anthropic", data=orjson.dumps({"citations": [CITATION]}))
)
FIVE_MINUTES, ONE_HOUR = pb.CacheHint(ttl=pb.CacheHint.TTL_5_MINUTES), pb.CacheHint(ttl=pb.CacheHint.TTL_1_HOUR)
