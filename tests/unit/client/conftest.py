"""Fixtures of the client's tests."""

import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.unit.client.callers import AsyncCaller, Caller, SyncCaller
from tests.unit.client.gateway import Gateway


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway() as running:
        yield running


@pytest.fixture(params=[AsyncCaller, SyncCaller], ids=["async", "sync"])
def caller(request: pytest.FixtureRequest) -> Caller:
    made: Caller = request.param()
    return made


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROMPTWIRE_TARGET", "PROMPTWIRE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def dead_target() -> Iterator[str]:
    """An address that refuses connections for as long as the test runs: bound, and nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"
