"""The real server as a process, and the commands against it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptwire_server.cli.exits import ExitCode
from tests.unit.cli.conftest import PROGRAM, Command

QUIET = ("--set", "server.health_listen=null", "--set", "server.metrics_listen=null")


@pytest.fixture
def served(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    flags = ["serve", "--listen", "127.0.0.1:0", "--state-dir", str(tmp_path), "--log-format", "json", *QUIET]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def started(process: "subprocess.Popen[bytes]") -> dict[str, object]:
    """The event that says that the server is up."""
    assert process.stderr is not None
    for line in process.stderr:
        event: dict[str, object] = json.loads(line)
        if event["event"] == "server.started":
            return event
    raise AssertionError("it never started")


def test_the_process_that_was_started_is_the_server(served: "subprocess.Popen[bytes]") -> None:
    assert started(served)["pid"] == served.pid  # so whoever started it can stop it
    served.send_signal(signal.SIGTERM)
    assert served.wait(20) == ExitCode.OK


def test_the_commands_against_the_real_server(served: "subprocess.Popen[bytes]", command: Command, tmp_path: Path) -> None:
    target = f"127.0.0.1:{started(served)['port']}"
    chain = tmp_path / "chain.yaml"
    chain.write_text("prompts: ['Say {{ word }}', '{{ output[-1] }} again']\n")
    assert command("health", "--target", target).out == "SERVING\n"
    assert command("--target", target, "chat", "hello there").out == "hello there\n"
    assert command("run", str(chain), "-i", "word=tea", "--target", target).out == "Say tea again\n"
    assert command("validate", str(chain), "--target", target).code == ExitCode.OK
    assert "echo/echo *" in command("models", "--target", target).out
    missing = command("run", str(chain), "--target", target)
    assert (missing.code, missing.out) == (ExitCode.USAGE, "")
    assert "word" in missing.err


def test_a_port_that_is_taken_is_told(served: "subprocess.Popen[bytes]") -> None:
    port = started(served)["port"]
    command = [sys.executable, "-c", PROGRAM, "serve", "--listen", f"127.0.0.1:{port}", *QUIET]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env={**os.environ})
    assert second.returncode == ExitCode.FAILED
    assert f"127.0.0.1:{port}" in second.stderr
    assert "Traceback" not in second.stderr


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "promptwire_server", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("0.")
