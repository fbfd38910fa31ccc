"""Answers of the Responses API, whole or in events."""

from collections.abc import Callable

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Event
from promptwire_server.providers.answer import Answer
from promptwire_server.providers.failed import failed
from promptwire_server.providers.growing import Growing
from promptwire_server.providers.json_value import Json, JsonObject, list_in, object_in, text_in
from promptwire_server.providers.lane import Lane
from promptwire_server.providers.openai.errors import error_in
from promptwire_server.providers.responses.finish import COMPLETED, INCOMPLETE, finish_of, reason_of
from promptwire_server.providers.responses.items import Items
from promptwire_server.providers.responses.usage import fill_units, fill_usage, unknown_usage

_TEXT = "response.output_text.delta"
_FAILED = "failed"
_MOST_ITEMS = 1 << 16  # a number beyond is none
# Fields of a response that the contract has, and those that repeat the request.
_KNOWN = frozenset(
    {
        "id", "object", "model", "output", "output_text", "usage", "error", "status", "incomplete_details", "tool_usage",
        "instructions", "tools", "tool_choice", "parallel_tool_calls", "temperature", "top_p", "top_logprobs", "text", "reasoning",
        "truncation", "max_output_tokens", "max_tool_calls", "metadata", "previous_response_id", "prompt", "prompt_cache_key",
        "prompt_cache_retention", "prompt_cache_options", "safety_identifier", "user", "store", "background", "presence_penalty",
        "frequency_penalty",
    }
)  # fmt: skip


