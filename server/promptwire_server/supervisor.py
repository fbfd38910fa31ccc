"""Supervisor: several worker processes on one port, restarted when they die, with one view of their health and metrics."""

import asyncio
import contextlib
import json
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from promptwire_server import logs
from promptwire_server.app import announce, stop_signal
from promptwire_server.config.settings import Settings
from promptwire_server.core.clock import Chance, Clock, SystemClock
from promptwire_server.core.ids import Ids
from promptwire_server.front import SERVICES
from promptwire_server.http.metrics import Exposition, scrape
from promptwire_server.layers import names
from promptwire_server.layers.exposition import merge
from promptwire_server.reload import on_hangup
from promptwire_server.rpc.auth import Authenticator
from promptwire_server.rpc.health import Health
from promptwire_server.rpc.probes import Probes
from promptwire_server.rpc.transport import Edge
from promptwire_server.safekeeping import fetched

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0  # a worker that lived this long starts again without a pause
_KILL_MARGIN_S = 5.0  # beyond pre-drain and grace, before a worker that does not go is killed


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    command: Sequence[str]  # of one worker; "--worker-fd N" is added
    workers: int
    drain_s: float  # pre-drain and grace of a worker together
    first_start_attempts: int = 3  # workers that die this often before any was ready: the configuration is at fault


@dataclass
class Worker:
    """One worker process, as the supervisor sees it."""

    index: int
    process: asyncio.subprocess.Process | None = None
    metrics_port: int = 0
    ready: bool = False
    restarts: int = 0
    pause_s: float = _FIRST_PAUSE_S


@dataclass
class Supervisor:
    """Keeps the workers running until told to stop."""

    plan: Plan
    changed: Callable[[Sequence[Worker]], None]  # called whenever a worker becomes ready or dies
    report: Callable[..., None]  # log event with fields
    workers: list[Worker] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _failures: int = 0

    async def run(self) -> int:
        """Run until `stop`; the exit code: 0, or 1 when the workers never came up."""
        self.workers = [Worker(index) for index in range(self.plan.workers)]
        async with asyncio.TaskGroup() as tasks:
            for worker in self.workers:
                tasks.create_task(self._keep(worker))
        return 1 if self._failures >= self.plan.first_start_attempts else 0

    def stop(self) -> None:
        """Let every worker drain and end."""
        self._stopping.set()
        for worker in self.workers:
            _signal(worker, signal.SIGTERM)

    def reload(self) -> None:
        """Let every worker read the configuration anew."""
        for worker in self.workers:
            _signal(worker, signal.SIGHUP)

    async def _keep(self, worker: Worker) -> None:
        """Start a worker again whenever it dies."""
        while not self._stopping.is_set():
            began_s = asyncio.get_running_loop().time()
            code = await self._live(worker)
            if self._stopping.is_set():
                return
            lived_s = asyncio.get_running_loop().time() - began_s
            self.report(names.WORKER_DIED, worker=worker.index, exit_code=code, lived_s=round(lived_s, 3), restarts=worker.restarts)
            if self._hopeless():
                self.stop()
                return
            worker.restarts += 1
            worker.pause_s = _FIRST_PAUSE_S if lived_s > _STEADY_S else min(worker.pause_s * 2, _LONGEST_PAUSE_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(worker.pause_s):
                    await self._stopping.wait()

    def _hopeless(self) -> bool:
        if any(worker.ready or worker.metrics_port for worker in self.workers):
            return False
        self._failures += 1
        return self._failures >= self.plan.first_start_attempts

    async def _live(self, worker: Worker) -> int:
        """One life of a worker; its exit code."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            command = [*self.plan.command, "--worker-fd", str(theirs.fileno())]
            worker.process = await asyncio.create_subprocess_exec(*command, pass_fds=[theirs.fileno()], start_new_session=True)
            theirs.close()
            if self._stopping.is_set():  # told to stop while this one was being started
                _signal(worker, signal.SIGTERM)
            reader, writer = await asyncio.open_connection(sock=ours)
            try:
                return await self._attend(worker, worker.process, reader)
            finally:
                writer.close()
                worker.ready = False
                self.changed(self.workers)

    async def _attend(self, worker: Worker, process: asyncio.subprocess.Process, reader: asyncio.StreamReader) -> int:
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._listen(worker, reader))
            code = await self._ended(worker, process)
            listening.cancel()
        return code

    async def _listen(self, worker: Worker, reader: asyncio.StreamReader) -> None:
        """A worker says one JSON line when it is ready and one when it begins to drain."""
        async for line in reader:
            word = json.loads(line)
            worker.ready = word["state"] == "ready"
            worker.metrics_port = word.get("metrics_port", worker.metrics_port)
            self.report(names.WORKER_STATE, state=word["state"], worker=worker.index, pid=worker.process.pid if worker.process else 0)
            self.changed(self.workers)

    async def _ended(self, worker: Worker, process: asyncio.subprocess.Process) -> int:
        waiting = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait([waiting, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                await asyncio.wait([waiting], timeout=self.plan.drain_s + _KILL_MARGIN_S)
            if not waiting.done():
                self.report(names.WORKER_KILLED, worker=worker.index)
                process.kill()
            return await waiting
        finally:
            stopping.cancel()
            if process.returncode is None and not waiting.done():
                process.kill()


def reserve(host: str, port: int) -> tuple[socket.socket, int]:
    """A port that all workers can share: bound here with SO_REUSEPORT but never listening, so it takes no connections itself."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    reserved = socket.socket(family, socket.SOCK_STREAM)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind((host, port))
    return reserved, int(reserved.getsockname()[1])


def worker_command(arguments: Sequence[str]) -> list[str]:
    """The command line of a worker: this program again, by spawn, since forking a process that has used gRPC hangs."""
    return [sys.executable, "-P", "-m", "promptwire_server", *arguments]  # -P: the working directory is no place for modules


def _signal(worker: Worker, number: int) -> None:
    if worker.process is not None and worker.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.process.pid, number)


