"""Growing answers: all candidates of one answer while the wire tells it, whole or in chunks."""

from collections.abc import Iterable

import orjson

from promptwire import v1 as pb
from promptwire_server.core.answer import started
from promptwire_server.core.call import Call
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Event
from promptwire_server.providers.estimate import prompt_tokens, tokens_of
from promptwire_server.providers.failed import failed
from promptwire_server.providers.json_value import Json, JsonObject, dumped, list_in, object_in, text_in
from promptwire_server.providers.openai.call_ids import CallIds
from promptwire_server.providers.openai.errors import error_in
from promptwire_server.providers.openai.growing import Growing
from promptwire_server.providers.openai.lane import Lane
from promptwire_server.providers.openai.usage import fill_usage, unknown_usage
from promptwire_server.providers.sse import ServerEvent

DONE = "[DONE]"
_MOST_CANDIDATES = 128
_KNOWN = frozenset({"id", "object", "model", "choices", "usage", "error", "obfuscation"})
_KNOWN_IN_CHOICE = frozenset({"index", "delta", "message", "finish_reason", "logprobs"})


class Answer:
    """What a vendor has said so far, as the contract has it."""

    __slots__ = (
        "_audio_type",
        "_call",
        "_extras",
        "_id",
        "_ids",
        "_joined",
        "_joining",
        "_lanes",
        "_provider",
        "_shape",
        "_usage",
        "begun",
        "done",
        "model",
    )

    def __init__(self, call: Call, provider: str, ids: Ids) -> None:
        self.begun = False  # something of the answer itself was said
        self.done = False  # the terminal marker was seen
        self.model = call.target.model if call.target else ""
        self._call = call
        self._provider = provider
        self._ids = CallIds(call, provider, ids)
        self._id = ""
        self._extras: JsonObject = {}
        self._usage: Json = None
        self._shape: frozenset[str] = frozenset()
        self._lanes: dict[int, Lane] = {}
        self._joining = call.join  # pieces of text that arrive together make one event: a third of the cost of a token
        self._joined: tuple[Growing, list[str]] | None = None  # the pieces that wait for more of their kind
        self._audio_type = f"audio/{call.request.generation.audio.format or 'wav'}"

    def take(self, events: Iterable[ServerEvent], out: list[Event]) -> None:
        """Take chunks in and add what they mean to `out`, which keeps what came before an error. Raises UpstreamError."""
        try:
            self._take(events, out)
        finally:
            self._flush(out)
        if out and not self.begun:
            self.begun = True
            out.insert(0, started("", self._provider, self.model, ""))

    def _take(self, events: Iterable[ServerEvent], out: list[Event]) -> None:
        for name, data in events:
            if data == DONE:
                self._flush(out)
                self._end(out)
                break
            chunk = self._parsed(data)
            usage = chunk.get("usage")
            if usage or name or chunk.keys() != self._shape:
                self._look_through(chunk, name)
            for choice in list_in(chunk.get("choices")):
                self._choice(object_in(choice), out)

    def _end(self, out: list[Event]) -> None:
        """The terminal marker. Raises UpstreamFailed when a candidate had not finished: somebody on the way has covered up a failure."""
        if any(lane.finish is None for lane in self._lanes.values()) or not self._lanes:
            raise failed(self._provider, "the stream ended without a finish reason")
        for lane in self._lanes.values():
            lane.finished(out)
        self.done = True
        out.append(Event(finished=pb.ChatFinished(response=self._response(with_parts=False))))

    def whole(self, body: JsonObject) -> pb.ChatResponse:
        """The answer that is one object. Raises UpstreamError."""
        self._look_through(body, "")
        out: list[Event] = []
        for choice in list_in(body.get("choices")):
            self._choice(object_in(choice), out)
        if not self._lanes:
            raise failed(self._provider, "its answer has no choices")
        return self._response(with_parts=True)

    def partial(self) -> pb.ChatResponse:
        """What there is of an answer that broke off, its usage estimated where the vendor had not told it."""
        return self._response(with_parts=True, note=False)

    def deltas(self) -> int:
        """How many pieces came."""
        return sum(lane.deltas() for lane in self._lanes.values())

    def _parsed(self, data: str) -> JsonObject:
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError:
            chunk = None
        if not isinstance(chunk, dict):
            raise failed(self._provider, "it sent an event that is not a JSON object")
        return chunk

    def _look_through(self, chunk: JsonObject, name: str) -> None:
        """All that is the same in most chunks, so read when one looks different."""
        if chunk.get("error") or name == "error":
            raise error_in(chunk, provider=self._provider, model=self.model)
        self._shape = frozenset(chunk)
        self._id = text_in(chunk.get("id")) or self._id
        self.model = text_in(chunk.get("model")) or self.model
        self._usage = chunk.get("usage") or self._usage
        for key in self._shape - _KNOWN:
            if chunk[key] is not None:
                self._extras[key] = chunk[key]

    def _choice(self, choice: JsonObject, out: list[Event]) -> None:
        lane = self._lane(choice)
        fragment = object_in(choice.get("delta", choice.get("message")))
        part = lane.text
        content = fragment.get("content")
        # Most chunks are this: one more piece of the text and nothing else.
        if (
            part is not None
            and len(fragment) == 1
            and content
            and isinstance(content, str)
            and choice.keys() == lane.shape
            and choice.get("finish_reason") is None
            and choice.get("logprobs") is None
        ):
            part.pieces.append(content)
            if self._joining:
                self._join(part, content, out)
            else:
                out.append(Event(part_delta={**part.where, "text": content}))
            return
        self._flush(out)
        self._rest_of_choice(lane, choice)
        lane.take(fragment, out)

    def _join(self, part: Growing, content: str, out: list[Event]) -> None:
        waiting = self._joined
        if waiting is not None and waiting[0] is part:
            waiting[1].append(content)
            return
        self._flush(out)
        self._joined = (part, [content])

    def _flush(self, out: list[Event]) -> None:
        """Say the pieces that wait, before anything else is said."""
        if self._joined is not None:
            part, pieces = self._joined
            self._joined = None
            out.append(Event(part_delta={**part.where, "text": "".join(pieces)}))

    def _rest_of_choice(self, lane: Lane, choice: JsonObject) -> None:
        lane.shape = frozenset(choice)
        finish = choice.get("finish_reason")
        if finish == "error":
            raise failed(self._provider, "the answer ended in an error")
        if isinstance(finish, str) and finish:
            lane.finish = finish
        if logprobs := choice.get("logprobs"):
            lane.take_logprobs(object_in(logprobs))
        if not lane.shape <= _KNOWN_IN_CHOICE:
            lane.extras.update({key: choice[key] for key in lane.shape - _KNOWN_IN_CHOICE if choice[key] is not None})

    def _lane(self, choice: JsonObject) -> Lane:
        index = choice.get("index", 0)
        if not isinstance(index, int) or not 0 <= index < _MOST_CANDIDATES:
            raise failed(self._provider, "it sent a choice whose index is none")
        lane = self._lanes.get(index)
        if lane is None:
            lane = self._lanes[index] = Lane(index, self._provider, ids=self._ids, audio_type=self._audio_type)
        return lane

    def _response(self, *, with_parts: bool, note: bool = True) -> pb.ChatResponse:
        response = pb.ChatResponse(provider=self._provider, model=self.model, provider_response_id=self._id)
        for index in sorted(self._lanes):
            self._lanes[index].write(response.candidates.add(), with_parts=with_parts)
        if with_parts and response.candidates:
            response.text = self._lanes[response.candidates[0].index].said()
        notices: list[pb.Notice] = []
        fill_usage(response.usage, self._usage, notices, prompt=lambda: prompt_tokens(self._call.request), said=self._said_tokens)
        if note:
            self._call.trail.notices.extend(notices)
        if unknown := unknown_usage(self._usage):
            self._extras["usage"] = unknown
        if self._extras:
            response.provider_extra_json = dumped(self._extras)
        return response

    def _said_tokens(self) -> int:
        return tokens_of(sum(lane.characters() for lane in self._lanes.values()))
