"""Answer: all candidates of one answer while the wire tells it, whole or in events. Each dialect has its own kind of it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from promptwire import v1 as pb
from promptwire_server.core.answer import started
from promptwire_server.core.call import Call
from promptwire_server.core.estimate import prompt_tokens, tokens_of
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Event
from promptwire_server.providers.call_ids import CallIds
from promptwire_server.providers.failed import failed, too_long
from promptwire_server.providers.framing import ServerEvent
from promptwire_server.providers.growing import Growing
from promptwire_server.providers.json_value import SMALL, Json, JsonObject, dumped, parsed_object, too_rich
from promptwire_server.providers.lane import Lane
from promptwire_server.providers.upstream import Bounds

_MOST_CANDIDATES = 128
_VALUE_BYTES = 128  # of a small thing
_RICH = 16  # times as many values as usual are in an answer with probabilities of its tokens


def asks_much(request: pb.ChatRequest) -> bool:
    """Whether the answer may be large: pictures, sound or probabilities were asked for."""
    generation = request.generation
    wanted = generation.output_modalities
    return generation.logprobs or generation.HasField("audio") or any(modality != pb.MODALITY_TEXT for modality in wanted)


class Answer(ABC):
    """What a vendor has said so far, as the contract has it.

    A dialect translates: `from_event` one event of a stream, `from_wire` an answer that is one object, `usage_from_wire` the counts.
    The order of events, joined pieces of text, the end and the assembled response are the same for all, and are kept here.
    """

    __slots__ = ("_joined", "_joining", "begun", "call", "done", "extras", "ids", "lanes", "model", "provider", "response_id")

    def __init__(self, call: Call, provider: str, ids: Ids) -> None:
        self.begun = False  # something of the answer itself was said
        self.done = False  # the dialect's own end was seen
        self.model = call.target.model if call.target else ""  # that answers, as soon as the vendor says which
        self.response_id = ""
        self.extras: JsonObject = {}  # what the contract has no field for
        self.call = call
        self.provider = provider
        self.ids = CallIds(call, provider, ids)
        self.lanes: dict[int, Lane] = {}
        self._joining = call.join  # pieces of text that arrive together make one event: a third of the cost of a token
        self._joined: tuple[Growing, list[str]] | None = None  # the pieces that wait for more of their kind

    @abstractmethod
    def from_event(self, name: str, data: str, out: list[Event]) -> None:
        """Add what one event means to `out`; call `end` at the dialect's own end. Raises UpstreamError."""

    @abstractmethod
    def from_wire(self, body: JsonObject, out: list[Event]) -> None:
        """Let the candidates grow by an answer that is one object. Raises UpstreamError for one that has none."""

    @abstractmethod
    def reason_of(self, lane: Lane) -> "pb.FinishReason":
        """Why a candidate ended, in the contract's words."""

    @abstractmethod
    def usage_from_wire(self, usage: pb.Usage, notices: list[pb.Notice]) -> None:
        """Fill in the tokens, by what the vendor said or by estimates. Anything estimated or corrected is added to `notices`."""

    def check_end(self) -> None:
        """Raises UpstreamFailed when the answer cannot have ended here: somebody on the way has covered up a failure."""
        if not self.lanes or any(lane.finish is None for lane in self.lanes.values()):
            raise failed(self.provider, "the stream ended without a finish reason")

    def cut_off(self, rest: str, out: list[Event]) -> None:  # noqa: ARG002 - for dialects whose end is the end of the stream
        """The stream is over and `end` was not seen; `rest` is an event that was cut off. Raises UpstreamFailed unless that is an end."""
        raise failed(self.provider, "its stream stopped before its end")

    def take(self, events: Iterable[ServerEvent], out: list[Event]) -> None:
        """Take events in and add what they mean to `out`, which keeps what came before an error. Raises UpstreamError."""
        try:
            for name, data in events:
                self.from_event(name, data, out)
                if self.done:
                    break
        finally:
            self.flush(out)
        self._begin(out)

    def closed(self, rest: str, out: list[Event]) -> None:
        """The stream is over. Raises UpstreamFailed unless the dialect takes that as its end."""
        self.cut_off(rest, out)
        self._begin(out)

    def whole(self, body: JsonObject) -> pb.ChatResponse:
        """The answer that is one object. Raises UpstreamError."""
        out: list[Event] = []
        self.from_wire(body, out)
        for lane in self.lanes.values():
            lane.finished(out)  # for calls that never got a name, which have no id until they begin
        return self.response(with_parts=True)

    def end(self, out: list[Event]) -> None:
        """The dialect's own end. Raises UpstreamFailed where `check_end` does."""
        self.flush(out)
        self.check_end()
        for lane in self.lanes.values():
            lane.finished(out)
        self.done = True
        out.append(Event(finished=pb.ChatFinished(response=self.response(with_parts=False))))

    def lane(self, index: int) -> Lane:
        """The candidate of this number, new or known."""
        return self.lanes.get(index) or self.lanes.setdefault(index, Lane(index, self.provider, self.ids))

    def number(self, index: Json) -> int:
        """The number of a candidate. Raises UpstreamFailed for what is none."""
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < _MOST_CANDIDATES:
            raise failed(self.provider, "it sent a candidate whose index is none")
        return index

    def piece(self, part: Growing, text: str, out: list[Event]) -> None:
        """One more piece of a text that has begun: the fast path, which most events take."""
        part.pieces.append(text)
        if not self._joining:
            out.append(Event(part_delta={**part.where, "text": text}))
            return
        waiting = self._joined
        if waiting is not None and waiting[0] is part:
            waiting[1].append(text)
            return
        self.flush(out)
        self._joined = (part, [text])

    def flush(self, out: list[Event]) -> None:
        """Say the pieces that wait: before anything else is said."""
        if self._joined is not None:
            part, pieces = self._joined
            self._joined = None
            out.append(Event(part_delta={**part.where, "text": "".join(pieces)}))

    def parsed(self, data: str) -> JsonObject:
        """The object that an event's data is. Raises UpstreamFailed when it is none."""
        if len(data) > SMALL and too_rich(data, self.richness):
            raise failed(self.provider, "it sent an event of too many values")
        value = parsed_object(data)
        if value is None:
            raise failed(self.provider, "it sent an event that is not a JSON object")
        return value

    @property
    def richness(self) -> int:
        """How many times as many values as usual its JSON may have."""
        return _RICH if self.call.request.generation.logprobs else 1

    def partial(self) -> pb.ChatResponse:
        """What an answer that broke off took: its usage, estimated where the vendor had not told it, and no words: the caller has them."""
        return self.response(with_parts=False, note=False)

    def spent(self) -> pb.Usage:
        """The tokens so far, estimated where the vendor has not told them."""
        usage = pb.Usage()
        self.usage_from_wire(usage, [])
        return usage

    def response(self, *, with_parts: bool, note: bool = True) -> pb.ChatResponse:
        """The answer as it is now."""
        response = pb.ChatResponse(provider=self.provider, model=self.model, provider_response_id=self.response_id)
        for index in sorted(self.lanes):
            lane = self.lanes[index]
            lane.write(response.candidates.add(), self.reason_of(lane), with_parts=with_parts)
        if with_parts and response.candidates:
            response.text = self.lanes[response.candidates[0].index].said()
        notices: list[pb.Notice] = []
        self.usage_from_wire(response.usage, notices)
        if note:
            self.call.trail.notices.extend(notices)
        if self.extras:
            response.provider_extra_json = dumped(self.extras)
        return response

    def check_size(self, bounds: Bounds) -> None:
        """Raises UpstreamFailed when more is kept of the answer than it may be: an answer that never ends must not fill the memory."""
        kept = [lane.kept_bytes() for lane in self.lanes.values()]
        words = self.hidden_bytes() + sum(each for each, _ in kept)
        if words > (most := bounds.text_bytes * max(1, self.call.request.generation.candidate_count)):
            raise too_long(self.provider, most, "text")
        if sum(each for _, each in kept) > (most := bounds.large_bytes if asks_much(self.call.request) else bounds.body_bytes):
            raise too_long(self.provider, most)

    def hidden_bytes(self) -> int:
        """Memory that is taken by what no part has yet, about."""
        return sum(_VALUE_BYTES + (len(value) if isinstance(value, str) else 0) for value in self.extras.values())

    def deltas(self) -> int:
        """How many pieces came."""
        return sum(lane.deltas() for lane in self.lanes.values())

    def asked_tokens(self) -> int:
        """An estimate of the prompt's length, for vendors that do not say."""
        return prompt_tokens(self.call.request)

    def said_tokens(self) -> int:
        """An estimate of what was generated, for vendors that do not say."""
        return tokens_of(sum(lane.characters() for lane in self.lanes.values()))

    def _begin(self, out: list[Event]) -> None:
        if out and not self.begun:
            self.begun = True
            out.insert(0, started("", self.provider, self.model, ""))