class ResponsesAnswer(Answer):
    """See Answer."""

    __slots__ = ("_items", "_lane", "_place", "_text", "_tool_usage", "_usage")

    def __init__(self, call: Call, provider: str, ids: Ids) -> None:
        super().__init__(call, provider, ids)
        self._lane = Lane(0, provider, self.ids)
        self._items = Items(self._lane)
        self._text: Growing | None = None  # the text that grows at present, and its place
        self._place: tuple[Json, Json] = (None, None)
        self._usage: Json = None
        self._tool_usage: Json = None

    def from_event(self, name: str, data: str, out: list[Event]) -> None:
        """See Answer."""
        event = self.parsed(data)
        kind = event.get("type") or name
        part = self._text
        # Most events are this: one more piece of the text and nothing else.
        if (
            kind == _TEXT
            and part is not None
            and (event.get("output_index"), event.get("content_index")) == self._place
            and not event.get("logprobs")
            and (piece := event.get("delta"))
            and isinstance(piece, str)
        ):
            self.piece(part, piece, out)
            return
        taker = _TAKERS.get(text_in(kind))
        if taker is not None:
            self.flush(out)
            taker(self, event, out)

    def from_wire(self, body: JsonObject, out: list[Event]) -> None:
        """See Answer."""
        status = body.get("status") or COMPLETED
        if status == _FAILED or body.get("error"):
            raise error_in(body, provider=self.provider, model=self.model)
        if not isinstance(body.get("output"), list):
            raise failed(self.provider, "its answer has no output")
        if status not in (COMPLETED, INCOMPLETE):
            raise failed(self.provider, "its answer is not complete")
        self._finish(body, out)

    def reason_of(self, lane: Lane) -> "pb.FinishReason":
        """See Answer."""
        return reason_of(lane.finish, lane.kinds())

    def usage_from_wire(self, usage: pb.Usage, notices: list[pb.Notice]) -> None:
        """See Answer."""
        fill_usage(usage, self._usage, notices, prompt=self.asked_tokens, said=self.said_tokens)
        fill_units(usage, self._tool_usage, (part.kind for part in self._lane.parts))
        if unknown := unknown_usage(self._usage):
            self.extras["usage"] = unknown
        if object_in(object_in(self._tool_usage).get("image_gen")).get("total_tokens"):
            self.extras["tool_usage"] = self._tool_usage

    def _look_through(self, response: JsonObject) -> None:
        self.response_id = text_in(response.get("id")) or self.response_id
        self.model = text_in(response.get("model")) or self.model
        self._usage = response.get("usage") or self._usage
        self._tool_usage = response.get("tool_usage") or self._tool_usage

    def _finish(self, response: JsonObject, out: list[Event]) -> None:
        self._look_through(response)
        self.lanes[0] = self._lane
        for index, item in enumerate(list_in(response.get("output"))):
            self._items.done(index, object_in(item), out)
        self.extras.update({name: value for name, value in response.items() if name not in _KNOWN and value is not None})
        self._lane.finish = finish_of(response)

    def _created(self, event: JsonObject, out: list[Event]) -> None:  # noqa: ARG002 - says nothing to the reader
        self._look_through(object_in(event.get("response")))

    def _ended(self, event: JsonObject, out: list[Event]) -> None:
        response = object_in(event.get("response"))
        if response.get("error"):
            raise error_in(response, provider=self.provider, model=self.model)
        self._finish(response, out)
        self.end(out)

    def _failed(self, event: JsonObject, out: list[Event]) -> None:  # noqa: ARG002 - says nothing to the reader
        # The error stands in the response, in the event, or is the event.
        response = object_in(event.get("response"))
        self._look_through(response)
        said = response if "error" in response else event
        said = {name: value for name, value in said.items() if name != "type"}
        raise error_in(said, provider=self.provider, model=self.model)

    def _added(self, event: JsonObject, out: list[Event]) -> None:
        self._items.added(self._index(event), object_in(event.get("item")), out)
        self._seen(out)

    def _done(self, event: JsonObject, out: list[Event]) -> None:
        self._items.done(self._index(event), object_in(event.get("item")), out)
        self._seen(out)

    def _words(self, event: JsonObject, out: list[Event]) -> None:
        index, content = self._index(event), self._number(event.get("content_index"))
        kind = "text" if event.get("type") == _TEXT else "refusal"
        part = self._items.words(index, content, kind, text_in(event.get("delta")), list_in(event.get("logprobs")), out)
        if kind == "text":
            self._text, self._place = part, (event.get("output_index"), event.get("content_index"))
        self._seen(out)

    def _content(self, event: JsonObject, out: list[Event]) -> None:
        self._items.content(self._index(event), self._number(event.get("content_index")), object_in(event.get("part")), out)
        self._seen(out)

    def _thought(self, event: JsonObject, out: list[Event]) -> None:
        of_summary = "summary_index" in event
        number = self._number(event.get("summary_index" if of_summary else "content_index"))
        kind = "summary" if of_summary else "content"
        self._items.thought(self._index(event), kind, number, text_in(event.get("delta")), out)
        self._seen(out)

    def _arguments(self, event: JsonObject, out: list[Event]) -> None:
        self._items.arguments(self._index(event), text_in(event.get("delta")), out)

    def _seen(self, out: list[Event]) -> None:
        """There is a candidate as soon as there is something of it."""
        if out:
            self.lanes[0] = self._lane

    def _index(self, event: JsonObject) -> int:
        return self._number(event.get("output_index"))

    def _number(self, value: Json) -> int:
        """Raises UpstreamFailed for what is no number of an item."""
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST_ITEMS:
            raise failed(self.provider, "it sent an item whose number is none")
        return value


_TAKERS: dict[str, Callable[[ResponsesAnswer, JsonObject, list[Event]], None]] = {
    "response.created": ResponsesAnswer._created,  # noqa: SLF001
    "response.in_progress": ResponsesAnswer._created,  # noqa: SLF001
    "response.output_item.added": ResponsesAnswer._added,  # noqa: SLF001
    "response.output_item.done": ResponsesAnswer._done,  # noqa: SLF001
    "response.output_text.delta": ResponsesAnswer._words,  # noqa: SLF001
    "response.content_part.done": ResponsesAnswer._content,  # noqa: SLF001
    "response.refusal.delta": ResponsesAnswer._words,  # noqa: SLF001
    "response.reasoning_summary_text.delta": ResponsesAnswer._thought,  # noqa: SLF001
    "response.reasoning_text.delta": ResponsesAnswer._thought,  # noqa: SLF001
    "response.function_call_arguments.delta": ResponsesAnswer._arguments,  # noqa: SLF001
    "response.custom_tool_call_input.delta": ResponsesAnswer._arguments,  # noqa: SLF001
    "response.completed": ResponsesAnswer._ended,  # noqa: SLF001
    "response.incomplete": ResponsesAnswer._ended,  # noqa: SLF001
    "response.failed": ResponsesAnswer._failed,  # noqa: SLF001
    "response.cancelled": ResponsesAnswer._failed,  # noqa: SLF001
    "error": ResponsesAnswer._failed,  # noqa: SLF001
}
