"""The Anthropic dialect: messages, their token counts and models, request to reply."""

import json
from dataclasses import asdict, replace
from typing import Any

from tests.faults.fake_provider import anthropic_wire as wire
from tests.faults.fake_provider import sse
from tests.faults.fake_provider.answer import Ask, prompt_tokens, respond, spoken, text_of
from tests.faults.fake_provider.anthropic_blocks import Shape, blocks, call_ids
from tests.faults.fake_provider.anthropic_checks import VERSIONS, problem
from tests.faults.fake_provider.anthropic_errors import (
    BAD_JSON,
    FIRST_ERROR_STATUS,
    JSON,
    NO_KEY,
    NO_VERSION,
    OVERLOADED,
    ApiError,
    compact,
    error_reply,
    headers,
    scripted_error,
)
from tests.faults.fake_provider.anthropic_models import listed, one
from tests.faults.fake_provider.reply import Call, Event, Headers, JsonObject, Reply
from tests.faults.fake_provider.script import base_of

MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
MODELS = "/v1/models"
REDIRECTED = "/redirected"
# One of these makes a path that other vendors have too one of Anthropic's.
HEADERS = frozenset({"anthropic-version", "x-api-key"})
EVENT_STREAM = "text/event-stream; charset=utf-8"
# Spaces at the end of an event's object, as the API has them, so that its size tells nothing.
PADDING_CYCLE = 13
# Words of thinking where the request wants it and the script says nothing.
THOUGHTS = 6
# Stands where the text goes while an event is being cut open around it.
SLOT = "@@slot@@"
BAD_EVENT = '{"type":"content_block_delta","index":0,"delta":{"text":'


def reply(call: Call) -> Reply:
    """Return what a well-behaved server says, or the error the script asks for."""
    head = call.script.head
    error = _refused(call)
    if error is not None:
        return error_reply(*error, call.identity, head)
    if head.status >= FIRST_ERROR_STATUS:
        return error_reply(head.status, scripted_error(head), call.identity, head)
    if call.method == "GET":
        return _models(call)
    body = call.body or {}
    if call.path.endswith(COUNT):
        return _json_reply(call, {"input_tokens": prompt_tokens(_ask(body).messages)})
    return _message(call, body)


def _refused(call: Call) -> tuple[int, ApiError] | None:
    path = call.path.removeprefix(REDIRECTED)
    gets = path == MODELS or path.startswith(f"{MODELS}/")
    if path not in (MESSAGES, COUNT) and not gets:
        return 404, ApiError("Not Found", "not_found_error")
    if call.method != ("GET" if gets else "POST"):
        return 405, ApiError("Method Not Allowed")
    if not _has_key(call):
        return 401, NO_KEY
    version = call.headers.get("anthropic-version", "")
    if version not in VERSIONS:
        return 400, ApiError(f'anthropic-version: "{version}" is not a valid version') if version else NO_VERSION
    return None if gets else _bad_body(call, path, version)


def _has_key(call: Call) -> bool:
    return bool(call.headers.get("x-api-key")) or call.headers.get("authorization", "").lower().startswith("bearer ")


def _bad_body(call: Call, path: str, version: str) -> tuple[int, ApiError] | None:
    if call.body is None:
        return 400, BAD_JSON
    wrong = problem(call.body, counting=path == COUNT, version=version)
    return (400, ApiError(wrong)) if wrong else None


def _message(call: Call, body: JsonObject) -> Reply:
    content = call.script.content
    thinking = body.get("thinking") or {}
    if thinking.get("type") in ("enabled", "adaptive") and not content.reasoning:
        content = replace(content, reasoning=THOUGHTS)
    answer = respond(_ask(body), content)
    shape = Shape(
        model=base_of(body["model"]),
        identity=call.identity,
        content=content,
        documents=tuple(_documents(body)),
        citations=content.citations or any(_wants_citations(document) for document in _documents(body)),
        silent=thinking.get("display") == "omitted" or content.reasoning_field == "hidden",
    )
    choice = answer.choices[0]
    # Words of a refusal are an explanation, not output; a text said before calls is.
    spoken_too = 0 if choice.tokens else len(spoken(choice, content))
    usage = replace(answer.usage, completion=choice.token_count() - len(choice.refusal) + spoken_too)
    message = wire.Message(shape, choice, blocks(choice, shape), usage)
    return _stream(call, message) if body.get("stream") else _whole(call, message)


def _whole(call: Call, message: wire.Message) -> Reply:
    body = wire.whole(message)
    body = wire.strange(body) if message.shape.content.unknown else body
    template = body | {"content": [{"type": "text", "text": SLOT}]}
    event = Event(_bytes(body), message.usage.completion, _text(message))
    error = _bytes(_late_error(call))
    return _ok(call, events=(event,), around_text=_around(_bytes(template)), error_event=error, said=_said(message))


