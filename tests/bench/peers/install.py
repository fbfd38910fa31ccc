"""Installs the peers under `.bench/peers/`, each by its own package manager; nothing of theirs is committed."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

from tests.bench.report import FOLDER

HOME = FOLDER.absolute() / "peers"
LITELLM = HOME / "litellm"
PORTKEY = HOME / "portkey"
PORTKEY_PACKAGE = PORTKEY / "node_modules" / "@portkey-ai" / "gateway"
_TIMEOUT_S = 600
# Beyond the proxy itself: uvicorn parses faster with httptools, and without opentelemetry a failing import is tried at each call.
_LITELLM_PACKAGES = ("litellm[proxy]", "httptools", "opentelemetry-sdk", "opentelemetry-exporter-otlp")
# The version in the gateway's own lock file: with what npm would choose, each stream fails with "TypeError: immutable"
# (its issue 1389).
_PORTKEY_OVERRIDES = {"@hono/node-server": "1.13.5"}


class SkippedError(Exception):
    """A peer cannot be measured; the message says why, in a line."""


def litellm(*, upgrade: bool) -> str:
    """Install LiteLLM's proxy unless it is there; its version."""
    python = LITELLM / "bin" / "python"
    if upgrade or not (LITELLM / "bin" / "litellm").exists():
        uv = str(pathlib.Path(sys.executable).parent / "uv")
        _ran([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(LITELLM)])
        # Compiled now, as in its image: else each process compiles what it imports.
        _ran([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *_LITELLM_PACKAGES])
    return _ran([str(python), "-c", "import importlib.metadata as m; print(m.version('litellm'))"])


def portkey(*, upgrade: bool) -> str:
    """Install Portkey's gateway unless it is there; its version."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise SkippedError("node and npm are missing: apt-get install nodejs npm")
    if upgrade or not (PORTKEY_PACKAGE / "package.json").exists():
        shutil.rmtree(PORTKEY, ignore_errors=True)
        PORTKEY.mkdir(parents=True)
        wanted = {"private": True, "dependencies": {"@portkey-ai/gateway": "*"}, "overrides": _PORTKEY_OVERRIDES}
        (PORTKEY / "package.json").write_text(json.dumps(wanted))
        _ran(["npm", "install", "--prefix", str(PORTKEY), "--no-fund", "--no-audit", "--ignore-scripts"])
    version = json.loads((PORTKEY_PACKAGE / "package.json").read_text())["version"]
    return f"{version} on node {_ran(['node', '--version'])}"


def _ran(command: list[str]) -> str:
    # With this variable set, nothing would be compiled.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S, env=environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SkippedError(f"installation failed: {error}") from error
    except subprocess.CalledProcessError as error:
        said = "; ".join(error.stderr.strip().splitlines()[:2]) or "no message"
        raise SkippedError(f"installation failed: {pathlib.Path(command[0]).name}: {said}") from error
    return done.stdout.strip()
