"""Speaker: how a provider of this dialect is made."""

from promptwire_server.core.ids import Ids
from promptwire_server.providers.azure.dialect import Azure
from promptwire_server.providers.azure.headers import headers
from promptwire_server.providers.dialect import Dialect
from promptwire_server.providers.openai.facts import Facts
from promptwire_server.providers.settings import HttpSettings

__all__ = ["dialect", "headers"]


def dialect(name: str, settings: HttpSettings, facts: Facts, ids: Ids) -> Dialect:
    """See Speaker."""
    return Azure(name, settings, facts, ids)
