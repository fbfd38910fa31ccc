"""Lending: the connections to Redis, each lent to one command at a time, and never taken back with a reply unread.

redis-py's own pools await while they take a connection back: cancelled there, they lose its place for good, and after so many
cancellations nobody gets one. Here nothing waits on the way back.
"""

import asyncio

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from promptwire_server.core.secret import Secret


class Lending:
    """At most so many connections, opened as they are needed. Belongs to one event loop."""

    def __init__(self, url: Secret, max_connections: int) -> None:
        """Raises ValueError where the URL is none of Redis's; its message does not quote it."""
        self._factory = _factory(url)
        self._idle: list[AbstractConnection] = []
        self._places = asyncio.Semaphore(max_connections)
        self._closed = False

    async def exchange(self, *args: str | bytes | float) -> object:
        """Send one command, once, and read its reply. Raises what redis-py raises, and OSError."""
        async with self._places:
            connection = await self._connection()
            try:
                await connection.send_command(*args)
                reply: object = await connection.read_response()
            except ResponseError:  # which has been read
                await self._take_back(connection)
                raise
            except BaseException:
                await _drop(connection)
                raise
            await self._take_back(connection)
            return reply

    async def aclose(self) -> None:
        """Close what is idle now; what is lent is closed when it comes back."""
        self._closed = True
        while self._idle:
            await _drop(self._idle.pop())

    async def _connection(self) -> AbstractConnection:
        """One that is open and has nothing unread: the one used last, else a new one."""
        while self._idle:
            idle = self._idle.pop()
            if not await _spoiled(idle):
                return idle
            await _drop(idle)
        connection: AbstractConnection = self._factory.make_connection()  # type: ignore[no-untyped-call]  # of redis-py
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await _drop(connection)
            raise
        return connection

    async def _take_back(self, connection: AbstractConnection) -> None:
        if self._closed:
            await _drop(connection)
        else:
            self._idle.append(connection)


def _factory(url: Secret) -> ConnectionPool:
    """What makes connections by the URL; its lending is not used. RESP3, no retries, no timeouts of its own, no pushes."""
    try:
        return ConnectionPool.from_url(
            url.reveal(),
            protocol=3,
            retry=None,
            socket_timeout=None,
            socket_connect_timeout=None,
            client_name="promptwire",
            driver_info=None,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
    except (ValueError, TypeError):
        raise ValueError("is no address of Redis: redis://, rediss:// or unix://, with a database that is a number") from None


async def _spoiled(connection: AbstractConnection) -> bool:
    """Closed by the server, or with something to read that nobody asked for."""
    try:
        return not connection.is_connected or await connection.can_read()
    except (RedisError, OSError):
        return True


async def _drop(connection: AbstractConnection) -> None:
    """Close it. Does not wait, so that nothing can come between."""
    await connection.disconnect(nowait=True)
