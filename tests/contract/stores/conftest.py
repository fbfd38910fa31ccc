"""The servers that stores are tried against: real ones, one a test process."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from promptwire_server.stores.redis.connection import Redis
from tests.contract.stores import postgres_server as postgres
from tests.contract.stores.postgres_server import PostgresServer
from tests.contract.stores.redis_server import RedisServer, installed

# Its driver is an extra, which CI has.
collect_ignore = [] if find_spec("psycopg") or os.environ.get("CI") else ["test_postgres.py", "test_postgres_usage.py"]


@pytest.fixture(scope="session")
def redis_process() -> Iterator[RedisServer]:
    """The server of this test process; tests take `redis_server`, which is empty."""
    installed()
    with tempfile.TemporaryDirectory(prefix="pw-redis-") as folder:  # pytest's own paths are too long for a socket
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
def redis_server(redis_process: RedisServer) -> Iterator[RedisServer]:
    """A server with nothing in it. A test may kill, start, freeze and thaw it: afterwards it runs again."""
    redis_process.restore()
    yield redis_process
    redis_process.restore()


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """A client of it."""
    client = redis_server.client()
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def postgres_process() -> Iterator[PostgresServer]:
    """The server of this test process; tests take `postgres_server`, and a database of their own."""
    postgres.installed()
    with postgres.running() as server:
        yield server


@pytest.fixture
def postgres_server(postgres_process: PostgresServer) -> Iterator[PostgresServer]:
    """A server. A test may kill, start, freeze and thaw it: afterwards it runs again."""
    postgres_process.restore()
    yield postgres_process
    postgres_process.restore()
