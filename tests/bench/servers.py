"""The processes of a benchmark: bare, ours, and the upstream, each pinned to a core."""

import contextlib
import pathlib
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import grpc

SERVER_CORE = "0"
UPSTREAM_CORE = "1"
_READY_S = 20.0


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    pid: int
    port: int

    @property
    def target(self) -> str:
        """Where gRPC clients connect."""
        return f"127.0.0.1:{self.port}"

    def url(self, method: str) -> str:
        """Where h2load posts."""
        return f"http://{self.target}/promptwire.v1.ChatService/{method}"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def bare() -> Iterator[Running]:
    """The yardstick."""
    port = free_port()
    with process([sys.executable, "-m", "tests.bench.bare", str(port)], port, SERVER_CORE) as running:
        yield running


@contextlib.contextmanager
def ours(upstream: str, *, join_window: str = "0s", log_level: str = "info") -> Iterator[Running]:
    """Promptwire with its usual layers; logs go to a file, as they would in production to a pipe."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "promptwire.yaml")
        config.write_text(
            _CONFIG.format(
                port=port, upstream=upstream, origin=upstream.removesuffix("/v1"), state=folder, join_window=join_window, level=log_level
            )
        )
        command = [sys.executable, "-m", "promptwire_server", "serve", "--config", str(config)]
        with process(command, port, SERVER_CORE, log=pathlib.Path(folder, "log")) as running:
            yield running


_CONFIG = """
server:
  listen: 127.0.0.1:{port}
  health_listen: null
  metrics_listen: 127.0.0.1:0
  drain: {{pre_drain: 0s, grace: 1s}}
  streaming: {{join_window: {join_window}}}
state_dir: {state}
logs: {{level: {level}, format: json}}
providers:
  fast: {{kind: openai, base_url: "{upstream}", api_key: &key sk-benchmark-key-of-no-value}}
  responses: {{kind: openai, base_url: "{upstream}", api_key: *key, api: responses}}
  anthropic: {{kind: anthropic, base_url: "{origin}", api_key: *key}}
  gemini: {{kind: gemini, base_url: "{origin}/v1beta", api_key: *key}}
  ollama: {{kind: ollama, base_url: "{origin}"}}
"""


@contextlib.contextmanager
def process(command: list[str], port: int, core: str, log: pathlib.Path | None = None) -> Iterator[Running]:
    """A server by this command on that core, once it answers gRPC."""
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        started = subprocess.Popen(["taskset", "-c", core, *command], stdout=out, stderr=out)
        try:
            _wait(port, started, log)
            yield Running(started.pid, port)
        finally:
            started.terminate()
            started.wait(timeout=15)


def _wait(port: int, process: "subprocess.Popen[bytes]", log: pathlib.Path | None) -> None:
    until_s = time.monotonic() + _READY_S
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ready = grpc.channel_ready_future(channel)
        while time.monotonic() < until_s and process.poll() is None:
            with contextlib.suppress(grpc.FutureTimeoutError):
                ready.result(timeout=0.2)
                return
    raise SystemExit(f"a server of the benchmark did not start: {log.read_text() if log else command_of(process)}")


def command_of(process: "subprocess.Popen[bytes]") -> str:
    """What was run."""
    return shlex.join(str(word) for word in process.args) if isinstance(process.args, list) else str(process.args)
