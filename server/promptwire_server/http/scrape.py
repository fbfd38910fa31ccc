"""Scrape: read the exposition of another process of this server, on loopback."""

import asyncio

_TIMEOUT_S = 2.0
_MAX_BYTES = 16 << 20


async def scrape(port: int) -> str | None:
    """The text of http://127.0.0.1:port/metrics; None when that process does not answer in time."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_MAX_BYTES)
            try:
                writer.write(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n")
                answer = await reader.read(-1)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    return body.decode() if head.startswith(b"HTTP/1.1 200") else None
