"""`promptwire run` and `promptwire validate`: chains of prompts."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.live import Live

from promptwire import Promptwire, chainfile, errors
from promptwire import v1 as pb
from promptwire_server.cli.connection import DEFAULT_TIMEOUT_S, HERE, Connection, Seconds
from promptwire_server.cli.exits import CommandError, ExitCode
from promptwire_server.cli.plan import found_here, located, show_faults, show_plan
from promptwire_server.cli.progress import Progress
from promptwire_server.cli.render import error_console, note, one_line, write
from promptwire_server.cli.sources import STDIN, inputs_of, read_text, text_or_file
from promptwire_server.core.clock import SystemClock

_FRAMES_A_SECOND = 10


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a chain is given."""

    input: Annotated[
        tuple[str, ...], Parameter(alias="-i", help="`name=text`, or `name=@file` (`@-`: standard input); may be repeated.")
    ] = ()
    inputs_json: Annotated[str, Parameter(help="Inputs that are not text: one JSON object, or `@file`.")] = ""
    model: Annotated[str, Parameter(alias="-m", help="Model of every step that names none.")] = ""

    def add_to(self, request: pb.RunChainRequest) -> None:
        """Put them into a request."""
        request.inputs.update(inputs_of(self.input))
        request.inputs_json = text_or_file(self.inputs_json)
        request.model = self.model or request.model


_NONE = Inputs()

File = Annotated[Path, Parameter(help="The file: a chain's `steps`, or just `prompts: [...]`; `-` is standard input.")]
Json = Annotated[bool, Parameter(help="The server's answer as one line of JSON, as in the contract.")]


def run(
    chain: File,
    /,
    *,
    inputs: Inputs = _NONE,
    output: Annotated[str, Parameter(alias="-o", help="Print this one of the chain's outputs in place of the last step's text.")] = "",
    json: Json = False,
    verbose: Annotated[bool, Parameter(alias="-v", help="Tell on standard error what happens, a line an event.")] = False,
    timeout: Seconds = DEFAULT_TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """Run a chain from a YAML file. Its text goes to standard output, how it is doing to standard error."""
    file = _load(chain)
    _check_output(file.request, output)
    inputs.add_to(file.request)
    client = connection.open(timeout)
    try:
        if json:
            return asyncio.run(_whole(client, file.request))
        return asyncio.run(_streamed(client, file.request, output=output, verbose=verbose))
    except errors.InvalidRequest as error:
        raise located(error, file, _name(chain)) from None


def validate(
    chain: File, /, *, inputs: Inputs = _NONE, json: Json = False, timeout: Seconds = DEFAULT_TIMEOUT_S, connection: Connection = HERE
) -> int:
    """Check a chain without running it: its plan, or every fault with file and line."""
    try:
        file = _load(chain)
    except chainfile.ChainFileError as error:
        checked, lines = found_here(error)
    else:
        inputs.add_to(file.request)
        checked = asyncio.run(_checked(connection.open(timeout), file.request))
        lines = [file.line_of(fault.field) for fault in checked.faults]
    if json:
        write(one_line(checked) + "\n")
    elif checked.valid:
        show_plan(checked)
    else:
        show_faults(checked, lines, _name(chain))
    return ExitCode.OK if checked.valid else ExitCode.USAGE


def _load(path: Path) -> chainfile.ChainFile:
    if str(path) == STDIN:
        return chainfile.read(read_text(path), source=_name(path))
    return chainfile.open_file(path)


def _name(path: Path) -> str:
    return "standard input" if str(path) == STDIN else str(path)


async def _checked(client: Promptwire, request: pb.RunChainRequest) -> pb.ValidateChainResponse:
    async with client:
        return await client.validate_chain(request)


async def _whole(client: Promptwire, request: pb.RunChainRequest) -> int:
    async with client:
        write(one_line(await client.run_chain(request)) + "\n")
    return ExitCode.OK


async def _streamed(client: Promptwire, request: pb.RunChainRequest, *, output: str, verbose: bool) -> int:
    progress = Progress(SystemClock())
    async with client, client.stream_chain(request) as events:
        with _shown(progress, verbose=verbose) as tell:
            async for event in events:
                tell(progress.take(event))
        result = events.result
    text = _output(result, output)
    write(text if text.endswith("\n") else text + "\n")
    return ExitCode.OK


@contextmanager
def _shown(progress: Progress, *, verbose: bool) -> Iterator[Callable[[str], None]]:
    """Shows a run while it lasts: live on a terminal, else as the lines that are given, which only `verbose` lets through."""
    console = error_console()
    if verbose or not console.is_interactive:
        yield _tell if verbose else _swallow
        return
    with Live(progress, console=console, refresh_per_second=_FRAMES_A_SECOND, redirect_stdout=False, redirect_stderr=False):
        try:
            yield _swallow
        finally:
            progress.stop()
    if progress.result is not None:
        note(progress.summary())


def _tell(line: str) -> None:
    if line:
        note(line)


def _swallow(line: str) -> None:
    """What is not told in words."""


def _check_output(request: pb.RunChainRequest, name: str) -> None:
    """Whether the chain has that output, before the run costs anything."""
    if name and request.spec.outputs and name not in request.spec.outputs:
        raise _no_output(name, request.spec.outputs)


def _no_output(name: str, known: Iterable[str]) -> CommandError:
    return CommandError(
        f"the chain has no output {name!r}; it has: {', '.join(sorted(known)) or 'none'}", "name one of `outputs` in its file"
    )


def _output(result: pb.RunResult, name: str) -> str:
    if not name:
        return result.text
    if name not in result.outputs:
        raise _no_output(name, result.outputs)
    return result.outputs[name]
