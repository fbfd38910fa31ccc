"""Bodies and chunks of a TGI server's chat completions, as pure functions: OpenAI's in most, with habits of its own.

One answer, one call at most; the id is empty; every delta names the role; a stream that ends with a call gives no reason.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.fake_provider.answer import Answer, Choice, ToolCall
from tests.faults.fake_provider.openai_wire import finish_of, logprob, sprinkled, usage_object
from tests.faults.fake_provider.reply import JsonObject
from tests.faults.fake_provider.script import Content
from tests.faults.fake_provider.words import count_tokens

FINGERPRINT = "3.3.5-sha-06d9d88"
CALL_ID = "0"


@dataclass(frozen=True, slots=True)
class Delta:
    """One change, with what the ledger counts of it."""

    fields: JsonObject
    tokens: int = 0
    text: str = ""
    finish: str | None = None
    logprobs: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """How the request and the script want the answer written."""

    model: str
    created: int
    content: Content
    logprobs: int | None = None  # None: not asked; else how many alternatives
    usage: bool = True


def whole(answer: Answer, shape: Shape) -> JsonObject:
    choice = answer.choices[0]
    message: JsonObject = {"role": "assistant", "content": choice.text}
    if choice.calls:
        called = choice.calls[0]
        function = {"description": None, "name": called.name, "arguments": _compact(called)}
        message = {"role": "assistant", "tool_calls": [{"id": CALL_ID, "type": "function", "function": function}]}
    body = _envelope("chat.completion", shape)
    logprobs = _logprobs(choice.tokens, shape)
    body["choices"] = [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": reason_of(choice, shape.content)}]
    if shape.content.usage != "none":
        body["usage"] = _usage(answer, shape)
    return sprinkled(body) if shape.content.unknown else body


def chunk(delta: Delta, shape: Shape) -> JsonObject:
    body = _envelope("chat.completion.chunk", shape)
    fields = {"role": "assistant"} | delta.fields
    body["choices"] = [{"index": 0, "delta": fields, "logprobs": delta.logprobs, "finish_reason": delta.finish}]
    body["usage"] = None
    return sprinkled(body) if shape.content.unknown else body


def usage_chunk(answer: Answer, shape: Shape) -> JsonObject:
    body = _envelope("chat.completion.chunk", shape)
    body["choices"] = []
    body["usage"] = _usage(answer, shape)
    return sprinkled(body) if shape.content.unknown else body


def deltas(answer: Answer, shape: Shape) -> Iterator[Delta]:
    """Yield the changes. A token that ends the text is one of its own, without words; one that reaches the length is not."""
    choice = answer.choices[0]
    if choice.calls:
        yield from _call_deltas(choice.calls[0], shape.content)
        return
    finish = reason_of(choice, shape.content)
    last = len(choice.tokens) - 1 if finish == "length" else None
    for at, token in enumerate(choice.tokens):
        yield Delta({"content": token}, 1, token, finish if at == last else None, _logprobs((token,), shape))
    if last is None and finish is not None:
        yield Delta({"content": ""}, finish=finish)


def reason_of(choice: Choice, content: Content) -> str | None:
    """Return why it ended: a call is nothing special."""
    said = finish_of(choice, content)
    if said == "tool_calls":
        return "stop"
    return "stop_sequence" if choice.stopped_by and not content.finish else said


def _call_deltas(call: ToolCall, content: Content) -> Iterator[Delta]:
    """Yield the name with the brace that opens the arguments, then the rest of them; each of them repeats the id."""
    text, size = _compact(call), max(1, content.tool_piece)
    yield _call_delta(call.name, text[:1], 1)
    rest = text[1:]
    for at in range(0, len(rest), size):
        yield _call_delta(None, rest[at : at + size], count_tokens(text) if at + size >= len(rest) else 0)
    if content.finish:
        yield Delta({"content": ""}, finish=content.finish)


def _call_delta(name: str | None, arguments: str, tokens: int) -> Delta:
    call = {"index": 0, "id": CALL_ID, "type": "function", "function": {"name": name, "arguments": arguments}}
    return Delta({"tool_calls": [call]}, tokens=tokens)


def _compact(call: ToolCall) -> str:
    try:
        return json.dumps(json.loads(call.arguments), ensure_ascii=False, separators=(",", ":"))
    except json.JSONDecodeError:
        return call.arguments


def _envelope(kind: str, shape: Shape) -> JsonObject:
    return {"object": kind, "id": "", "created": shape.created, "model": shape.model, "system_fingerprint": FINGERPRINT}


def _usage(answer: Answer, shape: Shape) -> object:
    usage = usage_object(answer.usage, shape.content)
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: usage[name] for name in names} if isinstance(usage, dict) else usage


def _logprobs(tokens: tuple[str, ...], shape: Shape) -> JsonObject | None:
    if shape.logprobs is None:
        return None
    found = [logprob(token, shape.logprobs) for token in tokens]
    return {"content": [_without_bytes(one) for one in found]}


def _without_bytes(one: JsonObject) -> JsonObject:
    top = [{"token": other["token"], "logprob": other["logprob"]} for other in one["top_logprobs"]]
    return {"token": one["token"], "logprob": one["logprob"], "top_logprobs": top}
