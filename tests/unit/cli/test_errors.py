"""Errors as people see them, and exit codes."""

import os
import re
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from promptwire import errors
from promptwire import v1 as pb
from promptwire_server.cli.errors import judge, report
from promptwire_server.cli.exits import EXIT_CODES, ExitCode
from promptwire_server.cli.render import printable
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_server import FakeServer, Fault

Status = grpc.StatusCode
# Words of the Python client, which mean nothing to who types commands.
_PYTHON = re.compile(r"\w+\(\)|timeout_s|retry_after_s|fallback_models|restart_policy|oldest_sequence|api_key|server_info")


def every_error(kind: type[errors.PromptwireError] = errors.PromptwireError) -> Iterator[type[errors.PromptwireError]]:
    for each in kind.__subclasses__():
        yield each
        yield from every_error(each)


def test_nobody_there_is_told_with_the_address(command: Command, dead_target: str) -> None:
    outcome = command("models", "--target", dead_target, "--timeout", "5")
    assert outcome.code == ExitCode.UNREACHABLE
    assert outcome.err.startswith("error: cannot reach the server: ")
    assert "Connection refused" in outcome.err.splitlines()[0]
    assert f"is it running at {dead_target}? promptwire serve" in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize(
    ("code", "reason", "exit_code"),
    [
        (Status.INVALID_ARGUMENT, "INVALID_FIELD", ExitCode.USAGE),
        (Status.NOT_FOUND, "NOT_FOUND", ExitCode.USAGE),
        (Status.UNAUTHENTICATED, "CREDENTIAL_INVALID", ExitCode.DENIED),
        (Status.PERMISSION_DENIED, "POLICY_DENIED", ExitCode.DENIED),
        (Status.FAILED_PRECONDITION, "BLOCKED_INPUT", ExitCode.DENIED),
        (Status.RESOURCE_EXHAUSTED, "RATE_LIMITED", ExitCode.LIMITED),
        (Status.RESOURCE_EXHAUSTED, "BUDGET_EXHAUSTED", ExitCode.LIMITED),
        (Status.RESOURCE_EXHAUSTED, "TOO_LARGE", ExitCode.USAGE),
        (Status.UNAVAILABLE, "UPSTREAM_RATE_LIMITED", ExitCode.LIMITED),
        (Status.UNAVAILABLE, "UPSTREAM_FAILED", ExitCode.FAILED),
        (Status.UNAVAILABLE, "OVERLOADED", ExitCode.UNREACHABLE),
        (Status.DEADLINE_EXCEEDED, "DEADLINE", ExitCode.DEADLINE),
        (Status.UNIMPLEMENTED, "DISABLED", ExitCode.FAILED),
        (Status.ABORTED, "CHAIN_FAILED", ExitCode.FAILED),
        (Status.INTERNAL, "INTERNAL", ExitCode.FAILED),
    ],
)
def test_the_exit_code_follows_the_reason(ask: Command, server: FakeServer, code: Status, reason: str, exit_code: ExitCode) -> None:
    server.script.fault = Fault(code, "this is wrong", reason)
    outcome = ask("chat", "hi", "--json")
    assert outcome.code == exit_code
    error, hint, request = outcome.err.splitlines()
    assert (error, request) == ("error: this is wrong", "request: req-fake")
    assert hint.startswith("hint: ")
    assert outcome.out == ""


def test_every_violation_is_told(ask: Command, server: FakeServer) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation
    bad = error_details_pb2.BadRequest(
        field_violations=[violation(field="model", description="unknown"), violation(field="x", description="y")]
    )
    server.script.fault = Fault(Status.INVALID_ARGUMENT, "model: unknown (and 1 more)", "INVALID_FIELD", (bad,))
    assert "x: y" in ask("chat", "hi").err.splitlines()


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"provider": "openai", "provider_code": "unsupported_value", "provider_param": "n"}, "openai says: unsupported_value, at n"),
        ({"provider_param": "n"}, "the provider says: at n"),
    ],
)
def test_the_vendors_code_and_field_are_told(ask: Command, server: FakeServer, facts: dict[str, str], line: str) -> None:
    server.script.fault = Fault(Status.INVALID_ARGUMENT, "wrong", "UPSTREAM_INVALID_REQUEST", facts=facts)
    assert ask("chat", "hi").err.splitlines()[:2] == ["error: wrong", line]


