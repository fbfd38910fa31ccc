"""Reply: an answer while it arrives. A whole answer is a Reply that is already complete, so unary and streaming share one path."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from promptwire import v1 as pb
from promptwire_server.core.ahead import Ahead
from promptwire_server.core.answer import Assembly, Observer, events_of
from promptwire_server.core.errors import CallCancelled, PromptwireError, StreamInterrupted, UpstreamError, UpstreamFailed

Event = pb.StreamChatResponse
Batch = Sequence[Event]  # events that arrived together: one read from the upstream
Enough = Callable[[Batch], bool]  # asked of each batch in turn: whether, with those before it, that is enough


@dataclass(frozen=True, slots=True)
class Ending:
    """How a Reply ended. Exactly one of three: `response` (complete), `error` (failed), neither (abandoned: cancelled or closed early)."""

    response: pb.ChatResponse | None
    error: Exception | None
    delivered: bool  # at least one event left the Reply
    partial: pb.ChatResponse | None = None  # of a stream that did not complete: who answered and what it took, for settling


OnDone = Callable[[Ending], None]


class Reply:
    """An answer while it arrives: an async iterator of events whose last is `finished`.

    The Reply owns the upstream connection. `async with` releases it, whatever happened, and then runs the on_done callbacks, the last
    added first. Callbacks are synchronous and must not raise: clean-up that awaits is lost when the call is cancelled.
    The messages that it is made of become its own: observers fill them in, so whoever keeps an answer for others gives a copy.
    """

    __slots__ = (
        "_ahead",
        "_aside",
        "_assembly",
        "_callbacks",
        "_cut",
        "_delivered",
        "_ended",
        "_error",
        "_observers",
        "_partial",
        "_release",
        "_response",
        "_source",
        "_watcher",
        "vectors",
    )

    def __init__(
        self,
        source: AsyncIterator[Batch] | None = None,
        release: Callable[[], None] | None = None,
        response: pb.ChatResponse | None = None,
        partial: Callable[[], pb.ChatResponse] | None = None,  # what the source has taken so far; need not have its words; must not raise
        vectors: pb.EmbedResponse | None = None,
    ) -> None:
        self._source = source
        self._release = release
        self._partial = partial
        self._response = response
        self.vectors = vectors  # that were asked for; None: words were
        self._aside: Batch = ()
        self._ahead: Ahead[Batch] | None = None
        self._watcher: Callable[[Batch], None] | None = None
        self._observers: list[Observer] = []
        self._assembly = None if source is None else Assembly(self._observers)
        self._callbacks: list[OnDone] = []
        self._delivered = False
        self._ended = False
        self._error: PromptwireError | None = None
        self._cut: PromptwireError | None = None

    @classmethod
    def whole(cls, response: pb.ChatResponse, vectors: pb.EmbedResponse | None = None) -> "Reply":
        """A Reply that is complete already. One that brings vectors has an answer without words beside them."""
        return cls(response=response, vectors=vectors)

    @property
    def flowing(self) -> bool:
        """Events are still to come from a source; not so of an answer that was whole from the start."""
        return self._source is not None

    def on_done(self, callback: OnDone) -> None:
        """Call back once when the Reply has ended and the upstream is released."""
        self._callbacks.append(callback)

    def attend(self, observer: Observer) -> None:
        """Show the answer to `observer` on its way out, whole or streamed; the first to attend sees it first."""
        self._observers.append(observer)

    def watch(self, watcher: Callable[[Batch], None]) -> None:
        """Show every batch to `watcher` before its reader gets it; it may cut the answer, and must not raise."""
        self._watcher = watcher

    def tell(self, events: Batch) -> None:
        """Say these right behind `started`, which is told before anything of the answer: what led to it. Who reads it whole is not told."""
        self._aside = events

    async def hold(self, enough: Enough, within_s: float) -> None:
        """Read ahead until there is `enough`, or for so long: nothing of it has left yet, so its failure can still be made good.

        Raises what the source raises; the Reply is then to be closed, as after a cancellation.
        """
        if self._source is not None:
            self._ahead = Ahead(self._source, enough)
            await self._ahead.read(within_s)

    async def read(self) -> pb.ChatResponse:
        """The whole answer. Raises what the upstream raised."""
        failure: PromptwireError | None = None
        if self._source is not None:
            try:
                for source in self._sources(self._source):
                    async for batch in source:
                        self._take(batch)
                        if self._cut is not None:
                            break
            except PromptwireError as error:
                failure = error
        response = self._complete(failure)
        self._delivered = True
        return response

    async def batches(self) -> AsyncIterator[Batch]:
        """The events, in groups as they arrived. Ends only after `finished`; an upstream that breaks off before it raises.

        Of a stream broken after its first event, any UpstreamError becomes StreamInterrupted: nobody may silently ask again.
        """
        if self._source is None:
            for observer in self._observers:
                observer.first_delta()
            events = list(events_of(self._complete()))
            self._delivered = True
            yield self._with_aside(events) if self._aside else events
            return
        failure: PromptwireError | None = None
        try:
            for source in self._sources(self._source):
                async for batch in source:
                    self._take(batch)
                    self._delivered = True
                    yield self._with_aside(batch) if self._aside else batch
                    if self._cut is not None:
                        break
        except PromptwireError as error:
            failure = error
        self._complete(failure)

    async def __aiter__(self) -> AsyncIterator[Event]:
        """The events one by one."""
        async for batch in self.batches():
            for event in batch:
                yield event

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close(error)

    def cut(self, error: PromptwireError) -> None:
        """End the answer from outside: release the upstream; the reader gets this error in place of what would have come next.

        Callbacks run when the reader closes, as always. Of an answer that is complete already nothing is taken away.
        """
        if self._ended or self._response is not None or self._arrived():
            return
        self._cut = error
        release, self._release = self._release, None
        if release is not None:
            release()

    def close(self, error: BaseException | None = None) -> None:
        """Release the upstream and run the callbacks. Synchronous, and harmless when repeated."""
        if self._ended:
            return
        self._ended = True
        if self._ahead is not None:
            self._ahead.stop()
        try:
            if self._release is not None:
                self._release()
        finally:
            self._settle(Ending(self._response, self._fault(error), self._delivered, self._so_far()))

    def _settle(self, ending: Ending) -> None:
        """Run every callback, whatever one of them does: money is settled there."""
        try:
            while self._callbacks:
                self._callbacks.pop()(ending)
        finally:
            if self._callbacks:
                self._settle(ending)

    def _fault(self, error: BaseException | None) -> Exception | None:
        """What went wrong, if anything did: a complete answer is one, and a reader who left is nobody's fault."""
        if self._response is not None or isinstance(error, CallCancelled):
            return None
        return error if isinstance(error, Exception) else self._error

    def _sources(self, source: AsyncIterator[Batch]) -> Sequence[AsyncIterator[Batch]]:
        """What is read one after the other: a chain of the two would cost every batch something."""
        return (source,) if self._ahead is None else (self._ahead.batches(), source)

    def _arrived(self) -> bool:
        """All of it has been read ahead: for its provider it has ended well."""
        return self._ahead is not None and any(event.HasField("finished") for batch in self._ahead.held for event in batch)

    def _take(self, batch: Batch) -> None:
        assembly = self._assembly
        if assembly is not None:
            for event in batch:
                assembly.add(event)
            self._response = assembly.response
        if self._watcher is not None:
            self._watcher(batch)

    def _with_aside(self, batch: Batch) -> Batch:
        if not batch or not batch[0].HasField("started"):
            return batch
        aside, self._aside = self._aside, ()
        return [batch[0], *aside, *batch[1:]]

    def _so_far(self) -> pb.ChatResponse | None:
        if self._response is not None or self._assembly is None:
            return None
        return self._partial() if self._partial is not None else self._assembly.partial()

    def _complete(self, failure: PromptwireError | None = None) -> pb.ChatResponse:
        """The answer, now that nothing follows. What fails after `finished` changes nothing any more."""
        self._source = None
        if self._response is None:
            error = self._cut or failure or self._error or UpstreamFailed("the answer stopped before its end")
            if self._delivered and isinstance(error, UpstreamError) and not isinstance(error, StreamInterrupted):
                error = _interrupted(error)
            self._error = error
            raise error
        if self._assembly is None and self._observers:  # of a stream, the assembly has shown it already
            observers, self._observers = self._observers, []
            for observer in observers:
                observer.complete(self._response)
        return self._response


def _interrupted(error: UpstreamError) -> StreamInterrupted:
    metadata = {**error.metadata, "cause": error.reason_name}
    interrupted = StreamInterrupted(f"the answer broke off: {error.message}", origin=error.origin, metadata=metadata)
    interrupted.__cause__ = error
    return interrupted


def single(events: Iterator[Event]) -> Iterator[Batch]:
    """Each event as a batch of its own."""
    return ([event] for event in events)
