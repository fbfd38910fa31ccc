"""`${VAR}` and `${VAR:-default}` in the texts of the file."""

import re
from collections.abc import Mapping

# "$${" stands for a "${" that is meant.
_REFERENCE = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?")


def expanded(text: str, environ: Mapping[str, str]) -> str:
    """The text with its references replaced. An empty variable counts as unset. Raises ValueError for one that is unset without default."""
    return _REFERENCE.sub(lambda found: _value(found, environ), text)


def _value(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found[0] == "$${":
        return "${"
    name = found["name"]
    if name is None:
        raise ValueError('has a "${" that names no variable; write ${NAME} or ${NAME:-default}, or $${ for the characters themselves')
    value = environ.get(name) or found["default"]
    if value is None:
        raise ValueError(f"refers to ${{{name}}}, which is not set; set it, or write ${{{name}:-default}}")
    return value
