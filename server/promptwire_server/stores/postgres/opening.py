"""Opening: PostgreSQL's client is loaded where there is a server of it, and not before: it is an extra, and takes ten megabytes."""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from promptwire_server.core.clock import Clock
from promptwire_server.stores.ears import Ears
from promptwire_server.stores.postgres.settings import PostgresSettings

if TYPE_CHECKING:
    from promptwire_server.stores.postgres.vault import Vault

_VAULT = "promptwire_server.stores.postgres.vault"


def opened(settings: PostgresSettings, owner: str, lease_s: float, clock: Clock, ears: Ears) -> "Vault":
    """One server, and all that it is used for. Raises RuntimeError when its client is not installed."""
    try:
        vault = import_module(_VAULT).Vault(settings, owner, lease_s, clock, ears)
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise RuntimeError("stores.postgres needs psycopg; install promptwire-server[postgres]") from None
    return cast("Vault", vault)
