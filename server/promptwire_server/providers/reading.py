"""Reading: one stream of a vendor's that is being read."""

from collections.abc import AsyncIterator, Callable

from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.reply import Batch, Event
from promptwire_server.providers.answer import Answer
from promptwire_server.providers.attempt import Try
from promptwire_server.providers.framing import Parser
from promptwire_server.providers.interruption import interrupted
from promptwire_server.providers.upstream import Bounds, Stream

_WEIGHED_BYTES = 128 << 10  # of a stream, between two looks at what is kept of it

Listener = Callable[[PromptwireError], PromptwireError]  # hears what broke an answer; gives what is to be said of it. Must not raise


class Reading:
    """Bytes in, batches of events out. It owns neither stream nor attempt, but lets go of both."""

    __slots__ = ("_answer", "_attempt", "_bounds", "_listener", "_parser", "_stream", "_unweighed_bytes")

    def __init__(
        self, stream: Stream, parser: Parser, answer: Answer, attempt: Try, bounds: Bounds, listener: Listener | None = None
    ) -> None:
        self._stream = stream
        self._parser = parser
        self._answer = answer
        self._attempt = attempt
        self._bounds = bounds
        self._listener = listener
        self._unweighed_bytes = 0

    async def more(self, out: list[Event]) -> None:
        """Add what the next bytes mean. What came before an error is in `out`."""
        data = await self._stream.read()
        if data:
            self._answer.take(self._parser.feed(data), out)
            self._unweighed_bytes += len(data)
            if self._unweighed_bytes > _WEIGHED_BYTES and not self._answer.done:
                self._unweighed_bytes = 0
                self._answer.check_size(self._bounds)
        else:
            self._answer.closed(self._parser.rest(), out)
        if out:
            self._stream.progress()
        if self._answer.done:
            self._attempt.answered()

    async def first(self) -> list[Event]:
        """The events up to the first that is of the answer itself. Every failure until then can still be undone."""
        first: list[Event] = []
        while not self._answer.begun:
            await self.more(first)
        self._attempt.begun(self._answer.spent)
        return first

    async def batches(self, first: list[Event]) -> AsyncIterator[Batch]:
        """The first batch, and all that follow."""
        yield first
        while not self._answer.done:
            batch: list[Event] = []
            try:
                await self.more(batch)
            except PromptwireError as error:
                if batch:
                    yield batch
                if self._listener is not None:
                    error = self._listener(error)
                final = interrupted(error, delivered_deltas=self._answer.deltas())
                self._attempt.failed(final)
                raise final from final.__cause__
            if batch:
                yield batch

    def release(self) -> None:
        """Let the connection go: kept after a good end, closed otherwise."""
        if self._answer.done:
            self._stream.finish()
        else:
            self._attempt.abandoned()
            self._stream.close()
