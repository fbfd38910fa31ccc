"""Remote: providers over HTTP. Loaded where there are some: the HTTP client takes six megabytes, and dialects one each."""

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Protocol, cast

from promptwire_server.core.clock import Clock
from promptwire_server.core.ids import Ids
from promptwire_server.core.secret import Secret
from promptwire_server.providers.adapter import Adapter
from promptwire_server.providers.aiohttp_upstream import AiohttpUpstream
from promptwire_server.providers.credentials import KeyRing
from promptwire_server.providers.dialect import Dialect
from promptwire_server.providers.keys import Keys
from promptwire_server.providers.lone_key import LoneKey
from promptwire_server.providers.openai.facts import ANY, Facts
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.providers.upstream import Endpoint
from promptwire_server.providers.vendors import vendor_of


class Speaker(Protocol):
    """How a provider of one dialect is made."""

    def dialect(self, name: str, settings: HttpSettings, facts: Facts, ids: Ids) -> Dialect:
        """The dialect of a provider of that name."""
        ...

    def headers(self, settings: HttpSettings) -> Mapping[str, str]:
        """Those of the credential and the account."""
        ...


def speaker_of(dialect: str) -> Speaker:
    """How a provider of that dialect is made. It is loaded when the first is: all of them together take five megabytes."""
    return cast("Speaker", import_module(f"promptwire_server.providers.{dialect}.speaker"))


def build(name: str, settings: HttpSettings, clock: Clock, ids: Ids, keys: Keys) -> Provider:
    """The provider of these settings. Raises ValueError without an address."""
    vendor = vendor_of(name, settings)
    base_url = settings.base_url or (vendor.base_url if vendor else "")
    if not base_url:
        raise ValueError(f'providers.{name}.base_url: is needed, since "{name}" is no vendor whose address is known')
    speaker = speaker_of(settings.dialect)
    one = settings.keys[0] if len(settings.keys) == 1 else None
    endpoint = Endpoint(
        name=name,
        base_url=base_url,
        headers={},
        secret_headers=partial(_secret_headers, speaker, settings.with_key(one)),
        timeouts=settings.timeouts,
        bounds=settings.bounds,
        max_connections=settings.max_connections,
        proxy=settings.proxy,
        tls=settings.tls,
    )
    upstream = AiohttpUpstream(endpoint, clock)
    dialect = speaker.dialect(name, settings, vendor.facts if vendor else ANY, ids)
    return Adapter(
        name, upstream, dialect, clock=clock, bounds=settings.bounds, models=settings.models, ring=_ring(name, speaker, settings, keys)
    )


def _ring(name: str, speaker: Speaker, settings: HttpSettings, keys: Keys) -> KeyRing | LoneKey | None:
    def headers(key: Secret) -> Mapping[str, str]:
        return speaker.headers(settings.with_key(key))

    if len(settings.keys) == 1:
        return LoneKey(name, settings.keys[0], headers, keys)
    return KeyRing(name, settings.keys, headers, keys) if settings.keys else None


def _secret_headers(speaker: Speaker, settings: HttpSettings) -> Mapping[str, str]:
    """What requests carry now: a secret may have been read anew."""
    return {**{name: secret.reveal() for name, secret in settings.headers.items()}, **speaker.headers(settings)}
