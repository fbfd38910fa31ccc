"""Bodies, events and usage objects of the Anthropic dialect, as pure functions."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.fake_provider.answer import Choice, Usage
from tests.faults.fake_provider.anthropic_blocks import Block, Shape
from tests.faults.fake_provider.openai_wire import HUGE, UNKNOWN
from tests.faults.fake_provider.reply import JsonObject
from tests.faults.fake_provider.script import Content

STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
# What the API counts when a stream begins: the first token is on its way.
FIRST_TOKENS = 1


@dataclass(frozen=True, slots=True)
class Message:
    """One answer, ready to be written."""

    shape: Shape
    choice: Choice
    blocks: tuple[Block, ...]
    usage: Usage

    @property
    def stop_reason(self) -> str | None:
        content = self.shape.content
        if content.finish == "none":
            return None
        return content.finish or self._usual_reason()

    def _usual_reason(self) -> str:
        if self.choice.refusal:
            return "refusal"
        return "stop_sequence" if self.choice.stopped_by else STOP_REASONS[self.choice.finish]


@dataclass(frozen=True, slots=True)
class Sent:
    """One event of a stream, with what the ledger counts of it."""

    value: JsonObject
    tokens: int = 0
    text: str = ""
    text_index: int | None = None  # of the block of text that is open after it


def whole(message: Message) -> JsonObject:
    body = _envelope(message)
    body["content"] = [block.whole for block in message.blocks]
    body |= _ending(message)
    return _with_usage(body, message, _first_usage(message) | _last_usage(message))


def events(message: Message) -> Iterator[Sent]:
    """Yield all events but the last, `message_stop`."""
    begun = _with_usage(_envelope(message), message, _first_usage(message))
    yield Sent({"type": "message_start", "message": begun})
    if message.shape.content.unknown:
        yield Sent({"type": "x_fake_unknown"})
    for index, block in enumerate(message.blocks):
        yield from _block_events(index, block)
    ended: JsonObject = {"type": "message_delta", "delta": _ending(message)}
    yield Sent(_with_usage(ended, message, _last_usage(message)))


def text_delta(index: int, text: str) -> JsonObject:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}


def strange(value: JsonObject) -> JsonObject:
    """Return the object with an unknown field in it and in those below; the input of a tool stays what it is."""
    return {name: part if name == "input" else _strange(part) for name, part in value.items()} | UNKNOWN


def _strange(value: object) -> object:
    if isinstance(value, dict):
        return strange(value)
    return [_strange(part) for part in value] if isinstance(value, list) else value


def _block_events(index: int, block: Block) -> Iterator[Sent]:
    open_text = index if block.opening["type"] == "text" else None
    yield Sent({"type": "content_block_start", "index": index, "content_block": block.opening}, text_index=open_text)
    if index == 0:
        yield Sent({"type": "ping"}, text_index=open_text)
    for piece in block.pieces:
        delta = {"type": "content_block_delta", "index": index, "delta": piece.delta}
        yield Sent(delta, piece.tokens, piece.text, open_text)
    yield Sent({"type": "content_block_stop", "index": index})


def _envelope(message: Message) -> JsonObject:
    shape = message.shape
    return {
        "model": shape.model,
        "id": shape.id("msg", "message"),
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }


def _ending(message: Message) -> JsonObject:
    refused = "".join(message.choice.refusal)
    details = {"type": "refusal", "category": None, "explanation": refused} if refused else None
    return {
        "stop_reason": message.stop_reason,
        "stop_sequence": message.choice.stopped_by,
        "stop_details": details,
    }


def _with_usage(body: JsonObject, message: Message, usage: object) -> JsonObject:
    match message.shape.content.usage:
        case "none":
            return body
        case "null":
            return body | {"usage": None}
        case _:
            return body | {"usage": usage}


def _first_usage(message: Message) -> JsonObject:
    content = message.shape.content
    by_age = {"ephemeral_5m_input_tokens": content.cache_write, "ephemeral_1h_input_tokens": content.cache_write_1h}
    return _counts(message, FIRST_TOKENS) | {"cache_creation": by_age, "service_tier": "standard", "inference_geo": "not_available"}


def _last_usage(message: Message) -> JsonObject:
    """Return the counts at the end, all cumulative."""
    counts = _counts(message, message.usage.completion)
    if message.usage.reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": message.usage.reasoning}
    if message.shape.content.server_tool:
        counts["server_tool_use"] = {"web_search_requests": 1, "web_fetch_requests": 0}
    return counts


def _counts(message: Message, output: int) -> JsonObject:
    """Return the counts so far; the input is what neither came from the cache nor went there."""
    content, usage = message.shape.content, message.usage
    counts: JsonObject = {
        "input_tokens": usage.prompt,
        "cache_creation_input_tokens": content.cache_write + content.cache_write_1h,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": output,
    }
    return counts | _wrong(usage, output, content)


def _wrong(usage: Usage, output: int, content: Content) -> JsonObject:
    match content.usage:
        case "negative":
            return {"input_tokens": -5, "output_tokens": -7}
        case "huge":
            return {"input_tokens": HUGE, "output_tokens": HUGE}
        case "zero":
            return {"input_tokens": 0, "output_tokens": 0}
        case "text":
            return {"input_tokens": str(usage.prompt), "output_tokens": str(output)}
        case _:
            return {}
