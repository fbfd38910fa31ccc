"""`promptwire embed`."""

import grpc
import pytest
from google.protobuf.json_format import Parse

from promptwire import v1 as pb
from promptwire_server.cli.exits import ExitCode
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_server import FakeServer, Fault

MODEL = ("--model", "fake/vectors")


def asked(server: FakeServer) -> pb.EmbedRequest:
    (request,) = server.requests
    assert isinstance(request, pb.EmbedRequest)
    return request


def test_a_server_that_refuses_is_told(ask: Command, server: FakeServer) -> None:
    server.script.fault = Fault(grpc.StatusCode.FAILED_PRECONDITION, "no vectors there", "CAPABILITY_MISSING")
    outcome = ask("embed", "a", *MODEL)
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert "no vectors there" in outcome.err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "nothing to embed"),
        (("", " "), "nothing to embed"),
        (("a", "--task", "poetry"), "no such task"),
    ],
)
def test_what_cannot_be_asked_is_told_before_any_call(ask: Command, server: FakeServer, words: tuple[str, ...], problem: str) -> None:
    outcome = ask("embed", *words, *MODEL)
    assert outcome.code == ExitCode.USAGE
    assert problem in outcome.err
    assert server.requests == []


def test_a_model_has_to_be_named(ask: Command, server: FakeServer) -> None:
    outcome = ask("embed", "a")
    assert outcome.code == ExitCode.USAGE
    assert "--model" in outcome.err
    assert server.requests == []


def test_each_text_has_a_row_with_its_length_and_first_numbers(ask: Command) -> None:
    header, first, second = (line.split("\t") for line in ask("embed", "a", "bb", *MODEL).out.splitlines())
    assert header == ["text", "numbers", "begins with"]
    assert first == ["a", "6", "1, 0.5, 0.3333, 0.25, …"]
    assert second == ["bb", "6", "2, 1, 0.6667, 0.5, …"]


def test_long_texts_are_cut(ask: Command) -> None:
    assert ask("embed", "x" * 99, *MODEL).out.splitlines()[1].startswith("x" * 39 + "…\t")


def test_lines_that_are_piped_in_are_texts(ask: Command, server: FakeServer) -> None:
    ask("embed", "first", *MODEL, stdin="second\r\n\n  \nthird grüß\n".encode())
    assert list(asked(server).texts) == ["first", "second", "third grüß"]


def test_wishes_are_sent(ask: Command, server: FakeServer) -> None:
    ask("embed", "a", *MODEL, "--dimensions", "3", "--task", "query")
    sent = asked(server)
    assert sent.request_id  # so that a retry of the client's is known as one
    sent.ClearField("request_id")
    assert sent == pb.EmbedRequest(model="fake/vectors", texts=["a"], dimensions=3, task=pb.EmbedRequest.TASK_QUERY)


def test_json_is_all_of_it(ask: Command) -> None:
    response = Parse(ask("embed", "a", *MODEL, "--dimensions", "2", "--json").out, pb.EmbedResponse())
    assert [list(vector.values) for vector in response.embeddings] == [[1.0, 0.5]]
    assert response.model == "vectors"


def test_every_task_of_the_contract_has_its_word(ask: Command, server: FakeServer) -> None:
    names = [name.removeprefix("TASK_").lower() for name, number in pb.EmbedRequest.Task.items() if number]
    for name in names:
        ask("embed", "a", *MODEL, "--task", name)
    sent = [one for one in server.requests if isinstance(one, pb.EmbedRequest)]
    assert [pb.EmbedRequest.Task.Name(one.task) for one in sent] == [f"TASK_{name.upper()}" for name in names]


def test_what_was_dropped_and_what_it_took_are_told_beside(ask: Command, server: FakeServer) -> None:
    server.script.notices = [pb.Notice(code=pb.Notice.CODE_SETTING_DROPPED, message="not sent: no such setting", field="task")]
    outcome = ask("embed", "a", *MODEL, "--usage")
    assert outcome.err == "note: not sent: no such setting\nfake/vectors, 1 in + 0 out tokens, $0.0000015, request req-fake\n"


def test_several_attempts_are_counted_beside(ask: Command, server: FakeServer) -> None:
    server.script.attempts = [pb.Attempt(provider="other"), pb.Attempt(provider="fake")]
    assert ", 2 attempts, request req-fake" in ask("embed", "a", *MODEL, "--usage").err


def test_an_error_tells_each_attempt(ask: Command, server: FakeServer) -> None:
    failure = pb.Failure(reason=pb.ERROR_REASON_UPSTREAM_FAILED, message="it answered 503")
    tried = [pb.Attempt(provider="a", model="m", failure=failure), pb.Attempt(provider="b", model="n", failure=failure)]
    trail = pb.AttemptTrail(attempts=tried)
    server.script.fault = Fault(grpc.StatusCode.UNAVAILABLE, "all failed", "UPSTREAM_FAILED", details=(trail,))
    outcome = ask("embed", "a", *MODEL)
    assert outcome.code == ExitCode.FAILED
    assert "tried a/m: UPSTREAM_FAILED" in outcome.err
    assert "tried b/n: UPSTREAM_FAILED" in outcome.err
