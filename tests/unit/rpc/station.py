"""Servicers that wait where a test wants them to."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from promptwire import v1 as pb
from promptwire_server.rpc.exchange import Exchange

MEBIBYTE = 2**20


class Station:
    """Where a servicer waits, and how a test learns that it came and left."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.chatting = asyncio.Event()  # entered by the unary method
        self.left = asyncio.Event()
        self.proceed = asyncio.Event()

    @contextmanager
    def inside(self) -> Iterator[None]:
        self.entered.set()
        try:
            yield
        finally:
            self.left.set()

    async def chat(self, request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        with self.inside():
            self.chatting.set()
            await self.proceed.wait()
            return pb.ChatResponse(text="done")

    async def endless(self, request: pb.StreamChatRequest, exchange: Exchange) -> None:
        """Sends a mebibyte at a time for as long as somebody takes it."""
        with self.inside():
            while True:
                await exchange.send(delta("x" * MEBIBYTE))

    async def one_event(self, request: pb.StreamChatRequest, exchange: Exchange) -> None:
        """Sends one event and waits."""
        with self.inside():
            await exchange.send(delta("x"))
            await self.proceed.wait()


def delta(text: str, sequence: int = 0) -> pb.StreamChatResponse:
    return pb.StreamChatResponse(sequence=sequence, part_delta=pb.PartDelta(text=text))


async def reached(event: asyncio.Event, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        await event.wait()
