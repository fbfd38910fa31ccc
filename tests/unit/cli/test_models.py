"""`promptwire models` and `promptwire version`."""

import grpc
import pytest
from google.protobuf.json_format import Parse

from promptwire import v1 as pb
from promptwire_server.cli.exits import ExitCode
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_server import FakeServer, Fault

FAST = pb.Model(
    name="fast",
    targets=["openai/gpt-4o-mini", "echo/echo"],
    provider="openai",
    provider_model="gpt-4o-mini",
    capabilities=[pb.CAPABILITY_CHAT, pb.CAPABILITY_TOOLS, pb.CAPABILITY_IMAGE_INPUT],
    context_window_tokens=128_000,
    is_default=True,
    price=pb.Price(input_nano_usd_per_1k_tokens=150_000, output_nano_usd_per_1k_tokens=600_000),
)
ECHO = pb.Model(name="echo/echo", provider="echo", provider_model="echo", context_window_tokens=512)


@pytest.fixture(autouse=True)
def _models(server: FakeServer) -> None:
    server.script.models = [FAST, ECHO]


def test_a_server_that_refuses_is_told(ask: Command, server: FakeServer) -> None:
    server.script.fault = Fault(grpc.StatusCode.PERMISSION_DENIED, "not for you", "POLICY_DENIED")
    outcome = ask("models")
    assert (outcome.code, outcome.out) == (ExitCode.DENIED, "")


def test_into_a_pipe_columns_are_tabs(ask: Command) -> None:
    header, fast, echo = (line.split("\t") for line in ask("models").out.splitlines())
    assert header == ["name", "answers", "can", "context", "in/1M", "out/1M"]
    assert fast == ["fast *", "openai/gpt-4o-mini, echo/echo", "tools, image_input", "128k", "$0.15", "$0.6"]
    assert echo == ["echo/echo", "echo/echo", "", "512", "", ""]


def test_a_capability_that_is_newer_than_this_is_shown_as_its_number(ask: Command, server: FakeServer) -> None:
    server.script.models = [pb.Model.FromString(pb.Model(name="new").SerializeToString() + b"\x2a\x02\xe7\x07")]
    assert ask("models").out.splitlines()[1].split("\t")[2] == "999"


def test_json_is_all_of_it(ask: Command) -> None:
    assert list(Parse(ask("models", "--json").out, pb.ListModelsResponse()).models) == [FAST, ECHO]


def test_only_one_provider_is_asked_for(ask: Command, server: FakeServer) -> None:
    ask("models", "--provider", "echo")
    assert server.requests == [pb.ListModelsRequest(provider="echo")]


def test_a_provider_that_aliases_name_and_that_gave_no_models_is_told(ask: Command) -> None:
    (line,) = ask("models").err.splitlines()
    assert line.startswith("no models of openai, which aliases name")


def test_of_one_provider_only_its_own_silence_is_told(ask: Command) -> None:
    assert ask("models", "--provider", "echo").err == ""


def test_no_models_are_told(ask: Command, server: FakeServer) -> None:
    server.script.models = []
    assert ask("models", "--provider", "nobody").err == "no models of nobody\n"


def test_version_without_a_server_still_tells_what_is_here(command: Command, dead_target: str) -> None:
    outcome = command("version", "--target", dead_target)
    assert outcome.code == ExitCode.OK
    assert outcome.out.splitlines()[1].startswith("promptwire\t0.")
    assert f"server at {dead_target}\tnot known: " in outcome.out


def test_version_tells_the_server_s(ask: Command, server: FakeServer) -> None:
    assert f"server at {server.target}\t9.9.9 (contract v1); offers chat" in ask("version").out.splitlines()


def test_the_version_flag_needs_no_server(command: Command) -> None:
    outcome = command("--version")
    assert outcome.out.strip().replace(".", "").isdigit()
