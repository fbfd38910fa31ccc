"""Sameness: requests that are made again and questions that several ask, by the settings: where it is kept which are under way."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from promptwire_server.config.settings import Settings
from promptwire_server.core.clock import Clock
from promptwire_server.core.ids import Ids
from promptwire_server.layers import names
from promptwire_server.layers.dedup.abroad import Abroad
from promptwire_server.layers.dedup.dedup import Asking, DedupSettings
from promptwire_server.rpc.once import Once, OnceSettings, Store
from promptwire_server.rpc.repeatable import METHODS
from promptwire_server.stores import memory_requests
from promptwire_server.stores.sqlite import requests as sqlite_requests
from promptwire_server.stores.sqlite.database import Database

if TYPE_CHECKING:
    from promptwire_server.stores.redis.parts import Parts

_FILE = "requests.sqlite3"
Log = Callable[[str, str, Mapping[str, str | int]], None]  # level, event, fields; from any thread


class Sameness:
    """Of one process, for its life. Nothing is opened before the first request that needs it."""

    def __init__(self, settings: Settings, redis: "Parts | None", *, clock: Clock, ids: Ids, log: Log) -> None:
        """Raises ValueError where the settings want a store that there is not."""
        self._log = log
        self._clock = clock
        self._database: Database | None = None
        self._flights = None if redis is None else redis.flights()
        self._abroad = None if self._flights is None else Abroad(self._flights, clock=clock, ids=ids)
        section = settings.idempotency
        self.once = Once(
            self._store(settings, redis),
            memory_requests.Requests(clock),
            clock=clock,
            ids=ids,
            settings=OnceSettings(ttl_s=section.ttl_s, max_answer_bytes=section.max_answer_bytes),
        )

    @property
    def asking(self) -> Asking | None:
        """How it is found out what other replicas ask; None: there are none."""
        return self._abroad

    def start(self) -> None:
        """Be ready."""
        if self._database is not None:
            self._database.start()

    def around(self, name: str, servicer: object) -> object:
        """A servicer whose requests with an id are answered once."""
        methods = METHODS.get(name, ())
        return _Around(servicer, {method: self.once.wrap(method, getattr(servicer, method)) for method in methods}) if methods else servicer

    async def aclose(self) -> None:
        """Let go of what was claimed, tell what is to be told, and close the file. Behind the last call."""
        await self.once.aclose()
        if self._abroad is not None:
            await self._abroad.aclose()
        if self._flights is not None:
            await self._flights.aclose()
        if self._database is not None:
            await asyncio.to_thread(self._database.close)

    def _store(self, settings: Settings, redis: "Parts | None") -> Store:
        wanted = settings.idempotency.store
        if wanted == "auto":
            wanted = "memory" if redis is None else "redis"  # no file: no answer is written to a disk unless the operator wants that
        if wanted == "memory":
            return memory_requests.Requests(self._clock)
        if wanted == "file":
            self._database = Database(settings.state_dir / _FILE, clock=self._clock, report=self._report)
            return sqlite_requests.Requests(self._database, self._clock)
        if redis is None:
            raise ValueError('idempotency.store: is "redis", but there is no stores.redis; set its url, or choose another store')
        return redis.requests()

    def _report(self, fields: Mapping[str, str | int]) -> None:
        self._log("error", names.JOURNAL_FAILING, fields)


class _Around:
    """A servicer, some of whose methods are others."""

    def __init__(self, servicer: object, methods: Mapping[str, object]) -> None:
        self._servicer = servicer
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> object:
        return getattr(self._servicer, name)


def dedup_settings(settings: Settings) -> DedupSettings:
    """What holds for identical questions."""
    section = settings.dedup
    return DedupSettings(
        on=section.default == "on",
        share=section.bill == "shared",
        room_bytes=section.max_answer_bytes,
        longest_s=settings.server.max_call_duration_s,
    )
