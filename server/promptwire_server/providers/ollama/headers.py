"""The header by which Ollama's cloud, or a proxy before one's own server, knows an account."""

from collections.abc import Mapping

from promptwire_server.providers.settings import HttpSettings


def headers(settings: HttpSettings) -> Mapping[str, str]:
    """The credential, where there is one: a server of one's own asks for none."""
    return {} if settings.api_key is None else {"authorization": f"Bearer {settings.api_key.reveal()}"}
