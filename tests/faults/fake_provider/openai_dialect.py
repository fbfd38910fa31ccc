"""The OpenAI dialect: chat completions, models and embeddings, request to reply."""

import json
import random
import struct
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tests.faults.fake_provider import openai_wire as wire
from tests.faults.fake_provider import sse
from tests.faults.fake_provider.answer import Answer, Ask, respond
from tests.faults.fake_provider.openai_errors import (
    BAD_JSON,
    ERRORS,
    FIRST_ERROR_STATUS,
    JSON,
    NO_KEY,
    ApiError,
    error_reply,
    headers,
    scripted_error,
)
from tests.faults.fake_provider.reply import Call, Event, JsonObject, Reply
from tests.faults.fake_provider.script import Script, Sse, base_of
from tests.faults.fake_provider.words import count_tokens

CHAT = "/v1/chat/completions"
MODELS = "/v1/models"
EMBEDDINGS = "/v1/embeddings"
# Where a redirect leads: there the answer is always good, and the ledger tells.
REDIRECTED = "/redirected"
MODEL_NAMES = ("fake", "fake-mini", "fake-embedding")
MODEL_CREATED = 1_715_367_049
EMBEDDING_SIZE = 1536
EVENT_STREAM = "text/event-stream; charset=utf-8"
# Stands where the text goes while an event is being cut open around it.
SLOT = "@@slot@@"
DONE = "[DONE]"


def reply(call: Call) -> Reply:
    """Return what a well-behaved server says, or the error the script asks for."""
    error = _refused(call)
    if error is not None:
        return error_reply(*error, call.identity)
    if call.script.head.status >= FIRST_ERROR_STATUS:
        head = call.script.head
        return error_reply(head.status, scripted_error(head), call.identity)
    if call.method == "GET":
        return _models(call)
    body = call.body or {}
    if call.path.endswith(EMBEDDINGS):
        return _embeddings(call, body)
    return _chat(call, body)


def _refused(call: Call) -> tuple[int, ApiError] | None:
    path = call.path.removeprefix(REDIRECTED)
    gets = path == MODELS or path.startswith(f"{MODELS}/")
    if path not in (CHAT, EMBEDDINGS) and not gets:
        return 404, ApiError(f"Invalid URL ({call.method} {call.path})")
    if call.method != ("GET" if gets else "POST"):
        text = f"Not allowed to {call.method} on {call.path}."
        return 405, ApiError(text, code="method_not_supported")
    if not call.authorised:
        return 401, NO_KEY
    return None if gets else _bad_body(call.body, path)


def _bad_body(body: JsonObject | None, path: str) -> tuple[int, ApiError] | None:
    if body is None:
        return 400, BAD_JSON
    if not isinstance(body.get("model"), str):
        return 400, ApiError("you must provide a model parameter")
    name = "messages" if path == CHAT else "input"
    if not body.get(name):
        text = f"Missing required parameter: '{name}'."
        code = "missing_required_parameter"
        return 400, ApiError(text, param=name, code=code)
    return None


def _chat(call: Call, body: JsonObject) -> Reply:
    answer = respond(_ask(body), call.script.content)
    shape = _shape(call, body)
    if body.get("stream"):
        return _stream(call, answer, shape)
    pretty = json.dumps(wire.whole(answer, shape), ensure_ascii=False, indent=2)
    text = answer.choices[0].text
    data = pretty.encode("utf-8", "replace")
    return _ok(
        call,
        events=(Event(data, tokens=answer.usage.completion, text=text),),
        around_text=_around(_whole_template(shape, answer)),
        error_event=_error_json(call.script, indent=4),
        said=_said(answer, shape),
    )


def _stream(call: Call, answer: Answer, shape: wire.Shape) -> Reply:
    style = call.script.sse
    events = [_event(wire.chunk(delta, shape, number), style, number, delta) for number, delta in enumerate(wire.deltas(answer, shape))]
    if shape.usage and shape.content.usage != "none":
        number = len(events)
        events.append(_event(wire.usage_chunk(answer, shape, number), style, number))
    error = _error_json(call.script, indent=None).decode()
    return _ok(
        call,
        content_type=EVENT_STREAM,
        streamed=True,
        events=tuple(events),
        trailer=sse.event(DONE, style, len(events)) if style.done else b"",
        around_text=_around(_event_template(shape, style)),
        error_event=sse.event(error, style, 0),
        said=_said(answer, shape),
    )


def _ok(call: Call, *, content_type: str = JSON, **parts: Any) -> Reply:
    return Reply(
        status=call.script.head.status,
        headers=headers(call.identity),
        content_type=content_type,
        **parts,
    )


def _event(value: JsonObject, style: Sse, number: int, delta: wire.Delta | None = None) -> Event:
    data = sse.event(sse.payload(value, style), style, number)
    return Event(data, delta.tokens, delta.text) if delta else Event(data)


