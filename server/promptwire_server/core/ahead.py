"""Ahead: the beginning of a stream, read before it is handed on."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")  # what arrives together


class Ahead(Generic[T]):
    """Reads a source in a task of its own, since a read that has begun cannot be given up without losing the stream.

    The task is over with the first batch behind the time that it was given: from then on the source is its reader's alone.
    """

    __slots__ = ("_enough", "_held", "_source", "_task", "_wanted")

    def __init__(self, source: AsyncIterator[T], enough: Callable[[T], bool]) -> None:
        self._source = source
        self._enough = enough
        self._held: deque[T] = deque()  # bounded by whoever says what is enough
        self._wanted = False
        self._task: asyncio.Task[None] | None = None

    async def read(self, within_s: float) -> None:
        """Read until there is enough, the source has ended, or so much time is over. Raises what the source raises until then."""
        self._task = task = asyncio.get_running_loop().create_task(self._read())  # owned here: see stop
        task.add_done_callback(_seen)
        await asyncio.wait([task], timeout=within_s)
        self._wanted = True
        if task.done():
            task.result()

    async def batches(self) -> AsyncIterator[T]:
        """What was read, and the batch that is being read. Raises what the source raises."""
        while self._held:
            yield self._held.popleft()
        if self._task is not None:
            await self._task
        while self._held:
            yield self._held.popleft()

    @property
    def held(self) -> Iterable[T]:
        """What was read and is not handed on yet."""
        return self._held

    def stop(self) -> None:
        """Nobody wants it any more. Harmless when repeated."""
        if self._task is not None:
            self._task.cancel()

    async def _read(self) -> None:
        async for batch in self._source:
            self._held.append(batch)
            if self._wanted or self._enough(batch):
                return


def _seen(task: "asyncio.Task[None]") -> None:
    """A failure that nobody asks for any more is no news."""
    if not task.cancelled():
        task.exception()
