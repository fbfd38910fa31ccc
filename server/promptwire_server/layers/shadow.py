"""Shadow: copies of some calls for another target, whose answers are thrown away: to see how it would do."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from promptwire_server.core.call import Call, Principal, Target, Trail
from promptwire_server.core.clock import Chance
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.handler import Handler
from promptwire_server.layers.alias import Shadow

_NOBODY = Principal(tenant="", name="shadow")  # no caller is billed for it


class Shadows:
    """Runs the copies, a bounded number at a time, each in a task that belongs to this object until it has ended."""

    def __init__(self, handlers: Mapping[str, Handler], chance: Chance) -> None:
        self._handlers = dict(handlers)  # by provider
        self._chance = chance
        self._running: dict[asyncio.Task[None], Target] = {}

    def cast(self, call: Call, shadow: Shadow) -> None:
        """Perhaps ask the shadow's target what this call asks. Never waits, and whatever becomes of it is no concern of the call's."""
        if self._chance.uniform(0.0, 100.0) >= shadow.percent or call.target is not None:
            return
        if sum(target == shadow.target for target in self._running.values()) >= shadow.max_in_flight:
            return
        task = asyncio.get_running_loop().create_task(self._ask(_copy(call, shadow.target)))  # owned here: see close
        self._running[task] = shadow.target
        task.add_done_callback(self._running.pop)

    def close(self) -> None:
        """End what is under way."""
        for task in list(self._running):
            task.cancel()

    async def _ask(self, call: Call) -> None:
        target = call.target
        assert target is not None  # noqa: S101 - _copy sets it
        with suppress(PromptwireError):
            async with await self._handlers[target.provider](call) as reply:
                await reply.read()


def _copy(call: Call, target: Target) -> Call:
    copy = call.aimed_at(target, "shadow")
    copy.principal, copy.trail = _NOBODY, Trail()
    return copy
