"""Purses on Redis. Their rows go to one file, as of processes of one machine."""

import asyncio
from pathlib import Path

from promptwire_server.core.clock import SystemClock
from promptwire_server.stores.redis.connection import Redis
from promptwire_server.stores.redis.purse import Purse
from promptwire_server.stores.sqlite.database import Database
from promptwire_server.stores.sqlite.ledger import Ledger
from tests.contract.stores.purses import MICRO, Bench, Row
from tests.contract.stores.redis_server import RedisServer


class RedisBench(Bench):
    """A server with nothing in it. Its clock is the server's, so that all that is kept becomes older where time is to pass."""

    def __init__(self, server: RedisServer, file: Path, quiet_s: float = 0.0, lease_s: float = 15.0) -> None:
        self.server = server
        self.quiet_s, self.lease_s = quiet_s, lease_s
        self.purses: list[Purse] = []
        self.database = Database(file, clock=SystemClock(), report=print)
        self.database.start()
        self.ledger = Ledger(self.database, lambda: int(SystemClock().time() * 1e6), print)
        self.line: Redis = server.client()
        super().__init__()

    def another(self) -> Purse:
        """See Bench."""
        tell, append = self.reached.extend, self.ledger.append
        name = f"p{next(self.numbers)}"
        purse = Purse(self.server.client(), name, SystemClock(), append, tell, lease_s=self.lease_s, quiet_s=self.quiet_s)
        self.purses.append(purse)
        return purse

    async def advance(self, seconds: int) -> None:
        """See Bench."""
        for purse in self.purses:  # behind what each process has settled
            await purse.balances([])
        for key in await self._keys("b:*"):
            for field, value in (await self._all(key)).items():
                kind, bucket, *rest = field.split("|")
                if int(bucket):
                    older = "|".join((kind, str(int(bucket) - seconds * MICRO), *rest))
                    await self.line.command("HDEL", key, field)
                    await self.line.command("HSET", key, older, value)
        for owner, alive in (await self._all("pw:{money}:owners")).items():
            await self.line.command("HSET", "pw:{money}:owners", owner, int(alive) - seconds * MICRO)

    async def rows(self) -> list[Row]:
        """See Bench."""
        statement = "SELECT kind, hold_id, total_nano_usd FROM ledger ORDER BY entry"
        return await self.database.decide(lambda connection: list(connection.execute(statement).fetchall()))

    async def aclose(self) -> None:
        """See Bench."""
        for purse in self.purses:
            assert await purse.aclose() == 0
        await self.line.aclose()
        assert await asyncio.to_thread(self.database.close, 30) == 0

    async def _keys(self, pattern: str) -> list[str]:
        found = await self.line.command("KEYS", f"pw:{{money}}:{pattern}")
        assert isinstance(found, list)
        return [key.decode() for key in found]

    async def _all(self, key: str) -> dict[str, str]:
        found = await self.line.command("HGETALL", key)
        assert isinstance(found, dict)
        return {field.decode(): value.decode() for field, value in found.items()}
