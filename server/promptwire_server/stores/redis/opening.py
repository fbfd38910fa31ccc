"""Opening: Redis's client is loaded where there is a server of it, and not before: that takes ten megabytes."""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from promptwire_server.core.clock import Chance, Clock
from promptwire_server.stores.redis.fuse import Changed
from promptwire_server.stores.redis.settings import RedisSettings

if TYPE_CHECKING:
    from promptwire_server.stores.redis.parts import Parts

_PARTS = "promptwire_server.stores.redis.parts"


def opened(settings: RedisSettings, clock: Clock, chance: Chance, changed: Changed) -> "Parts":
    """One server, and all that it is used for; `changed` hears when it stops answering and when it does again.

    Raises ValueError for a bad URL.
    """
    return cast("Parts", import_module(_PARTS).Parts(settings, clock, chance, changed))
