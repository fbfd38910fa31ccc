"""Lane of chat completions: one candidate from messages or deltas. A message is one large delta, so both ways give the same."""

from collections.abc import Callable

from promptwire import v1 as pb
from promptwire_server.core.reply import Event
from promptwire_server.providers.call_ids import CallIds
from promptwire_server.providers.growing import decoded
from promptwire_server.providers.json_value import Json, JsonObject, dumped, list_in, object_in, text_in
from promptwire_server.providers.lane import Lane
from promptwire_server.providers.openai.calls import ToolCalls
from promptwire_server.providers.openai.details import Details


class ChatLane(Lane):
    """One candidate while it grows."""

    __slots__ = ("_audio_type", "_calls", "_details", "shape")

    def __init__(self, index: int, provider: str, ids: CallIds, *, audio_type: str) -> None:
        super().__init__(index, provider, ids)
        self.shape: frozenset[str] = frozenset()  # of the wire's choice, as last looked through
        self._audio_type = audio_type
        self._calls = ToolCalls(self)
        self._details = Details()

    def take(self, fragment: JsonObject, out: list[Event]) -> None:
        """Let the parts grow by a message or a delta of one."""
        thought = fragment.get("reasoning_content") or fragment.get("reasoning")  # some say it under both names
        if thought:
            self.plain("reasoning", thought, out)
        if details := fragment.get("reasoning_details"):
            self._reasoning_details(list_in(details), out, shown=bool(thought))
        for name, taker in _TAKERS.items():
            if value := fragment.get(name):
                taker(self, value, out)
        for name in fragment.keys() - _KNOWN:
            self.note(name, fragment[name])
        if self.logprobs:
            self.tail_of_logprobs(out)

    def close(self, out: list[Event]) -> None:
        """Nothing more comes. Not called when the answer broke off."""
        self._calls.close(out)
        if state := self._details.state():
            self.only("reasoning").state = state

    def kept_bytes(self) -> tuple[int, int]:
        """See Lane."""
        words, media = super().kept_bytes()
        return words + self._details.kept_bytes(), media

    def finished(self, out: list[Event]) -> None:
        """See Lane."""
        self.close(out)
        super().finished(out)

    def _reasoning_details(self, details: list[Json], out: list[Event], *, shown: bool) -> None:
        text = self._details.take(details)
        part = self.only("reasoning")
        self.begin(part, out)
        if text and not shown:
            self.grow(part, "reasoning", text, out)

    def _content(self, value: Json, out: list[Event]) -> None:
        if not isinstance(value, list):
            self.text = self.plain("text", value, out) or self.text
            return
        for item in map(object_in, value):
            kind = text_in(item.get("type"))
            if kind == "text":
                self.text = self.plain("text", item.get("text"), out) or self.text
            elif kind == "thinking":
                self.plain("reasoning", _thought(item.get("thinking")), out)
            else:
                self.foreign(kind, item, out)

    def _refusal(self, value: Json, out: list[Event]) -> None:
        self.plain("refusal", value, out)

    def _annotations(self, value: Json, out: list[Event]) -> None:
        # They belong to the text, which may not have begun.
        citations = map(_citation, list_in(value))
        if self.text is None:
            self.text = self.only("text")
            self.begin(self.text, out)
        self.text.citations.extend(citations)

    def _audio(self, value: Json, out: list[Event]) -> None:
        audio = object_in(value)
        part = self.only("media")
        part.mime_type = self._audio_type
        self.begin(part, out)
        if isinstance(identifier := audio.get("id"), str):
            part.state = dumped({"audio": {"id": identifier}}).encode()
        if data := text_in(audio.get("data")):
            out.append(Event(part_delta={**part.where, "data": decoded(data, self.provider)}))
            part.pieces.append(data)
        if transcript := text_in(audio.get("transcript")):
            part.transcript.append(transcript)
            out.append(Event(part_delta={**part.where, "transcript": transcript}))

    def _images(self, value: Json, out: list[Event]) -> None:
        for item in map(object_in, list_in(value)):
            link = text_in(object_in(item.get("image_url")).get("url"))
            head, comma, data = link.partition(",")
            image = decoded(data, self.provider) if comma and head.startswith("data:") and head.endswith(";base64") else None
            part = self.open("media")
            if image is None:
                part.mime_type, part.name = "image/*", link
            else:
                part.mime_type = head[5:-7]
                part.pieces.append(data)
            self.begin(part, out)
            if image is not None:
                out.append(Event(part_delta={**part.where, "data": image}))

    def _tool_calls(self, value: Json, out: list[Event]) -> None:
        self._calls.take(list_in(value), out)


_TAKERS: dict[str, Callable[[ChatLane, Json, list[Event]], None]] = {
    "content": ChatLane._content,  # noqa: SLF001
    "annotations": ChatLane._annotations,  # noqa: SLF001
    "refusal": ChatLane._refusal,  # noqa: SLF001
    "audio": ChatLane._audio,  # noqa: SLF001
    "images": ChatLane._images,  # noqa: SLF001
    "tool_calls": ChatLane._tool_calls,  # noqa: SLF001
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
