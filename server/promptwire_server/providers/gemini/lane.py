"""Lane of generateContent: one candidate from parts, which a stream brings in pieces and a whole answer at once."""

from promptwire_server.core.reply import Event
from promptwire_server.providers.call_ids import CallIds
from promptwire_server.providers.gemini.citations import cite
from promptwire_server.providers.gemini.contents import STATE
from promptwire_server.providers.gemini.logprobs import logprobs_from_wire
from promptwire_server.providers.growing import Growing, decoded
from promptwire_server.providers.json_value import JsonObject, dumped, list_in, object_in, text_in
from promptwire_server.providers.lane import Lane

_KNOWN = frozenset({"index", "content", "finishReason", "logprobsResult", "citationMetadata"})
_KNOWN_IN_CALL = frozenset({"id", "name", "args"})
_RAW_SOUND = ("audio/l16", "audio/pcm")  # samples without a head: pieces of them can be joined


class GeminiLane(Lane):
    """One candidate while it grows."""

    __slots__ = ("_citations", "_growing", "grounding")

    def __init__(self, index: int, provider: str, ids: CallIds) -> None:
        super().__init__(index, provider, ids)
        self.grounding: JsonObject = {}
        self._citations: JsonObject = {}
        self._growing: Growing | None = None  # the part that the next piece of its kind belongs to

    def take(self, candidate: JsonObject, out: list[Event]) -> None:
        """Let the parts grow by what a body or a chunk says of this candidate."""
        finish = candidate.get("finishReason")
        if isinstance(finish, str) and finish:
            self.finish = finish
        if logprobs := candidate.get("logprobsResult"):
            self.take_logprobs(logprobs_from_wire(object_in(logprobs)))
        content = object_in(candidate.get("content"))
        for item in map(object_in, list_in(content.get("parts"))):
            self._part(item, out)
        if self.logprobs:
            self.tail_of_logprobs(out)
        self._citations = object_in(candidate.get("citationMetadata")) or self._citations
        self.grounding = object_in(candidate.get("groundingMetadata")) or self.grounding
        for name in candidate.keys() - _KNOWN:
            self.note(name, candidate[name])
        for name in content.keys() - {"parts", "role"}:
            self.note(name, content[name])

    def complete(self) -> None:
        """All parts are there: what they rest on can be told."""
        if self._citations or self.grounding:
            cite(self.parts, self._citations, self.grounding)

    def _part(self, item: JsonObject, out: list[Event]) -> None:
        content = item.keys() - STATE
        if "text" in content or not content:
            self._text(item, out)
        elif "functionCall" in content:
            self._call(item, out)
        elif ("inlineData" in content or "fileData" in content) and item.get("thought") is not True:
            self._media(item, out)
        else:
            self._close()
            self.foreign(next(name for name in item if name in content), item, out)
            return
        for name in content - {"text", "functionCall", "inlineData", "fileData"}:
            self.note(name, item[name])

    def _text(self, item: JsonObject, out: list[Event]) -> None:
        """A piece of text or thought. One that is signed is a part of its own, since a signature must stay with what it came on."""
        kind = "reasoning" if item.get("thought") is True else "text"
        text = text_in(item.get("text"))
        sealed = bool(item.keys() & STATE - {"thought"})
        if not text and not sealed:
            return
        part = self._growing
        if part is None or part.kind != kind or sealed:
            part = self.open(kind)
            part.state = _state(item)
            self.begin(part, out)
        if text:
            self.grow(part, kind, text, out)
        self._growing = None if sealed else part
        self.text = self._growing if kind == "text" else None

    def _call(self, item: JsonObject, out: list[Event]) -> None:
        """A call comes at once, its arguments as an object, often without an id."""
        self._close()
        call = object_in(item.get("functionCall"))
        part = self.open("tool_call")
        part.wire_id = text_in(call.get("id")).strip()
        part.name = text_in(call.get("name"))
        part.state = _state(item)
        self.begin(part, out)
        self.grow(part, "arguments_json", dumped(object_in(call.get("args"))), out)
        for name in call.keys() - _KNOWN_IN_CALL:
            self.note(name, call[name])

    def _media(self, item: JsonObject, out: list[Event]) -> None:
        blob, file = object_in(item.get("inlineData")), object_in(item.get("fileData"))
        mime_type = text_in(blob.get("mimeType")) or text_in(file.get("mimeType"))
        part = self._growing
        if part is None or part.kind != "media" or part.mime_type != mime_type or _state(item):
            self._close()
            part = self.open("media")
            part.mime_type = mime_type
            part.name = text_in(file.get("fileUri"))
            part.state = _state(item)
            self.begin(part, out)
        if data := text_in(blob.get("data")):
            out.append(Event(part_delta={**part.where, "data": decoded(data, self.provider)}))
            part.pieces.append(data)
        self._growing = part if mime_type.lower().startswith(_RAW_SOUND) and not part.state else None

    def _close(self) -> None:
        self.text = self._growing = None


def _state(item: JsonObject) -> bytes:
    """What the vendor wants back with the part; nothing of most."""
    state = {name: item[name] for name in sorted(item.keys() & STATE)}
    return dumped(state).encode() if state else b""
