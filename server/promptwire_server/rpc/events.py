"""Events of a stream on their way out: numbered, joined under load, with heartbeats when nothing else is said."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from promptwire import v1 as pb
from promptwire_server.rpc.exchange import Exchange

_MIN_HEARTBEAT_S = 1.0
_JOINABLE = frozenset({"text", "reasoning", "arguments_json", "refusal", "transcript"})


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How streams are written."""

    join_window_s: float = 0.02  # under load, deltas that arrive within this time travel as one message; 0 switches joining off
    join_above_streams: int = 8  # load: more streams than this at once
    write_stall_timeout_s: float = 60.0  # a reader that takes nothing for this long is dropped


class Load:
    """How many streams this process is writing: what decides whether deltas are joined."""

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self.streams = 0

    def window_s(self) -> float:
        """For how long to collect deltas now; 0 for not at all."""
        return self._settings.join_window_s if self.streams > self._settings.join_above_streams else 0.0


def joined(events: Sequence[pb.StreamChatResponse]) -> Iterable[pb.StreamChatResponse]:
    """The same events with neighbouring deltas of one part made one."""
    pending: list[pb.StreamChatResponse] = []
    for event in events:
        if pending and not _same_part(pending[0].part_delta, event):
            yield _merged(pending)
            pending = []
        if event.HasField("part_delta") and event.part_delta.WhichOneof("delta") in _JOINABLE:
            pending.append(event)
        else:
            yield event
    if pending:
        yield _merged(pending)


def _same_part(first: pb.PartDelta, event: pb.StreamChatResponse) -> bool:
    delta = event.part_delta
    return (
        event.HasField("part_delta")
        and delta.part_index == first.part_index
        and delta.candidate_index == first.candidate_index
        and delta.WhichOneof("delta") == first.WhichOneof("delta")
    )


def _merged(events: list[pb.StreamChatResponse]) -> pb.StreamChatResponse:
    if len(events) == 1:
        return events[0]
    first = events[0].part_delta
    kind = first.WhichOneof("delta")
    delta = pb.PartDelta(candidate_index=first.candidate_index, part_index=first.part_index)
    setattr(delta, str(kind), "".join([getattr(event.part_delta, str(kind)) for event in events]))
    for event in events:
        if event.part_delta.logprobs:
            delta.logprobs.extend(event.part_delta.logprobs)
    return pb.StreamChatResponse(part_delta=delta)


class Heartbeat:
    """Calls `beat` whenever nothing else was sent for an interval, from the first message until `stop`."""

    def __init__(self, interval_s: float, beat: Callable[[], Awaitable[None]]) -> None:
        self._interval_s = max(_MIN_HEARTBEAT_S, interval_s)
        self._beat = beat
        self._task: asyncio.Task[None] | None = None
        self._spoken_s = 0.0  # on the loop's clock

    def sent(self) -> None:
        """Something was sent: the interval begins anew. The first call starts the clock, since admission must be over before any beat."""
        loop = asyncio.get_running_loop()
        self._spoken_s = loop.time()  # only noted: waking the task for every message would cost more than the message
        if self._task is None:
            self._task = loop.create_task(self._run(loop))  # owned here: `stop` ends it
            self._task.add_done_callback(_consume)

    def stop(self) -> None:
        """No more beats."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            silence_s = self._spoken_s + self._interval_s - loop.time()
            if silence_s > 0:
                await asyncio.sleep(silence_s)
                continue
            await self._beat()
            self._spoken_s = loop.time()


class EventWriter:
    """Sends the messages of one stream, one at a time, with heartbeats between when the caller wants them."""

    def __init__(self, exchange: Exchange, heartbeat: Callable[[], Message], interval_s: float) -> None:
        self._exchange = exchange
        self._make_heartbeat = heartbeat
        self._heartbeat = Heartbeat(interval_s, self._beat) if interval_s > 0 else None
        self._lock = asyncio.Lock()  # a transport takes one message at a time

    async def send(self, message: Message) -> None:
        """Send one message. Waits while the reader is slow."""
        if self._heartbeat is None:
            await self._exchange.send(message)
            return
        async with self._lock:
            await self._exchange.send(message)
        self._heartbeat.sent()

    def close(self) -> None:
        """Nothing follows."""
        if self._heartbeat is not None:
            self._heartbeat.stop()

    async def _beat(self) -> None:
        if self._lock.locked():  # a slow reader has something to read
            return
        async with self._lock:
            await self._exchange.send(self._make_heartbeat())


def _consume(task: asyncio.Task[None]) -> None:
    """A beat that fails since the reader is gone is no news: the stream's own send says so."""
    if not task.cancelled():
        task.exception()
