"""`promptwire chat`."""

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import Parse

from promptwire import v1 as pb
from promptwire_server.cli.exits import ExitCode
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_server import FakeServer, Fault, answer_events, delta, response

Start = Callable[..., subprocess.Popen[bytes]]
INTERRUPTED = Fault(grpc.StatusCode.UNAVAILABLE, "the provider went away", "STREAM_INTERRUPTED")


def last_chat(server: FakeServer) -> pb.ChatRequest:
    request = server.requests[-1]
    assert isinstance(request, pb.StreamChatRequest)
    return request.chat


def test_an_interrupt_ends_the_call_and_leaves_no_traceback(process: Start, server: FakeServer) -> None:
    hold = threading.Event()

    def events(request: pb.StreamChatRequest) -> Iterator[pb.StreamChatResponse]:
        yield delta("Once upon")
        hold.wait(30)

    server.script.events = events
    running = process("chat", "Tell me a story", "--target", server.target)
    assert running.stdout is not None
    assert running.stdout.read(9) == b"Once upon"  # so the piece was flushed while the answer was not complete
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert server.cancelled.wait(10)
    hold.set()
    assert running.returncode == ExitCode.INTERRUPTED
    assert (out, err) == (b"", b"")


def test_a_reader_that_goes_away_ends_the_call_without_a_word(process: Start, server: FakeServer) -> None:
    def events(request: pb.StreamChatRequest) -> Iterator[pb.StreamChatResponse]:
        while not server.cancelled.is_set():
            yield delta("x" * 1000)

    server.script.events = events
    running = process("chat", "go on", "--target", server.target)
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.read(1)
    running.stdout.close()
    assert running.wait(timeout=20) == ExitCode.BROKEN_PIPE
    assert running.stderr.read() == b""
    assert server.cancelled.wait(10)


def test_a_stream_that_breaks_leaves_what_came_and_says_why(ask: Command, server: FakeServer) -> None:
    server.script.events = lambda _: iter([delta("Half an ")])
    server.script.late_fault = INTERRUPTED
    outcome = ask("chat", "hi")
    assert outcome.out == "Half an "
    assert outcome.err.splitlines()[0] == "error: the provider went away"
    assert outcome.err.splitlines()[-1] == "request: req-fake"
    assert outcome.code == ExitCode.FAILED


def test_without_anything_to_ask_it_says_how(command: Command) -> None:
    outcome = command("chat")
    assert outcome.code == ExitCode.USAGE
    assert 'hint: write promptwire chat "your question"' in outcome.err


def test_two_forms_of_output_exclude_each_other(command: Command) -> None:
    assert command("chat", "hi", "--json", "--jsonl").code == ExitCode.USAGE


def test_standard_input_that_is_no_text_is_refused(ask: Command, server: FakeServer) -> None:
    outcome = ask("chat", "Summarise", stdin=b"\xff\xfe")
    assert outcome.code == ExitCode.USAGE
    assert "standard input: not UTF-8 text (byte 1)" in outcome.err
    assert server.requests == []


def test_an_image_that_is_none_is_refused(ask: Command, tmp_path: Path, server: FakeServer) -> None:
    outcome = ask("chat", "What is this?", "--image", str(tmp_path / "notes.txt"))
    assert outcome.code == ExitCode.USAGE
    assert "not known as an image" in outcome.err
    assert server.requests == []


def test_the_answer_goes_to_standard_output_alone(ask: Command) -> None:
    outcome = ask("chat", "hello", "there")
    assert outcome.out == "You said: hello there\n"
    assert (outcome.err, outcome.code) == ("", ExitCode.OK)


def test_a_line_break_at_the_end_is_not_doubled(ask: Command, server: FakeServer) -> None:
    server.script.events = lambda _: answer_events(response("done\n"))
    assert ask("chat", "hi").out == "done\n"


