"""Fixtures of the end-to-end tests: servers, the fake provider behind them, clients in front; logs of servers come with failures."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import grpc
import pytest

from promptwire import Promptwire
from tests.e2e import process
from tests.e2e.process import Server
from tests.faults.fake_provider import process as fake_process
from tests.faults.fake_provider.process import FakeProvider

SERVERS = pytest.StashKey[list[Server]]()
UPSTREAM_KEY = "sk-e2e-upstream"
SCRIPT = """
answers:
  - when: {contains: capital of France}
    say: Paris.
  - when: {contains: weather}
    tools: [{name: look_outside, arguments: {where: here}}]
  - when: {contains: slow}
    say: one two three four
    word_delay_ms: 20
  - when: {contains: please fail}
    error: OVERLOADED
    retry_after_ms: 1
default:
  say: I do not know.
"""


class Serve(Protocol):
    """Starts a server that ends with the test."""

    def __call__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        module: str = "promptwire_server",
    ) -> Server:
        """The server, once it answers."""
        ...


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SERVERS] = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Put the logs of the servers that are running into the report of a failure."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed:
        for server in item.config.stash.get(SERVERS, []):
            report.sections.append((f"log of server {server.pid}", server.log.tail()))


@pytest.fixture(scope="session")
def fake() -> Iterator[FakeProvider]:
    """One provider a test process; tests keep apart by `id` in the scripts, or by the words that they ask."""
    with fake_process.running() as running:
        yield running


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def server(fake: FakeProvider, folder: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """One server a test process, with every kind of provider, for tests that do not end or count it."""
    script = folder / "script.yaml"
    script.write_text(SCRIPT)
    config = {
        "providers": {
            "script": {"kind": "script", "file": str(script)},
            "fake": process.openai(fake.base_url, UPSTREAM_KEY),
        },
        "models": {"fast": "fake/fake", "both": {"targets": ["fake/fake~status=503", "echo/echo"]}},
        "default_model": "echo/echo",
    }
    listed = request.config.stash[SERVERS]
    with process.running(folder, config, started=listed.append) as running:
        yield running
    listed.remove(running)


@pytest.fixture
def serve(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Serve]:
    """Servers of the test's own."""
    listed = request.config.stash[SERVERS]
    numbers = itertools.count()
    with contextlib.ExitStack() as stack:

        def start(
            config: Mapping[str, Any] | None = None,
            *,
            environ: Mapping[str, str] | None = None,
            arguments: Sequence[str] = (),
            module: str = "promptwire_server",
        ) -> Server:
            own = tmp_path / str(next(numbers))
            own.mkdir()
            running = process.running(own, config, environ=environ, arguments=arguments, started=listed.append, module=module)
            return stack.enter_context(running)

        yield start
    listed[:] = [server for server in listed if server.process.poll() is None]


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Promptwire]:
    """A client of the shared server."""
    async with Promptwire(server.target) as client:
        yield client


@pytest.fixture
async def channel(server: Server) -> AsyncIterator[grpc.aio.Channel]:
    """A bare channel to the shared server, without retries."""
    async with grpc.aio.insecure_channel(server.target, options=[("grpc.enable_retries", 0)]) as channel:
        yield channel


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def marker(numbers: Iterator[int], request: pytest.FixtureRequest) -> str:
    """A word that no other test says: finds this test's entries in the ledger."""
    return f"{request.node.name.split('[')[0].removeprefix('test_')[:24]}_{next(numbers)}"


@pytest.fixture
def model(marker: str) -> Callable[[str], str]:
    """A model of the fake with a script, under a name of this test alone: `fake.ledger(model=marker)` has its entries."""

    def named(script: str = "") -> str:
        return f"fake/{marker}~{script or 'ok'}"

    return named
