"""The server's settings from the command line: a file, the environment, and flags as overrides."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from promptwire_server import config
from promptwire_server.cli.exits import CommandError, complain
from promptwire_server.config.file import is_path, unset_or
from promptwire_server.config.tree import Raw
from promptwire_server.providers.vendors import VENDORS

Flags = Mapping[str, str | bool | None]  # by dotted key path; None was not given


def load(path: str | None, flags: Flags, pairs: Iterable[str]) -> config.Settings:
    """The settings; `pairs` are "key.path=value"; the flags win over them. Raises CommandError, and ConfigError with every fault."""
    given = {key: value for key, value in flags.items() if value is not None}
    # The one place besides the configuration that touches the environment, and only to hand it on.
    return config.load(path, os.environ, {**overrides_of(pairs), **given}, vendors=VENDORS)


def overrides_of(pairs: Iterable[str]) -> dict[str, Raw]:
    """Values by dotted key path. Lists and mappings are written as YAML or JSON. Raises CommandError."""
    overrides: dict[str, Raw] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not all(key.split(".")):
            raise CommandError(
                f"--set {pair.partition('=')[0]!r} is no setting", "write --set key.path=value, as in --set logs.level=debug"
            )
        overrides[key] = _value(key, text)
    return overrides


def complain_of(error: config.ConfigError) -> None:
    """Say every fault of a configuration, a line each."""
    lines = [f"  {fault}" for fault in error.faults]
    complain("\n".join(["the configuration cannot be used:", *lines]), "`promptwire config schema` has every key with its meaning")


def _value(key: str, text: str) -> Raw:
    if text.lstrip().startswith(("[", "{")):
        try:
            value: Raw = yaml.safe_load(text)
        except yaml.YAMLError:
            raise CommandError(f"--set {key}: begins like a list or mapping but is none", "write it as YAML or JSON") from None
        return value
    if is_path(tuple(key.split("."))) and unset_or(text):
        return str(Path(text).expanduser().absolute())
    return unset_or(text)