def run(settings: Settings, arguments: Sequence[str]) -> int:
    """Supervise as many workers as the settings say, until SIGTERM or SIGINT; the exit code. Raises ConfigError."""
    fetched(settings)  # so that what is wrong with secrets is said once; each worker fetches its own
    return asyncio.run(_supervise(settings, arguments))


async def _supervise(settings: Settings, arguments: Sequence[str]) -> int:
    clock = SystemClock()
    lines = logs.to_stderr(clock, level=settings.logs.level, style=settings.logs.format)
    logs.configure(lines)
    server = settings.server
    try:
        reserved, port = reserve(server.listen.host, server.listen.port)
    except OSError:
        lines.write(
            "error", names.SERVER_FAILED, {"error": f"server.listen: cannot listen on {server.listen}; is another program using it?"}
        )
        return 1
    with reserved:
        command = worker_command([*arguments, "--listen", str(replace(server.listen, port=port))])
        plan = Plan(command, server.workers, drain_s=server.drain.pre_drain_s + server.drain.grace_s)
        view = View(settings, clock)
        supervisor = Supervisor(plan, view.changed, lambda event, **fields: lines.write("info", event, fields))
        return await _keep_running(supervisor, view, settings, lines, port)


async def _keep_running(supervisor: Supervisor, view: "View", settings: Settings, lines: logs.Lines, port: int) -> int:
    stopping = stop_signal()
    try:
        ports = await view.start()
    except (RuntimeError, OSError) as error:
        lines.write("error", names.SERVER_FAILED, {"error": str(error)})
        return 1
    on_hangup(supervisor.reload)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(supervisor.run())
        helpers = [
            tasks.create_task(_announce(view, settings, lines, {**ports, "port": port})),
            tasks.create_task(_stop(stopping, supervisor, view)),
        ]
        code = await running
        for helper in helpers:
            helper.cancel()
    await view.stop()
    return code


async def _announce(view: "View", settings: Settings, lines: logs.Lines, ports: dict[str, int]) -> None:
    await view.up.wait()
    announce(settings, lines, ports)


async def _stop(stopping: asyncio.Event, supervisor: Supervisor, view: "View") -> None:
    await stopping.wait()
    view.health.set_all(serving=False)
    supervisor.stop()


class View:
    """The workers as one: healthy when one of them is ready, metrics added up."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._workers: Sequence[Worker] = ()
        self.up = asyncio.Event()  # all workers were ready at once
        self.health = Health(SERVICES)
        listen = settings.server.health_listen
        self._probes = None if listen is None else Probes(str(listen), self.health, _edge(clock))
        machines = settings.server.metrics_listen
        ready = lambda: self.health.serving  # noqa: E731
        self._machines = None if machines is None else Exposition(machines.host, machines.port, render=self._exposition, ready=ready)

    async def start(self) -> dict[str, int]:
        """Open the ports of probes and metrics. Raises RuntimeError naming the address when one is taken."""
        health_port = 0 if self._probes is None else await self._probes.start()
        if self._machines is not None:
            await self._machines.start()
        return {"health_port": health_port, "metrics_port": 0 if self._machines is None else self._machines.port}

    async def stop(self) -> None:
        """Close both."""
        self.health.close()
        if self._machines is not None:
            await self._machines.stop()
        if self._probes is not None:
            await self._probes.stop()

    def changed(self, workers: Sequence[Worker]) -> None:
        """A worker became ready, or died."""
        self._workers = workers
        self.health.set_all(serving=any(worker.ready for worker in workers))
        if all(worker.ready for worker in workers):
            self.up.set()

    async def _exposition(self) -> str:
        texts = await asyncio.gather(*(_scraped(worker) for worker in self._workers if worker.ready))
        ready = sum(worker.ready for worker in self._workers)
        restarts = sum(worker.restarts for worker in self._workers)
        own = f"# TYPE {names.WORKERS} gauge\n{names.WORKERS} {ready}\n# TYPE {names.WORKER_RESTARTS}_total counter\n"
        return merge([text for text in texts if text]) + own + f"{names.WORKER_RESTARTS}_total {restarts}\n"


async def _scraped(worker: Worker) -> str:
    """What a worker counted; nothing when it does not answer, since the others' numbers are still good."""
    try:
        return await scrape(worker.metrics_port)
    except (OSError, TimeoutError):
        return ""


def _edge(clock: Clock) -> Edge:
    return Edge(
        clock=clock,
        ids=Ids(clock, Chance()),
        authenticator=Authenticator(),
        max_call_s=math.inf,
        report=lambda _rpc, _id, _what: None,
        finished=lambda _rpc, _code, _reason: None,
    )
