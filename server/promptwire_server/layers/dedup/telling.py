"""Telling: passes on to other servers what is heard of an answer that this one asks for, while it holds the lead."""

import asyncio
from collections import deque

from promptwire import v1 as pb
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.reply import Batch
from promptwire_server.core.store import StoreDown
from promptwire_server.layers.dedup import news
from promptwire_server.layers.dedup.board import Board
from promptwire_server.layers.dedup.question import Question

_TOGETHER_S = 0.02  # what comes within this time is told together: a call to the store for each token would be too much
_RENEWED = 3  # times within a lease


class Telling:
    """One answer. What is to be told is only noted; `run` does it, and ends by itself."""

    def __init__(self, board: Board, question: Question, token: str, *, lease_s: float, room_bytes: int) -> None:
        self._board = board
        self._question = question
        self._at = question.call.principal.tenant, question.key, token
        self._renew_s = lease_s / _RENEWED
        self._room_bytes = room_bytes
        self._waiting: list[bytes] = []
        self._sizes: deque[int] = deque()  # of the entries that others can still read
        self._told = 0  # entries
        self._over = False
        self._news = asyncio.Event()

    def events(self, batch: Batch) -> None:
        """Some more of a stream."""
        self._add(news.of_events(batch))

    def whole(self, response: pb.ChatResponse) -> None:
        """The answer, at once. One that is too large is not told: then others ask for it themselves."""
        entry = news.of_whole(response)
        if len(entry) <= self._room_bytes:
            self._add(entry)

    def failed(self, error: PromptwireError) -> None:
        """It failed: so it did for everybody."""
        self._add(news.of_error(error))

    def end(self) -> None:
        """No more will come. Harmless when repeated."""
        self._over = True
        self._news.set()

    def deserted(self) -> bool:
        """Nobody waits here any more: go on as long as somebody does elsewhere."""
        self._news.set()
        return True

    async def run(self) -> None:
        """Tell until the end, or until the lead is lost."""
        try:
            await self._pause()
            while await self._step():
                await self._pause()
        except StoreDown:
            self._leave()

    def _add(self, entry: bytes) -> None:
        self._waiting.append(entry)
        self._news.set()

    async def _pause(self) -> None:
        """Wait for news, and then for what comes right behind them."""
        timer = asyncio.get_running_loop().call_later(self._renew_s, self._news.set)
        try:
            await self._news.wait()
        finally:
            timer.cancel()
        self._news.clear()

    async def _step(self) -> bool:
        """Tell what there is, or that the lead is still held; False: it is over."""
        over, held = self._over, True
        deserted = not self._question.flight.seats and not over
        if self._waiting or over:
            entries, self._waiting = self._waiting, []
            held = await self._board.tell(*self._at, self._told + 1, entries, last=over, most=self._most(entries))
            self._told += len(entries)
        elif not deserted:
            held = await self._board.renew(*self._at) >= 0
        if held and deserted:
            held = await self._board.give_up(*self._at) > 0
        if not held:
            self._leave()
        elif not over:
            await asyncio.sleep(_TOGETHER_S)
        return held and not over

    def _leave(self) -> None:
        """Others can no longer be told, or need not be: from now on only those here count."""
        self._question.keep_on = None
        if not self._question.flight.seats and not self._question.flight.ended:
            self._question.flight.cancel()

    def _most(self, entries: list[bytes]) -> int:
        """How many entries may stay, so that they have room; 0: all."""
        self._sizes.extend(map(len, entries))
        if sum(self._sizes) <= self._room_bytes:
            return 0
        while len(self._sizes) > 1 and sum(self._sizes) > self._room_bytes:
            self._sizes.popleft()
        return len(self._sizes)
