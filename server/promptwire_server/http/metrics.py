"""A small HTTP/1.1 server for machines: /metrics for Prometheus, /healthz and /readyz for probes. It shares the event loop it tells of."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from promptwire_server.layers.exposition import CONTENT_TYPE

_PATIENCE_S = 5.0  # a scraper says at once what it wants, and takes it
_MAX_HEAD_BYTES = 8192
_MAX_SCRAPE_BYTES = 64 << 20
_PLAIN = "text/plain; charset=utf-8"
_END_OF_HEAD = b"\r\n\r\n"
Render = Callable[[], str | Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    body: str
    content_type: str = _PLAIN
    status: HTTPStatus = HTTPStatus.OK


class Exposition:
    """Serves the metrics that `render` gives. /healthz is well whenever it answers; /readyz is 503 unless `ready`."""

    def __init__(self, host: str, port: int, *, render: Render, ready: Callable[[], bool]) -> None:
        self._host = host
        self._render = render
        self._ready = ready
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = port  # after `start` the real one, where 0 asked the system to choose

    async def start(self) -> None:
        """Listen. Raises OSError naming the address when it is taken."""
        try:
            self._server = await asyncio.start_server(self._serve, self._host, self.port, limit=_MAX_HEAD_BYTES)
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on server.metrics_listen {self._host}:{self.port}: {error.strerror}") from error
        self.port = int(self._server.sockets[0].getsockname()[1])

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
            async with asyncio.timeout(_PATIENCE_S):
                head = await reader.readuntil(_END_OF_HEAD)
            method, page = await self._answer(head)
            writer.write(_response(method, page))
            async with asyncio.timeout(_PATIENCE_S):
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
        return method, await self._page(target.partition("?")[0])

    async def _page(self, path: str) -> Page:
        if path == "/metrics":
            text = self._render()
            return Page(text if isinstance(text, str) else await text, CONTENT_TYPE)
        if path == "/healthz":
            return Page("ok\n")
        if path == "/readyz":
            return Page("ready\n") if self._ready() else Page("not ready\n", status=HTTPStatus.SERVICE_UNAVAILABLE)
        return Page("there are /metrics, /healthz and /readyz\n", status=HTTPStatus.NOT_FOUND)


async def scrape(port: int) -> str:
    """The metrics of a worker of this machine. Raises OSError or TimeoutError when it does not answer well."""
    async with asyncio.timeout(_PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n")
            answer = await reader.read(_MAX_SCRAPE_BYTES)
            while more := await reader.read(_MAX_SCRAPE_BYTES):
                answer += more
        finally:
            writer.close()
    head, end, body = answer.partition(_END_OF_HEAD)
    if not end or not head.startswith(b"HTTP/1.1 200 "):
        raise OSError(f"the worker on port {port} did not answer with metrics")
    return body.decode()


def _response(method: str, page: Page) -> bytes:
    body = page.body.encode()
    head = (
        f"HTTP/1.1 {page.status.value} {page.status.phrase}\r\n"
        f"content-type: {page.content_type}\r\ncontent-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == "HEAD" else body)
