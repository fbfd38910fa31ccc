"""What is wrong with a configuration: every fault at once, each with its key path and where the value came from."""

from collections.abc import Sequence
from dataclasses import dataclass

from promptwire_server.config.settings import KeyPath, Origin


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong."""

    path: KeyPath  # empty: the configuration as a whole
    message: str  # what is wrong and what to do; never a value that may be secret
    origin: Origin | None = None
    harmless: bool = False  # without the key, the rest can still be judged

    def __str__(self) -> str:
        key = f"{dotted(self.path)}: " if self.path else ""
        return f"{key}{self.message}" + (f" ({self.origin})" if self.origin else "")


class ConfigError(Exception):
    """The configuration cannot be used. Its text has one line a fault."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def dotted(path: KeyPath) -> str:
    """A key path for people: ("auth", "api_keys", "0", "key") -> "auth.api_keys[0].key"."""
    text = ""
    for key in path:
        text += f"[{key}]" if key.isdigit() else f".{key}"
    return text.removeprefix(".")
