"""The way to a vendor: proxies, authorities, certificates of ours, and pools of connections for each address."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from promptwire import v1 as pb
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.errors import DeadlineExceeded, UpstreamAccount, UpstreamFailed
from promptwire_server.core.secret import Credential, Reference, Secret
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.providers.upstream import Tls
from tests.unit.providers.listener import Listener, listening, proxying
from tests.unit.providers.support import ask, make_call, make_ids
from tests.unit.rpc.certificates import Pair, authority, issued

SECRET = "hunter2"


@pytest.fixture(scope="module")
def ours() -> Pair:
    return authority("ours")


@pytest.fixture
def files(tmp_path: Path, ours: Pair) -> Callable[[str, bytes], str]:
    def written(name: str, data: bytes) -> str:
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return written


@asynccontextmanager
async def provider(base_url: str, *, proxy: str = "", tls: Tls | None = None, limit: int = 256) -> AsyncIterator[Provider]:
    settings = HttpSettings(
        "openai",
        base_url=base_url,
        api_key=Secret("sk-1"),
        proxy=Secret(proxy) if proxy else None,
        tls=tls or Tls(),
        max_connections=limit,
    )
    made = build("mine", settings, clock=SystemClock(), ids=make_ids())
    try:
        yield made
    finally:
        await made.aclose()


def server_side(pair: Pair, written: Callable[[str, bytes], str], *, clients_of: str = "") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(written("server.crt", pair.cert_pem), written("server.key", pair.key_pem))
    if clients_of:
        context.load_verify_locations(clients_of)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def at(listener: Listener) -> str:
    return f"https://localhost:{listener.port}/v1"


async def test_a_certificate_of_an_authority_of_the_operators_is_believed(ours: Pair, files: Callable[[str, bytes], str]) -> None:
    ca = files("ca.pem", ours.cert_pem)
    async with (
        listening(tls=server_side(issued(ours, "localhost"), files)) as vendor,
        provider(at(vendor), tls=Tls(ca_file=ca)) as mine,
    ):
        assert (await ask(mine, make_call())).text == "hello"


async def test_without_that_authority_nothing_is_sent(ours: Pair, files: Callable[[str, bytes], str]) -> None:
    async with listening(tls=server_side(issued(ours, "localhost"), files)) as vendor, provider(at(vendor)) as mine:
        with pytest.raises(UpstreamFailed, match="certificate or TLS is not acceptable"):
            await ask(mine, make_call())
    assert not vendor.received


async def test_a_vendor_that_asks_for_a_certificate_gets_ours(ours: Pair, files: Callable[[str, bytes], str]) -> None:
    ca, client = files("ca.pem", ours.cert_pem), issued(ours, "gateway")
    shown = Tls(ca, files("client.crt", client.cert_pem), files("client.key", client.key_pem))
    async with listening(tls=server_side(issued(ours, "localhost"), files, clients_of=ca)) as vendor:
        async with provider(at(vendor), tls=shown) as mine:
            assert (await ask(mine, make_call())).text == "hello"
        async with provider(at(vendor), tls=Tls(ca)) as nameless:
            with pytest.raises(UpstreamFailed):
                await ask(nameless, make_call())
    assert len(vendor.received) == 1


async def test_the_proxy_is_asked_for_a_tunnel_and_never_sees_the_key(ours: Pair, files: Callable[[str, bytes], str]) -> None:
    ca = files("ca.pem", ours.cert_pem)
    async with listening(tls=server_side(issued(ours, "localhost"), files)) as vendor, proxying() as proxy:
        address = f"http://me:{SECRET}@127.0.0.1:{proxy.port}"
        async with provider(at(vendor), proxy=address, tls=Tls(ca)) as mine:
            assert (await ask(mine, make_call())).text == "hello"
    (tunnel,) = proxy.received
    assert (tunnel.method, tunnel.target) == ("CONNECT", f"localhost:{vendor.port}")
    assert tunnel.headers["proxy-authorization"].startswith("Basic ")
    assert "authorization" not in tunnel.headers
    assert "proxy-authorization" not in vendor.received[0].headers
    assert vendor.received[0].headers["authorization"] == "Bearer sk-1"


async def test_a_proxy_that_is_not_there_is_told_without_its_password() -> None:
    async with proxying() as gone:
        pass
    address = f"http://me:{SECRET}@127.0.0.1:{gone.port}"
    async with provider("https://localhost:1/v1", proxy=address) as mine:
        with pytest.raises(UpstreamFailed, match="the proxy does not connect; check proxy") as caught:
            await ask(mine, make_call())
    assert SECRET not in f"{caught.value} {HttpSettings('openai', proxy=Secret(address))!r}"


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with listening() as vendor, provider(f"{vendor.origin}/v1") as mine:
        assert (await ask(mine, make_call())).text == "hello"


async def test_a_connection_is_used_again_and_addresses_have_pools_of_their_own() -> None:
    async with (
        listening() as one,
        listening() as other,
        provider(f"{one.origin}/v1", limit=1) as first,
        provider(f"{other.origin}/v1", limit=1) as second,
    ):
        for _ in range(3):
            await ask(first, make_call())
            await ask(second, make_call())
    assert [received.connection for received in one.received] == [1, 1, 1]
    assert [received.connection for received in other.received] == [1, 1, 1]


@pytest.mark.parametrize("bad", ["sk-1\nsk-2", "sk-1\r", "sk-\0", "sk-\x1b", "sk-€"])
async def test_a_credential_that_was_read_anew_and_cannot_be_sent_is_the_accounts_fault_until_it_is_corrected(bad: str) -> None:
    key = Credential(Reference("file", "/run/secrets/openai"), bad)
    async with listening() as there:
        settings = HttpSettings("openai", base_url=f"{there.origin}/v1", api_key=key)
        made = build("mine", settings, clock=SystemClock(), ids=make_ids())
        try:
            with pytest.raises(UpstreamAccount, match="characters that cannot be sent; correct the secret") as caught:
                await ask(made, make_call())
            assert "sk-" not in str(caught.value)
            key.renew("sk-3")
            assert (await ask(made, make_call())).text == "hello"
            key.renew(bad)  # with a session that is open
            with pytest.raises(UpstreamAccount, match="cannot be sent"):
                await ask(made, make_call(stream=True))
            with pytest.raises(UpstreamAccount, match="cannot be sent"):
                await made.models()
            key.renew("sk-4")
            await ask(made, make_call())
            assert there.received[-1].headers["authorization"] == "Bearer sk-4"
        finally:
            await made.aclose()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_only_who_was_asked_has_read_the_prompt_when_time_is_up(*, stream: bool) -> None:
    asked, leave = asyncio.Event(), asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await leave.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server, provider(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", limit=1) as mine:
        soon_s = SystemClock().monotonic() + 0.3
        first, second = (replace(make_call("four words, or five"), stream=stream, deadline_s=soon_s) for _ in range(2))
        waiting = asyncio.create_task(ask(mine, first))
        await asked.wait()
        with pytest.raises(DeadlineExceeded, match="before mine had a connection free"):  # there is only one
            await ask(mine, replace(second, deadline_s=soon_s - 0.2))
        with pytest.raises(DeadlineExceeded, match="while mine was answering"):
            await waiting
        leave.set()
    assert [call.trail.attempts[0].usage for call in (first, second)] == [pb.Usage(input_tokens=5, estimated=True), pb.Usage()]
