"""A small HTTP/1.1 server for machines: /metrics for Prometheus, /healthz and /readyz for probes. It shares the event loop it tells of."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from promptwire_server.http.exposition import CONTENT_TYPE

_HEAD_TIMEOUT_S = 5.0  # a scraper says at once what it wants
_MAX_HEAD_BYTES = 8192
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    body: str
    content_type: str = _PLAIN
    status: HTTPStatus = HTTPStatus.OK


Pages = Mapping[str, Callable[[], Awaitable[Page]]]  # by path


def pages(exposition: Callable[[], Awaitable[str]], ready: Callable[[], bool]) -> Pages:
    """The three pages. /healthz is well whenever it answers; /readyz is 503 while the server should get no calls."""

    async def metrics() -> Page:
        return Page(await exposition(), CONTENT_TYPE)

    async def healthz() -> Page:
        return Page("ok\n")

    async def readyz() -> Page:
        return Page("ready\n") if ready() else Page("not ready\n", status=HTTPStatus.SERVICE_UNAVAILABLE)

    return {"/metrics": metrics, "/healthz": healthz, "/readyz": readyz}


class MachineServer:
    """Serves pages. `start`, then `stop`."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which the system chose when 0 was asked for. Raises OSError when it is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_MAX_HEAD_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def start_unix(self, path: str) -> None:
        """Listen on a Unix socket. Raises OSError."""
        self._server = await asyncio.start_unix_server(self._serve, path, limit=_MAX_HEAD_BYTES)

    async def stop(self) -> None:
        """Stop listening and cut what is open. Harmless when repeated."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for writer in self._open:
            writer.transport.abort()
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            async with asyncio.timeout(_HEAD_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
            method, page = await self._answer(head)
            writer.write(_response(method, page))
            async with asyncio.timeout(_HEAD_TIMEOUT_S):
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()  # no HTTP, or gone: nothing is owed
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, head: bytes) -> tuple[str, Page]:
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 - method, target, version
            return "GET", Page("this is no HTTP/1 request\n", status=HTTPStatus.BAD_REQUEST)
        method, target, _ = words
        if method not in ("GET", "HEAD"):
            return method, Page("only GET and HEAD\n", status=HTTPStatus.METHOD_NOT_ALLOWED)
        page = self._pages.get(target.partition("?")[0])
        if page is None:
            return method, Page(f"there are {', '.join(self._pages)}\n", status=HTTPStatus.NOT_FOUND)
        return method, await page()


def _response(method: str, page: Page) -> bytes:
    body = page.body.encode()
    head = (
        f"HTTP/1.1 {page.status.value} {page.status.phrase}\r\n"
        f"content-type: {page.content_type}\r\ncontent-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == "HEAD" else body)
