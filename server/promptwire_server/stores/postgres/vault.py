"""Vault: money on one server, and all that it is used for."""

from collections.abc import Callable

from promptwire_server.core.clock import Clock
from promptwire_server.stores.ears import Ears
from promptwire_server.stores.postgres.database import Database
from promptwire_server.stores.postgres.ledger import Ledger
from promptwire_server.stores.postgres.purse import Purse
from promptwire_server.stores.postgres.settings import PostgresSettings
from promptwire_server.stores.postgres.usage import Usage


class Vault:
    """See treasury.Vault."""

    needed = True  # it may hold hard budgets

    def __init__(self, settings: PostgresSettings, owner: str, lease_s: float, clock: Clock, ears: Ears) -> None:
        """`owner` names this process, and no other ever."""
        self._settings = settings
        self._ears = ears
        self._database = Database(settings, clock, ears.changed)
        self.purse = Purse(self._database, owner, tell=ears.reached, settled=ears.settled, lost=ears.lost, lease_s=lease_s)
        self.ledger = Ledger(self._database, ears.lost)

    def usage(self, settle: Callable[[], None]) -> Usage:
        """See treasury.Vault."""
        return Usage(self._settings, self._database, settle)

    def start(self) -> None:
        """See treasury.Vault."""
        self._database.start()

    async def aclose(self) -> None:
        """See treasury.Vault."""
        if left := await self._database.close():
            self._ears.lost(left, "the server did not take them before the end")
