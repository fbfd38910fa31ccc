"""`promptwire run` and `promptwire validate`."""

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import Parse
from google.rpc import error_details_pb2

from promptwire import v1 as pb
from promptwire_server.cli.exits import ExitCode
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_server import FakeServer, Fault, at, two_steps

CHAIN = """\
name: demo
inputs: [topic]
steps:
- id: draft
  prompt: "Write about {{ topic }}"
- id: final
  prompt:
    user: "Shorten {{ output[-1] }}"
"""
FAULTY = """\
steps:
- prompt: {usr: hi}
- bogus: 1
"""


@pytest.fixture
def chain(tmp_path: Path) -> str:
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN)
    return str(path)


@pytest.fixture
def faulty(tmp_path: Path) -> str:
    path = tmp_path / "faulty.yaml"
    path.write_text(FAULTY)
    return str(path)


def last_run(server: FakeServer) -> pb.RunChainRequest:
    request = server.requests[-1]
    assert isinstance(request, pb.StreamChainRequest)
    return request.run


def test_a_file_that_is_not_there(ask: Command, server: FakeServer) -> None:
    outcome = ask("run", "/nowhere/chain.yaml")
    assert (outcome.code, outcome.err) == (ExitCode.USAGE, "error: /nowhere/chain.yaml: No such file or directory\n")
    assert server.requests == []


def test_a_faulty_file_is_not_sent(ask: Command, server: FakeServer, faulty: str) -> None:
    outcome = ask("run", faulty)
    assert outcome.code == ExitCode.USAGE
    assert f"error: {faulty} has 2 faults:\n{faulty}:2: steps[0].prompt.usr: unknown key" in outcome.err
    assert server.requests == []


def test_faults_that_the_server_finds_are_told_with_their_lines(ask: Command, server: FakeServer, chain: str) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation
    violations = [violation(field="run.spec.steps[1].prompt.user", description="wrong"), violation(field="spec.name", description="odd")]
    bad = error_details_pb2.BadRequest(field_violations=violations)
    server.script.fault = Fault(grpc.StatusCode.INVALID_ARGUMENT, "x (and 1 more)", "INVALID_TEMPLATE", (bad,))
    outcome = ask("run", chain)
    assert outcome.code == ExitCode.USAGE
    assert outcome.err.splitlines() == [
        f"error: {chain} has 2 faults:",
        f"{chain}:8: steps[1].prompt.user: wrong",
        f"{chain}:1: name: odd",
        "hint: correct it; `promptwire validate FILE` shows every fault with its line",
        "request: req-fake",
    ]


def test_what_is_wrong_with_inputs_is_no_matter_of_the_file(ask: Command, server: FakeServer, chain: str) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(field="inputs", description="'topic' is missing")
    bad = error_details_pb2.BadRequest(field_violations=[violation])
    server.script.fault = Fault(grpc.StatusCode.INVALID_ARGUMENT, "inputs: 'topic' is missing", "INVALID_FIELD", (bad,))
    assert ask("run", chain).err.startswith("error: inputs: 'topic' is missing\nhint: ")


@pytest.mark.parametrize(
    ("pair", "told"),
    [("topic", "--input 'topic' is no input"), ("=tea", "--input '=tea' is no input"), ("topic=@/nowhere", "/nowhere: No such file")],
)
def test_an_input_that_is_none(ask: Command, chain: str, pair: str, told: str) -> None:
    outcome = ask("run", chain, "--input", pair)
    assert outcome.code == ExitCode.USAGE
    assert told in outcome.err


def test_an_input_twice(ask: Command, chain: str) -> None:
    assert "--input a is given twice" in ask("run", chain, "-i", "a=1", "-i", "a=2").err


def test_an_output_that_is_not_there(ask: Command, chain: str) -> None:
    outcome = ask("run", chain, "--output", "summary")
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert "the chain has no output 'summary'; it has: answer, title" in outcome.err


