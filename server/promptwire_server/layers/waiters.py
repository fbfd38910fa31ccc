"""Waiters: calls that wait for money which others hold, first come, first asked again."""

import asyncio
from collections import deque
from typing import Final

_LOOK_S: Final = 0.25  # whoever waits looks by himself so often, since other processes settle too


class Waiters:
    """Those who wait in this process. Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, within_s: float) -> None:
        """Wait until it is worth asking again, or so much time is over."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await asyncio.wait([turn], timeout=min(within_s, _LOOK_S))
        except asyncio.CancelledError:
            if turn.done():  # called as it left
                self.call()
            raise
        finally:
            if not turn.done():
                self._waiting.remove(turn)

    def call(self) -> None:
        """Something was given back: the first in line asks again."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
