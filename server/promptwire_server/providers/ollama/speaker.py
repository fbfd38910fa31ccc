"""Speaker: how a provider of this dialect is made."""

from promptwire_server.core.ids import Ids
from promptwire_server.providers.dialect import Dialect
from promptwire_server.providers.ollama.dialect import Ollama
from promptwire_server.providers.ollama.headers import headers
from promptwire_server.providers.openai.facts import Facts
from promptwire_server.providers.settings import HttpSettings

__all__ = ["dialect", "headers"]


def dialect(name: str, settings: HttpSettings, facts: Facts, ids: Ids) -> Dialect:  # noqa: ARG001 - see Speaker
    """See Speaker."""
    return Ollama(name, ids)