def _stream(call: Call, message: wire.Message) -> Reply:
    sent = list(wire.events(message))
    events = tuple(Event(_event(call, item.value, at), item.tokens, item.text) for at, item in enumerate(sent))
    # Before its own first text a stream has no place for one, so that a foreign one goes after the start.
    text_from, index = next(((at, item.text_index) for at, item in enumerate(sent, 1) if item.text_index is not None), (1, 0))
    around = _around(_event(call, wire.text_delta(index or 0, SLOT), 0))
    return _ok(
        call,
        content_type=EVENT_STREAM,
        added=(("cache-control", "no-cache"),),
        streamed=True,
        events=events,
        trailer=_event(call, {"type": "message_stop"}, len(events)) if call.script.sse.done else b"",
        around_text=around,
        error_event=_event(call, _late_error(call), 0),
        text_from=text_from,
        ping=_event(call, {"type": "ping"}, 0),
        bad_json=sse.event(BAD_EVENT, call.script.sse, 0, "content_block_delta"),
        said=_said(message),
    )


def _event(call: Call, value: JsonObject, at: int) -> bytes:
    """Return one event under its own name, padded as the API does it."""
    style, content = call.script.sse, call.script.content
    name = value["type"]
    text = sse.payload(wire.strange(value) if content.unknown else value, style)
    if content.obfuscation and name.startswith("content_block"):
        text = text[:-1] + " " * (at % PADDING_CYCLE) + text[-1]
    return sse.event(text, style, at, name)


def _late_error(call: Call) -> JsonObject:
    return scripted_error(call.script.head, OVERLOADED).to_json(call.identity)


def _ok(call: Call, *, content_type: str = JSON, added: Headers = (), **parts: Any) -> Reply:
    return Reply(
        status=call.script.head.status,
        headers=(*headers(call.identity), *added),
        content_type=content_type,
        **parts,
    )


def _json_reply(call: Call, value: JsonObject) -> Reply:
    value = wire.strange(value) if call.script.content.unknown else value
    return _ok(call, events=(Event(_bytes(value)),), error_event=_bytes(_late_error(call)))


def _bytes(value: JsonObject) -> bytes:
    return compact(value).encode("utf-8", "replace")


def _around(template: bytes) -> tuple[bytes, bytes]:
    before, _, after = template.partition(SLOT.encode())
    return before, after


def _text(message: wire.Message) -> str:
    return "".join(spoken(message.choice, message.shape.content))


def _said(message: wire.Message) -> JsonObject:
    """Return the answer for the ledger, in the same words as of every dialect."""
    choice = message.choice
    ids = call_ids(choice, message.shape)
    said = {
        "text": _text(message),
        "reasoning": "".join(choice.reasoning),
        "refusal": "".join(choice.refusal),
        "tool_calls": [asdict(call) | {"id": call_id} for call, call_id in zip(choice.calls, ids, strict=True)],
        "finish_reason": message.stop_reason,
        "blocks": [block.whole for block in message.blocks],
    }
    return {"choices": [said], "usage": asdict(message.usage)}


def _ask(body: JsonObject) -> Ask:
    tools = body.get("tools") or []
    choice = body.get("tool_choice") or {}
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    callable_tools = tuple((tool["name"], tool["input_schema"]) for tool in tools if tool.get("type", "custom") == "custom")
    return Ask(
        messages=tuple(_neutral(body)),
        max_tokens=body.get("max_tokens"),
        stop=tuple(body.get("stop_sequences") or ()),
        tools=() if choice.get("type") == "none" else callable_tools,
        must_call=choice["name"] if choice.get("type") == "tool" else choice.get("type") == "any",
        one_call=bool(choice.get("disable_parallel_tool_use")) or choice.get("type") == "tool",
        json_schema=wanted.get("schema"),
    )


def _neutral(body: JsonObject) -> list[JsonObject]:
    """Return the messages as `Ask` knows them: instructions first, each result of a tool on its own."""
    found: list[JsonObject] = []
    if body.get("system"):
        found.append({"role": "system", "content": body["system"]})
    if body.get("tools"):
        found.append({"role": "system", "content": json.dumps(body["tools"])})
    for message in body["messages"]:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        results = [part for part in parts if part["type"] == "tool_result"]
        found += [{"role": "tool", "content": text_of(part.get("content"))} for part in results]
        if len(results) < len(parts) or not parts:
            found.append({"role": message["role"], "content": parts})
    return found


def _documents(body: JsonObject) -> list[JsonObject]:
    parts = (part for message in body["messages"] if isinstance(message["content"], list) for part in message["content"])
    return [part for part in parts if part["type"] == "document"]


def _wants_citations(document: JsonObject) -> bool:
    return bool((document.get("citations") or {}).get("enabled"))


def _models(call: Call) -> Reply:
    name = call.path.removeprefix(REDIRECTED).removeprefix(MODELS).strip("/")
    found = one(name) if name else listed(call.query)
    if isinstance(found, str):
        status = 404 if name else 400
        return error_reply(status, ApiError(found, "not_found_error" if name else "invalid_request_error"), call.identity, call.script.head)
    return _json_reply(call, found)
