"""Registry: the kinds of providers, and the vendors that differ only in data. A new vendor of a known dialect is a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptwire_server.core.clock import Clock
from promptwire_server.core.ids import Ids
from promptwire_server.providers import script
from promptwire_server.providers.aiohttp_upstream import AiohttpUpstream
from promptwire_server.providers.echo import Echo
from promptwire_server.providers.openai import provider as openai
from promptwire_server.providers.openai.dialect import ANY, OPENAI, Dialect
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.upstream import Endpoint

OpenAISettings = openai.Settings
ScriptSettings = script.Settings


@dataclass(frozen=True, slots=True)
class EchoSettings:
    """Nothing to set."""


Settings = OpenAISettings | EchoSettings | ScriptSettings
KINDS: Mapping[str, type[Settings]] = {"openai": OpenAISettings, "echo": EchoSettings, "script": ScriptSettings}


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor with a name that people know."""

    name: str
    dialect: str  # one of KINDS
    base_url: str
    key_variables: tuple[str, ...]  # environment variables that hold its key, first choice first
    url_variables: tuple[str, ...] = ()  # and its address
    default_model: str = ""
    facts: Dialect = field(default=ANY)


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
        case OpenAISettings():
            return _openai(name, settings, clock, ids)
        case ScriptSettings():
            return script.Scripted.from_file(name, settings, clock)
        case EchoSettings():
            return Echo(clock, name=name)


def facts_of(base_url: str) -> Dialect:
    """What is known of the vendor at an address; of an unknown one, what most servers of its kind take."""
    at = base_url.rstrip("/")
    return next((vendor.facts for vendor in VENDORS if vendor.base_url == at), ANY)


def _openai(name: str, settings: OpenAISettings, clock: Clock, ids: Ids) -> Provider:
    base_url = settings.base_url or next((vendor.base_url for vendor in VENDORS if vendor.name == name), "")
    if not base_url:
        raise ValueError(f'providers.{name}.base_url: is needed, since "{name}" is no vendor whose address is known')
    headers = dict(settings.headers)
    if settings.api_key is not None:
        headers["authorization"] = f"Bearer {settings.api_key.reveal()}"
    if settings.organization:
        headers["openai-organization"] = settings.organization
    if settings.project:
        headers["openai-project"] = settings.project
    endpoint = Endpoint(
        name=name,
        base_url=base_url,
        headers=headers,
        timeouts=settings.timeouts,
        bounds=settings.bounds,
        max_connections=settings.max_connections,
        proxy=settings.proxy,
    )
    upstream = AiohttpUpstream(endpoint, clock)
    return openai.OpenAI(name, upstream, dialect=facts_of(base_url), clock=clock, ids=ids, bounds=settings.bounds, models=settings.models)
