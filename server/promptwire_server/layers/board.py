"""Board: where it is written who is out of use, for all processes of this machine; each looks at it every second."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from promptwire_server.core.standing import Standing

_EVERY_S = 1.0  # so that switching a provider off holds everywhere before the operator has typed the next command

Apply = Callable[[Mapping[str, Standing]], None]
Report = Callable[[str], None]  # what is wrong with the store; not again before it was well


class Store(Protocol):
    """Where it is kept. Its methods may wait for a disk, so threads call them."""

    def changed(self) -> Mapping[str, Standing] | None:
        """What is kept, by provider; None when that is the same as the last time. Raises OSError."""
        ...

    def keep(self, provider: str, standing: Standing) -> None:
        """Keep one. Raises OSError."""
        ...


class Board:
    """The way to the store. It never raises: a disk that fails must not keep an operator from switching a provider off here."""

    def __init__(self, store: Store, *, apply: Apply, report: Report) -> None:
        self._store = store
        self._apply = apply
        self._report = report
        self._well = True

    async def keep(self, provider: str, standing: Standing) -> None:
        """Write one down; see desk.Keep."""
        try:
            await asyncio.to_thread(self._store.keep, provider, standing)
        except OSError as error:
            self._fail(error)

    async def look(self) -> None:
        """Let hold here what others have written since."""
        try:
            standings = await asyncio.to_thread(self._store.changed)
        except OSError as error:
            self._fail(error)
            return
        self._well = True
        if standings:
            self._apply(standings)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_EVERY_S)

    def _fail(self, error: OSError) -> None:
        if self._well:
            self._report(str(error))
        self._well = False
