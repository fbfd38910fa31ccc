"""Doors and keys end to end: TLS, client certificates, API keys, renewed certificates, and the refusal to stand open."""

import asyncio
import datetime as dt
import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from promptwire import Promptwire, Tls, errors
from tests.e2e import hostile, process
from tests.e2e.conftest import Serve
from tests.e2e.process import Server
from tests.e2e.test_tools import GRPCURL

KEY = "pw-e2e-key-0123456789abcdef"
OTHER_KEY = "pw-e2e-other-0123456789abcdef"
RELOAD_S = 10.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as files."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates for a test."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.crt"
        self.file.write_bytes(_pem(self._signed(self._name, self._key.public_key(), authority=True)))

    def issue(self, name: str, serial: int = 0) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        certificate = self._signed(subject, key.public_key(), serial=serial)
        for path, data in ((pair.key, _key_pem(key)), (pair.cert, _pem(certificate))):
            fresh = path.with_suffix(".new")
            fresh.write_bytes(data)
            fresh.replace(path)
        return pair

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool = False, serial: int = 0) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        builder = builder.serial_number(serial or x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _section(pair: Pair, **more: object) -> dict[str, object]:
    return {"cert_file": str(pair.cert), "key_file": str(pair.key), **more}


def _keys() -> dict[str, object]:
    return {"api_keys": [{"name": "one", "key": KEY}, {"name": "two", "tenant": "shop", "key": OTHER_KEY}]}


def _client(server: Server, authority: Authority, *, key: str = "", pair: Pair | None = None) -> Promptwire:
    own = {} if pair is None else {"cert_file": str(pair.cert), "key_file": str(pair.key)}
    return Promptwire(server.target, api_key=key, tls=Tls(ca_file=str(authority.file), server_name="localhost", **own), timeout_s=10)


async def test_a_key_over_tls_is_let_in_and_another_is_not(serve: Serve, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = serve({"server": {"tls": _section(authority.issue("server"))}, "auth": _keys()})
    async with _client(server, authority, key=KEY) as client:
        assert (await client.chat("in")).text == "in"
        assert (await client.server_info()).capabilities.authentication
    async with _client(server, authority, key=OTHER_KEY) as client:
        assert (await client.run_chain(["in {{ x }}"], x="too")).result.text == "in too"
    for wrong in ("", KEY + "x"):
        async with _client(server, authority, key=wrong) as client:
            with pytest.raises(errors.CredentialInvalid) as caught:
                await client.chat("in")
            assert wrong not in str(caught.value) or not wrong
            with pytest.raises(errors.CredentialInvalid):
                await client.stream_chain(["x"]).read()
            assert (await client.server_info()).version
    lines = await asyncio.to_thread(server.log.wait, "chat.finished", count=2)
    assert [(line["principal"], line["tenant"]) for line in lines] == [("one", "default"), ("two", "shop")]
    assert KEY not in server.log.text


async def test_plaintext_clients_do_not_get_through_a_tls_port(serve: Serve, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = serve({"server": {"tls": _section(authority.issue("server"))}})
    async with Promptwire(server.target, tls=False, timeout_s=1) as client:
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
            await client.chat("x")
    async with _client(server, Authority(tmp_path, "stranger")) as client:
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
            await client.chat("x", timeout_s=1)
    async with Promptwire(server.health_target, tls=False) as client:
        assert await client.health()


async def test_a_client_certificate_is_demanded_and_names_the_caller(serve: Serve, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = serve({"server": {"tls": _section(authority.issue("server"), client_ca_file=str(authority.file))}})
    async with _client(server, authority, pair=authority.issue("billing")) as client:
        assert (await client.chat("in")).text == "in"
    (line,) = await asyncio.to_thread(server.log.wait, "chat.finished")
    assert line["principal"] == "billing"
    stranger = Authority(tmp_path, "stranger").issue("intruder")
    for pair in (None, stranger):
        async with _client(server, authority, pair=pair) as client:
            with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
                await client.chat("x", timeout_s=1)


async def test_a_renewed_certificate_is_used_without_a_restart(serve: Serve, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = serve({"server": {"tls": _section(authority.issue("server", serial=1001), reload_interval="0s")}})
    async with _client(server, authority) as client:
        assert (await client.chat("before")).text == "before"
        assert await asyncio.to_thread(_serial, server) == 1001
        authority.issue("server", serial=2002)
        await asyncio.to_thread(process.until, lambda: _serial(server) == 2002, RELOAD_S, "the new certificate")
        assert (await client.chat("the old connection")).text == "the old connection"
    async with _client(server, authority) as client:
        assert (await client.chat("after")).text == "after"


def _serial(server: Server) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", server.ports["port"]), timeout=10) as plain, context.wrap_socket(plain) as secured:
        return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"").serial_number


@pytest.mark.skipif(GRPCURL is None, reason="grpcurl is not installed")
def test_grpcurl_calls_with_tls_and_a_key(serve: Serve, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = serve({"server": {"tls": _section(authority.issue("server"))}, "auth": _keys()})
    command = [GRPCURL or "", "-cacert", str(authority.file), "-authority", "localhost", "-H", f"authorization: Bearer {KEY}"]
    done = subprocess.run(
        [*command, "-d", '{"prompt": "typed"}', server.target, "promptwire.v1.ChatService/Chat"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"text": "typed"' in done.stdout


async def test_an_api_key_from_a_file_and_as_x_api_key(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    server = serve({"auth": {"api_keys": [{"name": "one", "key_file": str(tmp_path / "key")}]}})
    async with grpc.aio.insecure_channel(server.target) as channel:
        call: hostile.Unary = channel.unary_unary("/promptwire.v1.ModelService/ListModels")
        assert await call(b"", metadata=(("x-api-key", KEY),), timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
