"""The composition root: the only module that knows every class. Builds the parts, joins them, starts and drains them."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import uvloop
from google.protobuf.descriptor import ServiceDescriptor

from promptwire_server import logs
from promptwire_server.banner import banner
from promptwire_server.caching import Caching
from promptwire_server.chains.plans import Plans
from promptwire_server.chains.run import Engine
from promptwire_server.config.fault import dotted
from promptwire_server.config.settings import Settings
from promptwire_server.convert import (
    admission_settings,
    api_keys,
    breaker_settings,
    facts,
    payment_settings,
    server_settings,
    stream_settings,
    weights,
)
from promptwire_server.core.call import ANONYMOUS, Target
from promptwire_server.core.clock import Chance, Clock, SystemClock
from promptwire_server.core.ids import Ids
from promptwire_server.exchequer import Exchequer
from promptwire_server.front import RPCS, VERSION, served_by, server_info
from promptwire_server.gateway import Gateway, Lasting, Switch, new_breakers
from promptwire_server.http.metrics import Exposition
from promptwire_server.layers import names
from promptwire_server.layers.admission.admission import Admission
from promptwire_server.layers.admission.counts import AdmissionMetrics
from promptwire_server.layers.admission.memory import resident_bytes
from promptwire_server.layers.breaker import State
from promptwire_server.layers.gauges import KeyGauges
from promptwire_server.layers.metrics import Metrics
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.tally import Tally
from promptwire_server.office import Office
from promptwire_server.planning import named_targets
from promptwire_server.providers.keys import KeyNews, Keys
from promptwire_server.reload import Read, Reloader, on_hangup
from promptwire_server.rpc.auth import Authenticator
from promptwire_server.rpc.budget import BudgetService
from promptwire_server.rpc.budget_check import Known
from promptwire_server.rpc.chain import ChainService
from promptwire_server.rpc.chat import ChatService
from promptwire_server.rpc.embedding import EmbeddingService
from promptwire_server.rpc.events import Load
from promptwire_server.rpc.model import ModelService
from promptwire_server.rpc.server import Server
from promptwire_server.rpc.system import SystemService
from promptwire_server.rpc.transport import Edge
from promptwire_server.rpc.usage import UsageService
from promptwire_server.safekeeping import fetched
from promptwire_server.sameness import Sameness
from promptwire_server.secrets.custody import Custody
from promptwire_server.secrets.watch import News
from promptwire_server.sharing import Sharing
from promptwire_server.stores import memory_limits
from promptwire_server.stores.prices import Prices
from promptwire_server.treasury import Treasury
from promptwire_server.vaults import vault
from promptwire_server.voice import Voice

_TALLY_S = 0.02  # ended calls are counted and logged this much later, together
_WATCH = "grpc.health.v1.Health.Watch"
_GC_OBJECTS = 20_000


class Application:
    """One server process: all its parts, joined."""

    def __init__(self, settings: Settings, custody: Custody, clock: Clock, lines: logs.Lines, *, worker: bool = False) -> None:
        self._settings = settings
        self._custody = custody
        self._clock = clock
        self._lines = lines
        chance = Chance()
        self._ids = Ids(clock, chance)
        self._admission = Admission(admission_settings(settings), clock=clock, chance=chance, meter=resident_bytes)
        named = named_targets(settings)
        self.metrics = Metrics([(target.provider, target.model) for target in named], settings.providers)
        self.metrics.registry.register(AdmissionMetrics(self._admission))
        self._authenticator = Authenticator(
            api_keys(settings),
            certificates=settings.server.tls.client_ca_file is not None,
            # Whoever is on this machine alone with it, and has not been asked who he is, runs it.
            anonymous=replace(ANONYMOUS, operator=settings.server.listen.loopback),
        )
        self._instance_id = self._ids.request().replace("req-", "srv-")
        later = partial(asyncio.get_running_loop().call_later, _TALLY_S)
        self._treasury = Treasury(
            partial(vault, settings, self._instance_id, clock, chance),
            payment_settings(settings),
            clock=clock,
            later=later,
            log=lines.write_masked,
        )
        self._exchequer = Exchequer(self._treasury.purse, clock=clock, chance=chance, ids=self._ids, log=lines.write_masked)
        self._treasury.on_reached(self._exchequer.hear)
        self.metrics.registry.register(self._exchequer)
        self._tally = Tally(self.metrics, lines.write_all, later, self._treasury.journal.write)
        self._sharing = Sharing(settings, clock, chance, lines.write_masked)
        self.metrics.registry.register(self._sharing)
        self._sameness = Sameness(settings, self._sharing.redis, clock=clock, ids=self._ids, log=lines.write_masked)
        self._caching = Caching(settings, self._sharing.redis, clock=clock, ids=self._ids)
        self.metrics.registry.register(self._caching)
        self._lasting = self._kept(settings, chance)
        self.metrics.registry.register(KeyGauges(self._lasting.keys.counts))
        self._switch = Switch(Gateway(settings, self._lasting))
        self._office = Office(
            settings,
            self._lasting,
            self._switch.gateway,
            registry=self.metrics.registry,
            instance_id=self._instance_id,
            log=lines.write_masked,
        )
        self.server = Server(server_settings(settings, worker=worker), self._edge(), self._services())
        self._exposition = self._metrics_server(worker=worker)
        self._closing: set[asyncio.Task[None]] = set()  # gateways of configurations before, until their last call has ended

    def _kept(self, settings: Settings, chance: Chance) -> Lasting:
        """What outlives a configuration."""
        clock, lines, named = self._clock, self._lines, named_targets(settings)
        return Lasting(
            clock=clock,
            chance=chance,
            ids=self._ids,
            tally=self._tally,
            admission=self._admission,
            caching=self._caching,
            prices=Prices(clock),
            roster=Roster(clock, settings.providers, named),
            breakers=new_breakers(settings, clock, chance, self._report_breaker),
            limits=memory_limits.Limits(clock),
            rates=self._sharing.rates,
            keys=Keys(clock, self._report_key),
            cashier=self._treasury.cashier,
            recorder=self._treasury.recorder,
            log=lines.write_all,
            asking=self._sameness.asking,
        )

    async def start(self) -> None:
        """Bind every port and answer. Raises RuntimeError or OSError naming the address when one is taken."""
        await self._sharing.check()
        await self._treasury.start()
        await self._exchequer.apply(self._settings)
        self._sameness.start()
        await self._office.start()
        await self._switch.gateway.learn()
        await self.server.start()
        self._custody.start(self._heed)
        if self._exposition is not None:
            await self._exposition.start()
        # What start-up made lives as long as the process: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        # The default of 700 objects is reached every few calls: 30 µs a call went into looking for cycles that are hardly ever there.
        gc.set_threshold(_GC_OBJECTS)

    async def reconfigure(self, settings: Settings) -> None:
        """Answer by these settings from the next call on; calls under way end as they began.

        Raises ConfigError when secrets cannot be had, ValueError and OSError when a provider cannot be built: nothing has changed then.
        """
        custody = await asyncio.to_thread(fetched, settings)
        gateway = Gateway(settings, self._lasting)
        await gateway.learn()
        await self._exchequer.apply(settings)
        named = named_targets(settings)
        self._lasting.roster.name(settings.providers, named)
        self._lasting.breakers.name(named, breaker_settings(settings))
        self.metrics.name([(target.provider, target.model) for target in named], settings.providers)
        self._authenticator.renew(api_keys(settings))
        self._admission.reweigh(weights(settings))
        before, self._switch.gateway = self._switch.gateway, gateway
        self._office.renew(settings, gateway)
        self._custody.stop()
        self._settings, self._custody = settings, custody
        custody.start(self._heed)
        closing = asyncio.get_running_loop().create_task(before.aclose())  # owned here: see drain
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def drain(self) -> None:
        """Let balancers look away, let calls end, stop, release what is left."""
        await self.server.drain(self._admission.drain)
        if self._exposition is not None:
            await self._exposition.stop()
        await self._office.stop()
        self._custody.stop()
        self._tally.settle()
        await asyncio.gather(self._switch.gateway.aclose(), *self._closing)
        await self._sameness.aclose()
        await self._caching.aclose()
        await self._sharing.aclose()
        await self._exchequer.aclose()
        await self._treasury.stop()

    def ports(self) -> dict[str, int]:
        """The ports that the system chose or the settings named; 0 where there is none."""
        return {
            "port": self.server.port,
            "health_port": self.server.health_port,
            "metrics_port": self._exposition.port if self._exposition is not None else 0,
        }

    def _heed(self, news: News) -> None:
        """A secret changed, or cannot be read anew. Called by threads. Providers reveal theirs with each request anyway."""
        if news.kind == "rotated" and news.path[0] == "auth":
            self._authenticator.renew(api_keys(self._settings))
        level, event = _OF_NEWS[news.kind]
        # The key's name ends like a secret's: the mask would hide where it is kept.
        self._lines.write(
            level, event, {"path": dotted(news.path), "kept": news.reference, **({"error": news.problem} if news.problem else {})}
        )

    def _edge(self) -> Edge:
        return Edge(
            clock=self._clock,
            ids=self._ids,
            authenticator=self._authenticator,
            max_call_s=self._settings.server.max_call_duration_s,
            report=self._report_bug,
            finished=self._count_rpc,
        )

    def _services(self) -> list[tuple[ServiceDescriptor, object]]:
        """Every service of the contract; a method that a servicer lacks answers DISABLED."""
        switch = self._switch
        load = Load(stream_settings(self._settings))
        servicers: dict[str, object] = {
            "ChatService": ChatService(switch, switch.count_tokens, load, self._clock),
            "ChainService": ChainService(Engine(switch, self._clock, self._ids, self._treasury.cashier), Plans(), load),
            "EmbeddingService": EmbeddingService(switch.embed),
            "ModelService": ModelService(switch),
            "SystemService": SystemService(server_info(self._settings, self._instance_id, self._clock, keys=self._authenticator.required)),
            "ProviderService": self._office.service,
            "CacheService": self._caching.service(self._instance_id, self._audit),
            "BudgetService": BudgetService(self._treasury.bursar(self._ids), self._known_to_budgets, self._audit),
            "UsageService": UsageService(self._treasury.usage, self._clock),
        }
        servicers = {name: self._sameness.around(name, servicer) for name, servicer in servicers.items()}
        return served_by(servicers)

    def _metrics_server(self, *, worker: bool) -> Exposition | None:
        """Metrics over HTTP; those of a worker are for its supervisor, on a port that the system chooses."""
        listen = self._settings.server.metrics_listen
        if worker:
            return Exposition("127.0.0.1", 0, render=self._metrics_text, ready=lambda: self.server.health.serving)
        if listen is None:
            return None
        return Exposition(listen.host, listen.port, render=self._metrics_text, ready=lambda: self.server.health.serving)

    def _metrics_text(self) -> str:
        self._tally.settle()
        return self.metrics.text()

    def _report_breaker(self, target: Target, state: State) -> None:
        fields = {"provider": target.provider, "model": target.model, "state": state.name.lower()}
        self._lines.write("info" if state is State.CLOSED else "warning", names.BREAKER_CHANGED, fields)

    def _report_key(self, news: KeyNews) -> None:
        fields = {"provider": news.provider, "number": news.number, "state": news.state}
        fields |= {"for_s": round(news.for_s, 1)} if news.for_s else {}
        fields |= {name: text for name, text in (("model", news.model), ("error", news.error)) if text}
        self._lines.write("warning" if news.state == "dead" else "info", names.KEY_CHANGED, fields)

    def _count_rpc(self, rpc: str, code: int, reason: str) -> None:
        """Count an RPC that ended, but not health watches: they end when the client leaves, which would look like errors."""
        if rpc != _WATCH:
            self.metrics.rpc_finished(rpc if rpc in RPCS else names.OTHER_RPC, code, reason)

    def _known_to_budgets(self) -> Known:
        return Known(self._settings.providers, self._exchequer.channels)

    def _audit(self, event: str, fields: Mapping[str, str]) -> None:
        self._lines.write_masked("info", event, fields)

    def _report_bug(self, rpc: str, request_id: str, what: str) -> None:
        self._lines.write_masked("error", names.RPC_BUG, {"rpc": rpc, names.REQUEST_ID: request_id, "error": what})


_OF_NEWS = {
    "rotated": ("info", names.SECRET_ROTATED),
    "failing": ("warning", names.SECRET_FAILING),
    "recovered": ("info", names.SECRET_RECOVERED),
}


def run(settings: Settings, read: Read, *, worker_fd: int | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. `read` reads the settings anew; `worker_fd` is a worker's line to its supervisor.

    Raises ConfigError when secrets cannot be had.
    """
    custody = fetched(settings)
    voice = None if worker_fd is None else Voice(worker_fd)
    return uvloop.run(_serve(settings, read, custody, voice))


