"""`promptwire serve`: the server process."""

from argparse import SUPPRESS, Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from promptwire_server import app, config, supervisor
from promptwire_server.cli.exits import CommandError, ExitCode, LeanParser, complain
from promptwire_server.cli.settings import complain_of, load

_DESCRIPTION = """\
Start the server and run it until Ctrl-C or SIGTERM; calls under way may then
end.

Without any file it listens on loopback, answers as the `echo` model, and asks
the vendors whose keys are in the environment (OPENAI_API_KEY and so on)."""

_EPILOG = """\
A flag wins over PROMPTWIRE_ variables, they over the file, and the file over
the defaults.

Examples:
  promptwire serve                             loopback, nothing configured
  OPENAI_API_KEY=... promptwire serve          the models of OpenAI too
  promptwire serve --config promptwire.yaml --workers 4
                                               four processes on one port
  promptwire serve --listen 127.0.0.1:6000 --log-level debug
  promptwire serve --set server.reflection=false \\
                   --set models.fast=openai/gpt-4o-mini
  promptwire config check promptwire.yaml      every fault, nothing started

Exit codes: 0 it ended as asked, 1 it failed, 2 the flags or the configuration
are wrong."""


def main(arguments: Sequence[str]) -> int:
    """Run the server; its exit code. `arguments` begin with "serve"."""
    parsed = _parser().parse_args(arguments[1:])
    try:
        return _serve(parsed, arguments)
    except config.ConfigError as error:
        complain_of(error)
        return ExitCode.USAGE
    except CommandError as error:
        complain(error.message, error.hint)
        return error.code


def _serve(parsed: Namespace, arguments: Sequence[str]) -> int:
    read = partial(load, parsed.config, _flags(parsed), parsed.set)
    settings = read()
    if settings.server.workers > 1 and parsed.worker_fd is None:
        return supervisor.run(settings, arguments)
    return app.run(settings, read, worker_fd=parsed.worker_fd)


def _flags(parsed: Namespace) -> dict[str, str | bool | None]:
    """The flags by the keys that they stand for."""
    return {
        "server.listen": parsed.listen,
        "server.workers": parsed.workers,
        "server.insecure_bind": parsed.danger_listen_without_auth_and_tls,
        "state_dir": str(Path(parsed.state_dir).expanduser().absolute()) if parsed.state_dir else None,
        "logs.level": parsed.log_level,
        "logs.format": parsed.log_format,
    }


def _parser() -> LeanParser:
    parser = LeanParser("serve", _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add("--config", metavar="FILE", help="configuration, YAML; default: $PROMPTWIRE_CONFIG, else none")
    add("--listen", metavar="ADDRESS", help='where the gRPC port is: "127.0.0.1:50051", "[::]:50051", "unix:/run/promptwire.sock"')
    add("--workers", metavar="N", help="processes that share the port; default: 1")
    add("--state-dir", metavar="DIRECTORY", help="where state is kept; default: ~/.local/state/promptwire")
    add("--log-level", metavar="LEVEL", help="debug, info, warning or error; default: info")
    add("--log-format", metavar="FORMAT", help="auto, json or pretty; default: auto, which is pretty on a terminal")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="any key of the configuration, by its path; may be repeated")
    add(
        "--danger-listen-without-auth-and-tls",
        action="store_const",
        const=True,
        help="let the port be reached from elsewhere though whoever reaches it can read prompts and spend money",
    )
    add("--worker-fd", type=int, help=SUPPRESS)  # the supervisor's line to one of its workers
    return parser
