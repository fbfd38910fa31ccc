"""The HTTP server for scrapers and probes, on a real socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from promptwire_server.http.metrics import Exposition, scrape


class Gauge:
    """What the server shows, to be changed by a test."""

    def __init__(self) -> None:
        self.ready = True
        self.text = "up 1\n"

    async def slowly(self) -> str:
        return self.text


@pytest.fixture
def shown() -> Gauge:
    return Gauge()


@pytest.fixture
async def server(shown: Gauge) -> AsyncIterator[Exposition]:
    exposition = Exposition("127.0.0.1", 0, render=lambda: shown.text, ready=lambda: shown.ready)
    await exposition.start()
    yield exposition
    await exposition.stop()


async def ask(server: Exposition, request: bytes) -> tuple[bytes, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return head, body


async def get(server: Exposition, path: str) -> tuple[bytes, bytes]:
    return await ask(server, f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())


async def test_metrics_are_served_as_text_for_prometheus(server: Exposition) -> None:
    head, body = await get(server, "/metrics?x=1")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"text/plain; version=0.0.4" in head
    assert body == b"up 1\n"


async def test_readiness_follows_the_server_and_health_does_not(server: Exposition, shown: Gauge) -> None:
    assert (await get(server, "/readyz"))[0].startswith(b"HTTP/1.1 200 ")
    shown.ready = False
    assert (await get(server, "/readyz"))[0].startswith(b"HTTP/1.1 503 ")
    assert (await get(server, "/healthz"))[0].startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"GET /else HTTP/1.1", b"404"), (b"POST /metrics HTTP/1.1", b"405"), (b"\x16\x03\x01garbage", b"400"), (b"GET /metrics", b"400")],
)
async def test_other_requests_get_the_right_status(server: Exposition, request_line: bytes, status: bytes) -> None:
    head, _ = await ask(server, request_line + b"\r\n\r\n")
    assert head.split()[1] == status


async def test_head_gets_the_length_without_the_body(server: Exposition) -> None:
    head, body = await ask(server, b"HEAD /metrics HTTP/1.1\r\n\r\n")
    assert b"content-length: 5" in head
    assert body == b""


async def test_an_endless_head_is_cut_off(server: Exposition) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000)
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    assert (await get(server, "/healthz"))[1] == b"ok\n"


async def test_stopping_cuts_who_is_still_connected(server: Exposition) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /metr")
    await get(server, "/healthz")  # the server has seen the first connection by now
    await server.stop()
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()


async def test_a_taken_port_is_named(server: Exposition) -> None:
    second = Exposition("127.0.0.1", server.port, render=lambda: "", ready=lambda: True)
    with pytest.raises(OSError, match=f"cannot listen on server.metrics_listen 127.0.0.1:{server.port}"):
        await second.start()
    await second.stop()


async def test_a_supervisor_reads_its_workers(server: Exposition, shown: Gauge) -> None:
    shown.text = "up 1\n" * 100_000
    assert await scrape(server.port) == shown.text


async def test_a_rendering_may_wait(shown: Gauge) -> None:
    exposition = Exposition("127.0.0.1", 0, render=shown.slowly, ready=lambda: True)
    await exposition.start()
    assert await scrape(exposition.port) == "up 1\n"
    await exposition.stop()


async def test_a_worker_that_is_gone_is_an_error(server: Exposition) -> None:
    await server.stop()
    with pytest.raises(OSError, match=r".+"):
        await scrape(server.port)
