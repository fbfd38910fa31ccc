"""Output items while they arrive: each becomes one part of the candidate, a message one for each of its contents."""

from promptwire_server.core.reply import Event
from promptwire_server.providers.growing import Growing, decoded
from promptwire_server.providers.json_value import Json, JsonObject, list_in, object_in, text_in
from promptwire_server.providers.lane import Lane
from promptwire_server.providers.logprobs import logprobs_of
from promptwire_server.providers.openai import custom, states
from promptwire_server.providers.responses.citations import citation_from_wire

_BETWEEN = "\n\n"  # paragraphs of a summary
# Types of content, the second some servers' own word: our kind, and the field of the words.
_CONTENTS = {"output_text": ("text", "text"), "text": ("text", "text"), "refusal": ("refusal", "refusal")}
_MEDIA_TYPES = {"jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif", "svg": "image/svg+xml"}
_OF_REASONING = ("reasoning_text", "summary_text")
# What a state leaves out, since the part itself has it.
_OF_MESSAGE = frozenset({"content"})
_OF_CALL = frozenset({"call_id", "name", "arguments", "input"})
_OF_IMAGE = frozenset({"result"})


class Items:
    """The items of one answer. What a stream has told of an item is not told again when the item is complete."""

    __slots__ = ("_at", "_done", "_done_ids", "_lane", "_logprobs_told", "_paragraphs")

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._at: dict[tuple[int, int], Growing] = {}  # by the item's number, and that of the content within a message
        self._paragraphs: dict[int, tuple[str, int]] = {}  # by item: which paragraph of its reasoning grows
        self._logprobs_told: set[tuple[int, int]] = set()
        self._done: set[int] = set()
        self._done_ids: set[str] = set()

    def added(self, index: int, item: JsonObject, out: list[Event]) -> None:
        """An item has begun, as far as it can be told by then."""
        if index in self._done:
            self._renumbered(index)
        match item.get("type"):
            case "reasoning":
                self._begin(index, "reasoning", out)
            case "function_call" | "custom_tool_call":
                self._call(index, item, out)

    def words(self, index: int, content: int, kind: str, piece: str, logprobs: list[Json], out: list[Event]) -> Growing | None:
        """A piece of a text or a refusal; None while there is nothing of it."""
        if logprobs:
            self._logprobs_told.add((index, content))
            self._lane.take_logprobs(logprobs_of(logprobs))
        if not piece:
            return self._at.get((index, content))
        part = self._begin(index, kind, out, content=content)
        self._lane.grow(part, kind, piece, out)
        return part

    def content(self, index: int, number: int, content: JsonObject, out: list[Event]) -> None:
        """A content of a message is complete: told here when it is of a kind that has no words."""
        kind = text_in(content.get("type"))
        if kind not in _CONTENTS and kind not in _OF_REASONING and (index, number) not in self._at:
            self._at[index, number] = self._lane.foreign(kind, content, out)

    def thought(self, index: int, kind: str, number: int, piece: str, out: list[Event]) -> None:
        """A piece of a summary, or of the reasoning itself."""
        if not piece:
            return
        part = self._begin(index, "reasoning", out)
        if self._paragraphs.get(index, (kind, number)) != (kind, number):
            piece = _BETWEEN + piece
        self._paragraphs[index] = (kind, number)
        self._lane.grow(part, "reasoning", piece, out)

    def arguments(self, index: int, piece: str, out: list[Event]) -> None:
        """A piece of a function's arguments, or of a custom tool's input."""
        part = self._at.get((index, 0))
        if part is not None and piece:
            self._lane.grow(part, "arguments_json", custom.escaped(piece) if part.pieces[:1] == [custom.OPENING] else piece, out)

    def done(self, index: int, item: JsonObject, out: list[Event]) -> None:
        """An item is complete."""
        name = text_in(item.get("id"))
        if index in self._done or name in self._done_ids:
            return
        self._done.add(index)
        if name:
            self._done_ids.add(name)
        match item.get("type"):
            case "message":
                self._message(index, item, out)
            case "reasoning":
                self._reasoning(index, item, out)
            case "function_call":
                self._complete(self._call(index, item, out), "arguments_json", text_in(item.get("arguments")), out)
            case "custom_tool_call":
                whole = custom.OPENING + custom.escaped(text_in(item.get("input"))) + custom.CLOSING
                self._complete(self._call(index, item, out), "arguments_json", whole, out)
            case "image_generation_call" if item.get("result"):
                self._image(item, out)
            case kind:
                self._lane.foreign(text_in(kind), item, out)

    def _renumbered(self, index: int) -> None:
        """Some servers give every item one number: what had it is complete, and no longer grows."""
        self._done.discard(index)
        self._paragraphs.pop(index, None)
        for place in [place for place in self._at if place[0] == index]:
            del self._at[place]
            self._logprobs_told.discard(place)

    def _message(self, index: int, item: JsonObject, out: list[Event]) -> None:
        state = states.of_item(_without(item, _OF_MESSAGE))
        for number, content in enumerate(map(object_in, list_in(item.get("content")))):
            kind, field = _CONTENTS.get(text_in(content.get("type")), ("", ""))
            if kind:
                self._rest_of_words(index, number, kind, content, field, out)
            else:
                self.content(index, number, content, out)
            if (part := self._at.get((index, number))) is not None:
                part.state = state
                part.citations = [citation_from_wire(value) for value in list_in(content.get("annotations"))]

    def _rest_of_words(self, index: int, number: int, kind: str, content: JsonObject, field: str, out: list[Event]) -> None:
        logprobs = list_in(content.get("logprobs")) if (index, number) not in self._logprobs_told else []
        part = self._at.get((index, number))
        if part is None:
            self.words(index, number, kind, text_in(content.get(field)), logprobs, out)
        else:
            self._lane.take_logprobs(logprobs_of(logprobs))
            self._complete(part, kind, text_in(content.get(field)), out)

    def _reasoning(self, index: int, item: JsonObject, out: list[Event]) -> None:
        part = self._begin(index, "reasoning", out)
        if not part.pieces:
            for kind in ("summary", "content"):
                for number, paragraph in enumerate(map(object_in, list_in(item.get(kind)))):
                    self.thought(index, kind, number, text_in(paragraph.get("text")), out)
        part.state = states.of_item(item)

    def _call(self, index: int, item: JsonObject, out: list[Event]) -> Growing:
        part = self._at.get((index, 0))
        if part is None:
            part = self._at[index, 0] = self._lane.open("tool_call")
            part.wire_id, part.name = text_in(item.get("call_id")), text_in(item.get("name"))
            self._lane.begin(part, out)
            if item.get("type") == "custom_tool_call":
                self._lane.grow(part, "arguments_json", custom.OPENING, out)
        part.state = states.of_item(_without(item, _OF_CALL))
        return part

    def _image(self, item: JsonObject, out: list[Event]) -> None:
        data = text_in(item.get("result"))
        part = self._lane.open("media")
        part.mime_type = _MEDIA_TYPES.get(text_in(item.get("output_format")), "image/png")
        self._lane.begin(part, out)
        image = decoded(data, self._lane.provider)
        part.pieces.append(data)
        part.state = states.of_item(_without(item, _OF_IMAGE))
        out.append(Event(part_delta={**part.where, "data": image}))

    def _begin(self, index: int, kind: str, out: list[Event], *, content: int = 0) -> Growing:
        part = self._at.get((index, content))
        if part is None:
            part = self._at[index, content] = self._lane.open(kind)
            self._lane.begin(part, out)
        return part

    def _complete(self, part: Growing, field: str, whole: str, out: list[Event]) -> None:
        """Say what the stream left out: some servers tell of a part only when it is complete."""
        said = "".join(part.pieces)
        if len(whole) > len(said) and whole.startswith(said):
            self._lane.grow(part, field, whole[len(said) :], out)


def _without(item: JsonObject, names: frozenset[str]) -> JsonObject:
    return {name: value for name, value in item.items() if name not in names}
