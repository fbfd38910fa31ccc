"""Custom: a provider that is a Python class of the operator's own, found by an entry point of the group `promptwire.providers`.

    class Shouter:
        def __init__(self, options: Mapping[str, str]) -> None: ...     # what stands under `options` in the configuration

        async def answer(self, request: ChatRequest) -> AsyncIterator[str]:
            yield request.prompt.upper()

`answer` is all that it needs. It gets a copy of the request whose `model` is the name behind the provider's, and either yields while
it speaks, or is a coroutine that returns. What may be yielded: pieces of text, ContentParts (tool calls, reasoning, media), a Usage, a
FinishReason. What may be returned: a text, or a whole ChatResponse, with several candidates if need be. Usage that is not said is
estimated. Cancellation and the caller's deadline arrive as CancelledError and must pass. Whatever it raises becomes UPSTREAM_FAILED with
the name of the exception and without its words; errors of `promptwire_server.core.errors` pass as they are. An `aclose` is awaited, if
there is one, when the server stops.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from traceback import walk_tb
from typing import Protocol

from promptwire import v1 as pb
from promptwire_server.core import estimate
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.embedding import EmbedCall
from promptwire_server.core.errors import CapabilityMissing, DeadlineExceeded, InvalidRequest, PromptwireError
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Batch, Event, Reply
from promptwire_server.core.secret import Secret
from promptwire_server.providers.asked import missing
from promptwire_server.providers.attempt import Try
from promptwire_server.providers.failed import failed, too_late
from promptwire_server.providers.interruption import interrupted
from promptwire_server.providers.speech import Speech, completed

GROUP = "promptwire.providers"
_END = object()


class BadEntryPoint(RuntimeError):
    """There is no such class, or it cannot be made."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Which class, and what it is given."""

    entry_point: str  # a name in GROUP
    options: Mapping[str, Secret] = field(default_factory=dict)
    models: Sequence[str] = ()  # to list


class Speaker(Protocol):
    """A class of the operator's."""

    def answer(self, request: pb.ChatRequest) -> AsyncIterator[object] | Awaitable[object]:
        """See the module."""
        ...


class Custom:
    """The provider around such a class."""

    def __init__(self, name: str, speaker: Speaker, *, clock: Clock, ids: Ids, models: Sequence[str]) -> None:
        self.name = name
        self._speaker = speaker
        self._clock = clock
        self._ids = ids
        self._models = tuple(models)
        self._closing: set[asyncio.Task[None]] = set()  # owned here: of streams that were left early

    @classmethod
    def from_settings(cls, name: str, settings: Settings, clock: Clock, ids: Ids) -> "Custom":
        """The provider of an entry point. Raises BadEntryPoint."""
        at = f"providers.{name}.entry_point"
        found = entry_points(group=GROUP)
        if settings.entry_point not in found.names:
            known = ", ".join(sorted(found.names)) or "none"
            raise BadEntryPoint(f'{at}: nothing that is installed has "{settings.entry_point}" in the group {GROUP}; there are {known}')
        options = {option: value.reveal() for option, value in settings.options.items()}
        try:
            speaker = found[settings.entry_point].load()(options)
        except Exception as error:  # noqa: BLE001 - foreign code, whose words may hold what it was given
            raise BadEntryPoint(f"{at}: {settings.entry_point} cannot be made: {_raised(error)}") from None
        if not callable(getattr(speaker, "answer", None)):
            raise BadEntryPoint(f"{at}: {settings.entry_point} has no method `answer`")
        return cls(name, speaker, clock=clock, ids=ids, models=settings.models or (settings.entry_point,))

    async def __call__(self, call: Call) -> Reply:
        """See Provider."""
        model = call.target.model if call.target else call.request.model
        with Try(call, self.name, model, self._clock) as attempt:
            try:
                return await self._answered(call, model, attempt)
            except (CapabilityMissing, InvalidRequest):
                attempt.withdrawn()  # the class looked at the request and asked nobody
                raise

    async def _answered(self, call: Call, model: str, attempt: Try) -> Reply:
        turn = _Turn(self.name, call, self._clock)
        said = turn.begin(self._speaker, model)
        if isinstance(said, AsyncIterator):
            stream = _Stream(turn, said, Speech(call, self.name, model, self._ids), attempt)
            return await self._opened(stream) if call.stream else Reply.whole(await self._all(stream))
        response = self._named(await turn.awaited(said), model)
        completed(response, call)
        attempt.answered()
        return Reply.whole(response)

    async def embed(self, call: EmbedCall) -> pb.EmbedResponse:
        """See Provider."""
        raise missing("model", "embeddings", f"name a model of a provider that does ({call.model} is a class of the operator's)")

    async def count_tokens(self, call: Call) -> pb.CountTokensResponse:
        """See Provider."""
        model = call.target.model if call.target else call.request.model
        tokens = estimate.prompt_tokens(call.request)
        return pb.CountTokensResponse(input_tokens=tokens, estimated=True, method=estimate.METHOD, model=model, provider=self.name)

    async def models(self) -> Sequence[pb.Model]:
        """See Provider."""
        return [
            pb.Model(name=f"{self.name}/{model}", provider=self.name, provider_model=model, source="configuration")
            for model in self._models
        ]

    async def aclose(self) -> None:
        """See Provider."""
        if self._closing:
            await asyncio.wait(self._closing)
        aclose = getattr(self._speaker, "aclose", None)
        if aclose is not None:
            await _ended(aclose)

    async def _opened(self, stream: "_Stream") -> Reply:
        opened = False
        try:
            first = await stream.first()
            opened = True
        finally:
            if not opened:
                self._close(stream)
        return Reply(stream.batches(first), release=lambda: self._release(stream), partial=stream.speech.whole)

    async def _all(self, stream: "_Stream") -> pb.ChatResponse:
        try:
            while not stream.response:
                await stream.more([])
            return stream.response
        finally:
            self._close(stream)

    def _release(self, stream: "_Stream") -> None:
        stream.attempt.abandoned()
        self._close(stream)

    def _close(self, stream: "_Stream") -> None:
        """Let a generator run its own clean-up. That may wait, so it is a task."""
        aclose = getattr(stream.source, "aclose", None)
        if aclose is not None and not stream.response:
            task = asyncio.get_running_loop().create_task(_ended(aclose))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _named(self, said: object, model: str) -> pb.ChatResponse:
        match said:
            case pb.ChatResponse():
                response = pb.ChatResponse()
                response.CopyFrom(said)
            case str():
                response = pb.ChatResponse(text=said)
                response.candidates.add().message.parts.add(text=said)
            case _:
                raise failed(self.name, f"its class returned {type(said).__name__}, which is neither text nor a ChatResponse")
        for candidate in response.candidates:
            candidate.message.role = pb.ROLE_ASSISTANT
        response.provider, response.model = self.name, response.model or model
        return response


