"""The header by which Gemini knows an account. The key never stands in the address, which ends up in logs."""

from collections.abc import Mapping

from promptwire_server.providers.settings import HttpSettings


def headers(settings: HttpSettings) -> Mapping[str, str]:
    """The credential."""
    return {} if settings.api_key is None else {"x-goog-api-key": settings.api_key.reveal()}
