"""Bodies, chunks and usage objects of the OpenAI dialect, as pure functions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from tests.faults.fake_provider.answer import Answer, Choice, ToolCall, Usage
from tests.faults.fake_provider.reply import Identity, JsonObject
from tests.faults.fake_provider.script import Content
from tests.faults.fake_provider.words import count_tokens

HUGE = 10**18
TOP_WORDS = ("the", "a", "this", "one", "some")
OBFUSCATION_CYCLE = 13
UNKNOWN = {"x_fake_unknown": {"nested": [1, {"deep": None}], "text": "kept?"}}


@dataclass(frozen=True, slots=True)
class Delta:
    """One change of one choice, with what the ledger counts of it."""

    index: int
    fields: JsonObject
    tokens: int = 0
    text: str = ""
    finish: str | None = None
    logprobs: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """How the request and the script want the answer written."""

    model: str
    identity: Identity
    content: Content
    logprobs: int | None = None  # None: not asked; else how many alternatives
    usage: bool = True


def whole(answer: Answer, shape: Shape) -> JsonObject:
    body = _envelope(shape, "chat.completion")
    body["choices"] = [_whole_choice(choice, shape) for choice in answer.choices]
    if shape.content.usage != "none":
        body["usage"] = usage_object(answer.usage, shape.content)
    body["service_tier"] = "default"
    body["system_fingerprint"] = _fingerprint(shape)
    return _finished(body, shape)


def chunk(delta: Delta, shape: Shape, number: int) -> JsonObject:
    body = _chunk_envelope(shape)
    body["choices"] = [
        {
            "index": delta.index,
            "delta": delta.fields,
            "logprobs": delta.logprobs,
            "finish_reason": delta.finish,
        }
    ]
    return _closed_chunk(body, None, shape, number)


def usage_chunk(answer: Answer, shape: Shape, number: int) -> JsonObject:
    body = _chunk_envelope(shape)
    body["choices"] = []
    usage = usage_object(answer.usage, shape.content)
    return _closed_chunk(body, usage, shape, number)


def deltas(answer: Answer, shape: Shape) -> Iterator[Delta]:
    """Yield the changes of all choices, interleaved as they come with n > 1."""
    streams = [list(_choice_deltas(choice, shape)) for choice in answer.choices]
    for row in zip_longest(*streams):
        yield from (delta for delta in row if delta is not None)


def usage_object(usage: Usage, content: Content) -> object:
    match content.usage:
        case "null":
            return None
        case "negative":
            return _usage(-5, -7, usage)
        case "huge":
            return _usage(HUGE, HUGE, usage)
        case "zero":
            return _usage(0, 0, usage)
        case "text":
            return {name: str(count) for name, count in _counts(usage).items()}
        case _:
            return _usage(usage.prompt, usage.completion, usage)


def tool_call(call: ToolCall, position: int, calls: tuple[ToolCall, ...], ids: str) -> JsonObject:
    """Return one call with its id as the script wants it: right, or wrong."""
    body: JsonObject = {"id": call.id, "type": "function"}
    match ids:
        case "same":
            body["id"] = calls[0].id
        case "blank":
            body["id"] = ""
        case "null":
            body["id"] = None
        case "missing":
            del body["id"]
        case _:
            pass
    body["function"] = {"name": call.name, "arguments": call.arguments}
    return body


def finish_of(choice: Choice, content: Content) -> str | None:
    if content.finish == "none":
        return None
    return content.finish or choice.finish


def reasoning_fields(text: str, content: Content) -> JsonObject:
    match content.reasoning_field:
        case "both":
            return {"reasoning_content": text, "reasoning": text}
        case "hidden":
            return {}
        case name:
            return {name: text}


def logprob(token: str, alternatives: int) -> JsonObject:
    """Return one position; the probabilities follow from the token's length."""
    top = [_ranked(token, 0), *(_ranked(word, 1) for word in TOP_WORDS)]
    return _ranked(token, 0) | {"top_logprobs": top[:alternatives]}


def _ranked(token: str, rank: int) -> JsonObject:
    value = -math.log1p(len(token)) / 8 - 2 * rank
    return {"token": token, "logprob": value, "bytes": list(token.encode())}


