"""A fake server, and ways to run the command against it."""

import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import rich

from promptwire_server.cli import main
from tests.unit.cli.fake_server import FakeServer

PROGRAM = "import sys; from promptwire_server.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class Outcome:
    """What a command wrote, and its exit code."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server that is running."""
    fake = FakeServer()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PROMPTWIRE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `promptwire` in this process, into pipes; `stdin` is what is piped in."""

    def run(*arguments: str, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            code = main(arguments)
        except SystemExit as exit_:  # argparse
            code = int(exit_.code or 0)
        finally:
            sys.modules["rich"] = rich  # `serve` forbids it, in a process that would be its own
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def ask(command: Command, server: FakeServer) -> Command:
    """Run a command that talks to the fake server."""

    def run(name: str, *arguments: str, stdin: bytes = b"") -> Outcome:
        return command(name, *arguments, "--target", server.target, stdin=stdin)

    return run


@pytest.fixture
def process() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start `promptwire` as a process of its own, with pipes; killed at the end if it is still there."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", PROGRAM, *arguments]
        started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


@pytest.fixture
def dead_target() -> Iterator[str]:
    """An address that refuses connections for as long as the test runs: bound, and nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"