def test_every_attempt_is_told_when_there_were_several(ask: Command, server: FakeServer) -> None:
    failure = pb.Failure(reason=pb.ERROR_REASON_UPSTREAM_FAILED, message="a: it answered\x1b 503")
    trail = pb.AttemptTrail(
        attempts=[
            pb.Attempt(provider="a", model="m", failure=failure, latency=Duration(nanos=12_000_000), chosen_because="first by priority"),
            pb.Attempt(provider="b", model="n", failure=pb.Failure(reason=pb.ERROR_REASON_DEADLINE), latency=Duration(seconds=3)),
        ]
    )
    server.script.fault = Fault(Status.UNAVAILABLE, "a: it answered 503", "UPSTREAM_FAILED", (trail,))
    assert ask("chat", "hi", "--json").err.splitlines()[:3] == [
        "error: a: it answered 503",
        "tried a/m (first by priority): UPSTREAM_FAILED after 12 ms: a: it answered 503",
        "tried b/n: DEADLINE after 3.0 s",
    ]


def test_a_single_attempt_needs_no_line(ask: Command, server: FakeServer) -> None:
    trail = pb.AttemptTrail(attempts=[pb.Attempt(provider="a", model="m", failure=pb.Failure(message="503"))])
    server.script.fault = Fault(Status.UNAVAILABLE, "a: 503", "UPSTREAM_FAILED", (trail,))
    assert "tried" not in ask("chat", "hi", "--json").err


def test_when_to_come_back_is_told(ask: Command, server: FakeServer) -> None:
    retry = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000))
    server.script.fault = Fault(Status.RESOURCE_EXHAUSTED, "10 requests a minute", "RATE_LIMITED", (retry,))
    assert "hint: try again later (in 2.5 s)" in ask("chat", "hi").err


@pytest.mark.parametrize("kind", sorted(every_error(), key=str))
def test_no_hint_speaks_of_python(kind: type[errors.PromptwireError]) -> None:
    if kind.__name__ == "ChainFileError":
        return  # told by its lines
    code, hint = judge(kind("wrong"))
    assert not _PYTHON.search(hint)
    assert code in ExitCode


def test_a_bug_is_told_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError) as caught:
        os.environ["NOWHERE"]  # any place that raises
    assert report(caught.value) == ExitCode.FAILED
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert "KeyError: 'NOWHERE' (at " in told
    assert "please report it" in told


def test_the_exit_codes_that_exist_are_those_in_the_table() -> None:
    assert {int(word) for word in re.findall(r"^ +(\d+)", EXIT_CODES, re.MULTILINE)} == {int(code) for code in ExitCode}


def test_a_text_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b]0;title\x07b\x9b2Jc\td\ne\r") == "a]0;titleb2Jc\td\ne"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("chatt",), "error: there is no command 'chatt'; did you mean chat?"),
        (("xyzzy",), "error: there is no command 'xyzzy'; there are serve, chat,"),
        (("chat", "hi", "--bogus"), "error: unknown option: --bogus"),
        (("models", "--timeout", "soon"), "error: invalid value for --timeout"),
        (("run",), 'error: command "run" parameter CHAIN requires an argument'),
        (("chat", "hi", "--target", "https://example.com"), "error: target 'https://example.com' is no gRPC target"),
        (("chat", "hi", "--plaintext", "--tls-ca", "ca.pem"), "error: --plaintext and --tls-… exclude each other"),
        (("chat", "hi", "--tls-cert", "me.pem"), "error: --tls-cert and --tls-key go together"),
        (("chat", "hi", "--tls-ca", "/nowhere/ca.pem"), "error: /nowhere/ca.pem: No such file or directory"),
        (("health", "--timeout", "soon"), "error: argument --timeout: invalid float value: 'soon'"),
        (("serve", "--bogus"), "error: unrecognized arguments: --bogus"),
    ],
)
def test_wrong_usage_is_told_in_a_line(command: Command, arguments: tuple[str, ...], told: str) -> None:
    outcome = command(*arguments)
    assert outcome.code == ExitCode.USAGE
    assert outcome.err.startswith(told)
    assert outcome.out == ""


def test_wrong_usage_of_a_command_points_at_its_help(command: Command) -> None:
    assert "hint: `promptwire chat --help`" in command("chat", "hi", "--bogus").err
    assert "hint: `promptwire serve --help`" in command("serve", "--bogus").err
