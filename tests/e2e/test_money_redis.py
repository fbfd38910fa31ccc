"""Budgets in Redis against the provider's own bill: three servers, also while Redis loses all that it knew."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.stores import redis_server as redis
from tests.contract.stores.redis_server import RedisServer
from tests.e2e.conftest import Serve
from tests.e2e.money import Scene
from tests.e2e.money_redis import Shared
from tests.faults.fake_provider.process import FakeProvider

CALLS = 37  # that there is money for
Staged = Callable[[int, str], Scene]


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    redis.installed()
    with tempfile.TemporaryDirectory(prefix="pw-redis-") as folder:  # pytest's own paths are too long for a socket
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
def staged(fake: FakeProvider, marker: str, tmp_path: Path, redis_server: RedisServer) -> Staged:
    """Makes the scene of this test."""
    return lambda calls, script: Scene(fake, marker, Shared.of(redis_server, tmp_path / "kept"), calls, script)


async def test_300_calls_at_three_servers_on_one_redis_spend_what_there_is_and_no_more(serve: Serve, staged: Staged) -> None:
    scene = staged(CALLS, "")
    await scene.put()
    servers = [serve(scene.config()) for _ in range(3)]
    ended = await scene.load(servers, 300, 300, connections=6)
    await scene.settled()
    assert ended["OK"] + ended["BUDGET_EXHAUSTED"] == 300, scene.lost
    for server in servers:  # by which all rows are written
        await asyncio.to_thread(server.stop)
    scene.audit().check()
    assert ended["OK"] >= CALLS - 1


async def test_a_redis_emptied_at_sixty_percent_lets_three_servers_overspend_nothing(
    serve: Serve, staged: Staged, redis_server: RedisServer
) -> None:
    scene = staged(100, ";head_ms=30")
    await scene.put()
    servers = [serve(scene.config()) for _ in range(3)]
    load = asyncio.create_task(scene.load(servers, 80, 8, connections=6))
    await scene.fake.aledger(model=scene.marker, seen=60)
    redis_server.tell("FLUSHALL")
    ended = await load
    assert ended["BUDGET_STORE_UNAVAILABLE"]
    async with asyncio.timeout(30):
        last: Counter[str] = Counter()
        while not last["BUDGET_EXHAUSTED"]:
            last = await scene.load(servers, 30, 8, connections=6)
            ended += last
    await scene.settled()
    for server in servers:  # by which all rows are written
        await asyncio.to_thread(server.stop)
    audit = scene.audit()
    assert audit.bill <= audit.limit
    assert audit.bill <= audit.spent <= audit.limit
    assert ended["OK"] >= 90