def _event_template(shape: wire.Shape, style: Sse) -> bytes:
    delta = wire.Delta(0, {"content": SLOT})
    return _event(wire.chunk(delta, shape, 0), style, 0).data


def _whole_template(shape: wire.Shape, answer: Answer) -> bytes:
    body = wire.whole(answer, shape)
    body["choices"][0]["message"]["content"] = SLOT
    return json.dumps(body, ensure_ascii=False, indent=2).encode("utf-8", "replace")


def _around(template: bytes) -> tuple[bytes, bytes]:
    before, _, after = template.partition(SLOT.encode())
    return before, after


def _error_json(script: Script, *, indent: int | None) -> bytes:
    separators = (",", ":") if indent is None else None
    error = scripted_error(script.head).to_json()
    return json.dumps(error, indent=indent, separators=separators).encode()


def _ask(body: JsonObject) -> Ask:
    tools = tuple(
        (tool["function"]["name"], tool["function"].get("parameters") or {})
        for tool in body.get("tools") or ()
        if tool.get("type") == "function"
    )
    stop = body.get("stop") or ()
    return Ask(
        messages=body["messages"],
        n=body.get("n") or 1,
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        tools=() if body.get("tool_choice") == "none" else tools,
        must_call=_must_call(body.get("tool_choice")),
        json_schema=_json_schema(body.get("response_format") or {}),
    )


def _must_call(choice: object) -> str | bool:
    if isinstance(choice, dict):
        return str(choice.get("function", {}).get("name", ""))
    return choice == "required"


def _json_schema(wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    match wanted.get("type"):
        case "json_schema":
            schema: Mapping[str, Any] = wanted["json_schema"].get("schema") or {}
            return schema
        case "json_object":
            return {"type": "object", "properties": {"answer": {"type": "string"}}}
        case _:
            return None


def _shape(call: Call, body: JsonObject) -> wire.Shape:
    wants_logprobs = body.get("logprobs") or call.script.content.logprobs
    options = body.get("stream_options") or {}
    always = call.script.content.usage == "always"
    return wire.Shape(
        model=base_of(body["model"]),
        identity=call.identity,
        content=call.script.content,
        logprobs=body.get("top_logprobs") or 0 if wants_logprobs else None,
        usage=not body.get("stream") or always or bool(options.get("include_usage")),
    )


def _said(answer: Answer, shape: wire.Shape) -> JsonObject:
    """Return the answer for the ledger, from the model's side of the dialect."""
    choices = [
        {
            "text": choice.text,
            "reasoning": "".join(choice.reasoning),
            "refusal": "".join(choice.refusal),
            "tool_calls": [asdict(call) for call in choice.calls],
            "finish_reason": wire.finish_of(choice, shape.content),
        }
        for choice in answer.choices
    ]
    return {"choices": choices, "usage": asdict(answer.usage)}


def _models(call: Call) -> Reply:
    name = call.path.removeprefix(REDIRECTED).removeprefix(MODELS).strip("/")
    if name and name not in MODEL_NAMES:
        return error_reply(404, ERRORS[404], call.identity)
    listed = {"object": "list", "data": [_model(name) for name in MODEL_NAMES]}
    return _json_reply(call, _model(name) if name else listed)


def _model(name: str) -> JsonObject:
    return {
        "id": name,
        "object": "model",
        "created": MODEL_CREATED,
        "owned_by": "system",
    }


def _embeddings(call: Call, body: JsonObject) -> Reply:
    given = body["input"]
    texts = [given] if isinstance(given, str) else [str(part) for part in given]
    size = body.get("dimensions") or body.get("output_dimension") or EMBEDDING_SIZE  # the latter is Mistral's
    encoded = body.get("encoding_format") == "base64"
    vectors = [embedding(text, size) for text in texts]
    used = sum(count_tokens(text) for text in texts)
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64_of(vector) if encoded else vector,
        }
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": used, "total_tokens": used}
    model = base_of(body["model"])
    value = {"object": "list", "data": data, "model": model, "usage": usage}
    return _json_reply(call, value)


def embedding(text: str, size: int) -> list[float]:
    """Return a unit vector that depends on the text alone."""
    source = random.Random(text)
    raw = [source.gauss(0.0, 1.0) for _ in range(size)]
    length = sum(part * part for part in raw) ** 0.5
    return [part / length for part in raw]


def base64_of(vector: list[float]) -> str:
    """Return the vector as clients ask for it: little-endian floats of 32 bits."""
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _json_reply(call: Call, value: JsonObject) -> Reply:
    if call.script.content.unknown:
        value = wire.sprinkled(value)
    data = json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "replace")
    error = _error_json(call.script, indent=4)
    return _ok(call, events=(Event(data),), error_event=error)
