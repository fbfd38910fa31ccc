"""`promptwire config`: checks, shows and describes the server's configuration, without a server."""

import json
from typing import Annotated

from cyclopts import Parameter

from promptwire_server import config as configuration
from promptwire_server.cli.exits import ExitCode
from promptwire_server.cli.render import note, write
from promptwire_server.cli.settings import complain_of, load

File = Annotated[
    str | None, Parameter(name="--config", alias="-c", help="The file. Default: $PROMPTWIRE_CONFIG, else none: environment and defaults.")
]
Pairs = Annotated[tuple[str, ...], Parameter(name="--set", help="key.path=value, which wins over the file; may be repeated.")]


def check(file: File = None, *, pairs: Pairs = ()) -> int:
    """Find every fault of a configuration at once, each with its key and where it stands. Exit code 2 when there is one."""
    settings = _loaded(file, pairs)
    if settings is None:
        return ExitCode.USAGE
    for notice in settings.notices:
        note(f"note: {notice}")
    write(f"{settings.path or 'environment and defaults'}: good\n")
    return ExitCode.OK


def show(file: File = None, *, pairs: Pairs = ()) -> int:
    """Print the configuration in effect as YAML: every key with its value and where it came from. Secrets are masked."""
    settings = _loaded(file, pairs)
    if settings is None:
        return ExitCode.USAGE
    write(configuration.dump(settings))
    return ExitCode.OK


def schema() -> int:
    """Print the JSON Schema of the file, for editors: every key with its meaning and an example."""
    write(json.dumps(configuration.json_schema(), indent=2, ensure_ascii=False) + "\n")
    return ExitCode.OK


def _loaded(file: str | None, pairs: tuple[str, ...]) -> configuration.Settings | None:
    """The settings; None when there are faults, which were told."""
    try:
        return load(file, {}, pairs)
    except configuration.ConfigError as error:
        complain_of(error)
        return None
