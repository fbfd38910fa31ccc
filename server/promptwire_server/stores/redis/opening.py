"""Opening: Redis's client is loaded where there is a server of it, and not before: that takes ten megabytes."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from promptwire_server.core.clock import Chance, Clock
from promptwire_server.stores.ears import Ears
from promptwire_server.stores.redis.fuse import Changed
from promptwire_server.stores.redis.settings import RedisSettings

if TYPE_CHECKING:
    from promptwire_server.stores.redis.parts import Parts
    from promptwire_server.stores.redis.vault import Vault

_PARTS = "promptwire_server.stores.redis.parts"
_VAULT = "promptwire_server.stores.redis.vault"


def opened(settings: RedisSettings, clock: Clock, chance: Chance, changed: Changed) -> "Parts":
    """One server, and all that it is used for; `changed` hears when it stops answering and when it does again.

    Raises ValueError for a bad URL.
    """
    return cast("Parts", import_module(_PARTS).Parts(settings, clock, chance, changed))


def opened_vault(
    settings: RedisSettings, file: Path | None, owner: str, lease_s: float, clock: Clock, chance: Chance, ears: Ears
) -> "Vault":
    """Money on one server, with its rows in a file. Raises ValueError for a bad URL."""
    return cast("Vault", import_module(_VAULT).Vault(settings, file, owner, lease_s, clock, chance, ears))
