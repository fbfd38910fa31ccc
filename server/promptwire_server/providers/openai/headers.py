"""The headers by which OpenAI and those like it know an account."""

from collections.abc import Mapping

from promptwire_server.providers.settings import HttpSettings

_OF_OPTION = {"organization": "openai-organization", "project": "openai-project"}


def headers(settings: HttpSettings) -> Mapping[str, str]:
    """The credential, and who is billed."""
    known = {header: settings.options[name] for name, header in _OF_OPTION.items() if settings.options.get(name)}
    return known if settings.api_key is None else {**known, "authorization": f"Bearer {settings.api_key.reveal()}"}
