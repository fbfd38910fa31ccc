"""The header by which Azure knows an account: its key, or a token of Microsoft Entra ID."""

from collections.abc import Mapping

from promptwire_server.providers.settings import HttpSettings


def headers(settings: HttpSettings) -> Mapping[str, str]:
    """The credential; a token where the option `auth` is "bearer"."""
    if settings.api_key is None:
        return {}
    secret = settings.api_key.reveal()
    return {"authorization": f"Bearer {secret}"} if settings.options.get("auth") == "bearer" else {"api-key": secret}
