"""The command `promptwire`: the server, and the tools that talk to one.

Two programs under one name. `serve` and `health` are lean: the standard library's argument parser, and nothing that is not needed, since
a server's memory and a probe's start are counted. The rest is for people: cyclopts and rich, which take 12 MB and 0.2 s to import.
"""

import os
import pkgutil
import sys
from collections.abc import Callable, Sequence

from promptwire_server.cli.exits import ExitCode

# Found by name, like entry points, so that a server never loads the people's tool. The one exception to imports at the top.
_LEAN = {"serve": "promptwire_server.cli.serve:main", "health": "promptwire_server.cli.health:main"}
_TOOL = "promptwire_server.cli.tool:main"
_LEADING = ("--target", "--api-key", "--tls-ca")  # options that may stand before the command: `promptwire --target host:1 chat hi`


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. `arguments` are those after the program's name, by default this process's."""
    words = command_first(sys.argv[1:] if arguments is None else arguments)
    name = words[0] if words else ""
    if name == "serve":
        sys.modules["rich"] = None  # type: ignore[assignment] # structlog would load it, with Pygments: 4 MB for tracebacks never shown
    else:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's own log lines on standard error would stand among ours
    try:
        program: Callable[[Sequence[str]], int] = pkgutil.resolve_name(_LEAN.get(name, _TOOL))
        return program(words)
    except KeyboardInterrupt:  # also while modules are imported
        return ExitCode.INTERRUPTED


def command_first(arguments: Sequence[str]) -> list[str]:
    """The arguments with what stands before the command put behind it."""
    words = list(arguments)
    leading = 0
    while leading < len(words) and words[leading].partition("=")[0] in _LEADING:
        leading += 1 if "=" in words[leading] else 2
    return [*words[leading : leading + 1], *words[:leading], *words[leading + 1 :]] if leading < len(words) else words
