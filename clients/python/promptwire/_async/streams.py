"""Streams of a client: an answer, or a run of a chain, while it arrives."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from promptwire import v1 as pb
from promptwire._assembly import Assembly, text_of
from promptwire._status import translated
from promptwire.delta import Delta
from promptwire.errors import ServerFault

Event = TypeVar("Event")
Event_co = TypeVar("Event_co", covariant=True)


class StreamCall(Protocol[Event_co]):
    """What a stream needs of a gRPC call."""

    def __aiter__(self) -> AsyncIterator[Event_co]:
        """The events."""

    def cancel(self) -> object:
        """End the call."""


class Stream(Generic[Event]):
    """Events of one RPC. It starts with the first event asked for; leaving `async with`, `aclose()`, or dropping it, ends it at once."""

    def __init__(self, start: Callable[[], StreamCall[Event]], address: str, request_id: str) -> None:
        self.request_id = request_id
        self._start = start
        self._address = address
        self._call: StreamCall[Event] | None = None
        self._events: AsyncIterator[Event] | None = None
        self._over = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the RPC; the server sees it cancelled unless it was over. Iterating further ends."""
        self._over = True
        if self._call is not None:
            self._call.cancel()

    def __del__(self) -> None:
        # A `break` out of a loop leaves nothing else to see it by, and an answer that nobody reads still costs.
        if self._call is not None and not self._over:
            with suppress(RuntimeError):  # the event loop may have been closed before
                self._call.cancel()

    async def _next(self) -> Event | None:
        """The next event; None at the end."""
        if self._over:
            return None
        self._over = True  # until the next event is there: an error or a cancellation is an end
        with translated(self._address, self.request_id):
            if self._events is None:
                self._call = self._start()
                self._events = aiter(self._call)
            event = await anext(self._events, None)
        self._over = event is None
        return event


class ChatStream(Stream[pb.StreamChatResponse]):
    """A streamed answer. Iterating gives its text in pieces, which joined are `response.text`; other parts are in `events()`."""

    def __init__(self, start: Callable[[], StreamCall[pb.StreamChatResponse]], address: str, request_id: str) -> None:
        super().__init__(start, address, request_id)
        self._assembly = Assembly()
        self._restarts = False

    @property
    def text(self) -> str:
        """The text so far, also after an error."""
        return self._assembly.text

    @property
    def last_sequence(self) -> int:
        """Number of the last event that arrived; 0 before the first."""
        return self._assembly.last_sequence

    @property
    def response(self) -> pb.ChatResponse:
        """The whole answer, as chat() would have given it. Raises RuntimeError before the end of the stream."""
        if self._assembly.response is None:
            raise RuntimeError("the answer is not complete: read the stream to its end first")
        return self._assembly.response

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self

    async def __anext__(self) -> Delta:
        """The next piece of text. Raises PromptwireError."""
        while (event := await self._advance()) is not None:
            self._restarts = self._restarts or event.attempt_failed.discard_partial_output
            if text := text_of(event.part_delta):
                restarts, self._restarts = self._restarts, False
                return Delta(text, restarts=restarts)
        raise StopAsyncIteration

    async def events(self) -> AsyncIterator[pb.StreamChatResponse]:
        """The events as they come: reasoning, tool calls, notices. Raises PromptwireError."""
        while (event := await self._advance()) is not None:
            yield event

    async def read(self) -> pb.ChatResponse:
        """Read to the end; the whole answer. Raises PromptwireError, and RuntimeError after aclose()."""
        while await self._advance() is not None:
            pass
        return self.response

    async def _advance(self) -> pb.StreamChatResponse | None:
        if self._over:
            return None
        event = await self._next()
        if event is not None:
            self._assembly.add(event)
        elif self._assembly.response is None:
            raise ServerFault("the stream ended without its `finished` event", request_id=self.request_id)
        return event


class ChainStream(Stream[pb.StreamChainResponse]):
    """A run of a chain. Iterating gives its events; at the end `result` is what it gave."""

    def __init__(self, start: Callable[[], StreamCall[pb.StreamChainResponse]], address: str, request_id: str) -> None:
        super().__init__(start, address, request_id)
        self._last = pb.RunEvent()

    @property
    def run_id(self) -> str:
        """Identifier of the run; empty before the first event."""
        return self._last.run_id

    @property
    def last_sequence(self) -> int:
        """Number of the last event that arrived; 0 before the first."""
        return self._last.sequence

    @property
    def result(self) -> pb.RunResult:
        """What the chain gave, as run_chain() would have answered. Raises RuntimeError before the end of the stream."""
        if not self._finished:
            raise RuntimeError("the run is not complete: read the stream to its end first")
        return self._last.run_finished.result

    def __aiter__(self) -> AsyncIterator[pb.RunEvent]:
        return self

    async def __anext__(self) -> pb.RunEvent:
        """The next event. Raises PromptwireError."""
        if self._over:
            raise StopAsyncIteration
        response = await self._next()
        if response is not None:
            self._last = response.event
            return response.event
        if not self._finished:
            raise ServerFault("the stream ended without its run_finished event", request_id=self.request_id)
        raise StopAsyncIteration

    async def read(self) -> pb.RunResult:
        """Read to the end; what the chain gave. Raises PromptwireError, and RuntimeError after aclose()."""
        async for _ in self:
            pass
        return self.result

    @property
    def _finished(self) -> bool:
        return self._last.HasField("run_finished")