@pytest.mark.parametrize(
    ("words", "piped", "asked"),
    [
        (("Summarise:",), b"a report\n", "Summarise:\n\na report"),
        (("-",), b"all of it", "all of it"),
        ((), b"only this\n", "only this"),
        (("Only this",), b"", "Only this"),
    ],
)
def test_what_is_piped_in_stands_below_the_prompt(
    ask: Command, server: FakeServer, words: tuple[str, ...], piped: bytes, asked: str
) -> None:
    ask("chat", *words, stdin=piped)
    assert last_chat(server).prompt == asked


def test_wishes_reach_the_server_and_zero_is_one(ask: Command, server: FakeServer) -> None:
    ask("chat", "hi", "-m", "fast", "--system", "Be brief", "--temperature", "0", "--max-tokens", "7")
    chat = last_chat(server)
    assert (chat.model, chat.system) == ("fast", "Be brief")
    assert chat.generation == pb.GenerationSettings(temperature=0, max_output_tokens=7)


def test_what_was_not_wished_is_not_sent(ask: Command, server: FakeServer) -> None:
    ask("chat", "hi")
    assert last_chat(server).generation == pb.GenerationSettings()


def test_an_image_goes_before_the_text(ask: Command, server: FakeServer, tmp_path: Path) -> None:
    image = tmp_path / "cat.png"
    image.write_bytes(b"\x89PNG")
    ask("chat", "What is this?", "--image", str(image))
    media, text = last_chat(server).messages[0].parts
    assert (media.media.mime_type, media.media.data) == ("image/png", b"\x89PNG")
    assert text.text == "What is this?"


def test_json_is_the_whole_answer_in_a_line(ask: Command) -> None:
    outcome = ask("chat", "hi", "--json")
    assert outcome.out.count("\n") == 1
    assert Parse(outcome.out, pb.ChatResponse()).usage.output_tokens == 5


def test_jsonl_is_a_line_an_event(ask: Command) -> None:
    events = [json.loads(line) for line in ask("chat", "hi", "--jsonl").out.splitlines()]
    assert [next(iter(event)) for event in events] == ["started", "part_started", *["part_delta"] * 3, "part_finished", "finished"]


def test_usage_is_told_on_standard_error(ask: Command) -> None:
    outcome = ask("chat", "hi", "--usage")
    assert outcome.out == "You said: hi\n"
    assert outcome.err.startswith("fake/parrot, 3 in + 5 out tokens, $0.0000015, ")


def test_an_answer_that_was_cut_is_told_so(ask: Command, server: FakeServer) -> None:
    server.script.events = lambda _: answer_events(response("Once", pb.FINISH_REASON_LENGTH))
    assert "--max-tokens" in ask("chat", "hi").err


def test_a_dropped_setting_is_told(ask: Command, server: FakeServer) -> None:
    answer = response("ok")
    answer.notices.add(code=pb.Notice.CODE_SETTING_DROPPED, message="top_k was dropped")
    answer.notices.add(code=pb.Notice.CODE_USAGE_ESTIMATED, message="tokens were estimated")
    server.script.events = lambda _: answer_events(answer)
    assert ask("chat", "hi").err == "note: top_k was dropped\n"


def test_the_key_is_sent_and_never_shown(command: Command, server: FakeServer) -> None:
    server.script.fault = Fault(grpc.StatusCode.UNAUTHENTICATED, "the key is not valid", "CREDENTIAL_INVALID")
    outcome = command("--target", server.target, "--api-key", "sk-secret-secret", "chat", "hi")
    assert server.keys == ["Bearer sk-secret-secret"]
    assert "sk-secret" not in outcome.out + outcome.err
    assert outcome.code == ExitCode.DENIED


def test_an_argument_that_is_no_text_is_refused(ask: Command, server: FakeServer) -> None:
    outcome = ask("chat", "caf\udce9")  # how a byte that is not UTF-8 comes
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert "not UTF-8 text" in outcome.err
    assert server.requests == []


@pytest.mark.parametrize("count", ["0", "-1", "2147483648", "many"])
def test_a_greatest_length_that_is_none_is_refused(ask: Command, server: FakeServer, count: str) -> None:
    outcome = ask("chat", "hi", "--max-tokens", count)
    assert outcome.code == ExitCode.USAGE
    assert "--max-tokens" in outcome.err
    assert server.requests == []
