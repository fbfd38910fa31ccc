"""Answers of messages, whole or in events."""

import orjson

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import Origin, OutputSchemaMismatch
from promptwire_server.core.estimate import tokens_of
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Event
from promptwire_server.providers.answer import Answer
from promptwire_server.providers.anthropic.block import Block
from promptwire_server.providers.anthropic.errors import error_in
from promptwire_server.providers.anthropic.finish import reason_of
from promptwire_server.providers.anthropic.usage import fill_usage, unknown_usage
from promptwire_server.providers.failed import failed
from promptwire_server.providers.growing import Growing
from promptwire_server.providers.json_value import Json, JsonObject, list_in, object_in, parsed_object, text_in
from promptwire_server.providers.lane import Lane

_STOP = "message_stop"
_KNOWN = frozenset({"id", "type", "role", "model", "content", "usage", "stop_reason", "stop_sequence", "stop_details", "error"})
_KNOWN_IN_EVENT = frozenset({"type", "index", "message", "content_block", "delta", "usage"})
_NOTED = ("stop_sequence", "stop_details")  # of a candidate, beside its reason
_EMPTY: JsonObject = {}


class MessageAnswer(Answer):
    """See Answer. There is one candidate."""

    __slots__ = ("_blocks", "_json", "_lane", "_text", "_text_at", "_usage")

    def __init__(self, call: Call, provider: str, ids: Ids, *, json: str = "") -> None:
        """`json` is what the text was asked in words to be: "object", "value", or nothing."""
        super().__init__(call, provider, ids)
        self._lane = self.lane(0)
        self._blocks: dict[int, Block] = {}  # those that are under way
        self._text: Growing | None = None  # the text that grows at present, for the fast path
        self._text_at: Json = None  # the number of its block
        self._usage: JsonObject = {}
        self._json = json

    def from_event(self, name: str, data: str, out: list[Event]) -> None:
        """See Answer."""
        event = self.parsed(data)
        delta = event.get("delta")
        # Most events are this: one more piece of the text and nothing else.
        if (
            self._text is not None
            and isinstance(delta, dict)
            and delta.get("type") == "text_delta"
            and event.get("index") == self._text_at
            and len(event) == 3  # noqa: PLR2004 - type, index and delta
            and len(delta) == 2  # noqa: PLR2004 - type and text
            and isinstance(text := delta.get("text"), str)
            and text
        ):
            self.piece(self._text, text, out)
            return
        self.flush(out)
        self._event(text_in(event.get("type")) or name, event, out)

    def from_wire(self, body: JsonObject, out: list[Event]) -> None:
        """See Answer."""
        if body.get("type") == "error" or "error" in body:
            raise error_in(body, provider=self.provider, model=self.model)
        if not isinstance(body.get("content"), list):
            raise failed(self.provider, "its answer has no content")
        self._message(body, out, last=True)
        self._check_json()

    def cut_off(self, rest: str, out: list[Event]) -> None:
        """The last event counts without its blank line."""
        if (parsed_object(rest) or _EMPTY).get("type") != _STOP:
            super().cut_off(rest, out)
        self.end(out)

    def check_end(self) -> None:
        """See Answer. Raises OutputSchemaMismatch when JSON was asked for in words and something else came."""
        super().check_end()
        self._check_json()

    def reason_of(self, lane: Lane) -> "pb.FinishReason":
        """See Answer."""
        return reason_of(lane.finish, lane.kinds())

    def usage_from_wire(self, usage: pb.Usage, notices: list[pb.Notice]) -> None:
        """See Answer."""
        fill_usage(usage, self._usage, notices, prompt=self.asked_tokens, said=self.said_tokens)
        if unknown := unknown_usage(self._usage):
            self.extras["usage"] = unknown

    def hidden_bytes(self) -> int:
        """See Answer."""
        return super().hidden_bytes() + sum(block.hidden_bytes() for block in self._blocks.values())

    def said_tokens(self) -> int:
        """See Answer. Why the vendor refused is its own explanation, and costs nothing."""
        return tokens_of(sum(part.characters() for part in self._lane.parts if part.kind != "refusal"))

    def _event(self, kind: str, event: JsonObject, out: list[Event]) -> None:
        match kind:
            case "content_block_delta":
                self._block(event).take(object_in(event.get("delta")), out)
            case "content_block_start":
                self._begin_block(event.get("index"), object_in(event.get("content_block")), out)
            case "content_block_stop":
                self._end_block(event, out)
            case "message_start":
                self._message(object_in(event.get("message")), out, last=False)
            case "message_delta":
                self._ending(object_in(event.get("delta")), out)
                self._count(event.get("usage"), last=True)
            case "message_stop":
                for block in self._blocks.values():
                    block.end(out)
                self.end(out)
            case "error":
                raise error_in(event, provider=self.provider, model=self.model)
            case _:
                return  # pings, and what newer servers may send: the vendor asks to pass over it
        self._note(event, _KNOWN_IN_EVENT)

    def _message(self, message: JsonObject, out: list[Event], *, last: bool) -> None:
        """The answer's frame; of an answer that is one object also all that is in it, which is `last`."""
        self.response_id = text_in(message.get("id")) or self.response_id
        self.model = text_in(message.get("model")) or self.model
        for item in list_in(message.get("content")):
            block = Block(object_in(item), self._lane)
            block.begin(out)
            block.end(out)
        self._count(message.get("usage"), last=last)
        self._ending({name: message[name] for name in ("stop_reason", *_NOTED) if name in message}, out)
        self._note(message, _KNOWN)

    def _begin_block(self, index: Json, item: JsonObject, out: list[Event]) -> None:
        if not isinstance(index, int) or index in self._blocks:
            raise failed(self.provider, "it began a block without a number of its own")
        block = self._blocks[index] = Block(item, self._lane)
        block.begin(out)
        if block.kind == "text":
            self._text, self._text_at = block.part, index

    def _end_block(self, event: JsonObject, out: list[Event]) -> None:
        block = self._block(event)
        del self._blocks[self._number_of(event)]
        if block.part is self._text:
            self._text = None
        block.end(out)

    def _block(self, event: JsonObject) -> Block:
        block = self._blocks.get(self._number_of(event))
        if block is None:
            raise failed(self.provider, "it sent a piece of a block that is not under way")
        return block

    def _number_of(self, event: JsonObject) -> int:
        index = event.get("index")
        if not isinstance(index, int):
            raise failed(self.provider, "it sent a piece of a block without a number")
        return index

    def _ending(self, fields: JsonObject, out: list[Event]) -> None:
        if reason := text_in(fields.get("stop_reason")):
            self._lane.finish = reason
        for name in _NOTED:
            if fields.get(name) is not None:
                self._lane.extras[name] = fields[name]
        details = object_in(fields.get("stop_details"))
        if details.get("type") == "refusal" and "refusal" not in self._lane.kinds():
            self._lane.plain("refusal", details.get("explanation"), out)
        self._note(fields, _KNOWN)

    def _count(self, usage: Json, *, last: bool) -> None:
        """Take counts over; all are totals. The output that is said before the end is a beginning, no count."""
        for name, value in object_in(usage).items():
            if value is not None and (last or name != "output_tokens"):
                self._usage[name] = value

    def _note(self, fields: JsonObject, known: frozenset[str]) -> None:
        for name in fields.keys() - known:
            if fields[name] is not None:
                self.extras[name] = fields[name]

    def _check_json(self) -> None:
        lane = self._lane
        if not self._json or lane.finish != "end_turn" or "tool_call" in lane.kinds():
            return
        if not _is_json(lane.said(), self._json):
            raise OutputSchemaMismatch(
                f"{self.provider}/{self.model}: JSON was asked for, and the answer is something else; ask again, or use json_schema",
                origin=Origin(self.provider),
            )


def _is_json(text: str, kind: str) -> bool:
    """Whether the text is a JSON object, or any JSON."""
    if kind == "object":
        return parsed_object(text) is not None
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
