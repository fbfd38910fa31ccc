"""Settings from environment variables (`PROMPTWIRE_SERVER__LISTEN`) and from a directory of secret files with such names."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from promptwire_server.config.fault import Fault
from promptwire_server.config.file import is_path, unset_or
from promptwire_server.config.reference import FileText
from promptwire_server.config.settings import KeyPath, Origin
from promptwire_server.config.tree import Raw, Tree

PREFIX = "PROMPTWIRE_"
CONFIG = "PROMPTWIRE_CONFIG"  # the path of the file, when no argument gives it
_SEPARATOR = "__"
_MAX_SECRET_BYTES = 64 << 10
# What Kubernetes puts into every container beside a Service that is called "promptwire", or "promptwire-server" and the like.
_SERVICE_LINK = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting from outside the file."""

    path: KeyPath
    value: Raw
    origin: Origin


def from_environment(environ: Mapping[str, str], top_keys: Iterable[str], tree: Tree) -> tuple[list[Variable], list[str]]:
    """The settings, and notices about variables that are none. Faults go to the tree."""
    singles = {f"{PREFIX}{key.upper()}" for key in top_keys}
    variables: list[Variable] = []
    strays: list[str] = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name == CONFIG:
            continue
        if _SEPARATOR in name or name in singles:
            variables += _variable(name, environ[name], Origin("environment", name), tree)
        elif not _SERVICE_LINK.fullmatch(name):
            strays.append(name)
    return variables, strays


def from_directory(directory: Path, vendor_names: Iterable[str], tree: Tree) -> tuple[list[Variable], dict[str, str]]:
    """The settings whose file names are key paths, and the vendors' usual variables by name. Other files are left alone."""
    wanted = frozenset(vendor_names)
    variables: list[Variable] = []
    vendor: dict[str, str] = {}
    for file in _files(directory, tree):
        if file.name not in wanted and _SEPARATOR not in file.name.strip("_"):
            continue
        origin = Origin("secret file", str(file))
        try:
            text = FileText.of(read_secret(file), str(file))
        except ValueError as error:
            tree.faults.append(Fault((), str(error), origin))
            continue
        if file.name in wanted:
            vendor[file.name] = text
        else:
            variables += _variable(f"{PREFIX}{file.name.upper().removeprefix(PREFIX)}", text, origin, tree)
    return variables, vendor


_OF_THE_CLIENT = frozenset({"PROMPTWIRE_TARGET", "PROMPTWIRE_API_KEY", "PROMPTWIRE_TLS_CA"})  # `promptwire chat` and its kind read them


def judge_strays(strays: Iterable[str], known: Iterable[str], tree: Tree) -> list[str]:
    """A variable that is nearly a setting's is a fault; any other may be somebody else's (the client's), and is only mentioned."""
    names = list(known)
    notices = []
    for stray in sorted(set(strays) - _OF_THE_CLIENT):
        near = difflib.get_close_matches(stray.replace("_", ""), [name.replace("_", "") for name in names], n=1, cutoff=0.88)
        if near:
            meant = next(name for name in names if name.replace("_", "") == near[0])
            tree.faults.append(Fault((), f"{stray} names no setting; did you mean {meant}?", Origin("environment", stray)))
        else:
            notices.append(f"{stray} is set but names no setting of the server; nested keys are joined by two underscores")
    return notices


def read_secret(file: Path) -> str:
    """The text of a secret file, without white space around it. Raises ValueError that says what is wrong."""
    try:
        with file.open("rb") as stream:
            text = stream.read(_MAX_SECRET_BYTES).decode().strip()
    except OSError as error:
        raise ValueError(f"cannot read {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 text") from error
    if not text:
        raise ValueError(f"{file} is empty")
    return text


def _files(directory: Path, tree: Tree) -> list[Path]:
    try:
        return sorted(entry for entry in directory.iterdir() if not entry.name.startswith(".") and entry.is_file())
    except OSError as error:
        tree.faults.append(Fault(("secrets_dir",), f"cannot read {directory}: {error.strerror}", tree.origin(("secrets_dir",))))
        return []


def _variable(name: str, text: str, origin: Origin, tree: Tree) -> list[Variable]:
    path = tuple(name.removeprefix(PREFIX).lower().split(_SEPARATOR))
    if not all(path):
        tree.faults.append(
            Fault((), f"{name} names no setting: its keys are joined by two underscores, as in {PREFIX}SERVER__LISTEN", origin)
        )
        return []
    try:
        value = _parsed(text)
    except yaml.YAMLError:
        tree.faults.append(Fault(path, "begins like a list or mapping but is none; write it as YAML or JSON", origin))
        return []
    if isinstance(value, str) and is_path(path):
        value = str(Path(value).expanduser().absolute())
    return [Variable(path, value, origin)]


def _parsed(text: str) -> Raw:
    """Lists and mappings are written as YAML or JSON; anything else is taken as it stands, so that a key of digits stays a text."""
    if text.lstrip().startswith(("[", "{")):
        value: Raw = yaml.safe_load(text)
        return value
    return unset_or(text)
