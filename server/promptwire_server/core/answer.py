"""The two shapes of an answer, whole and as events, and the way from each to the other."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from promptwire import v1 as pb

_PIECE = 256  # characters of a delta: an answer that is there already still comes as a stream, which readers show as it grows


def events_of(response: pb.ChatResponse) -> Iterator[pb.StreamChatResponse]:
    """A whole answer as the events of a stream, long texts in several deltas."""
    yield started(response.request_id, response.provider, response.model, response.trace_id)
    for candidate in response.candidates:
        carrier = _carrier(candidate)
        for index, part in enumerate(candidate.message.parts):
            yield from _events_of_part(candidate, index, part, candidate.logprobs if index == carrier else ())
    end = finished(response)
    for candidate, summary in zip(response.candidates, end.finished.response.candidates, strict=True):
        if _carrier(candidate) is None:
            summary.logprobs.extend(candidate.logprobs)
    yield end


def started(request_id: str, provider: str, model: str, trace_id: str) -> pb.StreamChatResponse:
    """The first event."""
    return pb.StreamChatResponse(started=pb.ChatStarted(request_id=request_id, provider=provider, model=model, trace_id=trace_id))


def finished(response: pb.ChatResponse) -> pb.StreamChatResponse:
    """The last event: the answer without its text and parts, which were delivered before."""
    summary = pb.ChatResponse()
    summary.CopyFrom(response)
    summary.text = ""
    for candidate in summary.candidates:
        if candidate.message.parts:
            del candidate.message.parts[:]
        del candidate.logprobs[:]
    return pb.StreamChatResponse(finished=pb.ChatFinished(response=summary))


def _carrier(candidate: pb.Candidate) -> int | None:
    """The part whose delta brings the logprobs: the first text, or else the first that has a delta; None when there is none."""
    parts = candidate.message.parts
    texts = (index for index, part in enumerate(parts) if part.WhichOneof("content") == "text")
    others = (index for index, part in enumerate(parts) if delta_of(part) is not None)
    return next(texts, next(others, None)) if candidate.logprobs else None


def _events_of_part(
    candidate: pb.Candidate, index: int, part: pb.ContentPart, logprobs: Iterable[pb.TokenLogprob]
) -> Iterator[pb.StreamChatResponse]:
    where = {"candidate_index": candidate.index, "part_index": index}
    yield pb.StreamChatResponse(part_started=pb.PartStarted(**where, part=emptied(part)))
    for number, delta in enumerate(_deltas_of(part)):
        delta.candidate_index = candidate.index
        delta.part_index = index
        if not number:
            delta.logprobs.extend(logprobs)
        yield pb.StreamChatResponse(part_delta=delta)
    yield pb.StreamChatResponse(part_finished=pb.PartFinished(**where, part=part))


def emptied(part: pb.ContentPart) -> pb.ContentPart:
    """The part as it begins: its kind, and of a tool call its id and name."""
    kind = part.WhichOneof("content")
    if kind == "text":
        return pb.ContentPart(text="")
    if kind == "tool_call":
        return pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id=part.tool_call.tool_call_id, name=part.tool_call.name))
    if kind == "reasoning":
        return pb.ContentPart(reasoning=pb.ReasoningPart(redacted=part.reasoning.redacted))
    if kind == "refusal":
        return pb.ContentPart(refusal=pb.RefusalPart())
    if kind == "media":
        return pb.ContentPart(media=pb.MediaPart(mime_type=part.media.mime_type))
    return part


def _deltas_of(part: pb.ContentPart) -> Iterator[pb.PartDelta]:
    """The part as deltas of about a paragraph each, between words where there are blanks; none for kinds that come at once."""
    delta = delta_of(part)
    if delta is None:
        return
    kind = delta.WhichOneof("delta")
    words = "" if kind is None or kind == "data" else getattr(delta, kind)
    if kind is None or len(words) <= _PIECE:
        yield delta
        return
    begun = 0
    while begun < len(words):
        end = begun + _PIECE
        blank = words.rfind(" ", begun, end) + 1 if end < len(words) else 0
        end = blank if blank > begun else end
        piece = pb.PartDelta()
        setattr(piece, kind, words[begun:end])
        yield piece
        begun = end


def delta_of(part: pb.ContentPart) -> pb.PartDelta | None:
    """The whole part as one delta; None for kinds that come at once."""
    kind = part.WhichOneof("content")
    if kind == "text":
        return pb.PartDelta(text=part.text)
    if kind == "tool_call":
        return pb.PartDelta(arguments_json=part.tool_call.arguments_json)
    if kind == "reasoning":
        return pb.PartDelta(reasoning=part.reasoning.text)
    if kind == "refusal":
        return pb.PartDelta(refusal=part.refusal.text)
    if kind == "media" and part.media.WhichOneof("source") == "data":
        return pb.PartDelta(data=part.media.data)
    return None


def failures(attempts: Iterable[pb.Attempt], provider: str, model: str) -> list[pb.AttemptFailed]:
    """Each attempt that failed, and who was asked next: the attempt behind it, or the provider and model that are being asked now."""
    failed = [attempt for attempt in attempts if attempt.HasField("failure")]
    following = [(attempt.provider, attempt.model) for attempt in failed[1:]]
    return [
        pb.AttemptFailed(attempt=attempt, next_action=_action(attempt, *target), next_provider=target[0], next_model=target[1])
        for attempt, target in zip(failed, [*following, (provider, model)], strict=False)
    ]


def _action(attempt: pb.Attempt, provider: str, model: str) -> "pb.AttemptFailed.NextAction":
    same = (attempt.provider, attempt.model) == (provider, model)
    return pb.AttemptFailed.NEXT_ACTION_RETRY if same else pb.AttemptFailed.NEXT_ACTION_FALLBACK


def text_of(message: pb.ChatMessage) -> str:
    """The text parts of a message, joined."""
    return "".join(part.text for part in message.parts if part.WhichOneof("content") == "text")


class Observer(Protocol):
    """Sees an answer before its reader does and may fill in what only the outside knows (ids, timing). Must not raise."""

    def started(self, event: pb.ChatStarted) -> None:
        """The first event of a stream, about to be delivered."""
        ...

    def first_delta(self) -> None:
        """The first delta of a stream, about to be delivered."""
        ...

    def complete(self, response: pb.ChatResponse) -> None:
        """The answer, or the summary of a stream in its `finished` event: exactly once, about to be delivered."""
        ...


class Assembly:
    """Puts a streamed answer together again. Relies on part_finished for the parts, so that a token costs nothing here."""

    __slots__ = ("_begun", "_logprobs", "_observers", "_parts", "_provider", "response")

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = observers
        self._begun = False
        self.response: pb.ChatResponse | None = None  # set by `finished`
        self._parts: dict[tuple[int, int], pb.ContentPart] = {}
        self._logprobs: dict[int, list[pb.TokenLogprob]] = {}
        self._provider = pb.ChatStarted()

    def add(self, event: pb.StreamChatResponse) -> None:
        """Take the next event in."""
        kind = event.WhichOneof("event")
        if kind == "part_delta":
            if not self._begun:
                self._begin()
            if event.part_delta.logprobs:
                self._logprobs.setdefault(event.part_delta.candidate_index, []).extend(event.part_delta.logprobs)
        elif kind == "part_finished":
            self._parts[event.part_finished.candidate_index, event.part_finished.part_index] = event.part_finished.part
        elif kind == "attempt_failed" and event.attempt_failed.discard_partial_output:
            self._parts.clear()
            self._logprobs.clear()
        elif kind == "started":
            for observer in self._observers:
                observer.started(event.started)
            self._provider = event.started
        elif kind == "finished":
            for observer in self._observers:
                observer.complete(event.finished.response)
            self.response = self._filled(event.finished.response)

    def _begin(self) -> None:
        self._begun = True
        for observer in self._observers:
            observer.first_delta()

    def partial(self) -> pb.ChatResponse | None:
        """The finished parts of an answer that did not complete; None when it did."""
        if self.response is not None:
            return None
        partial = pb.ChatResponse(provider=self._provider.provider, model=self._provider.model, request_id=self._provider.request_id)
        for candidate in sorted({candidate for candidate, _ in self._parts}):
            partial.candidates.add(index=candidate)
        return self._filled(partial)

    def _filled(self, summary: pb.ChatResponse) -> pb.ChatResponse:
        response = pb.ChatResponse()
        response.CopyFrom(summary)
        by_index = {candidate.index: candidate for candidate in response.candidates}
        for (index, _), part in sorted(self._parts.items(), key=lambda item: item[0]):
            if index in by_index:
                by_index[index].message.parts.append(part)
        for index, logprobs in self._logprobs.items():
            if index in by_index:
                by_index[index].logprobs.extend(logprobs)
        if 0 in by_index:
            response.text = text_of(by_index[0].message)
        return response
