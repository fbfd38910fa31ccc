"""Requests to Gemini in a line, and what became of them."""

from typing import Any

import orjson

from promptwire import v1 as pb
from promptwire_server.providers.gemini.request import to_wire
from tests.unit.providers.support import make_call

NEW, OLD = "gemini-3-flash", "gemini-2.5-flash"
SIGNED = b'{"thoughtSignature":"c2ln"}'
PNG = pb.MediaPart(mime_type="image/png", data=b"png")
DROPPED, SETTING = pb.Notice.CODE_CONTENT_DROPPED, pb.Notice.CODE_SETTING_DROPPED
USER, MODEL, TOOL = pb.ROLE_USER, pb.ROLE_ASSISTANT, pb.ROLE_TOOL


def text(value: str) -> pb.ContentPart:
    return pb.ContentPart(text=value)


def media(part: pb.MediaPart) -> pb.ContentPart:
    return pb.ContentPart(media=part)


def stated(part: pb.ContentPart, data: bytes = SIGNED, provider: str = "gemini") -> pb.ContentPart:
    part.provider_state.provider, part.provider_state.data = provider, data
    return part


def called(name: str = "f", call_id: str = "c1", arguments: str = '{"n":  9007199254740993}') -> pb.ContentPart:
    return pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id=call_id, name=name, arguments_json=arguments))


def result(*parts: pb.ContentPart, call_id: str = "c1", name: str = "", is_error: bool = False) -> pb.ContentPart:
    return pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id=call_id, name=name, parts=parts, is_error=is_error))


def said(*messages: tuple["pb.Role", list[pb.ContentPart]], **more: Any) -> pb.ChatRequest:
    return pb.ChatRequest(messages=[pb.ChatMessage(role=role, parts=parts) for role, parts in messages], **more)


def wired(request: pb.ChatRequest, model: str = NEW) -> dict[str, Any]:
    """The body as a vendor reads it."""
    body: dict[str, Any] = orjson.loads(orjson.dumps(to_wire(make_call(request, model=model), "gemini")))
    return body


def contents(request: pb.ChatRequest, model: str = NEW) -> list[tuple[str, list[Any]]]:
    return [(content["role"], content["parts"]) for content in wired(request, model)["contents"]]


def noticed(request: pb.ChatRequest, model: str = NEW) -> list[tuple["pb.Notice.Code", str]]:
    call = make_call(request, model=model)
    to_wire(call, "gemini")
    return [(notice.code, notice.field) for notice in call.trail.notices]
