"""`promptwire health`."""

import subprocess
import sys

import pytest

from promptwire_server.cli.exits import ExitCode
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_server import FakeServer


def test_nobody_there(command: Command, dead_target: str) -> None:
    outcome = command("health", "--target", dead_target)
    assert outcome.code == ExitCode.UNREACHABLE
    assert outcome.err.startswith(f"error: nobody answers at {dead_target}\nhint: is it running?")


@pytest.mark.parametrize(("state", "word"), [(2, "NOT_SERVING"), (3, "SERVICE_UNKNOWN"), (0, "UNKNOWN"), (9, "9")])
def test_a_server_that_does_not_serve(ask: Command, server: FakeServer, state: int, word: str) -> None:
    server.script.health = state
    outcome = ask("health")
    assert (outcome.code, outcome.out) == (ExitCode.FAILED, f"{word}\n")


def test_a_service_that_is_not_there(ask: Command) -> None:
    outcome = ask("health", "--service", "no.Such")
    assert outcome.code == ExitCode.FAILED
    assert "has no service 'no.Such'" in outcome.err


def test_a_file_of_authorities_that_is_not_there(ask: Command) -> None:
    outcome = ask("health", "--tls-ca", "/nowhere/ca.pem")
    assert outcome.code == ExitCode.USAGE
    assert outcome.err.startswith("error: --tls-ca /nowhere/ca.pem: No such file or directory")


def test_tls_to_a_plaintext_port_is_unreachable(command: Command, server: FakeServer) -> None:
    # Not loopback by its name, so TLS is what is tried.
    outcome = command("health", "--target", f"ipv4:{server.target}", "--timeout", "2")
    assert outcome.code == ExitCode.UNREACHABLE


def test_a_server_that_serves(ask: Command) -> None:
    outcome = ask("health", "--service", "promptwire.v1.ChatService", "--api-key", "not needed")
    assert (outcome.code, outcome.out, outcome.err) == (ExitCode.OK, "SERVING\n", "")


def test_the_target_may_stand_in_the_environment(command: Command, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTWIRE_TARGET", server.target)
    assert command("health").code == ExitCode.OK


def test_a_probe_loads_nothing_of_the_tool() -> None:
    code = "import sys; import promptwire_server.cli.health; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"cyclopts", "rich", "promptwire", "promptwire_server.config"} & set(loaded)