def test_an_output_that_the_file_does_not_declare_costs_no_run(ask: Command, server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "declared.yaml"
    file.write_text("steps: [{id: say, prompt: hi}]\noutputs: {poem: steps.say.text}\n")
    outcome = ask("run", str(file), "-o", "peom")
    assert (outcome.code, server.requests) == (ExitCode.USAGE, [])
    assert "the chain has no output 'peom'; it has: poem" in outcome.err


def test_a_run_that_fails_midway_prints_no_text(ask: Command, server: FakeServer, chain: str) -> None:
    server.script.run_events = lambda request: (event for event in two_steps(request) if not event.HasField("run_finished"))
    server.script.late_fault = Fault(grpc.StatusCode.ABORTED, "step final failed", "CHAIN_FAILED")
    outcome = ask("run", chain)
    assert (outcome.code, outcome.out) == (ExitCode.FAILED, "")
    assert outcome.err.startswith("error: step final failed\nhint: ")


def test_an_interrupt_cancels_the_run(process: Callable[..., "subprocess.Popen[bytes]"], server: FakeServer, chain: str) -> None:
    hold = threading.Event()

    def events(_: pb.RunChainRequest) -> Iterator[pb.RunEvent]:
        yield at("draft", pb.RunEvent(step_started=pb.StepStarted(model="fast")))
        hold.wait(30)

    server.script.run_events = events
    running = process("run", chain, "-v", "--target", server.target)
    assert running.stderr is not None
    assert running.stderr.readline() == b"draft: started (fast)\n"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert server.cancelled.wait(10)
    hold.set()
    assert (running.returncode, out, err) == (ExitCode.INTERRUPTED, b"", b"")


def test_the_text_is_all_that_is_printed_into_a_pipe(ask: Command, chain: str) -> None:
    outcome = ask("run", chain, "--input", "topic=tea", "--input", "style=dry")
    assert (outcome.out, outcome.err, outcome.code) == ("style=dry and topic=tea\n", "", ExitCode.OK)


def test_verbose_tells_each_step_on_standard_error(ask: Command, chain: str) -> None:
    outcome = ask("run", chain, "-i", "topic=tea", "-v")
    assert outcome.out == "topic=tea\n"
    lines = outcome.err.splitlines()
    assert [line.split(" in ")[0] for line in lines] == [
        "draft: started (fake/parrot)",
        "draft: done",
        "final: started (fake/parrot)",
        "final: done",
    ]
    assert lines[1].endswith(", 3 in + 5 out tokens")


def test_one_output_may_be_asked_for(ask: Command, chain: str) -> None:
    assert ask("run", chain, "-o", "title").out == "Fake\n"


def test_json_is_the_whole_answer_in_a_line(ask: Command, chain: str) -> None:
    outcome = ask("run", chain, "-i", "topic=tea", "--json")
    assert outcome.out.count("\n") == 1
    assert Parse(outcome.out, pb.RunChainResponse()).result.outputs["answer"] == "topic=tea"


def test_what_is_given_reaches_the_server(ask: Command, server: FakeServer, chain: str, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("print('é')\n")
    ask("run", chain, "-i", f"code=@{tmp_path / 'code.py'}", "-i", "at=@@home", "--inputs-json", '{"n": 3}', "-m", "fast")
    request = last_run(server)
    assert dict(request.inputs) == {"code": "print('é')\n", "at": "@home"}
    assert (request.inputs_json, request.model, request.spec.name) == ('{"n": 3}', "fast", "demo")


def test_an_input_may_be_piped_in(ask: Command, server: FakeServer, chain: str) -> None:
    ask("run", chain, "-i", "topic=@-", stdin=b"tea\n")
    assert last_run(server).inputs["topic"] == "tea\n"


def test_a_chain_may_be_piped_in_and_be_just_prompts(ask: Command, server: FakeServer) -> None:
    ask("run", "-", stdin=b"prompts: ['Name a tea', 'Why {{ output[-1] }}?']\nmodel: slow\n")
    assert list(last_run(server).prompts) == ["Name a tea", "Why {{ output[-1] }}?"]
    assert last_run(server).model == "slow"


def test_validate_tells_every_fault_of_a_file_that_is_no_chain(ask: Command, server: FakeServer, faulty: str) -> None:
    outcome = ask("validate", faulty)
    assert outcome.code == ExitCode.USAGE
    first, second = outcome.out.splitlines()
    assert first.startswith(f"{faulty}:2  steps[0].prompt.usr  unknown key")
    assert second.startswith(f"{faulty}:3  steps[1].bogus  unknown key")
    assert server.requests == []


def test_validate_tells_the_server_s_faults_at_their_lines(ask: Command, server: FakeServer, chain: str) -> None:
    server.script.checked = pb.ValidateChainResponse(
        faults=[
            pb.ChainFault(field="spec.steps[1].prompt.user", message="output is not a list", line=2),
            pb.ChainFault(field="spec.steps[0].prompt.user", message="topik is unknown"),
            pb.ChainFault(field="inputs", message="topic is missing"),
        ]
    )
    outcome = ask("validate", chain)
    assert outcome.code == ExitCode.USAGE
    assert outcome.out.splitlines() == [
        f"{chain}:2  inputs  topic is missing",
        f"{chain}:5  steps[0].prompt.user  topik is unknown",
        f"{chain}:8  steps[1].prompt.user  output is not a list (line 2 of the template)",
    ]


def test_validate_as_json_tells_faults_the_same_way_wherever_they_are_found(
    ask: Command, server: FakeServer, chain: str, faulty: str
) -> None:
    server.script.checked = pb.ValidateChainResponse(faults=[pb.ChainFault(field="spec.steps[0]", message="wrong")])
    here = Parse(ask("validate", faulty, "--json").out, pb.ValidateChainResponse())
    there = Parse(ask("validate", chain, "--json").out, pb.ValidateChainResponse())
    assert [fault.field for fault in here.faults] == ["steps[0].prompt.usr", "steps[1].bogus"]
    assert there.faults[0].message == "wrong"


def test_validate_needs_a_server_for_a_good_file(command: Command, chain: str, dead_target: str) -> None:
    assert command("validate", chain, "--target", dead_target, "--timeout", "5").code == ExitCode.UNREACHABLE


def test_validate_prints_the_plan(ask: Command, server: FakeServer, chain: str) -> None:
    step = pb.PlannedStep(step_id="draft", action="prompt", models=["fast", "slow"], conditional=True, next=["end"])
    server.script.checked = pb.ValidateChainResponse(
        valid=True, plan=[step], max_model_calls=4, max_cost_nano_usd=20_000_000, chain_hash="0123456789abcdef"
    )
    outcome = ask("validate", chain)
    assert outcome.code == ExitCode.OK
    assert outcome.out.splitlines()[1] == "draft\tprompt\tfast, slow\tyes\tend"
    assert outcome.err == "valid: at most 4 model calls, at most $0.02; hash 0123456789ab\n"
