"""Exit codes, and what is written to standard error before them: what is wrong, what to do, which request."""

import argparse
import sys
from enum import IntEnum
from typing import NoReturn

EXIT_CODES = """\
Exit codes:
  0    it worked
  1    it failed: the server, a provider or a chain
  2    wrong usage or input: the same again gives the same
  3    the server cannot be reached, or takes no calls now
  4    no credential, a bad one, or not allowed
  5    a rate limit or budget
  6    the time ran out
  130  interrupted (Ctrl-C)
  141  whoever read the output went away"""


class ExitCode(IntEnum):
    """How a command ended, for scripts; `EXIT_CODES` says it to people."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    DENIED = 4
    LIMITED = 5
    DEADLINE = 6
    INTERRUPTED = 130  # 128 + SIGINT, as shells have it
    BROKEN_PIPE = 141  # 128 + SIGPIPE


class CommandError(Exception):
    """A command cannot go on, for a reason found on this side of the wire."""

    def __init__(self, message: str, hint: str = "", code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


def complain(message: str, hint: str = "", request_id: str = "") -> None:
    """Say what is wrong, what to do and which request it was."""
    for label, text in (("error", message), ("hint", hint), ("request", request_id)):
        if text:
            print(f"{label}: {text}", file=sys.stderr, flush=True)


class LeanParser(argparse.ArgumentParser):
    """The standard library's parser with this program's way of saying what is wrong."""

    def __init__(self, command: str, description: str, epilog: str) -> None:
        form = argparse.RawDescriptionHelpFormatter
        super().__init__(prog=f"promptwire {command}", description=description, epilog=epilog, formatter_class=form, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Complain and leave."""
        complain(message, f"`{self.prog} --help` shows how it is used")
        raise SystemExit(ExitCode.USAGE)
