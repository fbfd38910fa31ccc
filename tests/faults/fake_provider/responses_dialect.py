"""OpenAI's Responses API: responses and the counts of their input, request to reply."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from tests.faults.fake_provider import responses_wire as wire
from tests.faults.fake_provider import sse
from tests.faults.fake_provider.answer import Ask, prompt_tokens, respond, spoken, text_of
from tests.faults.fake_provider.openai_errors import (
    BAD_JSON,
    FIRST_ERROR_STATUS,
    JSON,
    NO_KEY,
    ApiError,
    error_reply,
    headers,
    scripted_error,
)
from tests.faults.fake_provider.openai_wire import sprinkled
from tests.faults.fake_provider.reply import Call, Event, JsonObject, Reply
from tests.faults.fake_provider.responses_checks import problem
from tests.faults.fake_provider.responses_items import Shape, call_ids, items

# Azure has its own prefix, with or without a version in the path.
PATH = re.compile(r"(/redirected)?(/openai)?(/v1)?/responses(/|$)")
COUNT = "input_tokens"
EVENT_STREAM = "text/event-stream; charset=utf-8"
# Words of reasoning where the request wants some and the script says nothing.
THOUGHTS = 6
# Stands where the text goes while an event is being cut open around it.
SLOT = "@@slot@@"
BAD_EVENT = '{"type":"response.output_text.delta","delta":'


def reply(call: Call) -> Reply:
    """Return what a well-behaved server says, or the error the script asks for."""
    head = call.script.head
    error = _refused(call)
    if error is not None:
        return error_reply(*error, call.identity)
    if head.status >= FIRST_ERROR_STATUS:
        return error_reply(head.status, scripted_error(head), call.identity)
    body = call.body or {}
    if call.path.endswith(COUNT):
        return _json_reply(call, {"object": "response.input_tokens", "input_tokens": prompt_tokens(_ask(body).messages)})
    return _response(call, body)


def _refused(call: Call) -> tuple[int, ApiError] | None:
    if not call.authorised:
        return 401, NO_KEY
    rest = PATH.sub("", call.path, count=1)
    if rest not in ("", COUNT):
        return 404, ApiError(f"Response with id '{rest.partition('/')[0]}' not found.")
    if call.method != "POST":
        return 405, ApiError(f"Not allowed to {call.method} on {call.path}.", code="method_not_supported")
    if call.body is None:
        return 400, BAD_JSON
    return problem(call.body, counting=bool(rest))


def _response(call: Call, body: JsonObject) -> Reply:
    content = call.script.content
    wanted = body.get("reasoning") or {}
    thinks = (wanted.get("effort") or "none") != "none" or bool(wanted.get("summary"))
    if thinks and not content.reasoning:
        content = replace(content, reasoning=THOUGHTS)
    answer = respond(_ask(body), content)
    choice = answer.choices[0]
    included = body.get("include") or ()
    wants_logprobs = "message.output_text.logprobs" in included or content.logprobs
    shape = Shape(
        identity=call.identity,
        content=content,
        stored=body.get("store") is not False,
        summary=wanted.get("summary") or wanted.get("generate_summary"),
        encrypted="reasoning.encrypted_content" in included,
        logprobs=body.get("top_logprobs") or 0 if wants_logprobs else None,
    )
    # A text said before calls counts as well.
    before = 0 if choice.tokens or choice.refusal else len(spoken(choice, content))
    usage = replace(answer.usage, completion=answer.usage.completion + before)
    made = wire.Response(body, shape, choice, items(choice, shape), usage, scripted_error(call.script.head))
    return _stream(call, made) if body.get("stream") else _whole(call, made)


def _whole(call: Call, made: wire.Response) -> Reply:
    body = _changed(call, wire.whole(made))
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": SLOT}
    message = {"id": "msg_0", "type": "message", "status": "completed", "content": [part], "role": "assistant"}
    return _ok(
        call,
        events=(Event(_pretty(body), tokens=made.usage.completion, text=_text(made)),),
        around_text=_around(_pretty(body | {"output": [message]})),
        error_event=_pretty(scripted_error(call.script.head).to_json()),
        said=_said(made),
    )


def _stream(call: Call, made: wire.Response) -> Reply:
    options = made.request.get("stream_options") or {}
    if options.get("include_obfuscation") is False:
        content = replace(made.shape.content, obfuscation=False)
        made = replace(made, shape=replace(made.shape, content=content))
    sent = list(wire.events(made))
    end = len(sent)
    # Before its own first text a stream has no place for one, so that a foreign one goes after the start.
    text_from = next((at for at, item in enumerate(sent, 1) if item.opens_text), 2)
    last = _event(call, wire.last_event(made, end), end)
    return _ok(
        call,
        content_type=EVENT_STREAM,
        streamed=True,
        events=tuple(Event(_event(call, item.value, at), item.tokens, item.text) for at, item in enumerate(sent)),
        trailer=last if call.script.sse.done else b"",
        around_text=_around(_event(call, wire.text_delta(made, SLOT), 0)),
        error_event=_event(call, wire.error_event(scripted_error(call.script.head), end), 0),
        text_from=text_from,
        ping_from=2,
        ping=_event(call, {"type": "keepalive", "sequence_number": 0}, 0),
        bad_json=sse.event(BAD_EVENT, call.script.sse, 0, "response.output_text.delta"),
        said=_said(made),
    )


def _event(call: Call, value: JsonObject, at: int) -> bytes:
    style = call.script.sse
    return sse.event(sse.payload(_changed(call, value), style), style, at, value["type"])


def _changed(call: Call, value: JsonObject) -> JsonObject:
    return sprinkled(value) if call.script.content.unknown else value


def _ok(call: Call, *, content_type: str = JSON, **parts: Any) -> Reply:
    return Reply(status=call.script.head.status, headers=headers(call.identity), content_type=content_type, **parts)


def _json_reply(call: Call, value: JsonObject) -> Reply:
    error = _pretty(scripted_error(call.script.head).to_json())
    return _ok(call, events=(Event(_pretty(_changed(call, value))),), error_event=error)


def _pretty(value: JsonObject) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "replace")


def _around(template: bytes) -> tuple[bytes, bytes]:
    before, _, after = template.partition(SLOT.encode())
    return before, after


def _text(made: wire.Response) -> str:
    return "".join(spoken(made.choice, made.shape.content))


def _said(made: wire.Response) -> JsonObject:
    """Return the answer for the ledger, in the same words as of every dialect."""
    choice = made.choice
    ids = call_ids(choice, made.shape)
    said = {
        "text": _text(made),
        "reasoning": "".join(choice.reasoning),
        "refusal": "".join(choice.refusal),
        "tool_calls": [asdict(call) | {"id": call_id} for call, call_id in zip(choice.calls, ids, strict=True)],
        "finish_reason": made.reason or made.status,
        "items": [item.done for item in made.items],
    }
    return {"choices": [said], "usage": asdict(made.usage)}


def _ask(body: JsonObject) -> Ask:
    choice = body.get("tool_choice")
    allowed = _allowed(body, choice)
    wanted = (body.get("text") or {}).get("format") or {}
    schema = wanted.get("schema")
    if wanted.get("type") == "json_object":
        schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
    return Ask(
        messages=tuple(_neutral(body)),
        max_tokens=body.get("max_output_tokens"),
        tools=() if choice == "none" else allowed,
        must_call=_must_call(choice),
        one_call=body.get("parallel_tool_calls") is False,
        json_schema=schema,
    )


def _allowed(body: JsonObject, choice: object) -> tuple[tuple[str, JsonObject], ...]:
    """Return the functions that may be called, each with its parameters."""
    names = None
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        names = [tool.get("name") for tool in choice["tools"]]
    functions = (tool for tool in body.get("tools") or () if tool["type"] == "function")
    return tuple((tool["name"], tool.get("parameters") or {}) for tool in functions if names is None or tool["name"] in names)


def _must_call(choice: object) -> str | bool:
    if not isinstance(choice, dict):
        return choice == "required"
    if choice.get("type") == "function":
        return str(choice["name"])
    return choice.get("mode") == "required"


def _neutral(body: JsonObject) -> Iterator[JsonObject]:
    """Yield the messages as `Ask` knows them: instructions first, each result of a tool on its own."""
    if body.get("instructions"):
        yield {"role": "system", "content": body["instructions"]}
    if body.get("tools"):
        yield {"role": "system", "content": json.dumps(body["tools"])}
    given = body["input"]
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        match item.get("type", "message"):
            case "message":
                yield {"role": item["role"], "content": item["content"]}
            case "function_call":
                yield {"role": "assistant", "content": item["arguments"]}
            case "function_call_output":
                yield {"role": "tool", "content": text_of(item["output"])}
