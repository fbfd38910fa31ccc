"""`promptwire health`: whether a server takes calls, as an exit code for probes."""

import os
from argparse import SUPPRESS, Namespace
from collections.abc import Sequence
from pathlib import Path

import grpc
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from promptwire_server.cli.exits import CommandError, ExitCode, LeanParser, complain

_CHECK = "/grpc.health.v1.Health/Check"
_STATES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")  # of grpc.health.v1, by number
_SERVING = 1
_DEFAULT_TARGET = "127.0.0.1:50051"
_LOCAL = ("localhost:", "127.", "[::1]:", "unix:")

_DESCRIPTION = """\
Say by the exit code whether a server takes calls, for probes. Asks by
grpc.health.v1: the main port, the plaintext health port, or any gRPC server.
Needs no API key."""

_EPILOG = """\
Examples:
  promptwire health                                    the server here
  promptwire health --target 127.0.0.1:50052 --timeout 0.5
                                                       its health port, quickly
  promptwire health --service promptwire.v1.ChatService
  HEALTHCHECK CMD ["promptwire", "health"]             in a Dockerfile

Exit codes: 0 it is SERVING, 1 it is not (or does not know the service),
2 wrong usage, 3 it cannot be reached."""


def main(arguments: Sequence[str]) -> int:
    """Probe; the exit code. `arguments` begin with "health"."""
    parsed = _parser().parse_args(arguments[1:])
    try:
        return _probe(parsed)
    except CommandError as error:
        complain(error.message, error.hint)
        return error.code


def _probe(parsed: Namespace) -> ExitCode:
    with _channel(parsed) as channel:
        # On the wire the two messages are a StringValue and an Int32Value: no further package to import.
        check = channel.unary_unary(_CHECK, request_serializer=StringValue.SerializeToString, response_deserializer=Int32Value.FromString)
        try:
            state = check(StringValue(value=parsed.service), timeout=parsed.timeout).value
        except grpc.RpcError as error:
            return _failed(error, parsed)
    print(_STATES[state] if state in range(len(_STATES)) else state)
    return ExitCode.OK if state == _SERVING else ExitCode.FAILED


def _failed(error: grpc.RpcError, parsed: Namespace) -> ExitCode:
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
    if code == grpc.StatusCode.NOT_FOUND:
        complain(f"the server at {parsed.target} has no service {parsed.service!r}", "leave --service out to ask for the whole server")
        return ExitCode.FAILED
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        complain(f"no answer from {parsed.target} within {parsed.timeout:g} s", "allow more time with --timeout")
        return ExitCode.UNREACHABLE
    if code == grpc.StatusCode.UNAVAILABLE:
        complain(
            f"nobody answers at {parsed.target}",
            "is it running? `promptwire serve` starts one; see --plaintext and --tls-ca where TLS is used",
        )
        return ExitCode.UNREACHABLE
    complain(f"{parsed.target} answered {code.name} when asked for its health", "is this the port of a gRPC server?")
    return ExitCode.FAILED


def _channel(parsed: Namespace) -> grpc.Channel:
    # No proxy: a probe asks this machine or a neighbour.
    options = [("grpc.enable_http_proxy", 0)]
    if parsed.tls_ca or not (parsed.plaintext or parsed.target.startswith(_LOCAL)):
        return grpc.secure_channel(parsed.target, grpc.ssl_channel_credentials(_authorities(parsed.tls_ca)), options)
    return grpc.insecure_channel(parsed.target, options)


def _authorities(path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"--tls-ca {path}: {error.strerror}", "give a file of certificates in PEM") from None


def _parser() -> LeanParser:
    parser = LeanParser("health", _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    # The environment here and not in a settings module: importing one would take longer than the probe.
    target = os.environ.get("PROMPTWIRE_TARGET", _DEFAULT_TARGET)
    add("--target", metavar="ADDRESS", default=target, help=f"the server; default: $PROMPTWIRE_TARGET, else {_DEFAULT_TARGET}")
    add("--service", metavar="NAME", default="", help="a service such as promptwire.v1.ChatService; default: the server as a whole")
    add("--timeout", metavar="SECONDS", type=float, default=3.0, help="how long to wait; default: 3")
    add("--plaintext", action="store_true", help="no TLS; default: TLS everywhere but on this machine")
    add("--tls-ca", metavar="FILE", help="who may sign the server's certificate, PEM; implies TLS")
    add("--api-key", help=SUPPRESS)  # taken and not needed, so that every command takes the same
    return parser
