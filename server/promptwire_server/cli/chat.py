"""`promptwire chat`: asks a model."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from promptwire import Promptwire
from promptwire import v1 as pb
from promptwire_server.cli.answer import show, show_events, tell
from promptwire_server.cli.connection import DEFAULT_TIMEOUT_S, HERE, Connection, Seconds
from promptwire_server.cli.exits import CommandError, ExitCode
from promptwire_server.cli.render import one_line, write
from promptwire_server.cli.repl import Conversation
from promptwire_server.cli.sources import image_part, prompt_of


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is asked of the model besides the prompt."""

    model: Annotated[str, Parameter(alias="-m", help='An alias ("fast") or "provider/model". Default: the server\'s.')] = ""
    system: Annotated[str, Parameter(alias="-s", help="Instructions that come before everything.")] = ""
    image: Annotated[tuple[Path, ...], Parameter(help="An image to go with the prompt; may be repeated.")] = ()
    temperature: Annotated[float | None, Parameter(help="Randomness, 0 to 2.")] = None
    max_tokens: Annotated[
        int | None, Parameter(validator=validators.Number(gte=1, lt=2**31), help="Longest answer in tokens, reasoning included.")
    ] = None

    def request(self, prompt: str = "") -> pb.ChatRequest:
        """The question."""
        request = pb.ChatRequest(model=self.model, system=self.system)
        request.generation.MergeFrom(pb.GenerationSettings(temperature=self.temperature, max_output_tokens=self.max_tokens))
        if self.image:
            parts = [*map(image_part, self.image), pb.ContentPart(text=prompt)]
            request.messages.add(role=pb.ROLE_USER, parts=parts)
        else:
            request.prompt = prompt
        return request


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Output:
    """What is shown."""

    json: Annotated[bool, Parameter(help="The whole answer as one line of JSON, as in the contract.")] = False
    jsonl: Annotated[bool, Parameter(help="Each event of the stream as a line of JSON.")] = False
    usage: Annotated[bool, Parameter(alias="-u", help="Say on standard error what it took: model, tokens, cost, time.")] = False
    reasoning: Annotated[bool, Parameter(help="Show the model's reasoning, where the vendor gives it, on standard error.")] = False


_NONE = Wishes()
_TEXT = Output()


def chat(
    *prompt: Annotated[str, Parameter(help="What to ask; `-` is standard input.")],
    wishes: Wishes = _NONE,
    output: Output = _TEXT,
    timeout: Seconds = DEFAULT_TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """Ask a model; the answer streams to standard output. Without a prompt, on a terminal: a conversation."""
    if output.json and output.jsonl:
        raise CommandError("--json and --jsonl exclude each other", "leave one out")
    text = prompt_of(prompt)
    if text:
        return asyncio.run(_once(connection.open(timeout), wishes.request(text), output))
    if output.json or output.jsonl or wishes.image or not sys.stdin.isatty():
        raise CommandError("there is nothing to ask", 'write promptwire chat "your question", or pipe it in')
    return Conversation(connection.open(timeout), wishes.request(), usage=output.usage).hold()


async def _once(client: Promptwire, request: pb.ChatRequest, output: Output) -> int:
    async with client:
        if output.json:
            write(one_line(await client.chat(request)) + "\n")
            return ExitCode.OK
        async with client.stream_chat(request) as stream:
            if output.jsonl:
                await show_events(stream.events())
                return ExitCode.OK
            await show(stream.events(), reasoning=output.reasoning)
            tell(stream.response, usage=output.usage)
    return ExitCode.OK
