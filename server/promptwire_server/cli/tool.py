"""The people's program: every command but the lean ones, with help and errors for people."""

import os
import sys
from collections.abc import Sequence
from importlib import metadata
from io import TextIOWrapper

from cyclopts import App, Parameter

from promptwire_server.cli.errors import report
from promptwire_server.cli.exits import EXIT_CODES, ExitCode
from promptwire_server.cli.manual import INTRODUCTION, PAGES, Page
from promptwire_server.cli.sources import STDIN

app = App(
    name="promptwire",
    help=INTRODUCTION,
    help_format="plaintext",
    help_epilogue=EXIT_CODES,
    default_parameter=Parameter(negative=(), show_default=False),  # no --no-json; defaults are told in words
    version=lambda: metadata.version("promptwire-server"),
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)


def _add(to: App, page: Page) -> None:
    if not page.parts:
        to.command(page.code, name=page.name, help=page.summary, help_epilogue=page.end)
        return
    group = App(name=page.name, help=page.summary, help_epilogue=page.end)
    for part in page.parts:
        _add(group, part)
    to.command(group)


for _page in PAGES:
    _add(app, _page)


def _spelt_out(words: Sequence[str]) -> Sequence[str]:
    """The words with the part of a command that is meant where none is named: `usage --by model` is `usage show --by model`."""
    page = next((page for page in PAGES if page.usual and words[:1] == [page.name]), None)
    if page is None or (len(words) > 1 and words[1] in ("--help", "-h", *(part.name for part in page.parts))):
        return words
    return [page.name, page.usual, *words[1:]]


def main(arguments: Sequence[str]) -> int:
    """Run a command; its exit code. Errors are told on standard error, never as a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a model's words may be none of the terminal's character set
    try:
        result = app(_spelt_out([STDIN if word == "-" else word for word in arguments]))
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would be written, in vain and with a complaint, when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the outermost edge
        return report(error)
    return result if isinstance(result, int) else ExitCode.OK
