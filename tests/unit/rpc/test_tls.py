"""TLS, client certificates, and certificates that change."""

import pathlib

import grpc
import pytest

from promptwire import v1 as pb
from promptwire_server.core.clock import ManualClock
from promptwire_server.rpc.auth import Authenticator
from promptwire_server.rpc.exchange import Exchange
from promptwire_server.rpc.tls import Certificates, TlsSettings
from tests.unit.rpc.certificates import Pair, authority, issued
from tests.unit.rpc.edge import PREFIX, Running, Serve, settings
from tests.unit.rpc.wire import failure

OURS = authority("ours")
THEIRS = authority("theirs")


async def who(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
    return pb.ChatResponse(text=exchange.principal.name)


async def ask(edge: Running, root: Pair = OURS, client: Pair | None = None) -> str:
    """One call over a connection of its own."""
    keys = (client.key_pem, client.cert_pem) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(root.cert_pem, *keys)
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    async with grpc.aio.secure_channel(f"localhost:{edge.server.port}", credentials, options) as channel:
        method = channel.unary_unary(PREFIX + "Chat", bytes, pb.ChatResponse.FromString)
        response: pb.ChatResponse = await method(b"", timeout=5)
        return response.text


@pytest.fixture
def files(tmp_path: pathlib.Path) -> TlsSettings:
    """A certificate for localhost, looked at anew at every handshake."""
    issued(OURS, "server").write(tmp_path)
    return TlsSettings(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"), reload_interval_s=0.0)


@pytest.fixture
def mutual(files: TlsSettings, tmp_path: pathlib.Path) -> TlsSettings:
    """The same, and clients must have a certificate of ours."""
    (tmp_path / "ca.pem").write_bytes(OURS.cert_pem)
    return TlsSettings(files.cert_file, files.key_file, str(tmp_path / "ca.pem"), reload_interval_s=0.0)


async def test_calls_work_over_tls(serve: Serve, files: TlsSettings) -> None:
    assert await ask(await serve(Chat=who, options=settings(tls=files))) == "anonymous"


async def test_plaintext_is_refused(serve: Serve, files: TlsSettings) -> None:
    edge = await serve(Chat=who, options=settings(tls=files))
    assert (await failure(edge.chat())).code is grpc.StatusCode.UNAVAILABLE


async def test_another_authoritys_clients_do_not_trust_us(serve: Serve, files: TlsSettings) -> None:
    edge = await serve(Chat=who, options=settings(tls=files))
    assert (await failure(ask(edge, THEIRS))).code is grpc.StatusCode.UNAVAILABLE


async def test_a_client_certificate_says_who_asks(serve: Serve, mutual: TlsSettings) -> None:
    edge = await serve(Chat=who, options=settings(tls=mutual), authenticator=Authenticator(certificates=True))
    assert await ask(edge, client=issued(OURS, "billing")) == "billing"


async def test_a_client_certificate_without_a_name_is_no_credential(serve: Serve, mutual: TlsSettings) -> None:
    edge = await serve(Chat=who, options=settings(tls=mutual), authenticator=Authenticator(certificates=True))
    assert (await failure(ask(edge, client=issued(OURS, "")))).code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("client", [None, issued(THEIRS, "billing")], ids=["no certificate", "another authority's"])
async def test_a_client_without_a_certificate_of_ours_is_refused(serve: Serve, mutual: TlsSettings, client: Pair | None) -> None:
    edge = await serve(Chat=who, options=settings(tls=mutual), authenticator=Authenticator(certificates=True))
    assert (await failure(ask(edge, client=client))).code is grpc.StatusCode.UNAVAILABLE
    assert await ask(edge, client=issued(OURS, "billing")) == "billing"


async def test_new_connections_see_a_new_certificate(serve: Serve, files: TlsSettings, tmp_path: pathlib.Path) -> None:
    edge = await serve(Chat=who, options=settings(tls=files))
    await ask(edge)
    renewed = issued(THEIRS, "server")
    renewed.write(tmp_path)
    assert await ask(edge, THEIRS) == "anonymous"
    assert (await failure(ask(edge, OURS))).code is grpc.StatusCode.UNAVAILABLE


async def test_a_half_written_pair_goes_on_with_the_old_one(serve: Serve, files: TlsSettings, tmp_path: pathlib.Path) -> None:
    edge = await serve(Chat=who, options=settings(tls=files))
    renewed = issued(THEIRS, "server")
    (tmp_path / "cert.pem").write_bytes(renewed.cert_pem)
    assert await ask(edge, OURS) == "anonymous"
    (tmp_path / "key.pem").write_bytes(renewed.key_pem)
    assert await ask(edge, THEIRS) == "anonymous"


def replace(path: str, content: bytes | None) -> None:
    if content is None:
        pathlib.Path(path).unlink()
    else:
        pathlib.Path(path).write_bytes(content)


@pytest.mark.parametrize("content", [b"", b"garbage", None], ids=["empty", "garbage", "gone"])
async def test_files_that_cannot_be_used_go_on_with_the_old_ones(serve: Serve, files: TlsSettings, content: bytes | None) -> None:
    edge = await serve(Chat=who, options=settings(tls=files))
    replace(files.key_file, content)
    assert await ask(edge) == "anonymous"


def test_files_are_looked_at_no_more_often_than_told(files: TlsSettings, tmp_path: pathlib.Path) -> None:
    clock = ManualClock()
    certificates = Certificates(TlsSettings(files.cert_file, files.key_file, reload_interval_s=30.0), clock)
    issued(OURS, "server").write(tmp_path)
    clock.advance(29.0)
    assert certificates._fetch() is None
    clock.advance(1.0)
    assert certificates._fetch() is not None
    clock.advance(30.0)
    assert certificates._fetch() is None


def test_a_missing_file_is_named_at_the_start(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pem"):
        Certificates(TlsSettings(str(tmp_path / "nowhere.pem"), str(tmp_path / "key.pem")), ManualClock())