def _choice_deltas(choice: Choice, shape: Shape) -> Iterator[Delta]:
    content, index = shape.content, choice.index
    yield Delta(index, _first_fields(choice), logprobs=_no_logprobs(shape))
    for token in choice.reasoning:
        fields = reasoning_fields(token, content)
        if fields:
            yield Delta(index, fields, tokens=1)
    for token in choice.tokens:
        probs = _logprobs((token,), (), shape)
        yield Delta(index, {"content": token}, 1, token, logprobs=probs)
    for token in choice.refusal:
        probs = _logprobs((), (token,), shape)
        yield Delta(index, {"refusal": token}, 1, logprobs=probs)
    for position in range(len(choice.calls)):
        yield from _call_deltas(choice, position, content)
    finish = finish_of(choice, content)
    if finish is not None:
        yield Delta(index, {}, finish=finish)


def _first_fields(choice: Choice) -> JsonObject:
    if choice.calls:
        return {"role": "assistant", "content": None}
    return {"role": "assistant", "content": "", "refusal": None}


def _call_deltas(choice: Choice, position: int, content: Content) -> Iterator[Delta]:
    call = choice.calls[position]
    opening = tool_call(call, position, choice.calls, content.tool_ids)
    opening["function"]["arguments"] = ""
    yield Delta(choice.index, _call_fields({"index": position} | opening), tokens=1)
    size = max(1, content.tool_piece)
    last = len(call.arguments) - size
    for at in range(0, len(call.arguments), size):
        piece = {"arguments": call.arguments[at : at + size]}
        fields = _call_fields({"index": position, "function": piece})
        # All words of the arguments count once the last piece of them is out.
        tokens = count_tokens(call.arguments) if at >= last else 0
        yield Delta(choice.index, fields, tokens=tokens)


def _call_fields(call: JsonObject) -> JsonObject:
    return {"tool_calls": [call]}


def _whole_choice(choice: Choice, shape: Shape) -> JsonObject:
    content = shape.content
    message: JsonObject = {
        "role": "assistant",
        "content": choice.text if choice.tokens else None,
        "refusal": "".join(choice.refusal) if choice.refusal else None,
        "annotations": [],
    }
    if not (choice.tokens or choice.refusal or choice.calls):
        message["content"] = ""
    if choice.calls:
        message["tool_calls"] = [tool_call(call, position, choice.calls, content.tool_ids) for position, call in enumerate(choice.calls)]
    if choice.reasoning:
        message |= reasoning_fields("".join(choice.reasoning), content)
    return {
        "index": choice.index,
        "message": message,
        "logprobs": _logprobs(choice.tokens, choice.refusal, shape),
        "finish_reason": finish_of(choice, content),
    }


def _logprobs(tokens: tuple[str, ...], refusal: tuple[str, ...], shape: Shape) -> JsonObject | None:
    if shape.logprobs is None:
        return None
    top = shape.logprobs
    return {
        "content": [logprob(token, top) for token in tokens] if not refusal else None,
        "refusal": [logprob(token, top) for token in refusal] if refusal else None,
    }


def _no_logprobs(shape: Shape) -> JsonObject | None:
    return None if shape.logprobs is None else {"content": [], "refusal": None}


def _counts(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    }


def _usage(prompt: int, completion: int, usage: Usage) -> JsonObject:
    counts = _counts(Usage(prompt, completion, 0, 0))
    return counts | {
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _envelope(shape: Shape, kind: str) -> JsonObject:
    return {
        "id": f"chatcmpl-{shape.identity.hexes('id', 29)}",
        "object": kind,
        "created": shape.identity.created,
        "model": shape.model,
    }


def _chunk_envelope(shape: Shape) -> JsonObject:
    body = _envelope(shape, "chat.completion.chunk")
    body["service_tier"] = "default"
    body["system_fingerprint"] = _fingerprint(shape)
    return body


def _closed_chunk(body: JsonObject, usage: object, shape: Shape, number: int) -> JsonObject:
    if shape.usage and shape.content.usage != "none":
        body["usage"] = usage
    if shape.content.obfuscation:
        padding = shape.identity.hexes(f"pad {number}", 1 + number % OBFUSCATION_CYCLE)
        body["obfuscation"] = padding
    return _finished(body, shape)


def _finished(body: JsonObject, shape: Shape) -> JsonObject:
    return sprinkled(body) if shape.content.unknown else body


def sprinkled(value: object) -> JsonObject:
    """Return the object with an unknown field in it and in every object below."""
    if not isinstance(value, dict):
        raise TypeError(value)
    return {name: _sprinkled(part) for name, part in value.items()} | UNKNOWN


def _sprinkled(value: object) -> object:
    if isinstance(value, dict):
        return sprinkled(value)
    if isinstance(value, list):
        return [_sprinkled(part) for part in value]
    return value


def _fingerprint(shape: Shape) -> str:
    return f"fp_{Identity(0, 0).hexes(shape.model, 10)}"
