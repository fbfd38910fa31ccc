"""Moment: what time it is, by the server's clock."""

from typing import Final, cast

from psycopg import AsyncConnection

_NOW: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


async def now_us(connection: AsyncConnection) -> int:
    """Microseconds since 1970 UTC: now, not when the transaction began, which may have waited for others."""
    found = await (await connection.execute(_NOW)).fetchone()
    return cast("int", found[0]) if found else 0
