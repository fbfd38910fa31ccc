"""The YAML file as a Tree, with the line of every key; references to the environment are replaced, relative paths made absolute."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from promptwire_server.config.expand import expanded
from promptwire_server.config.fault import ConfigError, Fault
from promptwire_server.config.settings import KeyPath, Origin
from promptwire_server.config.tree import Raw, Tree

_MOST_NODES = 100_000  # with a few aliases of aliases, a short file could hold billions
_MAX_BYTES = 4 << 20  # a configuration of more is a mistake


def read_file(path: Path, environ: Mapping[str, str]) -> Tree:
    """The file's values. Raises ConfigError when it cannot be read or is no YAML; smaller faults are in the tree."""
    origin = Origin("file", str(path))
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([Fault((), f"cannot read the configuration file: {error.strerror or error}", origin)]) from error
    if len(data) > _MAX_BYTES:
        raise ConfigError([Fault((), f"the configuration file is larger than {_MAX_BYTES >> 20} MiB; is it the right one?", origin)])
    return _Reading(path, environ).read(data)


class _Reading:
    """One walk over the nodes of a YAML document."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self._path = path
        self._environ = environ
        self._tree = Tree()
        self._open: set[int] = set()  # nodes that hold the one being walked, for anchors that hold themselves
        self._loader = yaml.SafeLoader("")

    def read(self, data: bytes) -> Tree:
        try:
            root = yaml.compose(data, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            raise ConfigError([Fault((), f"is no YAML: {error.problem}", Origin("file", str(self._path), line))]) from error
        except RecursionError as error:
            raise ConfigError([Fault((), "is nested too deeply", Origin("file", str(self._path)))]) from error
        except yaml.YAMLError as error:
            raise ConfigError(
                [Fault((), "is no YAML: it has characters that YAML does not allow", Origin("file", str(self._path)))]
            ) from error
        if root is not None and _expanded_size(root, {}) > _MOST_NODES:
            raise ConfigError(
                [Fault((), f"has more than {_MOST_NODES} values once its aliases are expanded", Origin("file", str(self._path)))]
            )
        values = self._value(root, ()) if root is not None else {}
        if isinstance(values, dict):
            self._tree.values = values
        elif values is not None:
            self._fault((), root, "must hold keys such as `server:`, at the left margin")
        return self._tree

    def _value(self, node: yaml.Node, path: KeyPath) -> Raw:
        if id(node) in self._open:
            self._fault(path, node, "an anchor may not hold itself")
            return None
        self._open.add(id(node))
        try:
            self._tree.origins[path] = Origin("file", str(self._path), node.start_mark.line + 1)
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self._value(inner, (*path, str(position))) for position, inner in enumerate(node.value)]
            return self._scalar(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> Raw:
        self._refuse_duplicates(node, path)
        self._loader.flatten_mapping(node)  # "<<: *defaults"
        values: dict[str, Raw] = {}
        for key, inner in node.value:
            name = str(key.value)
            values[name] = self._value(inner, (*path, name))
        return values

    def _refuse_duplicates(self, node: yaml.MappingNode, path: KeyPath) -> None:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen and name != "<<":
                self._fault((*path, name), key, f"stands here twice; the first is on line {seen[name]}")
            seen.setdefault(name, line)

    def _scalar(self, node: yaml.Node, path: KeyPath) -> Raw:
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            return self._plain(node)
        try:
            text = expanded(node.value, self._environ)
        except ValueError as error:
            self._fault(path, node, str(error))
            return None
        value = unset_or(text) if text != node.value else text
        return str(self._path.parent.absolute() / Path(value).expanduser()) if value and is_path(path) else value

    def _plain(self, node: yaml.Node) -> Raw:
        if node.tag.endswith((":int", ":float", ":bool", ":null")):
            value: Raw = self._loader.construct_object(node)
            return value
        return str(node.value)  # dates and whatever else YAML sees in a plain text

    def _fault(self, path: KeyPath, node: yaml.Node | None, message: str) -> None:
        line = node.start_mark.line + 1 if node else 0
        self._tree.faults.append(Fault(path, message, Origin("file", str(self._path), line)))


def unset_or(text: str) -> str | None:
    """A text that came from a variable; empty, "null" and "~" mean that the key is unset."""
    return None if text.strip() in ("", "null", "~") else text


def is_path(path: KeyPath) -> bool:
    """Whether the key holds the path of a file or directory."""
    match path:
        case ("server", "tls", key) | ("auth", "api_keys", _, key) | ("providers", _, key) | (key,):
            return key.endswith(("_file", "_dir")) or key == "file"
        case ("secrets", _, key) | ("secrets", "vault", _, key):
            return key.endswith("_file")
        case _:
            return False


def _expanded_size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values there are with every alias written out; an anchor that holds itself counts once, and is refused later."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = 1
    children = [inner for pair in node.value for inner in pair] if isinstance(node, yaml.MappingNode) else node.value
    size = 1
    if not isinstance(node, yaml.ScalarNode):
        size += sum(_expanded_size(inner, known) for inner in children)
    known[id(node)] = size
    return size
