"""Said: what a stream has delivered so far, so that another can take its place."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.reply import Event

_GO_ON = "Your answer above was cut off. Go on exactly where it stops, without repeating any of it and without a word about this."
_ENDS_WITH = ("text", "reasoning")  # kinds of parts that another model can go on from


class Said:
    """The parts delivered by one stream, or by several in a row."""

    def __init__(self) -> None:
        self.only_text = True  # of one candidate, with no calls or media: nothing that another model could not go on from
        self._open: dict[int, tuple[str, list[str]]] = {}  # kind and pieces of parts that have begun and not ended
        self._text: list[str] = []
        self._offset = 0  # parts of the streams before
        self._next = 0

    def take(self, event: Event) -> None:
        """Take an event in, and number its part on from those of the streams before."""
        kind = event.WhichOneof("event") or ""
        if not kind.startswith("part_"):
            return
        told = getattr(event, kind)
        told.part_index += self._offset
        self._next = max(self._next, told.part_index + 1)
        if kind == "part_started":
            self._begun(told)
        elif kind == "part_delta":
            self._grown(told)
        else:
            self._open.pop(told.part_index, None)

    def ended(self) -> list[Event]:
        """The ends of the parts that a broken stream has left open; what comes next is numbered on from there."""
        events = [Event(part_finished=pb.PartFinished(part_index=index, part=_part(*grown))) for index, grown in self._open.items()]
        self._open.clear()
        self._offset = self._next
        return events

    def going_on(self, call: Call) -> Call:
        """The call that asks a model to go on from the text so far; the same one when there is none."""
        text = "".join(self._text)
        if not text:
            return call
        request = pb.ChatRequest()
        request.CopyFrom(call.request)
        if request.prompt:
            request.messages.add(role=pb.ROLE_USER).parts.add(text=request.prompt)
        request.messages.add(role=pb.ROLE_ASSISTANT).parts.add(text=text)
        request.prompt = _GO_ON
        return call.asking(request)

    def _begun(self, told: pb.PartStarted) -> None:
        kind = told.part.WhichOneof("content") or ""
        self.only_text &= kind in _ENDS_WITH and not told.candidate_index
        if kind in _ENDS_WITH:
            self._open[told.part_index] = (kind, [])

    def _grown(self, told: pb.PartDelta) -> None:
        if told.part_index in self._open:
            kind, pieces = self._open[told.part_index]
            pieces.append(told.text if kind == "text" else told.reasoning)
            self._text.append(told.text)


def _part(kind: str, pieces: list[str]) -> pb.ContentPart:
    text = "".join(pieces)
    return pb.ContentPart(text=text) if kind == "text" else pb.ContentPart(reasoning=pb.ReasoningPart(text=text))
