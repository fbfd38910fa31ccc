"""Canned answers: what echo and script say, shaped and paced like a model's."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from promptwire import v1 as pb
from promptwire_server.core.answer import delta_of, emptied, finished, started
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import DeadlineExceeded, PromptwireError
from promptwire_server.core.reply import Batch, Event, Reply
from promptwire_server.providers.attempt import Try
from promptwire_server.providers.interruption import interrupted
from promptwire_server.providers.prompt import messages_of, texts_of

_WORD = re.compile(r"\s*\S+\s*")
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class CannedCall:
    """A tool call."""

    name: str
    arguments_json: str = "{}"
    tool_call_id: str = ""  # empty: made from the place in the conversation


@dataclass(frozen=True, slots=True)
class Canned:
    """What is said, how fast, and how it fails."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[CannedCall, ...] = ()
    delay_s: float = 0.0  # before the first word
    word_delay_s: float = 0.0  # between words
    error: PromptwireError | None = None
    error_after_words: int = 0  # 0: instead of an answer


def words_in(text: str) -> int:
    """Tokens, as canned answers count them."""
    return len(text.split())


def split_words(text: str) -> list[str]:
    """Each word with the blanks behind it; joined they are the text."""
    return _WORD.findall(text) or ([text] if text else [])


def prompt_words(request: pb.ChatRequest) -> int:
    """Tokens of the prompt, as canned answers count them."""
    return sum(words_in(text) for text in texts_of(request))


def response_of(request: pb.ChatRequest, canned: Canned, provider: str, model: str) -> pb.ChatResponse:
    """The whole answer, the request's limits applied."""
    generation = request.generation
    text, finish = _limited(canned.text, generation) if not canned.tool_calls and not canned.refusal else ("", _natural(canned))
    response = pb.ChatResponse(text=text, provider=provider, model=model, usage=_usage(request, canned, text))
    for index in range(generation.candidate_count or 1):
        candidate = response.candidates.add(
            index=index, finish_reason=finish, provider_finish_reason=pb.FinishReason.Name(finish).removeprefix("FINISH_REASON_").lower()
        )
        candidate.message.role = pb.ROLE_ASSISTANT
        candidate.message.parts.extend(_parts(request, canned, text))
    return response


def _natural(canned: Canned) -> "pb.FinishReason":
    return pb.FINISH_REASON_TOOL_CALLS if canned.tool_calls else pb.FINISH_REASON_REFUSAL


def _limited(text: str, generation: pb.GenerationSettings) -> tuple[str, "pb.FinishReason"]:
    ends = [at for stop in generation.stop_sequences if stop and (at := text.find(stop)) >= 0]
    if ends:
        text = text[: min(ends)]
    limit = generation.max_output_tokens
    if not limit or words_in(text) <= limit:
        return text, pb.FINISH_REASON_STOP
    return "".join(split_words(text)[:limit]).rstrip(), pb.FINISH_REASON_LENGTH


def _parts(request: pb.ChatRequest, canned: Canned, text: str) -> Iterator[pb.ContentPart]:
    if canned.reasoning:
        yield pb.ContentPart(reasoning=pb.ReasoningPart(text=canned.reasoning))
    if text:
        yield pb.ContentPart(text=text)
    if canned.refusal:
        yield pb.ContentPart(refusal=pb.RefusalPart(text=canned.refusal))
    turn = len(messages_of(request))
    for position, call in enumerate(canned.tool_calls):
        tool_call_id = call.tool_call_id or f"call_{turn}_{position}"
        yield pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id=tool_call_id, name=call.name, arguments_json=call.arguments_json))


def _usage(request: pb.ChatRequest, canned: Canned, text: str) -> pb.Usage:
    reasoning = words_in(canned.reasoning)
    said = words_in(text) + words_in(canned.refusal) + sum(1 + words_in(call.arguments_json) for call in canned.tool_calls)
    count = request.generation.candidate_count or 1
    return pb.Usage(input_tokens=prompt_words(request), output_tokens=(said + reasoning) * count, reasoning_tokens=reasoning * count)


def word_events(response: pb.ChatResponse) -> Iterator[Event]:
    """The answer as a stream: a delta for each word."""
    yield started(response.request_id, response.provider, response.model, response.trace_id)
    for candidate in response.candidates:
        for index, part in enumerate(candidate.message.parts):
            where = {"candidate_index": candidate.index, "part_index": index}
            yield Event(part_started=pb.PartStarted(**where, part=emptied(part)))
            yield from _deltas(part, where)
            yield Event(part_finished=pb.PartFinished(**where, part=part))
    yield finished(response)


def _deltas(part: pb.ContentPart, where: dict[str, int]) -> Iterator[Event]:
    delta = delta_of(part)
    if delta is None:
        return
    kind = delta.WhichOneof("delta") or "text"
    for word in split_words(getattr(delta, kind)):
        yield Event(part_delta={**where, kind: word})


class Stage:
    """Plays canned answers for one provider."""

    def __init__(self, provider: str, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self._provider = provider
        self._clock = clock
        self._sleep = sleep

    async def play(self, call: Call, canned: Canned, model: str) -> Reply:
        """Answer. Raises the canned error, and DeadlineExceeded when the pace is slower than the caller's patience."""
        response = response_of(call.request, canned, self._provider, model)
        with Try(call, self._provider, model, self._clock) as attempt:
            await self._pause(call, canned.delay_s)
            if canned.error is not None and not (call.stream and canned.error_after_words):
                raise canned.error
            if call.stream:
                return Reply(self._paced(call, canned, list(word_events(response)), attempt), release=attempt.abandoned)
            await self._pause(call, canned.word_delay_s * max(0, response.usage.output_tokens - 1))
            attempt.answered()
            return Reply.whole(response)

    async def _paced(self, call: Call, canned: Canned, events: Sequence[Event], attempt: Try) -> AsyncIterator[Batch]:
        words = 0
        spent = pb.Usage(input_tokens=events[-1].finished.response.usage.input_tokens)
        attempt.begun(lambda: spent)
        with attempt:
            for batch in [events] if canned.error is None and not canned.word_delay_s else ([event] for event in events):
                ends = batch[-1].HasField("finished")
                speaks = batch[0].HasField("part_delta")
                # An answer of fewer words than the failure comes after fails at its end.
                if canned.error is not None and (ends or (speaks and words >= canned.error_after_words)):
                    raise interrupted(canned.error, delivered_deltas=words)
                if speaks and words:
                    await self._pause(call, canned.word_delay_s)
                words += speaks
                spent.output_tokens = words
                if ends:
                    attempt.answered()
                yield batch

    async def _pause(self, call: Call, seconds: float) -> None:
        if not seconds:
            return
        left = call.remaining_s(self._clock.monotonic())
        await self._sleep(min(seconds, left))
        if seconds >= left:
            raise DeadlineExceeded.during("upstream")
