"""Speaker: how a provider of this dialect is made."""

from promptwire_server.core.ids import Ids
from promptwire_server.providers.dialect import Dialect
from promptwire_server.providers.openai.dialect import OpenAI
from promptwire_server.providers.openai.facts import Facts
from promptwire_server.providers.openai.headers import headers
from promptwire_server.providers.settings import HttpSettings

__all__ = ["dialect", "headers"]


def dialect(name: str, settings: HttpSettings, facts: Facts, ids: Ids) -> Dialect:
    """See Speaker."""
    return OpenAI(name, facts, ids, api=settings.options.get("api", ""))
