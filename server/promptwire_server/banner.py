"""The banner of `promptwire serve`: what runs where, and three lines to try."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """What the banner tells."""

    version: str
    listen: str
    health: str
    metrics: str
    state_dir: str
    default_model: str
    providers: Sequence[str]
    workers: int
    tls: bool
    authentication: bool
    danger: bool  # reachable from elsewhere without auth and TLS
    config: str  # the file, or ""
    command: str  # how `promptwire` is typed here


def banner(facts: Facts) -> str:
    """The text, a line each fact."""
    lines = [f"Promptwire {facts.version}", *(f"  {name:<10} {value}" for name, value in _rows(facts) if value), ""]
    if facts.danger:
        lines += ["  DANGER: this port is open beyond this machine, and whoever reaches it can read prompts and spend money.", ""]
    return "\n".join([*lines, "Try, in another terminal:", *(f"  {line}" for line in _tries(facts)), "", "Ctrl-C stops it.", ""])


def _rows(facts: Facts) -> list[tuple[str, str]]:
    secured = ("TLS" if facts.tls else "no TLS") + (", API keys" if facts.authentication else ", no API keys needed")
    shared = f", {facts.workers} workers" if facts.workers > 1 else ""
    return [
        ("gRPC", f"{facts.listen}  ({secured}{shared})"),
        ("health", f"{facts.health}  (plaintext grpc.health.v1)" if facts.health else "off"),
        ("metrics", f"http://{facts.metrics}/metrics" if facts.metrics else "off"),
        ("models", f"{', '.join(facts.providers)}  (default: {facts.default_model})"),
        ("state", facts.state_dir),
        ("config", facts.config or "embedded defaults; `promptwire config show` prints them"),
    ]


def _tries(facts: Facts) -> list[str]:
    address = facts.listen
    for everywhere in ("[::]", "0.0.0.0"):
        address = address.replace(everywhere, "localhost")
    flags = "-cacert ca.crt " if facts.tls else "-plaintext "
    key = "-H 'authorization: Bearer YOUR-KEY' " if facts.authentication else ""
    call = f"grpcurl {flags}{key}"
    chain = '\'{"run": {"prompts": ["Name a {{ thing }}", "Why {{ output[-1] }}?"], "inputs": {"thing": "tea"}}}\''
    return [
        f'{facts.command} chat {_options(facts, address)}"Hello there"',
        f'{call}-d \'{{"prompt": "Hello there"}}\' {address} promptwire.v1.ChatService/Chat',
        f"{call}-d {chain} {address} promptwire.v1.ChainService/StreamChain",
    ]


def _options(facts: Facts, address: str) -> str:
    target = "" if address == "127.0.0.1:50051" else f"--target {address} "
    return target + ("--tls-ca ca.crt " if facts.tls else "") + ("--api-key YOUR-KEY " if facts.authentication else "")
