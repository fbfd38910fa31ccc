"""Books in Redis, with rows in a state directory."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from promptwire_server.core.budget import Budget
from promptwire_server.core.clock import SystemClock
from promptwire_server.stores.redis.purse import Purse
from tests.contract.stores.redis_server import RedisServer
from tests.e2e.money import File

_PREFIX = "pw:{money}"


@dataclass(frozen=True)
class Shared:
    """A server, and the state directory of servers of one machine."""

    server: RedisServer
    file: File

    @classmethod
    def of(cls, server: RedisServer, folder: Path) -> "Shared":
        """On a server with nothing in it."""
        return cls(server, File(folder))

    async def put(self, budget: Budget) -> None:
        """See Book."""
        purse = Purse(self.server.client(), "the test", SystemClock(), lambda _: None, quiet_s=0.0)
        await purse.put(budget)
        await purse.aclose()

    def config(self) -> dict[str, Any]:
        """See Book."""
        return self.file.config() | {"stores": {"budgets": "redis", "redis": {"url": self.server.url, "timeout": "5s"}}}

    def read(self, statement: str) -> list[tuple[Any, ...]]:
        """See Book."""
        if "FROM ledger" in statement:
            return self.file.read(statement)
        with redis.Redis(unix_socket_path=str(self.server.socket), decode_responses=True) as line:
            if "FROM holds" in statement:
                return [(sum(line.hlen(key) for key in line.keys(f"{_PREFIX}:holds:*")),)]
            sums: Counter[str] = Counter()
            for key in line.keys(f"{_PREFIX}:b:*"):
                for field, value in line.hgetall(key).items():
                    sums[field.split("|")[0]] += int(value)
            return [(sums["s"] - sums["r"],)]