class _Turn:
    """One question to the class: it has until the caller's deadline, and its exceptions do not get out as they are."""

    def __init__(self, name: str, call: Call, clock: Clock) -> None:
        self.name = name
        self._call = call
        self._clock = clock

    def begin(self, speaker: Speaker, model: str) -> AsyncIterator[object] | Awaitable[object]:
        """What `answer` gives. Raises UpstreamFailed when that is nothing to wait for."""
        if not self._call.remaining_s(self._clock.monotonic()):
            raise DeadlineExceeded.during("upstream")
        request = pb.ChatRequest()
        request.CopyFrom(self._call.request)
        request.model = model
        with self._guarded():
            said = speaker.answer(request)
        if isinstance(said, AsyncIterator) or inspect.isawaitable(said):
            return said
        raise failed(self.name, "its `answer` neither is a coroutine nor yields asynchronously")

    async def awaited(self, said: Awaitable[object]) -> object:
        """What it comes to. Raises DeadlineExceeded, UpstreamFailed, and errors of ours that the class raises."""
        try:
            async with asyncio.timeout(self._call.remaining_s(self._clock.monotonic())):
                with self._guarded():
                    return await said
        except TimeoutError:
            raise too_late(self.name) from None

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except PromptwireError:
            raise
        except Exception as error:  # noqa: BLE001 - foreign code, whose words may hold the prompt
            raise failed(self.name, f"its class failed: {_raised(error)}") from None


class _Stream:
    """One answer that is yielded."""

    def __init__(self, turn: _Turn, source: AsyncIterator[object], speech: Speech, attempt: Try) -> None:
        self.source = source
        self.speech = speech
        self.attempt = attempt
        self.response: pb.ChatResponse | None = None  # the whole, at the end
        self._turn = turn

    async def more(self, out: list[Event]) -> None:
        """Add what the next item means."""
        item = await self._turn.awaited(anext(self.source, _END))
        if item is _END:
            self.speech.take("", out)
            self.response = self.speech.end(out)
            self.attempt.answered()
        else:
            self.speech.take(item, out)

    async def first(self) -> list[Event]:
        """The first events: every failure until then can still be undone."""
        out: list[Event] = []
        await self.more(out)
        self.attempt.begun(self.speech.spent)
        return out

    async def batches(self, first: list[Event]) -> AsyncIterator[Batch]:
        """The first batch, and all that follow."""
        yield first
        while not self.response:
            out: list[Event] = []
            try:
                await self.more(out)
            except PromptwireError as error:
                final = interrupted(error, delivered_deltas=self.speech.deltas)
                self.attempt.failed(final)
                raise final from final.__cause__
            if out:
                yield out


async def _ended(close: Callable[[], Awaitable[object]]) -> None:
    """Clean-up of foreign code, whose failure concerns nobody any longer."""
    with suppress(Exception):
        await close()


def _raised(error: Exception) -> str:
    """What was raised and where; not its words."""
    places = list(walk_tb(error.__traceback__))
    frame, line = places[-1] if places else (None, 0)
    where = f" ({Path(frame.f_code.co_filename).name}, line {line})" if frame else ""
    return f"{type(error).__name__}{where}"
