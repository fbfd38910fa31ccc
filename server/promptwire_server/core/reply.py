"""Reply: an answer while it arrives. A whole answer is a Reply that is already complete, so unary and streaming share one path."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from promptwire import v1 as pb
from promptwire_server.core.answer import Assembly, Observer, events_of
from promptwire_server.core.errors import UpstreamFailed

Event = pb.StreamChatResponse
Batch = Sequence[Event]  # events that arrived together: one read from the upstream


@dataclass(frozen=True, slots=True)
class Ending:
    """How a Reply ended. Exactly one of three: `response` (complete), `error` (failed), neither (abandoned: cancelled or closed early)."""

    response: pb.ChatResponse | None
    error: BaseException | None
    delivered: bool  # at least one event left the Reply
    partial: pb.ChatResponse | None = None  # what had arrived of a stream that did not complete, for settling


OnDone = Callable[[Ending], None]


class Reply:
    """An answer while it arrives: an async iterator of events whose last is `finished`.

    The Reply owns the upstream connection. `async with` releases it, whatever happened, and then runs the on_done callbacks, the last
    added first. Callbacks are synchronous and must not raise: clean-up that awaits is lost when the call is cancelled.
    The messages that it is made of become its own: observers fill them in, so whoever keeps an answer for others gives a copy.
    """

    __slots__ = ("_assembly", "_callbacks", "_delivered", "_ended", "_error", "_observers", "_release", "_response", "_source")

    def __init__(
        self, source: AsyncIterator[Batch] | None = None, release: Callable[[], None] | None = None, response: pb.ChatResponse | None = None
    ) -> None:
        self._source = source
        self._release = release
        self._response = response
        self._observers: list[Observer] = []
        self._assembly = None if source is None else Assembly(self._observers)
        self._callbacks: list[OnDone] = []
        self._delivered = False
        self._ended = False
        self._error: BaseException | None = None

    @classmethod
    def whole(cls, response: pb.ChatResponse) -> "Reply":
        """A Reply that is complete already."""
        return cls(response=response)

    def on_done(self, callback: OnDone) -> None:
        """Call back once when the Reply has ended and the upstream is released."""
        self._callbacks.append(callback)

    def attend(self, observer: Observer) -> None:
        """Show the answer to `observer` on its way out, whole or streamed; the first to attend sees it first."""
        self._observers.append(observer)

    async def read(self) -> pb.ChatResponse:
        """The whole answer. Raises what the upstream raised."""
        if self._response is None:
            async for _ in self.batches():
                pass
        self._delivered = True
        return self._complete()

    async def batches(self) -> AsyncIterator[Batch]:
        """The events, in groups as they arrived. Ends only after `finished`; an upstream that stops before raises UpstreamFailed."""
        if self._source is None:
            self._delivered = True
            for observer in self._observers:
                observer.first_delta()
            yield list(events_of(self._complete()))
            return
        assembly = self._assembly
        if assembly is None:
            raise RuntimeError("a Reply is read once")
        try:
            async for batch in self._source:
                for event in batch:
                    assembly.add(event)
                self._response = assembly.response
                self._delivered = True
                yield batch
        except BaseException as error:
            self._error = error
            raise
        self._source = None
        self._complete()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """The events one by one."""
        async for batch in self.batches():
            for event in batch:
                yield event

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close(error)

    def close(self, error: BaseException | None = None) -> None:
        """Release the upstream and run the callbacks. Synchronous, and harmless when repeated."""
        if self._ended:
            return
        self._ended = True
        if self._release is not None:
            self._release()
        ending = Ending(self._response, error or self._error, self._delivered, self._assembly.partial() if self._assembly else None)
        for callback in reversed(self._callbacks):
            callback(ending)

    def _complete(self) -> pb.ChatResponse:
        if self._response is None:
            self._error = UpstreamFailed("the answer stopped before its end")
            raise self._error
        if self._assembly is None and self._observers:  # of a stream, the assembly has shown it already
            observers, self._observers = self._observers, []
            for observer in observers:
                observer.complete(self._response)
        return self._response


def single(events: Iterator[Event]) -> Iterator[Batch]:
    """Each event as a batch of its own."""
    return ([event] for event in events)
