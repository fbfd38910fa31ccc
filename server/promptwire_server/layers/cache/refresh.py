"""Refresh: fetches a new answer in place of one that is past its time, which is served meanwhile. Nobody waits for it."""

import asyncio
from collections.abc import Callable
from typing import Final

from promptwire_server.core.call import Call, Trail
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.handler import Handler
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Ending

_MOST: Final = 16  # at a time: calls that nobody waits for must not take the place of others
Keep = Callable[[Call, Ending], None]


class Refresher:
    """Asks again, in the name of the caller who met the old answer: a call of its own, with a request id and a row of the ledger."""

    def __init__(self, ask: Handler, *, clock: Clock, ids: Ids, longest_s: float, most: int = _MOST) -> None:
        """`longest_s`: how long one may take; `most`: how many at a time."""
        self._ask = ask
        self._clock = clock
        self._ids = ids
        self._longest_s = longest_s
        self._most = most
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}  # by tenant and key

    def start(self, call: Call, key: str, keep: Keep) -> bool:
        """Have a new answer fetched, unless it is already. False: too many are under way."""
        at = call.principal.tenant, key
        if at in self._under_way:
            return True
        if len(self._under_way) >= self._most:
            return False
        task = self._under_way[at] = asyncio.get_running_loop().create_task(self._fetch(self._again(call), keep))  # owned here: see aclose
        task.add_done_callback(lambda _: self._under_way.pop(at, None))
        return True

    async def aclose(self) -> None:
        """End what is under way: whoever meets the old answer next has it fetched anew."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _again(self, call: Call) -> Call:
        now_s = self._clock.monotonic()
        return Call(
            request=call.request,
            principal=call.principal,
            request_id=self._ids.request(),
            trace_id=call.trace_id,
            deadline_s=now_s + self._longest_s,
            arrival_s=now_s,
            trail=Trail(),
        )

    async def _fetch(self, call: Call, keep: Keep) -> None:
        try:
            reply = await self._ask(call)
            reply.on_done(lambda ending: keep(call, ending))
            async with reply:
                await reply.read()
        except PromptwireError:
            return  # told and counted where it happened; the old answer stays until its end
