"""A TGI server's chat completions: what it refuses, and what it says, whole and streamed."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tests.faults.fake_provider import huggingface_errors as errors
from tests.faults.fake_provider import huggingface_wire as wire
from tests.faults.fake_provider import sse
from tests.faults.fake_provider.answer import Answer, Ask, respond
from tests.faults.fake_provider.reply import Call, Event, JsonObject, Reply
from tests.faults.fake_provider.script import base_of

EVENT_STREAM = "text/event-stream"
TEXT = "text/plain; charset=utf-8"
MOST_STOPS = 4
MOST_TOP = 5
DONE = "[DONE]"
# Stands where the text goes while a body is being cut open around it.
SLOT = "@@slot@@"
_HEADERS = (("x-compute-type", "1-fake-gpu"), ("x-accel-buffering", "no"))
_FORMATS = ("json", "json_object", "json_schema", "regex")


def chat(call: Call) -> Reply:
    """Return the answer, or why there is none."""
    body = call.body or {}
    misshapen = _misshapen(body)
    if misshapen is not None:
        text = f"Failed to deserialize the JSON body into the target type: {misshapen}"
        return Reply(422, (), TEXT, (Event(text.encode()),), said={"error": text})
    head = call.script.head
    if head.status >= errors.FIRST_ERROR_STATUS:
        return errors.plain(head.status, *errors.scripted(head, errors.TGI))
    shape = _shape(call, body)
    wrong = _wrong(body)
    if wrong is not None and not body.get("stream"):
        return errors.plain(422, wrong, "validation")
    if wrong is not None:  # it has begun to stream before it looks
        late = errors.event(wrong)
        return _streamed(call, (_event(call, late),), shape, said=late)
    answer = respond(_ask(body), call.script.content)
    return _stream(call, answer, shape) if body.get("stream") else _whole(call, answer, shape)


def _misshapen(body: JsonObject) -> str | None:
    """Return what does not fit the types of the request, None for what does."""
    if not isinstance(body.get("messages"), list):
        return "missing field `messages`"
    for tool in body.get("tools") or ():
        if not {"parameters", "arguments"} & tool["function"].keys():
            return "tools[0].function: missing field `arguments`"
    wanted = body.get("response_format")
    if wanted is None:
        return None
    if wanted.get("type") not in _FORMATS:
        return f"response_format: unknown variant `{wanted.get('type')}`, expected one of `json`, `regex`, `json_schema`"
    return None if "value" in wanted else "response_format: missing field `value`"


def _wrong(body: JsonObject) -> str | None:
    """Return what it refuses about a request of the right types, None for a good one."""
    checks = (
        ((body.get("temperature") or 0) >= 0, "`temperature` must be strictly positive"),
        (0 < (body.get("top_p") or 0.5) < 1, "`top_p` must be > 0.0 and < 1.0"),
        (len(_stops(body)) <= MOST_STOPS, f"`stop` supports up to {MOST_STOPS} stop sequences. Given: {len(_stops(body))}"),
        ((body.get("top_logprobs") or 0) <= MOST_TOP, f"`top_n_tokens` must be >= 0 and <= {MOST_TOP}. Given: {body.get('top_logprobs')}"),
    )
    wrong = next((text for good, text in checks if not good), None)
    return None if wrong is None else f"Input validation error: {wrong}"


def _whole(call: Call, answer: Answer, shape: wire.Shape) -> Reply:
    body = wire.whole(answer, shape)
    template = json.loads(json.dumps(body))
    template["choices"][0]["message"]["content"] = SLOT
    return Reply(
        status=call.script.head.status,
        headers=_HEADERS,
        content_type=errors.JSON,
        events=(Event(_json(body), answer.usage.completion, answer.choices[0].text),),
        around_text=_around(_json(template)),
        error_event=_json(errors.late(call.script.head)),
        said=_said(answer, shape),
    )


def _stream(call: Call, answer: Answer, shape: wire.Shape) -> Reply:
    events = [_event(call, wire.chunk(delta, shape), number, delta) for number, delta in enumerate(wire.deltas(answer, shape))]
    if shape.usage and shape.content.usage != "none":
        events.append(_event(call, wire.usage_chunk(answer, shape), len(events)))
    return _streamed(call, tuple(events), shape, said=_said(answer, shape))


def _streamed(call: Call, events: tuple[Event, ...], shape: wire.Shape, said: JsonObject) -> Reply:
    style = call.script.sse
    return Reply(
        status=200,
        headers=_HEADERS,
        content_type=EVENT_STREAM,
        streamed=True,
        events=events,
        trailer=sse.event(DONE, style, len(events)) if style.done else b"",
        around_text=_around(_event(call, wire.chunk(wire.Delta({"content": SLOT}), shape)).data),
        error_event=_event(call, errors.late(call.script.head)).data,
        said=said,
    )


def _event(call: Call, value: JsonObject, number: int = 0, delta: wire.Delta | None = None) -> Event:
    data = sse.event(sse.payload(value, call.script.sse), call.script.sse, number)
    return Event(data, delta.tokens, delta.text) if delta else Event(data)


def _shape(call: Call, body: JsonObject) -> wire.Shape:
    wanted = body.get("logprobs") or call.script.content.logprobs
    usage = bool((body.get("stream_options") or {}).get("include_usage")) or call.script.content.usage == "always"
    return wire.Shape(
        model=base_of(body.get("model") or "tgi"),
        created=call.identity.created,
        content=call.script.content,
        logprobs=body.get("top_logprobs") or 0 if wanted else None,
        usage=usage or not body.get("stream"),
    )


def _ask(body: JsonObject) -> Ask:
    tools = tuple((tool["function"]["name"], tool["function"].get("parameters") or {}) for tool in body.get("tools") or ())
    choice = body.get("tool_choice")
    named = choice["function"]["name"] if isinstance(choice, dict) else None
    return Ask(
        messages=body["messages"],
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stop=_stops(body),
        tools=() if choice == "none" else tools,
        must_call=named or choice == "required",
        json_schema=_schema(body.get("response_format") or {}),
        one_call=True,
    )


def _schema(wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if wanted.get("type") == "json_schema":
        schema: Mapping[str, Any] = wanted["value"]["schema"]
        return schema
    return wanted.get("value") if wanted.get("type") in ("json", "json_object") else None


def _stops(body: JsonObject) -> tuple[str, ...]:
    stop = body.get("stop") or ()
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _said(answer: Answer, shape: wire.Shape) -> JsonObject:
    """Return the answer for the ledger, in the same words as of every dialect."""
    choice = answer.choices[0]
    said = {
        "text": choice.text,
        "reasoning": "",
        "refusal": "",
        "tool_calls": [asdict(call) | {"id": wire.CALL_ID} for call in choice.calls],
        "finish_reason": wire.reason_of(choice, shape.content),
    }
    return {"choices": [said], "usage": asdict(answer.usage)}


def _around(template: bytes) -> tuple[bytes, bytes]:
    before, _, after = template.partition(SLOT.encode())
    return before, after


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
