"""Vaults: which store keeps the money, by the settings."""

from promptwire_server.config.settings import Settings
from promptwire_server.convert import journal_file
from promptwire_server.core.clock import Chance, Clock
from promptwire_server.stores.ears import Ears
from promptwire_server.stores.postgres.opening import opened
from promptwire_server.stores.postgres.settings import PostgresSettings
from promptwire_server.stores.redis.opening import opened_vault
from promptwire_server.stores.redis.settings import RedisSettings
from promptwire_server.stores.sqlite.vault import Vault as File
from promptwire_server.treasury import Vault


def vault(settings: Settings, owner: str, clock: Clock, chance: Chance, ears: Ears) -> Vault:
    """Where it is kept. `owner` names this process, and no other ever. Raises RuntimeError when a client is not installed."""
    lease_s, postgres, redis = settings.holds.lease_s, settings.stores.postgres, settings.stores.redis
    if settings.stores.budgets == "postgres" and postgres is not None:
        return opened(PostgresSettings(postgres.url, postgres.timeout_s), owner, lease_s, clock, ears)
    if settings.stores.budgets == "redis" and redis is not None:
        where = RedisSettings(redis.url, redis.timeout_s, redis.max_connections)
        return opened_vault(where, journal_file(settings), owner, lease_s, clock, chance, ears)
    return File(journal_file(settings), owner, lease_s, clock, ears)
