"""Vault: money on one Redis server, with the rows of what it was used for in a file of this process's machine."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from promptwire_server.core.clock import Chance, Clock
from promptwire_server.core.ledger import Entry
from promptwire_server.stores.ears import Ears
from promptwire_server.stores.redis.connection import Redis
from promptwire_server.stores.redis.purse import Purse
from promptwire_server.stores.redis.settings import RedisSettings
from promptwire_server.stores.sqlite.database import Database, Fields
from promptwire_server.stores.sqlite.ledger import Ledger
from promptwire_server.stores.sqlite.usage import Usage


class Vault:
    """See treasury.Vault."""

    needed = True  # it may hold hard budgets

    def __init__(
        self, settings: RedisSettings, file: Path | None, owner: str, lease_s: float, clock: Clock, chance: Chance, ears: Ears
    ) -> None:
        """`owner` names this process, and no other ever. Without a file, rows are not kept. Raises ValueError for a bad URL."""
        self._file = file
        self._ears = ears
        self._database = Database(file, clock=clock, report=self._report)
        self.ledger = _Nowhere() if file is None else Ledger(self._database, lambda: int(clock.time() * 1e6), ears.lost)
        redis = Redis(settings, clock, chance, ears.changed)
        self.purse = Purse(
            redis,
            owner,
            clock,
            self.ledger.append,
            ears.reached,
            ears.settled,
            lost=ears.lost,
            changed=ears.changed,
            lease_s=lease_s,
        )

    def usage(self, settle: Callable[[], None]) -> Usage | None:
        """See treasury.Vault. What the processes of this machine have used."""
        return None if self._file is None else Usage(self._file, self._database, settle)

    def start(self) -> None:
        """See treasury.Vault."""
        self._database.start()

    async def aclose(self) -> None:
        """See treasury.Vault."""
        if left := await self.purse.aclose():
            self._ears.lost(left, "Redis did not take them before the end")
        if left := await asyncio.to_thread(self._database.close):
            self._ears.lost(left, "the disk did not take them before the end")

    def _report(self, fields: Fields) -> None:
        self._ears.failing(str(fields["error"]), int(fields["waiting"]))


class _Nowhere:
    """Where rows go that nobody keeps."""

    def append(self, entries: Sequence[Entry]) -> None:
        """See Rows."""
