"""Flight: work that several callers wait for at once, as a task of its own that belongs to none of them."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from copy import copy
from typing import Generic, TypeVar

from promptwire_server.core.errors import DeadlineExceeded, Draining, PromptwireError

Item = TypeVar("Item")


class Flight(Generic[Item]):
    """One piece of work under way, what it has given so far, and who waits for it.

    What it gives is kept from the first item on, so that whoever joins late reads all of it. Readers go at their own speed. Beyond
    `room_bytes` nobody joins any more, what all have read is dropped, and the work waits for the slowest reader: nobody reads far ahead of
    anybody, and memory stays bounded. A reader that has stopped is ended by its own deadline or by the edge's stall timeout.

    When the last caller leaves, the work is cancelled. A caller that leaves otherwise changes nothing.
    """

    def __init__(self, room_bytes: int, closed: Callable[[], None], abandoned: Callable[[], None] | None = None) -> None:
        """`closed`: nobody may join any more. `abandoned`: the last caller has left; default: cancel the work. Neither may raise."""
        self.seats: dict[Seat[Item], None] = {}  # by whoever came first
        self.open = True  # somebody may join
        self.begun = False  # something can be read, or it is over
        self.ended = False
        self.error: BaseException | None = None  # that the work ended with
        self._room_bytes = room_bytes
        self._closed = closed
        self._abandoned = abandoned or self.cancel
        self._kept: deque[tuple[Item, int]] = deque()  # with their sizes in bytes
        self._dropped = 0  # items before those
        self._size_bytes = 0
        self._space: asyncio.Future[None] | None = None  # what the work waits on while there is no room
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Begin. The caller of this keeps the task until it has ended."""
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._over)
        return self._task

    def leave(self, seat: "Seat[Item]") -> None:
        """See Seat."""
        if self.seats.pop(seat, self) is self:
            return
        if self.seats:
            self._trim()
        elif not self.ended:
            self._abandoned()

    def cancel(self) -> None:
        """End the work: nobody waits for it."""
        self.close()
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Nobody may join any more."""
        if self.open:
            self.open = False
            self._closed()

    async def add(self, item: Item, size_bytes: int) -> None:
        """Give an item. Waits while there is no room for more."""
        self._kept.append((item, size_bytes))
        self._size_bytes += size_bytes
        if self._size_bytes > self._room_bytes:
            self.close()
            self._trim()
        self.wake()
        while self._size_bytes > self._room_bytes:
            self._space = asyncio.get_running_loop().create_future()
            await self._space

    def wake(self) -> None:
        """There is something new to see."""
        self.begun = True
        for seat in self.seats:
            seat.wake()

    def check(self) -> None:
        """Raise what the work raised: each caller's is its own, since raising writes into an error."""
        if self.error is not None:
            raise copy(self.error) if isinstance(self.error, PromptwireError) else self.error

    def at(self, position: int) -> Item | None:
        """The item at a position that no seat has passed yet; None where there is none yet."""
        place = position - self._dropped
        return self._kept[place][0] if place < len(self._kept) else None

    def passed(self) -> None:
        """A reader has gone on: what it was the last to read may be dropped."""
        if not self.open:
            self._trim()

    def _trim(self) -> None:
        if self.open or self.ended:
            return
        behind = min((seat.position for seat in self.seats if seat.reads), default=self._dropped + len(self._kept))
        while self._dropped < behind and self._kept:
            self._size_bytes -= self._kept.popleft()[1]
            self._dropped += 1
        if self._space is not None and not self._space.done() and self._size_bytes <= self._room_bytes:
            self._space.set_result(None)

    def _over(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self.error = Draining("this server is going away; try again, another will answer", retry_after_s=0.0)
        else:
            self.error = task.exception()
        self.ended = True
        self.close()
        self.wake()


class Seat(Generic[Item]):
    """One caller's place in a flight, taken when it is made. It must be left."""

    __slots__ = ("_flight", "_timer", "_turn", "late", "position", "reads")

    def __init__(self, flight: Flight[Item], *, reads: bool) -> None:
        """`reads`: item by item, and not only the end."""
        self._flight = flight
        self._turn: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.late = False  # its own deadline has passed
        self.position = 0  # of the next item
        self.reads = reads
        flight.seats[self] = None

    def until(self, remaining_s: float) -> None:
        """Wait no longer than that, in seconds from now: later waits raise DeadlineExceeded."""
        self._timer = asyncio.get_running_loop().call_later(remaining_s, self._expire)

    async def begun(self) -> None:
        """Wait until there is something to read, or the end. Raises DeadlineExceeded."""
        while not self._flight.begun:
            await self._wait()

    async def over(self) -> None:
        """Wait for the end. Raises what the work raised, DeadlineExceeded."""
        while not self._flight.ended:
            await self._wait()
        self._flight.check()

    async def next(self) -> Item | None:
        """The next item, shared with others; None at the end. Raises what the work raised, DeadlineExceeded."""
        flight = self._flight
        while (item := flight.at(self.position)) is None:
            if flight.ended:
                flight.check()
                return None
            await self._wait()
        self.position += 1
        flight.passed()
        return item

    def leave(self) -> None:
        """Wait no longer. Synchronous, and harmless when repeated."""
        if self._timer is not None:
            self._timer.cancel()
        self._flight.leave(self)

    def wake(self) -> None:
        """See Flight."""
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    async def _wait(self) -> None:
        if self.late:
            raise DeadlineExceeded.during("upstream", "the deadline passed while an identical call was being answered; allow more time")
        self._turn = asyncio.get_running_loop().create_future()
        try:
            await self._turn
        finally:
            self._turn = None

    def _expire(self) -> None:
        self.late = True
        self.wake()
