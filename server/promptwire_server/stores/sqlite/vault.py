"""Vault: money in one file, or in memory: the database, and all that it is used for."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from promptwire_server.core.clock import Clock
from promptwire_server.core.ledger import Entry
from promptwire_server.stores.ears import Ears
from promptwire_server.stores.sqlite.database import Database, Fields
from promptwire_server.stores.sqlite.ledger import Ledger
from promptwire_server.stores.sqlite.purse import Purse
from promptwire_server.stores.sqlite.usage import Usage


class Vault:
    """See treasury.Vault."""

    def __init__(self, file: Path | None, owner: str, lease_s: float, clock: Clock, ears: Ears) -> None:
        """`owner` names this process, and no other ever. Without a file, rows are not kept."""
        self._file = file
        self._ears = ears
        self._database = Database(file, clock=clock, report=self._report)
        self.purse = Purse(
            self._database,
            owner,
            lambda: int(clock.time() * 1e6),
            tell=ears.reached,
            settled=ears.settled,
            lost=ears.lost,
            keep_rows=file is not None,
            lease_s=lease_s,
        )
        self.ledger = _Nowhere() if file is None else Ledger(self._database, lambda: int(clock.time() * 1e6), ears.lost)

    @property
    def needed(self) -> bool:
        """A file that is there may hold hard budgets."""
        return self._file is not None and self._file.exists()

    def usage(self, settle: Callable[[], None]) -> Usage | None:
        """See treasury.Vault."""
        return None if self._file is None else Usage(self._file, self._database, settle)

    def start(self) -> None:
        """See treasury.Vault."""
        self._database.start()

    async def aclose(self) -> None:
        """See treasury.Vault."""
        if left := await asyncio.to_thread(self._database.close):
            self._ears.lost(left, "the disk did not take them before the end")

    def _report(self, fields: Fields) -> None:
        self._ears.failing(str(fields["error"]), int(fields["waiting"]))


class _Nowhere:
    """Where rows go that nobody keeps."""

    def append(self, entries: Sequence[Entry]) -> None:
        """See Rows."""
