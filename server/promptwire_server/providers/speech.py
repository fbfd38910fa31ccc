"""Speech: what a provider of the operator's own says, put together to one candidate and to the events that tell of it."""

from promptwire import v1 as pb
from promptwire_server.core import estimate
from promptwire_server.core.answer import delta_of, emptied, finished, started, text_of
from promptwire_server.core.call import Call
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Event
from promptwire_server.providers.call_ids import CallIds
from promptwire_server.providers.counts import note_estimate
from promptwire_server.providers.failed import failed


class Speech:
    """One answer while it is said: pieces of text, whole parts, the usage and the reason of its end, in any order."""

    def __init__(self, call: Call, provider: str, model: str, ids: Ids) -> None:
        self.deltas = 0
        self._call = call
        self._ids = CallIds(call, provider, ids)
        self._response = pb.ChatResponse(provider=provider, model=model)
        self._parts: list[pb.ContentPart] = []
        self._text: list[str] = []  # of the part that grows at present, behind those in _parts
        self._reason: int = pb.FINISH_REASON_UNSPECIFIED
        self._begun = False

    def take(self, item: object, out: list[Event]) -> None:
        """Add what an item means to `out`. Raises UpstreamFailed for what is none."""
        if not self._begun:
            self._begun = True
            out.append(started("", self._response.provider, self._response.model, ""))
        match item:
            case str():
                self._say(item, out)
            case pb.ContentPart() if item.WhichOneof("content"):
                self._add(item, out)
            case pb.Usage():
                self._response.usage.CopyFrom(item)
            case int() if item in pb.FinishReason.values():
                self._reason = item
            case _:
                what = "text, a ContentPart with content, a Usage or a FinishReason"
                raise failed(self._response.provider, f"its class said {type(item).__name__}, which is none of {what}")

    def end(self, out: list[Event]) -> pb.ChatResponse:
        """It is over: say so. Returns the whole answer."""
        self._close(out)
        response = self.whole()
        completed(response, self._call)
        out.append(finished(response))
        return response

    def whole(self) -> pb.ChatResponse:
        """The answer as it is now."""
        response = pb.ChatResponse()
        response.CopyFrom(self._response)
        candidate = response.candidates.add(finish_reason=pb.FinishReason.Value(pb.FinishReason.Name(self._reason)))
        candidate.message.role = pb.ROLE_ASSISTANT
        candidate.message.parts.extend(self._parts)
        if self._text:
            candidate.message.parts.add(text="".join(self._text))
        return response

    def spent(self) -> pb.Usage:
        """The tokens so far, estimated where the class has not told them."""
        response = self.whole()
        return response.usage if response.HasField("usage") else _estimated(response, self._call)

    def _say(self, piece: str, out: list[Event]) -> None:
        if not piece:
            return
        index = len(self._parts)
        if not self._text:
            out.append(Event(part_started=pb.PartStarted(part_index=index, part=pb.ContentPart(text=""))))
        self._text.append(piece)
        self.deltas += 1
        out.append(Event(part_delta=pb.PartDelta(part_index=index, text=piece)))

    def _add(self, said: pb.ContentPart, out: list[Event]) -> None:
        self._close(out)
        part = pb.ContentPart()
        part.CopyFrom(said)
        if part.HasField("tool_call"):
            part.tool_call.tool_call_id = self._ids.take(part.tool_call.tool_call_id)
        index = len(self._parts)
        self._parts.append(part)
        out.append(Event(part_started=pb.PartStarted(part_index=index, part=emptied(part))))
        if (delta := delta_of(part)) is not None:
            delta.part_index = index
            self.deltas += 1
            out.append(Event(part_delta=delta))
        out.append(Event(part_finished=pb.PartFinished(part_index=index, part=part)))

    def _close(self, out: list[Event]) -> None:
        """End the text that grows, if one does."""
        if self._text:
            part = pb.ContentPart(text="".join(self._text))
            out.append(Event(part_finished=pb.PartFinished(part_index=len(self._parts), part=part)))
            self._parts.append(part)
            self._text = []


def completed(response: pb.ChatResponse, call: Call) -> None:
    """Fill in what was not said: the reasons of the end, the text, and the usage, by an estimate with a notice."""
    for candidate in response.candidates:
        if candidate.finish_reason == pb.FINISH_REASON_UNSPECIFIED:
            candidate.finish_reason = _reason_of(candidate.message)
        candidate.provider_finish_reason = candidate.provider_finish_reason or "stop"
    if response.candidates and not response.text:
        response.text = text_of(response.candidates[0].message)
    if not response.HasField("usage"):
        response.usage.CopyFrom(_estimated(response, call))
        notices: list[pb.Notice] = []
        note_estimate(response.usage, notices, said_something=False)
        call.trail.notices.extend(notices)


def _estimated(response: pb.ChatResponse, call: Call) -> pb.Usage:
    parts = [part for candidate in response.candidates for part in candidate.message.parts]
    thought = sum(len(part.reasoning.text) for part in parts)
    said = sum(len(part.text) + len(part.refusal.text) + len(part.tool_call.arguments_json) for part in parts)
    return pb.Usage(
        input_tokens=estimate.prompt_tokens(call.request),
        output_tokens=estimate.tokens_of(thought + said),
        reasoning_tokens=estimate.tokens_of(thought),
        estimated=True,
    )


def _reason_of(message: pb.ChatMessage) -> "pb.FinishReason":
    if any(part.HasField("tool_call") for part in message.parts):
        return pb.FINISH_REASON_TOOL_CALLS
    refused = any(part.HasField("refusal") for part in message.parts)
    return pb.FINISH_REASON_REFUSAL if refused else pb.FINISH_REASON_STOP
