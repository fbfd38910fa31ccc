"""A conversation on a terminal, which is a pseudo-terminal here."""

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import pytest

from promptwire import v1 as pb
from promptwire_server.cli.exits import ExitCode
from tests.unit.cli.conftest import PROGRAM
from tests.unit.cli.fake_server import FakeServer, Fault, answer_events, asked, delta, response


@dataclass
class Terminal:
    """A program on a pseudo-terminal."""

    process: "subprocess.Popen[bytes]"
    fd: int
    seen: str = ""

    def until(self, text: str) -> str:
        """Read until this is shown; what was shown before it, since the last time."""
        while text not in self.seen:
            self.seen += os.read(self.fd, 4096).decode()
        shown, _, self.seen = self.seen.partition(text)
        return shown + text

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.fd, text.encode())


@pytest.fixture
def terminal(server: FakeServer) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", PROGRAM, "chat", "--target", server.target, "--system", "Be brief"]
    environment = {**os.environ, "TERM": "dumb"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True)
    os.close(theirs)
    yield Terminal(process, ours)
    process.kill()
    process.wait()
    os.close(ours)


def chats(server: FakeServer) -> list[pb.ChatRequest]:
    return [request.chat for request in server.requests if isinstance(request, pb.StreamChatRequest)]


def test_an_interrupt_stops_the_answer_and_not_the_conversation(terminal: Terminal, server: FakeServer) -> None:
    hold = threading.Event()

    def events(request: pb.StreamChatRequest) -> Iterator[pb.StreamChatResponse]:
        if asked(request.chat) != "A long story":
            yield from answer_events(response("Fine."))
            return
        yield delta("Once upon")
        hold.wait(30)

    server.script.events = events
    terminal.until("> ")
    terminal.type("A long story\n")
    terminal.until("Once upon")
    terminal.process.send_signal(2)
    terminal.until("are not kept.")
    assert server.cancelled.wait(10)
    hold.set()
    terminal.type("And now?\n")
    terminal.until("Fine.")
    assert [len(chat.messages) for chat in chats(server)] == [1, 1]


def test_a_failure_is_told_and_the_conversation_goes_on(terminal: Terminal, server: FakeServer) -> None:
    server.script.late_fault = Fault(grpc.StatusCode.UNAVAILABLE, "the provider went away", "STREAM_INTERRUPTED")
    terminal.until("> ")
    terminal.type("hi\n")
    terminal.until("error: the provider went away")
    terminal.until("> ")
    server.script.late_fault = None
    terminal.type("again\n")
    terminal.until("You said: again")


def test_what_was_said_is_kept_whole(terminal: Terminal, server: FakeServer) -> None:
    answer = response("Hello.")
    state = pb.ProviderState(provider="fake", data=b"signed")
    answer.candidates[0].message.parts[0].provider_state.CopyFrom(state)
    server.script.events = lambda _: answer_events(answer)
    terminal.until("> ")
    terminal.type("hi\n")
    terminal.until("Hello.")
    terminal.until("> ")
    terminal.type("/model fast\n")
    terminal.until("From now on fast.")
    terminal.type("and?\n")
    terminal.until("Hello.")
    first, second = chats(server)
    assert (first.model, second.model, second.system) == ("", "fast", "Be brief")
    assert [message.role for message in second.messages] == [pb.ROLE_USER, pb.ROLE_ASSISTANT, pb.ROLE_USER]
    assert second.messages[1].parts[0].provider_state == state


def test_new_forgets_and_the_end_of_input_ends(terminal: Terminal, server: FakeServer) -> None:
    terminal.until("> ")
    terminal.type("hi\n")
    terminal.until("You said: hi")
    terminal.until("> ")
    terminal.type("/new\n")
    terminal.until("Forgotten.")
    terminal.type("hello\n")
    terminal.until("You said: hello")
    terminal.until("> ")
    terminal.type("\x04")
    assert terminal.process.wait(20) == ExitCode.OK
    assert [len(chat.messages) for chat in chats(server)] == [1, 1]
