"""Events of a run on their way to whoever watches it: numbered, dated, and held back while the run may still be refused as a whole."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from promptwire import v1 as pb
from promptwire_server.chains.times import set_seconds
from promptwire_server.core.clock import Clock

Send = Callable[[pb.RunEvent], Awaitable[None]]
Join = Callable[[Sequence[pb.StreamChatResponse]], Sequence[pb.StreamChatResponse]]

_MOST_HELD: Final = 64


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who wants to know what happens. `send` waits while the reader is slow, and so the run waits too."""

    send: Send
    parts: bool = True  # also the parts of answers, as they come
    join: Join | None = None  # makes neighbouring deltas of one batch one


@dataclass(slots=True)  # not frozen, as there is one for each step: that alone would cost a microsecond
class Place:
    """The step that an event concerns."""

    step_id: str
    step_path: str
    visit: int


WHOLE_RUN: Final = Place("", "", 0)


class Events:
    """Numbers events and sends them. Without a watcher all of this costs nothing: ask `on` before building an event.

    The first events are held back until `release`: until a model has begun to answer the RPC may still fail as a whole, which clients
    retry by themselves.
    """

    __slots__ = ("_clock", "_held", "_numbered", "_run_id", "_watcher", "join", "last_sequence", "on", "parts")

    def __init__(self, run_id: str, clock: Clock, watcher: Watcher | None) -> None:
        self._run_id = run_id
        self._clock = clock
        self._watcher = watcher
        self._held: list[pb.RunEvent] | None = []
        self._numbered = 0
        self.on = watcher is not None
        self.parts = watcher is not None and watcher.parts
        self.join = watcher.join if watcher is not None else None
        self.last_sequence = 0  # of the last event that was delivered

    def about(self, place: Place) -> pb.RunEvent:
        """A new event of a step, for `tell`."""
        return pb.RunEvent(run_id=self._run_id, step_id=place.step_id, step_path=place.step_path, visit=place.visit)

    async def tell(self, event: pb.RunEvent) -> None:
        """Send the event, or hold it back."""
        self._numbered += 1
        event.sequence = self._numbered
        set_seconds(event.emit_time, self._clock.time())
        if self._held is None:
            await self._send(event)
            return
        self._held.append(event)
        if len(self._held) >= _MOST_HELD:
            await self.release()

    async def release(self) -> None:
        """Hold nothing back any more."""
        if self._held is None:
            return
        held, self._held = self._held, None
        for event in held:
            await self._send(event)

    async def _send(self, event: pb.RunEvent) -> None:
        if self._watcher is not None:
            await self._watcher.send(event)
            self.last_sequence = event.sequence
