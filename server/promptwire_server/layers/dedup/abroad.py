"""Abroad: a question that another server asks already is not asked again, but followed there.

One server leads a question, and tells the others what it hears. One that dies is taken over when its lease is over: whoever follows asks
itself, silently if nothing has been delivered yet; else its stream has broken, as if the provider had gone. While the store is down each
server asks for itself.
"""

import asyncio
from collections.abc import AsyncIterator

from google.protobuf.message import DecodeError

from promptwire import v1 as pb
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import PromptwireError, UpstreamFailed
from promptwire_server.core.handler import Handler
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Batch, Reply
from promptwire_server.core.store import StoreDown
from promptwire_server.layers.dedup import news
from promptwire_server.layers.dedup.board import Board, Listener
from promptwire_server.layers.dedup.question import Question
from promptwire_server.layers.dedup.telling import Telling

_REFRESHED = 3  # times within a lease, a follower says that it is still there, and looks whether the leader is


class Abroad:
    """Asks questions, or follows who does; see layers.dedup.dedup.Asking."""

    def __init__(self, board: Board, *, clock: Clock, ids: Ids, lease_s: float = 3.0, room_bytes: int = 4 << 20) -> None:
        self._board = board
        self._clock = clock
        self._ids = ids
        self._lease_s = lease_s
        self._room_bytes = room_bytes
        self._me = ids.request()
        self._telling: set[asyncio.Task[None]] = set()

    async def __call__(self, question: Question, ask: Handler) -> None:
        """Have it answered, here or there. Raises what it failed with."""
        token = self._ids.request()
        while True:
            try:
                reply = await self._elsewhere(question, token)
            except _Alone:
                question.foreign = False
                return await question.take(await ask(question.call))
            except _Led:
                question.foreign = False
                return await self._lead(question, ask, token)
            if reply is not None:
                return await question.take(reply)

    async def aclose(self) -> None:
        """Wait until all is told."""
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def _elsewhere(self, question: Question, token: str) -> Reply | None:
        """The answer that another server is getting; None: it died, and nothing was heard of it. Raises _Led, _Alone, what it was told."""
        try:
            leader = await self._board.take(question.call.principal.tenant, question.key, token)
            if leader == token:
                raise _Led
            question.foreign = True
            return await _Followed(self._board, self._clock, question, leader, self._me, self._lease_s / _REFRESHED).reply()
        except StoreDown:
            raise _Alone from None

    async def _lead(self, question: Question, ask: Handler, token: str) -> None:
        telling = Telling(self._board, question, token, lease_s=self._lease_s, room_bytes=self._room_bytes)
        task = asyncio.get_running_loop().create_task(telling.run())  # owned here: it ends behind `end`
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
        question.keep_on = telling.deserted
        try:
            await question.take(await ask(question.call), telling)
        except PromptwireError as error:
            telling.failed(error)
            raise
        finally:
            telling.end()


class _Led(Exception):
    """Nobody else asks: this server leads."""


class _Alone(Exception):
    """Nobody can be followed: the store is down, or too much has been told already."""


class _Followed:
    """An answer that another server is getting."""

    def __init__(self, board: Board, clock: Clock, question: Question, token: str, me: str, refresh_s: float) -> None:
        self._board = board
        self._clock = clock
        self._at = question.call.principal.tenant, question.key, token
        self._me = me
        self._refresh_s = refresh_s
        self._listener: Listener = board.listen(*self._at)
        self._number = 0
        self._look_s = clock.monotonic()  # when to look whether anybody leads

    async def reply(self) -> Reply | None:
        """The answer, begun; None when its leader is gone. Raises what the leader was told, StoreDown, _Alone."""
        reply = None
        try:
            first = await self._next()
            if isinstance(first, pb.ChatResponse):
                return Reply.whole(first)
            if first is not None:
                reply = Reply(self._batches(first), release=self._listener.close)
            return reply
        finally:
            if reply is None:
                self._listener.close()

    async def _batches(self, batch: Batch) -> AsyncIterator[Batch]:
        while True:
            yield batch
            if batch and batch[-1].HasField("finished"):
                return
            try:
                heard = await self._next()
            except (StoreDown, _Alone) as error:
                raise _gone() from error
            if heard is None or isinstance(heard, pb.ChatResponse):
                raise _gone()
            batch = heard

    async def _next(self) -> Batch | pb.ChatResponse | None:
        """What was told next; None when no more will be."""
        led = True
        while True:
            if led and self._clock.monotonic() >= self._look_s:
                led = await self._board.follow(*self._at, self._me)
                self._look_s = self._clock.monotonic() + self._refresh_s
            # Of a lead that has ended, what was told before is there already.
            entry = await self._listener.next(self._refresh_s if led else 0.0)
            if entry is not None:
                return self._read(*entry)
            if not led:
                return None

    def _read(self, number: int, entry: bytes) -> Batch | pb.ChatResponse:
        """Raises _Alone where what came before is no longer kept, and for what only another version can read."""
        self._number += 1
        if number != self._number:
            raise _Alone
        try:
            return news.read(entry)
        except (DecodeError, ValueError):
            raise _Alone from None


def _gone() -> UpstreamFailed:
    return UpstreamFailed("the server that was getting this answer is gone")
