"""How a client reaches servers: channel options, service config, credentials."""

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

import grpc

Metadata = tuple[tuple[str, str], ...]

VERSION = "0.1.0"  # of this distribution; a test compares it with pyproject.toml

MAX_MESSAGE_BYTES = 64 << 20  # each way; the server's own limit is usually nearer, and server_info() tells it
_KEEPALIVE_MS = 20_000  # servers refuse pings more often than every 10 s
_PING_TIMEOUT_MS = 10_000
_RECONNECT_MS = (200, 5_000)  # first and longest pause; the library's two minutes outlast a restart by far

# UNAVAILABLE only: it alone says that nothing was delivered. The server's pushback overrides the delays, or stops it (-1).
_RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
# Half of the tokens gone, retries stop: a server in trouble is not asked four times as much.
_THROTTLE = {"maxTokens": 100, "tokenRatio": 0.1}


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of a TLS connection, each in PEM. Without `ca_file` the system's authorities are trusted."""

    ca_file: str = ""  # who may sign the server's certificate
    cert_file: str = ""  # the client's own certificate, where the server asks for one
    key_file: str = ""  # its key
    server_name: str = ""  # the name in the server's certificate, where it differs from the target


def checked_target(target: str) -> str:
    """A target as gRPC takes it: `host:port`, `dns:///host:port`, `ipv4:1.2.3.4:50051,1.2.3.5:50051`, `unix:/path`. Raises ValueError."""
    if not target or target.startswith(("http:", "https:", "grpc:", "grpcs:")):
        raise ValueError(f"target {target!r} is no gRPC target: write host:port, and tls=True or tls=False")
    return target


def is_local(target: str) -> bool:
    """Whether every address of a target is on this machine."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    addresses = target.removeprefix("dns:///").removeprefix("ipv4:").removeprefix("ipv6:").split(",")
    return all(_is_loopback(address) for address in addresses)


def options(target: str, tls: Tls | None, *, health_checks: bool = True) -> list[tuple[str, str | int]]:
    """Channel options. With `health_checks` a server that reports NOT_SERVING gets no calls, so rolling restarts lose none."""
    chosen: list[tuple[str, str | int]] = [
        ("grpc.service_config", json.dumps(service_config(health_checks=health_checks))),
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.enable_retries", 1),
        # By default requests over 256 KiB, a prompt with one image, are never retried.
        ("grpc.per_rpc_retry_buffer_size", MAX_MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _PING_TIMEOUT_MS),
        ("grpc.http2.ping_timeout_ms", _PING_TIMEOUT_MS),
        ("grpc.http2.max_pings_without_data", 0),  # a model may think for minutes without a byte
        ("grpc.initial_reconnect_backoff_ms", _RECONNECT_MS[0]),
        ("grpc.min_reconnect_backoff_ms", _RECONNECT_MS[1]),
        ("grpc.max_reconnect_backoff_ms", _RECONNECT_MS[1]),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.use_local_subchannel_pool", 1),  # closing the client closes its connections
        ("grpc.primary_user_agent", f"promptwire-python/{VERSION}"),
    ]
    if is_local(target):
        chosen.append(("grpc.enable_http_proxy", 0))  # HTTPS_PROXY is not about this machine
    if tls and tls.server_name:
        chosen.append(("grpc.ssl_target_name_override", tls.server_name))
    return chosen


def service_config(*, health_checks: bool) -> dict[str, object]:
    """Retries for every method, all addresses in turn, and health checks by the client."""
    config: dict[str, object] = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [{"name": [{}], "retryPolicy": _RETRY}],
        "retryThrottling": _THROTTLE,
    }
    return {**config, "healthCheckConfig": {"serviceName": ""}} if health_checks else config


def credentials(tls: Tls) -> grpc.ChannelCredentials:
    """Credentials from the files. Raises OSError when one cannot be read."""
    return grpc.ssl_channel_credentials(_read(tls.ca_file), _read(tls.key_file), _read(tls.cert_file))


def metadata(api_key: str) -> Metadata:
    """The metadata of every call. Raises ValueError for a key that no header can carry; the key itself is not shown."""
    if not api_key:
        return ()
    if not (api_key.isascii() and api_key.isprintable()) or api_key.strip() != api_key:
        raise ValueError("api_key has characters that cannot be sent, perhaps a line break at its end; strip it")
    return (("authorization", f"Bearer {api_key}"),)


def tls_for(target: str, tls: "Tls | bool | None") -> Tls | None:
    """What was asked for; without a wish TLS everywhere but on this machine, so that no key travels in the open."""
    if isinstance(tls, Tls):
        return tls
    wanted = not is_local(target) if tls is None else tls
    return Tls() if wanted else None


def _read(path: str) -> bytes | None:
    return Path(path).read_bytes() if path else None


def _is_loopback(address: str) -> bool:
    host = address.strip().rpartition(":")[0] or address
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
