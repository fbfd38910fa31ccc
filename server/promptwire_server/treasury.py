"""Treasury: the money of one server process: budgets and the ledger on their store, kept up to date, and what is told of them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from promptwire_server.core.clock import Clock
from promptwire_server.core.ids import Ids
from promptwire_server.core.purse import Reached
from promptwire_server.core.store import StoreDown
from promptwire_server.layers import bursar, names, payment
from promptwire_server.layers.bursar import Bursar
from promptwire_server.layers.journal import Journal
from promptwire_server.layers.payment import Cashier, PaymentSettings
from promptwire_server.layers.recorder import Later, Recorder, Rows
from promptwire_server.layers.waiters import Waiters
from promptwire_server.rpc.usage import UsageStore
from promptwire_server.stores.ears import Ears

_TICK_S: Final = 1.0  # how old what this process knows of budgets may be
_BUDGETS: Final = "budgets"

Log = Callable[[str, str, Mapping[str, str | int]], None]  # level, event, fields; from any thread


class Purse(payment.Purse, bursar.Purse, Protocol):
    """Budgets, as all who use them want them."""

    async def tick(self) -> None:
        """To be called once a second: show that this process lives, and take in what others have changed. Raises StoreDown."""
        ...


class Vault(Protocol):
    """Where money is kept."""

    @property
    def purse(self) -> Purse:
        """Budgets, and what is held of them."""
        ...

    @property
    def ledger(self) -> Rows:
        """Where rows go that count against no budget."""
        ...

    @property
    def needed(self) -> bool:
        """There may be hard budgets, which this process must know."""
        ...

    def usage(self, settle: Callable[[], None]) -> UsageStore | None:
        """The ledger, to be read; `settle` hands over what has ended and waits in this process. None: not here."""
        ...

    def start(self) -> None:
        """Begin to write."""
        ...

    async def aclose(self) -> None:
        """Write what waits, and stop."""
        ...


class Treasury:
    """Budgets and ledger of one process."""

    def __init__(self, vault: Callable[[Ears], Vault], settings: PaymentSettings, *, clock: Clock, later: Later, log: Log) -> None:
        """`vault` opens where money is kept."""
        self._clock = clock
        self._log = log
        self._lost = 0
        self._hear: Callable[[Reached], None] = lambda _: None
        self.waiters = Waiters()
        self._vault = vault(Ears(self._tell, self.waiters.call, self._report, self._report_lost, self._changed))
        self.purse = self._vault.purse
        self.recorder = Recorder(self._vault.ledger, later)
        self.cashier = Cashier(self.purse, self.waiters, settings, clock)
        self.journal = Journal(self.recorder, clock)
        self.usage = self._vault.usage(self.recorder.settle)
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Learn which budgets there are, then keep up. Raises RuntimeError when a store cannot be read that may hold hard ones."""
        self._vault.start()
        try:
            await self.purse.tick()
        except StoreDown as error:
            if self._vault.needed:
                raise RuntimeError(f"{error}. Budgets are kept there, so this server does not start without it") from error
        self._ticking = asyncio.get_running_loop().create_task(self._tick())  # owned here: see stop

    async def stop(self) -> None:
        """Write down what waits, once nobody asks anything any more."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        self.recorder.settle()
        await self._vault.aclose()

    def on_reached(self, hear: Callable[[Reached], None]) -> None:
        """Also tell this of budgets that come to their thresholds."""
        self._hear = hear

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

    def _report(self, error: str, waiting: int) -> None:
        self._log("error", names.JOURNAL_FAILING, {"error": error, "waiting": waiting})

    def _changed(self, up: bool, why: str) -> None:  # noqa: FBT001 - the shape of Ears
        if up:
            self._log("info", names.STORE_BACK, {"store": _BUDGETS})
        else:
            self._log("error", names.STORE_DOWN, {"store": _BUDGETS, "error": why})

    def _report_lost(self, count: int, why: str) -> None:
        self._lost += count
        self._log("error", names.JOURNAL_FAILING, {"error": f"rows of the ledger are lost: {why}", "dropped": self._lost})

    def _tell(self, reached: Sequence[Reached]) -> None:
        for each in reached:
            self._hear(each)
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