async def _serve(settings: Settings, read: Read, custody: Custody, voice: Voice | None) -> int:
    clock = SystemClock()
    lines = logs.to_stderr(clock, level=settings.logs.level, style=settings.logs.format)
    logs.configure(lines)
    stopping = stop_signal()
    try:
        application = Application(settings, custody, clock, lines, worker=voice is not None)
        await application.start()
    except (RuntimeError, OSError) as error:
        lines.write_masked("error", names.SERVER_FAILED, {"error": str(error)})
        return 1
    reloader = Reloader(settings, read, application.reconfigure, lines.write_masked)
    on_hangup(reloader.ask)
    async with asyncio.TaskGroup() as tasks:
        reloading = tasks.create_task(reloader.run())
        await _until_told(stopping, voice, settings, lines, application.ports())
        reloading.cancel()
    lines.write("info", names.SERVER_DRAINING, {})
    if voice is not None and stopping.is_set():
        await _drain_while_supervised(application, voice)
    else:
        await application.drain()
    lines.write("info", names.SERVER_STOPPED, {})
    return 0


async def _until_told(
    stopping: asyncio.Event, voice: Voice | None, settings: Settings, lines: logs.Lines, ports: Mapping[str, int]
) -> None:
    """Say that the server is up, and wait until it is to go."""
    if voice is None:
        announce(settings, lines, ports)
        await stopping.wait()
    else:
        voice.say("ready", **ports)
        await _until_told_or_orphaned(stopping, voice)
        voice.say("draining")


