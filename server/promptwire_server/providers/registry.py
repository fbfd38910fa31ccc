"""Registry: the kinds of providers, and how each is made. The vendors, which differ only in data, are rows of `vendors`."""

from dataclasses import dataclass
from importlib import import_module
from typing import cast

from promptwire_server.core.clock import Clock
from promptwire_server.core.ids import Ids
from promptwire_server.providers import custom, script
from promptwire_server.providers.echo import Echo
from promptwire_server.providers.keys import Keys
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.settings import HttpSettings

ScriptSettings = script.Settings
CustomSettings = custom.Settings


@dataclass(frozen=True, slots=True)
class EchoSettings:
    """Nothing to set."""


Settings = HttpSettings | EchoSettings | ScriptSettings | CustomSettings


DIALECTS = ("openai", "anthropic", "azure", "gemini", "ollama")
_REMOTE = "promptwire_server.providers.remote"
KINDS = (*DIALECTS, "custom", "echo", "script")


def build(name: str, settings: Settings, *, clock: Clock, ids: Ids, keys: Keys | None = None) -> Provider:
    """The provider of these settings. `keys` is what is known of credentials from before.

    Raises BadScript, BadEntryPoint, and ValueError without an address.
    """
    match settings:
        case HttpSettings():
            return cast("Provider", import_module(_REMOTE).build(name, settings, clock, ids, keys or Keys(clock)))
        case ScriptSettings():
            return script.Scripted.from_file(name, settings, clock)
        case CustomSettings():
            return custom.Custom.from_settings(name, settings, clock, ids)
        case EchoSettings():
            return Echo(clock, name=name)
