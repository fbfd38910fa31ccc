"""Requests in SQLite: of all processes of one machine. An answer is on disk when `keep` returns."""

import apsw

from promptwire_server.core.clock import Clock
from promptwire_server.core.repeat import Answered, Claim, Mine, RequestKey, Reused, Running
from promptwire_server.stores.sqlite.database import Database

_SWEPT = 20  # expired ones that go with each claim: they go faster than they come
_Row = tuple[str, str, int, bytes | None]


class Requests:
    """See rpc.once.Store."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """`clock`: of the machine, since several processes of it go by the times that are kept."""
        self._database = database
        self._clock = clock

    async def claim(self, key: RequestKey, owner: str, lease_s: float) -> Claim:
        """See rpc.once.Store."""
        return await self._database.decide(lambda connection: self._claimed(connection, key, owner, lease_s))

    async def renew(self, key: RequestKey, owner: str, lease_s: float) -> bool:
        """See rpc.once.Store."""
        until_us = self._now_us() + _us(lease_s)
        return await self._changed("UPDATE requests SET expires_us = ? WHERE", (until_us,), key, owner)

    async def keep(self, key: RequestKey, owner: str, outcome: bytes, ttl_s: float) -> bool:
        """See rpc.once.Store."""
        until_us = self._now_us() + _us(ttl_s)
        return await self._changed("UPDATE requests SET outcome = ?, expires_us = ? WHERE", (outcome, until_us), key, owner)

    async def release(self, key: RequestKey, owner: str) -> None:
        """See rpc.once.Store."""
        await self._changed("DELETE FROM requests WHERE", (), key, owner)

    def _claimed(self, connection: apsw.Connection, key: RequestKey, owner: str, lease_s: float) -> Claim:
        now_us = self._now_us()
        row: _Row | None = connection.execute(
            "SELECT body, owner, expires_us, outcome FROM requests WHERE tenant = ? AND name = ?", (key.tenant, key.name)
        ).fetchone()
        if row is not None and row[2] > now_us:
            body, holder, expires_us, outcome = row
            if body != key.body:
                return Reused()
            if outcome is not None:
                return Answered(outcome)
            if holder != owner:
                return Running((expires_us - now_us) / 1e6)
        _sweep(connection, now_us)
        connection.execute(
            "INSERT OR REPLACE INTO requests (tenant, name, body, owner, expires_us) VALUES (?, ?, ?, ?, ?)",
            (key.tenant, key.name, key.body, owner, now_us + _us(lease_s)),
        )
        return Mine()

    async def _changed(self, change: str, values: tuple[bytes | int, ...], key: RequestKey, owner: str) -> bool:
        """Change the request as long as it is the owner's to answer; whether it was."""
        sql = f"{change} tenant = ? AND name = ? AND owner = ? AND outcome IS NULL"

        def change_it(connection: apsw.Connection) -> bool:
            connection.execute(sql, (*values, key.tenant, key.name, owner))
            return bool(connection.changes())

        return await self._database.decide(change_it)

    def _now_us(self) -> int:
        return int(self._clock.time() * 1e6)


def _sweep(connection: apsw.Connection, now_us: int) -> None:
    connection.execute("DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests WHERE expires_us <= ? LIMIT ?)", (now_us, _SWEPT))


def _us(seconds: float) -> int:
    return int(seconds * 1e6)
