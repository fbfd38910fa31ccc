"""Registry: the kinds of providers, and the vendors that differ only in data. A new vendor of a known dialect is a row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from promptwire_server.core.clock import Clock
from promptwire_server.core.ids import Ids
from promptwire_server.providers import script
from promptwire_server.providers.adapter import Adapter
from promptwire_server.providers.aiohttp_upstream import AiohttpUpstream
from promptwire_server.providers.dialect import Dialect
from promptwire_server.providers.echo import Echo
from promptwire_server.providers.ollama.dialect import Ollama
from promptwire_server.providers.ollama.headers import headers as ollama_headers
from promptwire_server.providers.openai.dialect import OpenAI
from promptwire_server.providers.openai.facts import ANY, OPENAI, Facts
from promptwire_server.providers.openai.headers import headers as openai_headers
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.providers.upstream import Endpoint

ScriptSettings = script.Settings


@dataclass(frozen=True, slots=True)
class EchoSettings:
    """Nothing to set."""


Settings = HttpSettings | EchoSettings | ScriptSettings


@dataclass(frozen=True, slots=True)
class Speaker:
    """How a provider of one dialect is made."""

    dialect: Callable[[str, HttpSettings, Facts, Ids], Dialect]  # the provider's name comes first
    headers: Callable[[HttpSettings], Mapping[str, str]]  # those of the credential and the account


SPEAKERS: Mapping[str, Speaker] = {
    "openai": Speaker(lambda name, _, facts, ids: OpenAI(name, facts, ids), openai_headers),
    "ollama": Speaker(lambda name, _settings, _facts, ids: Ollama(name, ids), ollama_headers),
}
KINDS = (*SPEAKERS, "echo", "script")


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor with a name that people know."""

    name: str
    dialect: str  # one of KINDS
    base_url: str
    key_variables: tuple[str, ...]  # environment variables that hold its key, first choice first
    url_variables: tuple[str, ...] = ()  # and its address
    default_model: str = ""
    facts: Facts = field(default=ANY)


VENDORS = (
    Vendor(
        name="openai",
        dialect="openai",
        base_url="https://api.openai.com/v1",
        key_variables=("OPENAI_API_KEY",),
        url_variables=("OPENAI_BASE_URL",),
        default_model="gpt-4o-mini",
        facts=OPENAI,
    ),
)


def build(name: str, settings: Settings, *, clock: Clock, ids: Ids) -> Provider:
    """The provider of these settings. Raises BadScript for a script file that is wrong, ValueError without an address."""
    match settings:
        case HttpSettings():
            return _over_http(name, settings, clock, ids)
        case ScriptSettings():
            return script.Scripted.from_file(name, settings, clock)
        case EchoSettings():
            return Echo(clock, name=name)


def vendor_of(name: str, settings: HttpSettings) -> Vendor | None:
    """The row of the vendor that is named, else of the one at the address, else of the one with the provider's name."""
    if settings.vendor:
        return next((vendor for vendor in VENDORS if vendor.name == settings.vendor), None)
    if settings.base_url:
        at = settings.base_url.rstrip("/")
        return next((vendor for vendor in VENDORS if vendor.base_url == at), None)
    return next((vendor for vendor in VENDORS if vendor.name == name), None)


def _over_http(name: str, settings: HttpSettings, clock: Clock, ids: Ids) -> Provider:
    vendor = vendor_of(name, settings)
    base_url = settings.base_url or (vendor.base_url if vendor else "")
    if not base_url:
        raise ValueError(f'providers.{name}.base_url: is needed, since "{name}" is no vendor whose address is known')
    speaker = SPEAKERS[settings.dialect]
    endpoint = Endpoint(
        name=name,
        base_url=base_url,
        headers={**settings.headers, **speaker.headers(settings)},
        timeouts=settings.timeouts,
        bounds=settings.bounds,
        max_connections=settings.max_connections,
        proxy=settings.proxy,
        ca_file=settings.ca_file,
    )
    dialect = speaker.dialect(name, settings, vendor.facts if vendor else ANY, ids)
    return Adapter(name, AiohttpUpstream(endpoint, clock), dialect, clock=clock, bounds=settings.bounds, models=settings.models)
