"""Lane: one candidate while it grows, whatever the dialect: its parts, and the events that tell of them."""

from promptwire import v1 as pb
from promptwire_server.core.answer import emptied
from promptwire_server.core.reply import Event
from promptwire_server.providers.call_ids import CallIds
from promptwire_server.providers.failed import failed
from promptwire_server.providers.gathered import Gathered
from promptwire_server.providers.growing import Growing
from promptwire_server.providers.json_value import Json, JsonObject, dumped

_VALUE_BYTES = 128  # of a small thing
_TOKEN_BYTES = 1536  # of one with its probability, a message of its own
MAX_PARTS = 1024  # of one candidate: more tool calls or images than that are no answer


class Lane:
    """One candidate while it grows. A dialect opens parts, lets them grow, and says why it ended."""

    __slots__ = ("_noted", "_single", "all_logprobs", "extras", "finish", "ids", "index", "logprobs", "parts", "provider", "text")

    def __init__(self, index: int, provider: str, ids: CallIds) -> None:
        self.index = index
        self.provider = provider
        self.ids = ids
        self.text: Growing | None = None  # the text part that grows at present, for the fast path
        self.finish: str | None = None  # the vendor's word
        self.extras: JsonObject = {}  # what the contract has no field for
        self._noted = Gathered(self.extras)
        self.logprobs: list[pb.TokenLogprob] = []  # not delivered yet
        self.all_logprobs: list[pb.TokenLogprob] = []
        self.parts: list[Growing] = []
        self._single: dict[str, Growing] = {}  # kinds of which there is one

    def open(self, kind: str) -> Growing:
        """A new part, last in order; it is told of when it begins. Raises UpstreamFailed when there are too many."""
        if len(self.parts) >= MAX_PARTS:
            raise failed(self.provider, f"it sent more than {MAX_PARTS} parts")
        part = Growing(kind, self.index, len(self.parts))
        self.parts.append(part)
        return part

    def only(self, kind: str) -> Growing:
        """The part of this kind, for dialects that have one of each."""
        return self._single.get(kind) or self._single.setdefault(kind, self.open(kind))

    def begin(self, part: Growing, out: list[Event]) -> None:
        """Say that the part is there, once: of a tool call its id and name are known by now."""
        if part.begun:
            return
        part.begun = True
        if part.kind == "text":
            out.append(Event(part_started={**part.where, "part": {"text": ""}}))
            return
        if part.kind == "tool_call":
            part.call_id = self.ids.take(part.wire_id)
        head = emptied(part.part(self.provider)) if part.kind != "reasoning" else pb.ContentPart(reasoning=pb.ReasoningPart())
        out.append(Event(part_started=pb.PartStarted(candidate_index=self.index, part_index=part.index, part=head)))

    def grow(self, part: Growing, field: str, piece: str, out: list[Event]) -> None:
        """Append to a part that has begun, and say so; `field` is one of PartDelta's."""
        part.pieces.append(piece)
        event = Event(part_delta={**part.where, field: piece})
        if self.logprobs and field in ("text", "refusal"):
            event.part_delta.logprobs.extend(self.logprobs)
            self.logprobs.clear()
        out.append(event)

    def plain(self, kind: str, value: Json, out: list[Event]) -> Growing | None:
        """Let the only part of a kind (text, reasoning, refusal) grow; None when there is nothing to add."""
        if not isinstance(value, str) or not value:
            return None
        part = self.only(kind)
        self.begin(part, out)
        self.grow(part, kind, value, out)
        return part

    def foreign(self, kind: str, item: JsonObject, out: list[Event]) -> Growing:
        """A block that the contract has no shape for: carried as it came, once."""
        part = self.open(kind or "unknown")
        part.pieces.append(dumped(item))
        self.begin(part, out)
        return part

    def take_logprobs(self, found: list[pb.TokenLogprob]) -> None:
        """Keep them for the piece of text that comes with them."""
        self.logprobs.extend(found)
        self.all_logprobs.extend(found)

    def tail_of_logprobs(self, out: list[Event]) -> None:
        """Deliver probabilities that came with no text of their own."""
        last = self.parts[-1] if self.parts else None
        if self.logprobs and last is not None and last.kind in ("text", "refusal"):
            out.append(Event(part_delta={**last.where, last.kind: ""}))
            out[-1].part_delta.logprobs.extend(self.logprobs)
            self.logprobs.clear()

    def note(self, name: str, value: Json) -> None:
        """Keep what the contract has no field for; texts that come in pieces are joined."""
        if value is not None and not self._noted.is_just(name, value):
            self._noted.add(name, value)

    def kinds(self) -> set[str]:
        """Kinds of its parts."""
        return {part.kind for part in self.parts}

    def said(self) -> str:
        """The text so far."""
        return "".join("".join(part.pieces) for part in self.parts if part.kind == "text")

    def finished(self, out: list[Event]) -> None:
        """Every part is complete: say so. Tool calls that never got a name come out as they are."""
        for part in self.parts:
            self.begin(part, out)
            out.append(
                Event(part_finished=pb.PartFinished(candidate_index=self.index, part_index=part.index, part=part.part(self.provider)))
            )

    def write(self, candidate: pb.Candidate, reason: "pb.FinishReason", *, with_parts: bool) -> None:
        """Fill a candidate with what is there now."""
        candidate.index = self.index
        candidate.finish_reason = reason
        candidate.provider_finish_reason = self.finish or ""
        message = candidate.message
        message.role = pb.ROLE_ASSISTANT
        if with_parts:
            message.parts.extend([part.part(self.provider) for part in self.parts])
            candidate.logprobs.extend(self.all_logprobs)
        if self.extras:
            candidate.provider_extra_json = dumped(self._noted.joined())

    def characters(self) -> int:
        """Length of everything so far."""
        return sum(part.characters() for part in self.parts)

    def deltas(self) -> int:
        """How many pieces there were."""
        return sum(len(part.pieces) + part.heard + len(part.transcript) for part in self.parts)

    def kept_bytes(self) -> tuple[int, int]:
        """Memory that its words and its media take, about; of what is counted as words, short pieces are joined."""
        words = media = 0
        for part in self.parts:
            if part.kind == "media":
                media += part.settled_bytes()
            else:
                words += part.settled_bytes()
        return words + self._noted.kept_bytes(), media + sum(_TOKEN_BYTES + _VALUE_BYTES * len(each.top) for each in self.all_logprobs)
