"""A conversation on a terminal: asks, streams the answer, keeps both."""

import asyncio
from contextlib import suppress

from promptwire import Promptwire, errors
from promptwire import v1 as pb
from promptwire_server.cli.answer import show, tell
from promptwire_server.cli.errors import report
from promptwire_server.cli.exits import ExitCode
from promptwire_server.cli.render import note

with suppress(ImportError):  # editing and recalling lines, where Python was built with it
    import readline  # noqa: F401 - importing it is what changes input()

_HELP = """\
/model NAME   ask another model from now on
/new          forget what was said
/help         this
/exit         end, as Ctrl-D does; Ctrl-C stops an answer"""


class Conversation:
    """Turns with one model, or several after each other. Whole messages are kept, so that vendors get their signatures back."""

    def __init__(self, client: Promptwire, request: pb.ChatRequest, *, usage: bool) -> None:
        """`request` has the model, the system message and the settings; its messages, if any, come with the first question."""
        self._client = client
        self._first = request
        self._request = pb.ChatRequest()
        self._usage = usage
        self._forget()

    def hold(self) -> int:
        """Ask and answer until the end of input; the exit code."""
        note(f"Talking to {self._client.target} as {self._request.model or 'its default model'}. /help tells more; Ctrl-D ends.")
        with asyncio.Runner() as runner:
            try:
                while self._turn(runner):
                    pass
            finally:
                runner.run(self._client.aclose())
        return ExitCode.OK

    def _turn(self, runner: asyncio.Runner) -> bool:
        """One line of input and what follows; False at the end."""
        try:
            line = input("> ").strip()
        except EOFError:
            print()
            return False
        except KeyboardInterrupt:  # drops the line, as shells do
            print()
            return True
        if line.startswith("/"):
            return self._command(line)
        if line:
            self._ask(runner, line)
        return True

    def _ask(self, runner: asyncio.Runner, text: str) -> None:
        said = len(self._request.messages)
        self._request.messages.add(role=pb.ROLE_USER, parts=[pb.ContentPart(text=text)])
        try:
            answer = runner.run(self._answer())
        except (errors.PromptwireError, KeyboardInterrupt) as error:
            del self._request.messages[said:]  # a question without an answer would confuse the next one
            print()
            report(error)
            note("That question and what there was of its answer are not kept.")
        else:
            self._request.messages.append(answer)

    async def _answer(self) -> pb.ChatMessage:
        async with self._client.stream_chat(self._request) as stream:
            await show(stream.events())
            tell(stream.response, usage=self._usage)
            candidates = stream.response.candidates
            return candidates[0].message if candidates else pb.ChatMessage(role=pb.ROLE_ASSISTANT)

    def _command(self, line: str) -> bool:
        word, _, rest = line.partition(" ")
        if word in {"/exit", "/quit"}:
            return False
        if word == "/new":
            self._forget()
            note("Forgotten.")
        elif word == "/model" and rest.strip():
            self._request.model = rest.strip()
            note(f"From now on {self._request.model}.")
        else:
            note(_HELP)
        return True

    def _forget(self) -> None:
        model = self._request.model or self._first.model
        self._request.CopyFrom(self._first)
        self._request.ClearField("prompt")
        self._request.model = model
