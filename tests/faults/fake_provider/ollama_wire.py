"""Lines of the Ollama dialect, as pure functions: a whole answer is one line, a stream many."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.fake_provider.answer import Answer, Choice, Usage
from tests.faults.fake_provider.gemini_parts import arguments, broken_call, call_ids
from tests.faults.fake_provider.gemini_wire import strange
from tests.faults.fake_provider.openai_wire import HUGE, logprob
from tests.faults.fake_provider.reply import Identity, JsonObject
from tests.faults.fake_provider.script import Content
from tests.faults.fake_provider.words import count_tokens

TOKEN_NS = 20_000_000
LOAD_NS = 31_415_926
# What the server's own writer of JSON escapes beside the usual.
ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
# Counts of the prompt and the answer that are not true.
WRONG_COUNTS = {"null": (None, None), "negative": (-5, -7), "huge": (HUGE, HUGE), "zero": (0, 0)}


@dataclass(frozen=True, slots=True)
class Shape:
    """How the request and the script want the answer written."""

    model: str
    identity: Identity
    content: Content
    logprobs: int | None = None  # None: not asked; else how many alternatives


@dataclass(frozen=True, slots=True)
class Piece:
    """One line's message, with what the ledger counts of it."""

    message: JsonObject
    tokens: int = 1
    text: str = ""


def line(value: JsonObject, content: Content) -> bytes:
    """Return an object as the server writes it, without the end of the line."""
    made = strange(value) if content.unknown else value
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
    return text.translate(ESCAPES).encode("utf-8", "replace")


def pieces(choice: Choice, shape: Shape) -> Iterator[Piece]:
    """Yield the messages of a stream before its last line."""
    if shape.content.reasoning_field != "hidden":
        for token in choice.reasoning:
            yield Piece({"content": "", "thinking": token})
    for token in (*choice.tokens, *choice.refusal):
        yield Piece({"content": token}, text=token)
    for at, call in enumerate(() if broken_call(choice) else calls(choice, shape.content)):
        yield Piece({"content": "", "tool_calls": [call]}, 1 + count_tokens(choice.calls[at].arguments))


def calls(choice: Choice, content: Content) -> list[JsonObject]:
    """Return the calls; where they have ids, as newer servers give, they have a place as well."""
    made = zip(choice.calls, call_ids(choice, content), strict=True)
    newer = content.tool_ids == "given"
    return [
        {**call_id, "function": ({"index": at} if newer else {}) | {"name": call.name, "arguments": arguments(call)}}
        for at, (call, call_id) in enumerate(made)
    ]


def streamed(piece: Piece, shape: Shape, number: int) -> JsonObject:
    tokens = [piece.text] if piece.text else []
    return _envelope(shape, number, piece.message) | {"done": False} | _logprobs(tokens, shape)


def ended(answer: Answer, shape: Shape, number: int) -> JsonObject:
    """Return the last line of a stream: no text, all counts."""
    return _envelope(shape, number, {"content": ""}) | _closing(answer, shape)


def whole(answer: Answer, shape: Shape) -> JsonObject:
    choice = answer.choices[0]
    message: JsonObject = {"content": choice.text + "".join(choice.refusal)}
    if choice.reasoning and shape.content.reasoning_field != "hidden":
        message["thinking"] = "".join(choice.reasoning)
    if choice.calls:
        message["tool_calls"] = calls(choice, shape.content)
    tokens = [*choice.tokens, *choice.refusal]
    return _envelope(shape, 0, message) | _closing(answer, shape) | _logprobs(tokens, shape)


def loaded(shape: Shape, *, unloads: bool) -> JsonObject:
    """Return the answer to no messages at all: the model is loaded, or leaves."""
    reason = "unload" if unloads else "load"
    return _envelope(shape, 0, {"content": ""}) | {"done": True, "done_reason": reason}


def finish_of(choice: Choice, content: Content) -> str | None:
    if content.finish == "none":
        return None
    return content.finish or ("length" if choice.finish == "length" else "stop")


def _envelope(shape: Shape, number: int, message: JsonObject) -> JsonObject:
    return {"model": shape.model, "created_at": _moment(shape.identity, number), "message": {"role": "assistant", **message}}


def _moment(identity: Identity, number: int) -> str:
    """Return the time of a line with its nanoseconds; each token takes the same time."""
    seconds, rest = divmod(LOAD_NS + number * TOKEN_NS, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(identity.created + seconds))}.{rest:09d}Z"


def _closing(answer: Answer, shape: Shape) -> JsonObject:
    finish = finish_of(answer.choices[0], shape.content)
    reason = {} if finish is None else {"done_reason": finish}
    counts = _counts(answer.usage, shape.content)
    times = _times(answer.usage)
    return {"done": True} | reason | times | counts


def _times(usage: Usage) -> JsonObject:
    prompt_ns, answer_ns = usage.prompt * TOKEN_NS // 10, usage.completion * TOKEN_NS
    return {
        "total_duration": LOAD_NS + prompt_ns + answer_ns,
        "load_duration": LOAD_NS,
        "prompt_eval_duration": prompt_ns,
        "eval_duration": answer_ns,
    }


def _counts(usage: Usage, content: Content) -> JsonObject:
    names = ("prompt_eval_count", "eval_count")
    if content.usage in WRONG_COUNTS:
        return dict(zip(names, WRONG_COUNTS[content.usage], strict=True))
    counts = dict(zip(names, (usage.prompt, usage.completion), strict=True))
    match content.usage:
        case "none":
            return {}
        case "text":
            return {name: str(count) for name, count in counts.items()}
        case _:
            # The server leaves out a count of zero.
            return {name: count for name, count in counts.items() if count}


def _logprobs(tokens: list[str], shape: Shape) -> JsonObject:
    if shape.logprobs is None or not tokens:
        return {}
    found = [logprob(token, shape.logprobs) for token in tokens]
    return {"logprobs": found if shape.logprobs else [{name: one[name] for name in one if name != "top_logprobs"} for one in found]}
