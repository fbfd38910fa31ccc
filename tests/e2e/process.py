"""A Promptwire server as a process of its own: started on free ports, heard through its log, ended by its id."""

import contextlib
import copy
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
READY_S = 30.0
STOP_S = 20.0
_SHOWN_LINES = 25

Config = dict[str, Any]
Line = dict[str, Any]


class ServerError(AssertionError):
    """The server did not do what the test waited for; the text has the end of its log."""


class Log:
    """The lines of a process's standard error, as they come."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._thread.start()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        if process.stderr is not None:
            for line in process.stderr:
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def events(self, name: str = "", **fields: object) -> list[Line]:
        """The lines that are JSON, those of this event and these fields."""
        return [line for line in map(_parsed, list(self.lines)) if line and _matches(line, name, fields)]

    def wait(self, name: str, *, count: int = 1, timeout_s: float = READY_S, **fields: object) -> list[Line]:
        """The lines of an event, once there are so many."""
        found: list[Line] = []

        def enough() -> bool:
            found[:] = self.events(name, **fields)
            return len(found) >= count or self._over

        with self._changed:
            self._changed.wait_for(enough, timeout_s)
        if len(found) < count:
            raise ServerError(f"no {count} lines {name} {fields} within {timeout_s} s:\n{self.tail()}")
        return found

    def tail(self) -> str:
        return "\n".join(self.lines[-_SHOWN_LINES:])

    def finish(self) -> None:
        """Wait for the last line."""
        self._thread.join(STOP_S)


class Server:
    """A running server, or a supervisor with its workers."""

    def __init__(
        self, config: Path, folder: Path, environ: Mapping[str, str], arguments: Sequence[str] = (), module: str = "promptwire_server"
    ) -> None:
        """`module` is what is run: the server, or what makes one that fails in some way."""
        self.folder = folder
        self.config = config
        # Its standard output is not read while it runs: the banner fits into a pipe.
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "serve", "--config", str(config), *arguments],
            cwd=folder,
            env=environment(folder, environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log = Log(self.process)
        self.ports: dict[str, int] = {}

    def rewrite(self, config: Mapping[str, Any]) -> None:
        """Put another configuration in the place of the present one, as editors do it: a new file under the old name."""
        fresh = write_config(self.folder, merged(base_config(self.folder), config), "fresh.yaml")
        fresh.replace(self.config)

    def wait_ready(self) -> None:
        (started, *_) = self.log.wait("server.started")
        self.ports = {name: started[name] for name in ("port", "health_port", "metrics_port")}

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.ports['port']}"

    @property
    def health_target(self) -> str:
        return f"127.0.0.1:{self.ports['health_port']}"

    def metrics_text(self) -> str:
        return get(f"http://127.0.0.1:{self.ports['metrics_port']}/metrics")

    def metrics(self) -> "Samples":
        return Samples(self.metrics_text())

    def rss_bytes(self, pid: int = 0) -> int:
        """Resident memory now."""
        for line in Path(f"/proc/{pid or self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise ServerError(f"no VmRSS of {pid or self.pid}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, timeout_s: float = STOP_S) -> int:
        """Wait for the end; the exit code. Its last log lines are there afterwards."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ServerError(f"still running after {timeout_s} s:\n{self.log.tail()}") from None
        self.log.finish()
        return code

    def stop(self) -> int:
        """SIGTERM, and SIGKILL when that is ignored; the exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.wait()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            for pipe in (self.process.stdout, self.process.stderr):
                if pipe is not None:
                    pipe.close()


class Samples:
    """A page of metrics, parsed by Prometheus' own client."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))

    def sum(self, name: str, **labels: str) -> float:
        """All samples of this name whose labels include these, added up."""
        samples = [sample for family in self.families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """An environment without anybody's keys and settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), **more}


def base_config(folder: Path) -> Config:
    """Ports that the system chooses, a state directory of its own, a quick end."""
    return {
        "server": {
            "listen": "127.0.0.1:0",
            "health_listen": "127.0.0.1:0",
            "metrics_listen": "127.0.0.1:0",
            "drain": {"pre_drain": "0s", "grace": "5s"},
        },
        "state_dir": str(folder / "state"),
        "logs": {"format": "json"},
    }


def merged(base: Config, more: Mapping[str, Any]) -> Config:
    """`more` over `base`, mapping by mapping."""
    result = copy.deepcopy(base)
    for key, value in more.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def write_config(folder: Path, config: Mapping[str, Any], name: str = "promptwire.yaml") -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(dict(config)))
    return path


def openai(base_url: str, api_key: str = "sk-e2e", **more: object) -> Config:
    """A provider section for the fake."""
    return {"kind": "openai", "base_url": base_url, "api_key": api_key, **more}


@contextlib.contextmanager
def running(
    folder: Path,
    config: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    started: Callable[[Server], None] = lambda _: None,
    module: str = "promptwire_server",
) -> Iterator[Server]:
    """A server for the length of a `with` block; `started` sees it before it is ready."""
    path = write_config(folder, merged(base_config(folder), config or {}))
    server = Server(path, folder, environ or {}, arguments, module)
    started(server)
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - a server of ours
        return str(response.read().decode())


def until(condition: Callable[[], bool], timeout_s: float = 10.0, what: str = "it") -> float:
    """Ask again and again until it holds; how long that took. For what tells nobody when it happens: another process's death."""
    began_s = time.monotonic()
    pause = threading.Event()
    while not condition():
        if time.monotonic() - began_s > timeout_s:
            raise ServerError(f"{what} did not happen within {timeout_s} s")
        pause.wait(0.01)
    return time.monotonic() - began_s


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _parsed(line: str) -> Line:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _matches(line: Line, name: str, fields: Mapping[str, object]) -> bool:
    return (not name or line.get("event") == name) and all(line.get(key) == value for key, value in fields.items())
