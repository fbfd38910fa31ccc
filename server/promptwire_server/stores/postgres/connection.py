"""Connection: one to the server, which a peer that is gone does not keep waiting, and what is told of its errors."""

from psycopg import AsyncConnection

from promptwire_server.stores.postgres.settings import PostgresSettings


async def connected(settings: PostgresSettings) -> AsyncConnection:
    """A new one, without a transaction. Raises psycopg.Error and OSError."""
    return await AsyncConnection.connect(
        settings.url.reveal(),
        autocommit=True,
        connect_timeout=max(1, round(settings.timeout_s)),
        application_name="promptwire",
        # A peer that is gone without a word is found out by the kernel within these times.
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=10_000,
    )


def said(error: Exception) -> str:
    """The first line: what follows may quote values."""
    return (str(error) or type(error).__name__).partition("\n")[0]
