"""Lane: one candidate while it grows, from messages or deltas. A message is one large delta, so both ways give the same."""

from collections.abc import Callable

from promptwire import v1 as pb
from promptwire_server.core.answer import emptied
from promptwire_server.core.reply import Event
from promptwire_server.providers.failed import failed
from promptwire_server.providers.json_value import Json, JsonObject, dumped, list_in, object_in, text_in
from promptwire_server.providers.openai.call_ids import CallIds
from promptwire_server.providers.openai.details import Details
from promptwire_server.providers.openai.finish import reason_of
from promptwire_server.providers.openai.growing import Growing, decoded
from promptwire_server.providers.openai.logprobs import logprobs_from_wire

MAX_PARTS = 1024  # of one candidate: more tool calls or images than that are no answer


class Lane:
    """One candidate while it grows."""

    __slots__ = (
        "_audio_type",
        "_details",
        "_ids",
        "_parts",
        "_provider",
        "_single",
        "_tools",
        "all_logprobs",
        "extras",
        "finish",
        "index",
        "logprobs",
        "shape",
        "text",
    )

    def __init__(self, index: int, provider: str, *, ids: CallIds, audio_type: str) -> None:
        self.index = index
        self.text: Growing | None = None  # the text part, for the fast path
        self.shape: frozenset[str] = frozenset()  # of the wire's choice, as last looked through
        self.finish: str | None = None  # the vendor's word
        self.extras: JsonObject = {}
        self.logprobs: list[pb.TokenLogprob] = []  # not delivered yet
        self.all_logprobs: list[pb.TokenLogprob] = []
        self._provider = provider
        self._ids = ids
        self._audio_type = audio_type
        self._parts: list[Growing] = []
        self._single: dict[str, Growing] = {}  # kinds of which there is one
        self._tools: dict[int, Growing] = {}
        self._details = Details()

    def take(self, fragment: JsonObject, out: list[Event]) -> None:
        """Let the parts grow by a message or a delta of one."""
        thought = fragment.get("reasoning_content") or fragment.get("reasoning")  # some say it under both names
        if thought:
            self._plain("reasoning", thought, out)
        if details := fragment.get("reasoning_details"):
            self._reasoning_details(list_in(details), out, shown=bool(thought))
        for name, taker in _TAKERS.items():
            if value := fragment.get(name):
                taker(self, value, out)
        for name in fragment.keys() - _KNOWN:
            self._extra(name, fragment[name])
        if self.logprobs and self._parts:
            self._tail_of_logprobs(out)

    def take_logprobs(self, wire: JsonObject) -> None:
        """Keep them for the piece of text that comes with them."""
        found = logprobs_from_wire(wire)
        self.logprobs.extend(found)
        self.all_logprobs.extend(found)

    def said(self) -> str:
        """The text so far."""
        return "".join(self.text.pieces) if self.text is not None else ""

    def grow(self, part: Growing, field: str, piece: str, out: list[Event]) -> None:
        """Append to a part, and say so."""
        part.pieces.append(piece)
        event = Event(part_delta={**part.where, field: piece})
        if self.logprobs and field in ("text", "refusal"):
            event.part_delta.logprobs.extend(self.logprobs)
            self.logprobs.clear()
        out.append(event)

    def finished(self, out: list[Event]) -> None:
        """Every part is complete: say so. Tool calls that never got a name come out as they are."""
        for part in self._parts:
            self._begin(part, out)
            out.append(
                Event(part_finished=pb.PartFinished(candidate_index=self.index, part_index=part.index, part=part.part(self._provider)))
            )

    def write(self, candidate: pb.Candidate, *, with_parts: bool) -> None:
        """Fill a candidate with what is there now."""
        candidate.index = self.index
        candidate.finish_reason = reason_of(self.finish, {part.kind for part in self._parts})
        candidate.provider_finish_reason = self.finish or ""
        message = candidate.message
        message.role = pb.ROLE_ASSISTANT
        if with_parts:
            message.parts.extend([part.part(self._provider) for part in self._parts])
            candidate.logprobs.extend(self.all_logprobs)
        if self.extras:
            candidate.provider_extra_json = dumped(self.extras)

    def characters(self) -> int:
        """Length of everything so far."""
        return sum(part.characters() for part in self._parts)

    def deltas(self) -> int:
        """How many pieces there were."""
        return sum(len(part.pieces) + len(part.transcript) for part in self._parts)

    def _open(self, kind: str) -> Growing:
        if len(self._parts) >= MAX_PARTS:
            raise failed(self._provider, f"it sent more than {MAX_PARTS} parts")
        part = Growing(kind, self.index, len(self._parts))
        self._parts.append(part)
        return part

    def _only(self, kind: str) -> Growing:
        return self._single.get(kind) or self._single.setdefault(kind, self._open(kind))

    def _begin(self, part: Growing, out: list[Event]) -> None:
        if part.begun:
            return
        part.begun = True
        if part.kind == "text":
            out.append(Event(part_started={**part.where, "part": {"text": ""}}))
            return
        if part.kind == "tool_call":
            part.call_id = self._ids.take(part.wire_id)
        head = emptied(part.part(self._provider)) if part.kind != "reasoning" else pb.ContentPart(reasoning=pb.ReasoningPart())
        out.append(Event(part_started=pb.PartStarted(candidate_index=self.index, part_index=part.index, part=head)))

    def _plain(self, kind: str, value: Json, out: list[Event]) -> Growing | None:
        if not isinstance(value, str) or not value:
            return None
        part = self._only(kind)
        self._begin(part, out)
        self.grow(part, kind, value, out)
        return part

    def _reasoning_details(self, details: list[Json], out: list[Event], *, shown: bool) -> None:
        text = self._details.take(details)
        part = self._only("reasoning")
        self._begin(part, out)
        part.state = self._details.state()
        if text and not shown:
            self.grow(part, "reasoning", text, out)

    def _content(self, value: Json, out: list[Event]) -> None:
        if not isinstance(value, list):
            self.text = self._plain("text", value, out) or self.text
            return
        for item in map(object_in, value):
            kind = text_in(item.get("type"))
            if kind == "text":
                self.text = self._plain("text", item.get("text"), out) or self.text
            elif kind == "thinking":
                self._plain("reasoning", _thought(item.get("thinking")), out)
            else:
                self._foreign(kind, item, out)

    def _refusal(self, value: Json, out: list[Event]) -> None:
        self._plain("refusal", value, out)

    def _annotations(self, value: Json, out: list[Event]) -> None:
        # They belong to the text, which may not have begun.
        citations = map(_citation, list_in(value))
        if self.text is None:
            self.text = self._only("text")
            self._begin(self.text, out)
        self.text.citations.extend(citations)

    def _audio(self, value: Json, out: list[Event]) -> None:
        audio = object_in(value)
        part = self._only("media")
        part.mime_type = self._audio_type
        self._begin(part, out)
        if isinstance(identifier := audio.get("id"), str):
            part.state = dumped({"audio": {"id": identifier}}).encode()
        if data := text_in(audio.get("data")):
            out.append(Event(part_delta={**part.where, "data": decoded(data, self._provider)}))
            part.pieces.append(data)
        if transcript := text_in(audio.get("transcript")):
            part.transcript.append(transcript)
            out.append(Event(part_delta={**part.where, "transcript": transcript}))

    def _images(self, value: Json, out: list[Event]) -> None:
        for item in map(object_in, list_in(value)):
            link = text_in(object_in(item.get("image_url")).get("url"))
            head, comma, data = link.partition(",")
            image = decoded(data, self._provider) if comma and head.startswith("data:") and head.endswith(";base64") else None
            part = self._open("media")
            if image is None:
                part.mime_type, part.name = "image/*", link
            else:
                part.mime_type = head[5:-7]
                part.pieces.append(data)
            self._begin(part, out)
            if image is not None:
                out.append(Event(part_delta={**part.where, "data": image}))

    def _tool_calls(self, value: Json, out: list[Event]) -> None:
        for position, item in enumerate(map(object_in, list_in(value))):
            if "custom" in item:
                self._foreign("custom", item, out)
            else:
                self._tool_call(position, item, out)

    def _tool_call(self, position: int, item: JsonObject, out: list[Event]) -> None:
        function = object_in(item.get("function"))
        part = self._tool_part(position, item, function)
        part.wire_id = part.wire_id or text_in(item.get("id")).strip()
        if not part.begun:
            part.name = text_in(function.get("name")) or part.name
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = dumped(arguments)
        if not part.begun:
            if isinstance(arguments, str) and arguments:
                part.pieces.append(arguments)
            if part.name:
                self._begin(part, out)
                if part.pieces:
                    out.append(Event(part_delta={**part.where, "arguments_json": "".join(part.pieces)}))
        elif isinstance(arguments, str) and arguments:
            self.grow(part, "arguments_json", arguments, out)

    def _tool_part(self, position: int, item: JsonObject, function: JsonObject) -> Growing:
        """The call that this fragment belongs to. Some vendors number every call 0, or none: a new name and id then mean a new call."""
        said = item.get("index")
        number = said if isinstance(said, int) and not isinstance(said, bool) else None
        key = number if number is not None else (max(self._tools, default=-1) if self._tools and not function.get("name") else position)
        known = self._tools.get(key)
        if known is not None:
            said_id = text_in(item.get("id")).strip()
            differs = said_id != known.wire_id if said_id else number is None
            if not (differs and known.begun and function.get("name")):
                return known
            key = max(self._tools) + 1
        part = self._open("tool_call")
        self._tools[key] = part
        return part

    def _foreign(self, kind: str, item: JsonObject, out: list[Event]) -> None:
        """A block that the contract has no shape for: carried as it came, once."""
        part = self._open(kind or "unknown")
        part.pieces.append(dumped(item))
        self._begin(part, out)

    def _extra(self, name: str, value: Json) -> None:
        before = self.extras.get(name)
        if isinstance(value, str) and isinstance(before, str) and before != value:
            value = before + value
        if value is not None:
            self.extras[name] = value

    def _tail_of_logprobs(self, out: list[Event]) -> None:
        """Probabilities that came with no text of their own."""
        last = self._parts[-1]
        if last.kind in ("text", "refusal"):
            out.append(Event(part_delta={**last.where, last.kind: ""}))
            out[-1].part_delta.logprobs.extend(self.logprobs)
            self.logprobs.clear()


