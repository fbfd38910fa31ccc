"""Steward: keeps the budgets of the configuration file as the file says, whoever else makes and changes budgets."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from promptwire_server.core.budget import OF_FILE, Budget
from promptwire_server.core.budget_message import message_of
from promptwire_server.core.clock import Clock
from promptwire_server.core.purse import Change, Conflict, Once

_TRIES: Final = 10  # other workers do the same at the same time
_ITSELF: Final = Once("")


class Purse(Protocol):
    """Where budgets are kept. Everything raises StoreDown."""

    async def every(self) -> Sequence[Budget]:
        """All of them, as the store has them now, by identifier."""
        ...

    async def change(self, change: Change, once: Once) -> Budget | None:
        """Make, change or delete a budget, and what it is then. Raises Conflict."""
        ...


class Steward:
    """Of one process. Several may do the same at the same time."""

    def __init__(self, purse: Purse, clock: Clock) -> None:
        self._purse = purse
        self._clock = clock

    async def keep(self, wanted: Mapping[str, Budget]) -> None:
        """Make the store have these, and no others that a file said before. Raises StoreDown, and RuntimeError when others interfere.

        What is spent stays, unless what is counted or the window is another: then the budget begins anew.
        """
        for _ in range(_TRIES):
            present = {budget.budget_id: budget for budget in await self._purse.every()}
            lacking = changes(present, wanted, int(self._clock.time() * 1e6))
            if not lacking:
                return
            for change in lacking:
                with suppress(Conflict):  # most likely another worker has made the same change: a look will tell
                    await self._purse.change(change, _ITSELF)
        raise RuntimeError("the budgets of the configuration are changed elsewhere all the time; is there another one on the same store?")


def changes(present: Mapping[str, Budget], wanted: Mapping[str, Budget], now_us: int) -> Sequence[Change]:
    """What leads from what is there to what the file says."""
    found = [Change(name, budget.etag, None) for name, budget in present.items() if budget.configured and name not in wanted]
    for name, budget in wanted.items():
        before, etag = present.get(name), _etag(budget)
        if before is None:
            found.append(Change(name, None, replace(budget, created_us=now_us, updated_us=now_us, etag=etag)))
        elif before.etag != etag:
            after = replace(budget, created_us=before.created_us, updated_us=now_us, etag=etag)
            found.append(Change(name, before.etag, after, reset=(before.scope, before.window) != (budget.scope, budget.window)))
    return found


def _etag(budget: Budget) -> str:
    """Of what the file says, so that all who read it come to the same."""
    definition = message_of(replace(budget, created_us=0, updated_us=0, etag="")).SerializeToString(deterministic=True)
    return OF_FILE + hashlib.sha256(definition).hexdigest()[:16]
