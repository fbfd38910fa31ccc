"""A streamed answer put together again while it passes by."""

from promptwire import v1 as pb


class Assembly:
    """Takes events in order; `response` is whole after `finished`. Parts are taken from part_finished, so a token costs little here."""

    def __init__(self) -> None:
        self.response: pb.ChatResponse | None = None
        self.started = pb.ChatStarted()
        self.last_sequence = 0
        self._text: list[str] = []
        self._parts: dict[tuple[int, int], pb.ContentPart] = {}
        self._logprobs: dict[int, list[pb.TokenLogprob]] = {}

    @property
    def text(self) -> str:
        """Text of candidate 0 so far."""
        return "".join(self._text)

    def add(self, event: pb.StreamChatResponse) -> None:
        """Take the next event in."""
        self.last_sequence = event.sequence
        kind = event.WhichOneof("event")
        if kind == "part_delta":
            self._add_delta(event.part_delta)
        elif kind == "part_finished":
            done = event.part_finished
            self._parts[done.candidate_index, done.part_index] = done.part
        elif kind == "attempt_failed" and event.attempt_failed.discard_partial_output:
            self._discard()
        elif kind == "started":
            self.started = event.started
        elif kind == "finished":
            self.response = self._whole(event.finished.response)

    def _add_delta(self, delta: pb.PartDelta) -> None:
        self._text.append(text_of(delta))
        if delta.logprobs:
            self._logprobs.setdefault(delta.candidate_index, []).extend(delta.logprobs)

    def _discard(self) -> None:
        self._text.clear()
        self._parts.clear()
        self._logprobs.clear()

    def _whole(self, summary: pb.ChatResponse) -> pb.ChatResponse:
        response = pb.ChatResponse()
        response.CopyFrom(summary)
        candidates = {candidate.index: candidate for candidate in response.candidates}
        for (index, _), part in sorted(self._parts.items(), key=lambda item: item[0]):
            if index in candidates:
                candidates[index].message.parts.append(part)
        for index, logprobs in self._logprobs.items():
            if index in candidates:
                candidates[index].logprobs.extend(logprobs)
        if 0 in candidates:
            response.text = "".join(part.text for part in candidates[0].message.parts)
        return response


def text_of(delta: pb.PartDelta) -> str:
    """What a delta adds to the text of candidate 0."""
    return delta.text if delta.candidate_index == 0 else ""