_TAKERS: dict[str, Callable[[Lane, Json, list[Event]], None]] = {
    "content": Lane._content,  # noqa: SLF001
    "annotations": Lane._annotations,  # noqa: SLF001
    "refusal": Lane._refusal,  # noqa: SLF001
    "audio": Lane._audio,  # noqa: SLF001
    "images": Lane._images,  # noqa: SLF001
    "tool_calls": Lane._tool_calls,  # noqa: SLF001
}
_KNOWN = frozenset(_TAKERS) | {"role", "reasoning", "reasoning_content", "reasoning_details"}


def _thought(value: Json) -> str:
    """Mistral's thoughts are a list of texts."""
    return "".join(text_in(object_in(item).get("text")) for item in value) if isinstance(value, list) else text_in(value)


def _citation(value: Json) -> pb.Citation:
    annotation = object_in(value)
    cited = object_in(annotation.get("url_citation"))
    citation = pb.Citation(title=text_in(cited.get("title")), uri=text_in(cited.get("url")), quoted_text=text_in(cited.get("content")))
    for name in ("start_index", "end_index"):
        place = cited.get(name)
        if isinstance(place, int) and 0 <= place < 1 << 31:
            setattr(citation, name, place)
    citation.provider_json = dumped(annotation)
    return citation
