"""Errors as people want them: what is wrong, what to do, which request, and the exit code that it means."""

import difflib
import traceback
from collections.abc import Mapping, Sequence

from cyclopts import CycloptsError, UnknownCommandError
from rich.text import Text

from promptwire import ChainFileError, errors
from promptwire import v1 as pb
from promptwire_server.cli.exits import CommandError, ExitCode
from promptwire_server.cli.manual import PAGES
from promptwire_server.cli.render import error_console, printable, seconds_of, time_text

# The first class that fits decides. A hint of None is the client's own; others replace words that mean its Python methods.
_JUDGEMENTS: tuple[tuple[type[errors.PromptwireError], ExitCode, str | None], ...] = (
    (errors.InvalidTemplate, ExitCode.USAGE, "correct it; `promptwire validate FILE` shows every fault with its line"),
    (errors.InvalidRequest, ExitCode.USAGE, None),
    (errors.ContextTooLong, ExitCode.USAGE, None),
    (errors.TooLarge, ExitCode.USAGE, "send less"),
    (errors.NotFound, ExitCode.USAGE, "check the name; `promptwire models`, `admin providers` and `budget list` list what there is"),
    (errors.CapabilityMissing, ExitCode.USAGE, "name a model that can; `promptwire models` shows what each can do"),
    (errors.Disabled, ExitCode.FAILED, "`promptwire version` tells which server this is"),
    (errors.CredentialInvalid, ExitCode.DENIED, "give a valid key with --api-key, or set PROMPTWIRE_API_KEY"),
    (errors.PolicyDenied, ExitCode.DENIED, None),
    (errors.Blocked, ExitCode.DENIED, None),
    (errors.BudgetExhausted, ExitCode.LIMITED, None),
    (errors.RateLimited, ExitCode.LIMITED, "try again later"),
    (errors.UpstreamRateLimited, ExitCode.LIMITED, "try again later, or name another model with -m"),
    (errors.StreamInterrupted, ExitCode.FAILED, "what was printed is true, but not all; ask again"),
    (errors.UpstreamFailed, ExitCode.FAILED, "try again later, or name another model with -m"),
    (errors.Overloaded, ExitCode.UNREACHABLE, "try again later, or allow more time with --timeout"),
    (errors.Unavailable, ExitCode.UNREACHABLE, None),
    (errors.EventsCompacted, ExitCode.FAILED, "run it again"),
    (errors.DeadlineExceeded, ExitCode.DEADLINE, "allow more time with --timeout"),
)


def judge(error: errors.PromptwireError) -> tuple[ExitCode, str]:
    """The exit code and the hint of what a server (or the way to it) said."""
    for kind, code, hint in _JUDGEMENTS:
        if isinstance(error, kind):
            return code, error.hint if hint is None else hint
    return ExitCode.FAILED, error.hint


def report(error: BaseException) -> ExitCode:
    """Say on standard error what went wrong; the exit code that it means."""
    if isinstance(error, errors.PromptwireError):
        return _report_call(error)
    if isinstance(error, CommandError):
        return _say(error.message, error.hint, error.code)
    if isinstance(error, CycloptsError):
        return _say(_usage(error), f"`{_command(error)} --help` shows how it is used", ExitCode.USAGE)
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, OSError | UnicodeEncodeError):
        return _report_system(error)
    return _say(f"{type(error).__name__}: {error} (at {_place(error)})", "this is a bug of promptwire; please report it", ExitCode.FAILED)


def _report_system(error: OSError | UnicodeEncodeError) -> ExitCode:
    if isinstance(error, UnicodeEncodeError):
        return _say("an argument is not UTF-8 text", "convert it, or give it as a file", ExitCode.USAGE)
    name = f"{error.filename}: " if error.filename else ""
    return _say(f"{name}{error.strerror or error}", "", ExitCode.USAGE if error.filename else ExitCode.FAILED)


def _report_call(error: errors.PromptwireError) -> ExitCode:
    code, hint = judge(error)
    message = error.message
    if type(error) is errors.Unavailable and not error.reason:  # gRPC's own words, which begin with its inner parts
        message = f"cannot reach the server: {message.rpartition('last error: ')[2].removeprefix('UNKNOWN: ')}"
    if isinstance(error, ChainFileError):
        title = f"{error.source} has {len(error.faults)} faults:\n" if len(error.faults) > 1 else ""
        return _say(title + error.message, "correct the file; nothing was sent", code)
    more = [f"{item.field}: {item.message}" for item in error.violations[1:]]
    if error.retry_after_s:
        hint = f"{hint} (in {error.retry_after_s:g} s)"
    return _say("\n".join([message, *more, *_said_by_provider(error.metadata), *_tried(error.attempts)]), hint, code, error.request_id)


def _said_by_provider(facts: Mapping[str, str]) -> list[str]:
    """The vendor's own short words on the request, for who has to look them up: "openai says: unsupported_value, at temperature"."""
    code, param = facts.get("provider_code", ""), facts.get("provider_param", "")
    words = [word for word in (code, f"at {param}" if param else "") if word]
    return [f"{facts.get('provider') or 'the provider'} says: {', '.join(words)}"] if words else []


def _tried(attempts: Sequence[pb.Attempt]) -> list[str]:
    """A line for each attempt; none when there was one only, which the message is about."""
    return [_attempt_line(attempt) for attempt in attempts] if len(attempts) > 1 else []


def _attempt_line(attempt: pb.Attempt) -> str:
    """One attempt: "tried openai/gpt-4o-mini (first by priority): UPSTREAM_FAILED after 1.2 s: openai: it answered 503"."""
    because = f" ({attempt.chosen_because})" if attempt.chosen_because else ""
    said = f": {attempt.failure.message}" if attempt.failure.message else ""
    took = time_text(seconds_of(attempt.latency))
    return f"tried {attempt.provider}/{attempt.model}{because}: {errors.reason_of(attempt)} after {took}{said}"


def _say(message: str, hint: str, code: ExitCode, request_id: str = "") -> ExitCode:
    console = error_console()
    said = Text.assemble(("error: ", "bold red"), printable(message))
    if hint:
        said.append_text(Text.assemble("\n", ("hint: ", "bold"), printable(hint)))
    if request_id:
        said.append_text(Text.assemble("\n", ("request: ", "dim"), printable(request_id)))
    console.print(said, soft_wrap=True, highlight=False)
    return code


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('promptwire')[2].lstrip('/')}:{frames[-1].lineno}" if frames else "an unknown place"


def _command(error: CycloptsError) -> str:
    return " ".join(["promptwire", *(error.command_chain or ())])


def _usage(error: CycloptsError) -> str:
    """What is wrong with the arguments. The library's own words on an unknown command would import every command."""
    if isinstance(error, UnknownCommandError) and not error.command_chain and error.unused_tokens:
        word, names = error.unused_tokens[0], [page.name for page in PAGES]
        near = difflib.get_close_matches(word, names, n=1)
        return f"there is no command {word!r}; " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}")
    message = str(error)
    return message[:1].lower() + message[1:].rstrip(".")
