"""How a client reaches servers: targets, credentials, several addresses, restarts."""

import asyncio
import datetime as dt
import tomllib
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from promptwire import Promptwire, Tls, __version__, _channel, errors
from tests.unit.client.callers import Caller
from tests.unit.client.gateway import Gateway

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("target", "local"),
    [
        ("127.0.0.1:50051", True),
        ("localhost:50051", True),
        ("[::1]:50051", True),
        ("dns:///localhost:50051", True),
        ("unix:/run/promptwire.sock", True),
        ("ipv4:127.0.0.1:1,127.0.0.1:2", True),
        ("ipv4:127.0.0.1:1,10.0.0.1:2", False),
        ("gateway:50051", False),
        ("localhost.example.com:443", False),
        ("10.0.0.1:50051", False),
    ],
)
def test_keys_travel_in_the_open_on_this_machine_only(target: str, *, local: bool) -> None:
    assert (_channel.tls_for(target, tls=None) is None) is local
    assert _channel.tls_for(target, tls=False) is None
    assert _channel.tls_for(target, tls=True) == Tls()


@pytest.mark.parametrize("target", ["http://127.0.0.1:50051", "https://gateway", "grpc://x:1"])
def test_a_link_is_no_target(target: str) -> None:
    with pytest.raises(ValueError, match="write host:port"):
        Promptwire(target)


@pytest.mark.parametrize("key", ["pw-1\n", "pw 1 ", "schlüssel", "a\x00b"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent") as caught:
        Promptwire("127.0.0.1:1", api_key=key)
    assert key not in str(caught.value)


def test_a_key_does_not_show_itself() -> None:
    assert "pw-secret" not in repr(Promptwire("127.0.0.1:1", api_key="pw-secret"))


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())["project"]
    assert project["version"] == __version__


async def test_calls_go_to_all_addresses_and_none_to_a_server_that_does_not_serve() -> None:
    async with Gateway() as first, Gateway() as second:
        target = f"ipv4:127.0.0.1:{first.port},127.0.0.1:{second.port}"
        async with Promptwire(target) as client, asyncio.timeout(20):
            while not (first.seen and second.seen):
                await client.chat("hi")
            await first.serve(serving=False)
            in_a_row = 0
            while in_a_row < 10:
                before = len(second.seen)
                await client.chat("hi")
                in_a_row = in_a_row + 1 if len(second.seen) > before else 0


async def test_a_server_that_stops_loses_no_call() -> None:
    async with Gateway() as first, Gateway() as second:
        target = f"ipv4:127.0.0.1:{first.port},127.0.0.1:{second.port}"
        async with Promptwire(target) as client, asyncio.timeout(20):
            while not (first.seen and second.seen):
                await client.chat("hi")
            await second._server.stop(5)
            for _ in range(20):
                await client.chat("hi")


async def test_a_lone_server_that_does_not_serve_is_unavailable(gateway: Gateway, caller: Caller) -> None:
    await gateway.serve(serving=False)
    with pytest.raises(errors.Unavailable):
        await caller.call(gateway.target, "chat", "hi")
    assert not gateway.seen


async def test_a_server_that_comes_back_is_found_again(gateway: Gateway) -> None:
    port = gateway.port
    async with Promptwire(gateway.target) as client:
        await client.chat("hi")
        await gateway._server.stop(None)
        with pytest.raises(errors.Unavailable):
            await client.chat("hi")
        async with Gateway(port=port) as again, asyncio.timeout(20):
            while not again.seen:
                try:
                    await client.chat("hi")
                except errors.Unavailable:
                    continue


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate signed by itself, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now - dt.timedelta(1), now + dt.timedelta(1))
    signed = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False).sign(key, hashes.SHA256())
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return cert_file, key_file


async def test_tls_with_certificates_of_ones_own_at_both_ends(tmp_path: Path, caller: Caller) -> None:
    cert_file, key_file = certificate(tmp_path, "gateway.test")
    cert, key = cert_file.read_bytes(), key_file.read_bytes()
    credentials = grpc.ssl_server_credentials([(key, cert)], cert, require_client_auth=True)
    async with Gateway(credentials=credentials) as gateway:
        tls = Tls(ca_file=str(cert_file), cert_file=str(cert_file), key_file=str(key_file), server_name="gateway.test")
        await caller.call(gateway.target, "chat", "hi", client={"tls": tls})
        with pytest.raises(errors.Unavailable, match="TLS must be on at both ends"):
            await caller.call(gateway.target, "chat", "hi")
    assert len(gateway.seen) == 1


async def test_a_certificate_file_that_is_not_there_is_an_os_error(gateway: Gateway) -> None:
    async with Promptwire(gateway.target, tls=Tls(ca_file="/absent.pem")) as client:
        with pytest.raises(FileNotFoundError):
            await client.chat("hi")
