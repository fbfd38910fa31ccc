"""One thing to ask of Gemini, in our words and in those of Google's SDK."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from google.genai import types
from pydantic import BaseModel, ConfigDict

from promptwire import v1 as pb

Generation = pb.GenerationSettings
Choice = pb.ToolChoice
Reasoning = pb.ReasoningSettings
MODEL, OLD = "fake", "gemini-2.5-flash"
PNG, WAV, PDF = b"\x89PNG\r\n", b"RIFF....", b"%PDF-1.7"
SIGNATURE = b"signed\xff\xfe"
SEEN = orjson.dumps({"thoughtSignature": b64encode(SIGNATURE).decode()})


class Weather(BaseModel):
    """What the weather is."""

    model_config = ConfigDict(extra="forbid")
    city: str
    degrees: float


SCHEMA = Weather.model_json_schema()
PARAMETERS: dict[str, Any] = {"type": "object", "properties": {"word": {"type": "string", "description": "which"}}, "required": ["word"]}
LOOK_UP = types.FunctionDeclaration(name="look_up", description="Look a word up.", parameters_json_schema=PARAMETERS)
OTHER = types.FunctionDeclaration(name="other")
THEIR_TOOLS: list[Any] = [types.Tool(function_declarations=[LOOK_UP, OTHER])]
TOOLS = [
    pb.Tool(function=pb.FunctionTool(name="look_up", description="Look a word up.", parameters_json=orjson.dumps(PARAMETERS).decode())),
    pb.Tool(function=pb.FunctionTool(name="other")),
]


@dataclass(frozen=True)
class Intent:
    """One thing to ask."""

    name: str
    ours: pb.ChatRequest
    contents: Any = "hi"  # of the SDK ...
    config: dict[str, Any] = field(default_factory=dict)  # ... and its settings
    stream: bool = False
    model: str = MODEL
    differences: dict[str, str] = field(default_factory=dict)  # fields in which the two may differ, each with the reason


def setting(name: str, ours: Generation, **config: Any) -> Intent:
    """The plainest question, with these settings."""
    return Intent(name, pb.ChatRequest(prompt="hi", generation=ours), config=config)


def said(*messages: tuple["pb.Role", list[pb.ContentPart]], **more: Any) -> pb.ChatRequest:
    return pb.ChatRequest(messages=[pb.ChatMessage(role=role, parts=parts) for role, parts in messages], **more)


def text(value: str) -> pb.ContentPart:
    return pb.ContentPart(text=value)


def media(**fields: Any) -> pb.ContentPart:
    return pb.ContentPart(media=pb.MediaPart(**fields))


def own(part: pb.ContentPart, state: bytes = SEEN) -> pb.ContentPart:
    """The part as Gemini gave it, with state."""
    part.provider_state.CopyFrom(pb.ProviderState(provider="gemini", data=state))
    return part


def called(call_id: str = "c1", name: str = "look_up", arguments: str = '{"word":"a"}') -> pb.ContentPart:
    return pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id=call_id, name=name, arguments_json=arguments))


def result(*parts: pb.ContentPart, call_id: str = "c1", **more: Any) -> pb.ContentPart:
    return pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id=call_id, parts=parts, **more))


def user(*parts: types.Part | str) -> types.Content:
    return types.Content(role="user", parts=_parts(parts))


def model(*parts: types.Part | str) -> types.Content:
    return types.Content(role="model", parts=_parts(parts))


def their_call(call_id: str = "c1", name: str = "look_up", signature: bytes | None = SIGNATURE, **args: Any) -> types.Part:
    call = types.FunctionCall(id=call_id, name=name, args=args or {"word": "a"})
    return types.Part(function_call=call, thought_signature=signature)


def their_result(response: dict[str, Any], call_id: str = "c1", name: str = "look_up", **more: Any) -> types.Part:
    return types.Part(function_response=types.FunctionResponse(id=call_id, name=name, response=response, **more))


def blob(mime_type: str, data: bytes) -> types.Part:
    return types.Part(inline_data=types.Blob(mime_type=mime_type, data=data))


def file(uri: str, mime_type: str | None = None) -> types.Part:
    return types.Part(file_data=types.FileData(file_uri=uri, mime_type=mime_type))


def calling(mode: str, *allowed: str) -> dict[str, Any]:
    """The SDK's choice among tools."""
    functions = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode(mode), allowed_function_names=list(allowed) or None)
    return {"tools": THEIR_TOOLS, "tool_config": types.ToolConfig(function_calling_config=functions)}


def _parts(parts: Sequence[types.Part | str]) -> list[types.Part]:
    return [types.Part(text=part) if isinstance(part, str) else part for part in parts]
