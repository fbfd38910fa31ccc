"""Plays a timeline on a connection and counts what went out."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.fake_provider.http1 import Connection
from tests.faults.fake_provider.ledger import Entry
from tests.faults.fake_provider.script import FOREVER, Wire
from tests.faults.fake_provider.steps import (
    Body,
    Fin,
    Finish,
    Hang,
    Raw,
    Repeat,
    Rst,
    Step,
    Wait,
)
from tests.faults.fake_provider.timeline import Timeline

LAST_CHUNK = b"0\r\n\r\n"


@dataclass(slots=True)
class Player:
    """One answer under way; `chunked` is its framing."""

    connection: Connection
    entry: Entry
    wire: Wire
    chunked: bool
    on_hang: Callable[[], None]

    async def play(self, timeline: Timeline) -> str:
        """Play all steps and return how it ended; raises ClientGoneError."""
        for step in timeline.steps:
            ended = await self._step(step)
            if ended is not None:
                return ended
        return "complete"

    async def _step(self, step: Step) -> str | None:
        match step:
            case Wait(ms=ms):
                await self._wait(ms)
            case Raw(data=data, head=head):
                await self._write(data)
                self.entry.head_sent |= head
            case Body():
                await self._body(step)
            case Repeat():
                await self._repeat(step)
            case Finish():
                await self._write(LAST_CHUNK if self.chunked else b"")
            case Hang():
                self.entry.hung = True
                self.on_hang()
                await self.connection.pause(None)
            case Fin():
                self.connection.fin()
                return "cut_fin"
            case Rst():
                self.connection.rst()
                return "cut_rst"
        return None

    async def _wait(self, ms: float) -> None:
        if ms:
            await self.connection.pause(ms / 1000)

    async def _body(self, step: Body) -> None:
        await self._framed(step.data)
        self.entry.tokens_sent += step.tokens
        self.entry.text_sent += step.text
        self.entry.events_sent += step.event

    async def _repeat(self, step: Repeat) -> None:
        done = 0
        while step.count == FOREVER or done < step.count:
            await self._framed(step.block)
            await self._wait(step.gap_ms)
            done += 1

    async def _framed(self, data: bytes) -> None:
        if not self.chunked:
            await self._write(data)
        else:
            size = self.wire.chunk or max(1, len(data))
            parts = (data[at : at + size] for at in range(0, len(data), size))
            await self._write(b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts))
        self.entry.body_bytes_sent += len(data)

    async def _write(self, data: bytes) -> None:
        size = self.wire.split or max(1, len(data))
        for at in range(0, len(data), size):
            part = data[at : at + size]
            await self.connection.send(part)
            self.entry.bytes_sent += len(part)
