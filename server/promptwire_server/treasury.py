"""Treasury: the money of one server process: budgets and the ledger on their store, kept up to date, and what is told of them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from promptwire_server.core.clock import Clock
from promptwire_server.core.ids import Ids
from promptwire_server.core.purse import Reached
from promptwire_server.core.store import StoreDown
from promptwire_server.layers import names
from promptwire_server.layers.bursar import Bursar
from promptwire_server.layers.journal import Journal
from promptwire_server.layers.payment import Cashier, PaymentSettings
from promptwire_server.layers.recorder import Later, Recorder
from promptwire_server.layers.waiters import Waiters
from promptwire_server.stores.sqlite.database import Database
from promptwire_server.stores.sqlite.ledger import Ledger
from promptwire_server.stores.sqlite.purse import Purse
from promptwire_server.stores.sqlite.usage import Usage

_TICK_S: Final = 1.0  # how old what this process knows of budgets may be

Log = Callable[[str, str, Mapping[str, str | int]], None]  # level, event, fields; from any thread


class Treasury:
    """Budgets and ledger in a file, or in memory."""

    def __init__(self, file: Path | None, owner: str, settings: PaymentSettings, *, clock: Clock, later: Later, log: Log) -> None:
        """`owner` names this process, and no other ever. Without a file, rows are not kept."""
        self._file = file
        self._clock = clock
        self._log = log
        self._lost = 0
        self.database = Database(file, clock=clock, report=self._report)
        self.waiters = Waiters()
        self.purse = Purse(
            self.database,
            owner,
            self._now_us,
            tell=self._tell,
            settled=self.waiters.call,
            keep_rows=file is not None,
            lease_s=settings.lease_s,
        )
        self.ledger = Ledger(self.database, self._now_us, self._report_lost)
        self.recorder = Recorder(self.ledger if file is not None else _Nowhere(), later)
        self.cashier = Cashier(self.purse, self.waiters, settings, clock)
        self.journal = Journal(self.recorder, clock)
        self.usage = Usage(file, self.database, self.recorder.settle) if file is not None else None
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Learn which budgets there are, then keep up. Raises RuntimeError for a file that cannot be read: it may hold hard ones."""
        self.database.start()
        try:
            await self.purse.tick()
        except StoreDown as error:
            if self._file is not None and self._file.exists():
                raise RuntimeError(f"{error}. Budgets are kept there, so this server does not start without it") from error
        self._ticking = asyncio.get_running_loop().create_task(self._tick())  # owned here: see stop

    async def stop(self) -> None:
        """Write down what waits, once nobody asks anything any more."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        self.recorder.settle()
        if left := await asyncio.to_thread(self.database.close):
            self._report_lost(left, "the disk did not take them before the end")

    def bursar(self, ids: Ids) -> Bursar:
        """For who may see and change budgets."""
        return Bursar(self.purse, self._clock, ids)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                await self.purse.tick()
            except StoreDown:  # which the database has reported
                continue

    def _now_us(self) -> int:
        return int(self._clock.time() * 1e6)

    def _report(self, fields: Mapping[str, str | int]) -> None:
        self._log("error", names.JOURNAL_FAILING, fields)

    def _report_lost(self, count: int, why: str) -> None:
        self._lost += count
        self._log("error", names.JOURNAL_FAILING, {"error": f"rows of the ledger are lost: {why}", "dropped": self._lost})

    def _tell(self, reached: Sequence[Reached]) -> None:
        for each in reached:
            self._log(
                "warning",
                names.BUDGET_REACHED,
                {
                    "budget_id": each.budget_id,
                    "percent": each.percent,
                    "spent_nano_usd": each.spent_nano_usd,
                    "held_nano_usd": each.held_nano_usd,
                    "limit_nano_usd": each.limit_nano_usd,
                },
            )


class _Nowhere:
    """Where rows go that nobody keeps."""

    def append(self, entries: Sequence[object]) -> None:
        """See Rows."""
