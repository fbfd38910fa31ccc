"""`promptwire admin`."""

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import Parse

from promptwire.admin import v1 as admin
from promptwire_server.cli.exits import ExitCode
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_server import FakeServer, Fault

FAST = admin.ProviderTarget(
    model="fast",
    health=admin.PROVIDER_HEALTH_UNHEALTHY,
    breaker=admin.Breaker(state=admin.BREAKER_STATE_HALF_OPEN),
    in_flight_count=1,
    stats=admin.ProviderCallStats(
        call_count=20, failure_count=12, latency=admin.LatencySummary(p50=Duration(nanos=250_000_000), p99=Duration(seconds=3))
    ),
)
NEW = admin.ProviderTarget(model="new", breaker=admin.Breaker(state=admin.BREAKER_STATE_CLOSED))
ACME = admin.Provider(name="acme", mode=admin.PROVIDER_MODE_DRAINING, in_flight_count=1, targets=[FAST, NEW])
ECHO = admin.Provider(name="echo", mode=admin.PROVIDER_MODE_ENABLED)


@pytest.fixture(autouse=True)
def _providers(server: FakeServer) -> None:
    server.script.providers = [ACME, ECHO]


def test_into_a_pipe_columns_are_tabs_a_model_a_line(ask: Command) -> None:
    header, *rows = (line.split("\t") for line in ask("admin", "providers").out.splitlines())
    assert header == ["provider", "model", "mode", "health", "breaker", "now", "calls", "failed", "p50", "p99"]
    assert rows == [
        ["acme", "fast", "draining", "unhealthy", "half_open", "1", "20", "12", "250 ms", "3.0 s"],
        ["acme", "new", "draining", "", "closed", "0", "0", "0", "", ""],
        ["echo", "", "enabled", "", "", "0", "0", "0", "", ""],
    ]


def test_json_is_all_of_it(ask: Command) -> None:
    assert list(Parse(ask("admin", "providers", "--json").out, admin.ListProvidersResponse()).providers) == [ACME, ECHO]


def test_a_mode_that_is_newer_than_this_is_shown_as_its_number(ask: Command, server: FakeServer) -> None:
    server.script.providers = [admin.Provider.FromString(admin.Provider(name="acme").SerializeToString() + b"\x20\x63")]
    assert ask("admin", "providers").out.splitlines()[1].split("\t")[2] == "99"


@pytest.mark.parametrize(("words", "model", "reason"), [(["acme"], "", ""), (["acme", "fast", "--reason", "fixed"], "fast", "fixed")])
def test_a_breaker_is_reset(ask: Command, server: FakeServer, words: list[str], model: str, reason: str) -> None:
    outcome = ask("admin", "reset", *words)
    (request,) = server.requests
    assert isinstance(request, admin.ResetBreakerRequest)
    assert (outcome.code, request.name, request.model, request.reason) == (ExitCode.OK, "acme", model, reason)
    assert len(request.request_id) == 32
    assert "acme\tfast\tdraining" in outcome.out


def test_a_provider_is_used_again(ask: Command, server: FakeServer) -> None:
    assert ask("admin", "enable", "acme").code == ExitCode.OK
    (request,) = server.requests
    assert isinstance(request, admin.SetProviderEnabledRequest)
    assert (request.name, request.enabled, request.HasField("drain_timeout")) == ("acme", True, False)


@pytest.mark.parametrize(("words", "drain_ms"), [([], None), (["--drain", "0"], 0), (["--drain", "1.5"], 1500)])
def test_a_provider_is_taken_out_of_use(ask: Command, server: FakeServer, words: list[str], drain_ms: int | None) -> None:
    outcome = ask("admin", "disable", "acme", *words)
    (request,) = server.requests
    assert isinstance(request, admin.SetProviderEnabledRequest)
    assert (request.HasField("enabled"), request.enabled, request.HasField("drain_timeout")) == (True, False, drain_ms is not None)
    assert request.drain_timeout.ToMilliseconds() == (drain_ms or 0)
    assert outcome.err == "1 calls are under way\n"


@pytest.mark.parametrize("words", [["disable", "acme", "--drain", "-1"], ["disable"], ["reset"], ["explode", "acme"]])
def test_wrong_usage_reaches_nobody(ask: Command, server: FakeServer, words: list[str]) -> None:
    assert ask("admin", *words).code == ExitCode.USAGE
    assert server.requests == []


def test_who_is_no_operator_is_told(ask: Command, server: FakeServer) -> None:
    server.script.fault = Fault(grpc.StatusCode.PERMISSION_DENIED, "this needs an operator's credential", "POLICY_DENIED")
    outcome = ask("admin", "providers")
    assert (outcome.code, outcome.out) == (ExitCode.DENIED, "")
    assert "operator's credential" in outcome.err
