"""Answers of generateContent, whole or in chunks."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.estimate import tokens_of
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Event
from promptwire_server.providers.answer import Answer
from promptwire_server.providers.failed import failed
from promptwire_server.providers.gemini.citations import searches_in
from promptwire_server.providers.gemini.errors import blocked, error_in
from promptwire_server.providers.gemini.finish import is_odd, reason_of
from promptwire_server.providers.gemini.lane import GeminiLane
from promptwire_server.providers.gemini.usage import fill_usage, unknown_usage
from promptwire_server.providers.json_value import Json, JsonObject, list_in, object_in, text_in
from promptwire_server.providers.lane import Lane

_KNOWN = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId", "promptFeedback", "error"})
_SHOWN = 64  # characters of the vendor's word
_SHAPELESS = ("media",)  # kinds whose length says nothing of tokens


class GeminiAnswer(Answer):
    """See Answer. A stream has no mark at its end: it is complete when it ends after every candidate said why it finished."""

    __slots__ = ("_said", "_shape", "_usage")

    def __init__(self, call: Call, provider: str, ids: Ids) -> None:
        super().__init__(call, provider, ids)
        self._said: dict[int, GeminiLane] = {}  # the lanes, as what they are
        self._usage: Json = None
        self._shape: frozenset[str] = frozenset()

    def from_event(self, name: str, data: str, out: list[Event]) -> None:  # noqa: ARG002 - events have no names
        """See Answer."""
        chunk = self.parsed(data)
        if chunk.keys() != self._shape:
            self._look_through(chunk)
        else:
            self._usage = chunk.get("usageMetadata") or self._usage  # each counts all so far
        for candidate in list_in(chunk.get("candidates")):
            self._candidate(object_in(candidate), out)

    def from_wire(self, body: JsonObject, out: list[Event]) -> None:
        """See Answer."""
        self._look_through(body)
        for candidate in list_in(body.get("candidates")):
            self._candidate(object_in(candidate), out)
        if not self.lanes:
            raise failed(self.provider, "its answer has no candidates")
        self._complete()

    def cut_off(self, rest: str, out: list[Event]) -> None:
        """The end of the stream is the end, if all candidates have finished. The last event counts without its blank line."""
        if rest:
            self.from_event("", rest, out)
        self.check_end()
        self._complete()
        self.end(out)

    def reason_of(self, lane: Lane) -> "pb.FinishReason":
        """See Answer."""
        return reason_of(lane.finish, lane.kinds())

    def usage_from_wire(self, usage: pb.Usage, notices: list[pb.Notice]) -> None:
        """See Answer."""
        fill_usage(usage, self._usage, notices, prompt=self.asked_tokens, said=self._all_tokens, shown=self._shown_tokens)
        if searches := sum(searches_in(lane.grounding) for lane in self._said.values()):
            usage.provider_units["google_search"] = searches
        if unknown := unknown_usage(self._usage):
            self.extras["usageMetadata"] = unknown

    def _look_through(self, chunk: JsonObject) -> None:
        """All that is the same in most chunks, so read when one looks different."""
        if chunk.get("error"):
            raise error_in(chunk, provider=self.provider, model=self.model)
        self._shape = frozenset(chunk)
        self.response_id = text_in(chunk.get("responseId")) or self.response_id
        self.model = text_in(chunk.get("modelVersion")) or self.model
        self._usage = chunk.get("usageMetadata") or self._usage
        if feedback := object_in(chunk.get("promptFeedback")):
            if feedback.get("blockReason") and not self.lanes and not chunk.get("candidates"):
                raise blocked(feedback, provider=self.provider, model=self.model)
            self.extras["promptFeedback"] = feedback
        for key in self._shape - _KNOWN:
            if chunk[key] is not None:
                self.extras[key] = chunk[key]

    def _candidate(self, candidate: JsonObject, out: list[Event]) -> None:
        lane = self._lane_of(candidate)
        part = lane.text
        # Most chunks are this: one more piece of the text and nothing else.
        if part is not None and len(candidate) == 1 + ("index" in candidate) and (text := _only_text(candidate.get("content"))):
            self.piece(part, text, out)
            return
        self.flush(out)
        lane.take(candidate, out)

    def _lane_of(self, candidate: JsonObject) -> GeminiLane:
        index = candidate.get("index", 0)
        known = self._said.get(index) if type(index) is int else None
        if known is None:
            index = self.number(index)
            known = self.lanes[index] = self._said[index] = GeminiLane(index, self.provider, self.ids)
        return known

    def _complete(self) -> None:
        for index, lane in self._said.items():
            lane.complete()
            if is_odd(lane.finish):
                word = (lane.finish or "")[:_SHOWN]
                message = f"the provider ended the answer with {word}; it may be empty or incomplete, and asking again may help"
                self.call.notice(pb.Notice.CODE_UNSPECIFIED, message, f"candidates[{index}].finish_reason")

    def _all_tokens(self) -> int:
        return self._tokens(*_SHAPELESS)

    def _shown_tokens(self) -> int:
        return self._tokens("reasoning", *_SHAPELESS)

    def _tokens(self, *without: str) -> int:
        parts = (part for lane in self.lanes.values() for part in lane.parts)
        return tokens_of(sum(part.characters() for part in parts if part.kind not in without))


def _only_text(content: Json) -> str:
    """The text of a content that has one part of text and nothing else; empty for any other."""
    if not isinstance(content, dict) or len(content) != 1 + ("role" in content):
        return ""
    parts = content.get("parts")
    part = parts[0] if isinstance(parts, list) and len(parts) == 1 else None
    return text_in(part.get("text")) if isinstance(part, dict) and len(part) == 1 else ""
