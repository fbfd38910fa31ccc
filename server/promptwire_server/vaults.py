"""Vaults: which store keeps the money, by the settings."""

from promptwire_server.config.settings import Settings
from promptwire_server.convert import journal_file
from promptwire_server.core.clock import Clock
from promptwire_server.stores.ears import Ears
from promptwire_server.stores.postgres.opening import opened
from promptwire_server.stores.postgres.settings import PostgresSettings
from promptwire_server.stores.sqlite.vault import Vault as File
from promptwire_server.treasury import Vault


def vault(settings: Settings, owner: str, clock: Clock, ears: Ears) -> Vault:
    """Where it is kept. `owner` names this process, and no other ever. Raises RuntimeError when a client is not installed."""
    lease_s, postgres = settings.holds.lease_s, settings.stores.postgres
    if settings.stores.budgets == "postgres" and postgres is not None:
        return opened(PostgresSettings(postgres.url, postgres.timeout_s), owner, lease_s, clock, ears)
    return File(journal_file(settings), owner, lease_s, clock, ears)