async def _until_told_or_orphaned(stopping: asyncio.Event, voice: Voice) -> None:
    async with asyncio.TaskGroup() as tasks:
        waits = [tasks.create_task(stopping.wait()), tasks.create_task(voice.orphaned())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


async def _drain_while_supervised(application: Application, voice: Voice) -> None:
    """Of a worker that was told to go: when its supervisor goes meanwhile, a second signal ended that, and means the worker too."""
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(_end_with_supervisor(voice))
        await application.drain()
        watching.cancel()


async def _end_with_supervisor(voice: Voice) -> None:
    await voice.orphaned()
    signal.raise_signal(signal.SIGTERM)  # the first one has left its default behind: this ends the process


_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def stop_signal() -> asyncio.Event:
    """Set by SIGTERM and by SIGINT; a second one ends the process at once."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        event.set()
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)  # whichever comes next; Python's own handler of SIGINT would print a traceback

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    return event


def announce(settings: Settings, lines: logs.Lines, ports: Mapping[str, int]) -> None:
    """Say once that the server is up: an event for programs, and the banner for people. Workers leave it to their supervisor."""
    lines.write("info", names.SERVER_STARTED, {"version": VERSION, "pid": os.getpid(), **ports})
    for notice in settings.notices:
        lines.write("warning", names.CONFIG_NOTICE, {"message": notice})
    sys.stdout.write(banner(facts(settings, VERSION, ports)))
    sys.stdout.flush()
