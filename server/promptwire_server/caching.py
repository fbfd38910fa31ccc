"""Caching: the cache of answers, by the settings: where answers are kept, what counts as the same question, what is told of it."""

import hashlib
from collections.abc import Callable, Mapping

from promptwire_server.config.settings import Settings
from promptwire_server.convert import cache_settings, provider_settings
from promptwire_server.core.call import Target
from promptwire_server.core.clock import Clock
from promptwire_server.core.handler import Handler
from promptwire_server.core.ids import Ids
from promptwire_server.layers.alias import Alias
from promptwire_server.layers.cache.aim import Aims
from promptwire_server.layers.cache.cache import Cache, Store
from promptwire_server.layers.cache.counts import Counts
from promptwire_server.layers.cache.refresh import Refresher
from promptwire_server.providers import custom, registry, script
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.stores import memory

_PRICES = {
    "request_usd",
    "input_usd_per_1m",
    "output_usd_per_1m",
    "cached_input_usd_per_1m",
    "cache_write_usd_per_1m",
    "cache_write_1h_usd_per_1m",
}


class Caching:
    """Of one process, for its life."""

    def __init__(self, settings: Settings, *, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self.counts = Counts(clock)
        self.store: Store = memory.Answers(clock=clock, max_bytes=settings.cache.max_bytes, dropped=self.counts.dropped)

    def layer(self, settings: Settings, aliases: Mapping[str, Alias], inner: Handler, again: Handler) -> tuple[Cache, Refresher]:
        """The layer of one configuration; `again`: where answers past their time are fetched anew."""
        refresher = Refresher(again, clock=self._clock, ids=self._ids, longest_s=settings.server.max_call_duration_s)
        cache = Cache(
            inner,
            store=self.store,
            settings=cache_settings(settings),
            aims=Aims(aliases, settings.default_model, told(settings)),
            counts=self.counts,
            refresher=refresher,
        )
        return cache, refresher


def told(settings: Settings) -> Callable[[Target], str]:
    """What the configuration says of a target, as far as it can change answers: where it is, how it is asked, what it can do."""
    said = {name: _said(section) for name, section in provider_settings(settings).items()}

    def tell(target: Target) -> str:
        facts = settings.model_facts.get(str(target))
        return said.get(target.provider, "") + ("" if facts is None else facts.model_dump_json(exclude=_PRICES))

    return tell


def _said(section: registry.Settings) -> str:
    """Keys of accounts are left out: another one of the same vendor changes nothing."""
    match section:
        case HttpSettings():
            headers = [(name, value.reveal()) for name, value in section.headers.items()]
            return _digest(section.dialect, section.vendor, section.base_url, sorted(section.options.items()), sorted(headers))
        case custom.Settings():
            return _digest(section.entry_point, sorted((name, value.reveal()) for name, value in section.options.items()))
        case script.Settings():
            return _digest(section.file.read_bytes() if section.file.exists() else b"")
        case _:
            return ""


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
