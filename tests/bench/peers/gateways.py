"""Starts the peers on loopback, pinned to the core of our server, each in its fairest usual configuration."""

import contextlib
import http.client
import json
import os
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence

from tests.bench.peers import install
from tests.bench.peers.install import SkippedError
from tests.bench.peers.sides import Peer
from tests.bench.servers import SERVER_CORE, free_port

LITELLM_SETUP = (
    "uvicorn, 1 worker, no database, no authentication, telemetry off, logs at ERROR, local price list, compiled, with httptools"
)
PORTKEY_SETUP = "headless, NODE_ENV=production, provider openai, custom host, @hono/node-server of its own lock file"
_LOOPBACK = pathlib.Path(__file__).with_name("loopback.cjs")
_READY_S = 90.0  # LiteLLM imports for ten seconds on a busy core


@contextlib.contextmanager
def litellm(upstream: str, models: Sequence[str]) -> Iterator[Peer]:
    """LiteLLM's proxy with a deployment for each of the upstream's models."""
    port = free_port()
    command = [str(install.LITELLM / "bin" / "litellm"), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--num_workers", "1", "--telemetry", "False", "--config", "litellm.yaml"]
    environment = {
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the internet at its start
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # ours has no authentication here either
    }
    files = {"litellm.yaml": json.dumps({"model_list": [_deployment(upstream, model) for model in models]})}
    with _process(command, port, environment, files) as pid:
        yield Peer("LiteLLM", port, pid, calls=120, streams=32)


def _deployment(upstream: str, model: str) -> dict[str, object]:
    # With a base model whose price it knows; an unknown one costs it an exception a call.
    parameters = {"model": f"openai/{model}", "api_base": upstream, "api_key": "sk-benchmark"}
    return {"model_name": model, "litellm_params": parameters, "model_info": {"base_model": "gpt-4o-mini"}}


@contextlib.contextmanager
def portkey(upstream: str) -> Iterator[Peer]:
    """Portkey's gateway; where to send a call stands in its headers."""
    port = free_port()
    command = ["node", "--require", str(_LOOPBACK), str(install.PORTKEY_PACKAGE / "build" / "start-server.js")]
    command += ["--headless", f"--port={port}"]
    with _process(command, port, {"NODE_ENV": "production"}, {}) as pid:
        headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": upstream}
        yield Peer("Portkey", port, pid, calls=500, streams=100, headers=headers)


@contextlib.contextmanager
def _process(command: list[str], port: int, environment: Mapping[str, str], files: Mapping[str, str]) -> Iterator[int]:
    """The process id, once it answers; in a folder of its own, since a stray .env there would configure it."""
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        for name, text in files.items():
            (home / name).write_text(text)
        clean = {"PATH": os.environ["PATH"], "HOME": folder, **environment}
        with (home / "log").open("wb") as log:
            pinned = ["taskset", "-c", SERVER_CORE, *command]
            process = subprocess.Popen(pinned, stdout=log, stderr=log, cwd=folder, env=clean)
        try:
            _wait(port, process, home / "log")
            yield process.pid
        finally:
            _stop(process)


def _wait(port: int, process: "subprocess.Popen[bytes]", log: pathlib.Path) -> None:
    until_s = time.monotonic() + _READY_S
    while time.monotonic() < until_s and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", "/")
            connection.getresponse()
            return
        time.sleep(0.2)
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
    raise SkippedError(f"did not start: {last[0]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
