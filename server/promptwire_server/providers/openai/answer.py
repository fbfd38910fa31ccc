"""Answers of chat completions, whole or in chunks."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Event
from promptwire_server.providers.answer import Answer
from promptwire_server.providers.failed import failed
from promptwire_server.providers.json_value import Json, JsonObject, list_in, object_in, text_in
from promptwire_server.providers.lane import Lane
from promptwire_server.providers.openai.errors import error_in
from promptwire_server.providers.openai.finish import reason_of
from promptwire_server.providers.openai.lane import ChatLane
from promptwire_server.providers.openai.logprobs import logprobs_from_wire
from promptwire_server.providers.openai.usage import fill_usage, merged_usage, unknown_usage

DONE = "[DONE]"
_KNOWN = frozenset({"id", "object", "model", "choices", "usage", "error", "obfuscation"})
_KNOWN_IN_CHOICE = frozenset({"index", "delta", "message", "finish_reason", "logprobs", "usage"})


class ChatAnswer(Answer):
    """See Answer."""

    __slots__ = ("_audio_type", "_chat", "_shape", "_usage")

    def __init__(self, call: Call, provider: str, ids: Ids) -> None:
        super().__init__(call, provider, ids)
        self._chat: dict[int, ChatLane] = {}  # the lanes, as what they are
        self._usage: Json = None
        self._shape: frozenset[str] = frozenset()
        self._audio_type = f"audio/{call.request.generation.audio.format or 'wav'}"

    def from_event(self, name: str, data: str, out: list[Event]) -> None:
        """See Answer."""
        if data == DONE:
            self.end(out)
            return
        chunk = self.parsed(data)
        usage = chunk.get("usage")
        if usage or name or chunk.keys() != self._shape:
            self._look_through(chunk, name)
        for choice in list_in(chunk.get("choices")):
            self._choice(object_in(choice), out)

    def from_wire(self, body: JsonObject, out: list[Event]) -> None:
        """See Answer."""
        self._look_through(body, "")
        for choice in list_in(body.get("choices")):
            self._choice(object_in(choice), out)
        if not self.lanes:
            raise failed(self.provider, "its answer has no choices")
        for lane in self._chat.values():
            lane.close(out)

    def cut_off(self, rest: str, out: list[Event]) -> None:
        """The marker counts without its blank line; anything else that was cut off does not."""
        if rest != DONE:
            super().cut_off(rest, out)
        self.end(out)

    def reason_of(self, lane: Lane) -> "pb.FinishReason":
        """See Answer."""
        return reason_of(lane.finish, lane.kinds())

    def usage_from_wire(self, usage: pb.Usage, notices: list[pb.Notice]) -> None:
        """See Answer."""
        fill_usage(usage, self._usage, notices, prompt=self.asked_tokens, said=self.said_tokens)
        if unknown := unknown_usage(self._usage):
            self.extras["usage"] = unknown

    def _look_through(self, chunk: JsonObject, name: str) -> None:
        """All that is the same in most chunks, so read when one looks different."""
        if chunk.get("error") or name == "error":
            raise error_in(chunk, provider=self.provider, model=self.model)
        self._shape = frozenset(chunk)
        self.response_id = text_in(chunk.get("id")) or self.response_id
        self.model = text_in(chunk.get("model")) or self.model
        self._usage = merged_usage(self._usage, chunk.get("usage"))
        for key in self._shape - _KNOWN:
            if chunk[key] is not None:
                self.extras[key] = chunk[key]

    def _choice(self, choice: JsonObject, out: list[Event]) -> None:
        lane = self._lane_of(choice)
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
            self.piece(part, content, out)
            return
        self.flush(out)
        self._rest_of_choice(lane, choice)
        lane.take(fragment, out)

    def _rest_of_choice(self, lane: ChatLane, choice: JsonObject) -> None:
        lane.shape = frozenset(choice)
        finish = choice.get("finish_reason")
        if finish == "error":
            raise failed(self.provider, "the answer ended in an error")
        if isinstance(finish, str) and finish:
            lane.finish = finish
        if usage := choice.get("usage"):  # where Moonshot says it
            self._usage = merged_usage(usage, self._usage)
        if logprobs := choice.get("logprobs"):
            lane.take_logprobs(logprobs_from_wire(object_in(logprobs)))
        if not lane.shape <= _KNOWN_IN_CHOICE:
            lane.extras.update({key: choice[key] for key in lane.shape - _KNOWN_IN_CHOICE if choice[key] is not None})

    def _lane_of(self, choice: JsonObject) -> ChatLane:
        index = self.number(choice.get("index", 0))
        known = self._chat.get(index)
        if known is None:
            known = self.lanes[index] = self._chat[index] = ChatLane(index, self.provider, self.ids, audio_type=self._audio_type)
        return known
