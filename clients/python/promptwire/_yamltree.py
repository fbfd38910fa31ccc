"""YAML text as a small tree with line numbers: bounded, nothing constructed, nothing guessed about types."""

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

# libyaml where the wheel has it: ten times as fast. Only its events are used, so neither loader constructs anything.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_TEXT_CHARS = 1 << 20  # of a file: a chain of 256 steps with long prompts stays far below
MAX_DEPTH = 64  # of nesting: protobuf itself stops at 100
MAX_WEIGHT = 4 << 20  # characters after aliases are expanded, so that a few lines cannot become gigabytes
NODE_WEIGHT = 64  # characters that a node without text counts as: 65,000 nodes at most, read in well under a second

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class YamlFault(Exception):
    """The text is not YAML that is accepted here; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text as written; `plain` when it stands without quotes."""

    text: str
    plain: bool
    line: int
    weight: int = 0

    @property
    def is_null(self) -> bool:
        """Nothing, `~` or `null` without quotes."""
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: "tuple[Node, ...]"
    line: int
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Pairs:
    """A mapping, in the order written; keys are checked by whoever reads it."""

    pairs: "tuple[tuple[Node, Node], ...]"
    line: int
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Wrong:
    """Stands where a short form was written that means nothing; whoever reads it reports it."""

    message: str
    line: int
    weight: int = 0


Node = Scalar | Items | Pairs | Wrong


def parse(text: str) -> Node:
    """The one document in a text. Raises YamlFault."""
    if len(text) > MAX_TEXT_CHARS:
        raise YamlFault(f"the text has {len(text)} characters, more than {MAX_TEXT_CHARS}; split it", 1)
    try:
        return _Composer(yaml.parse(text, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        last = max(1, len(text.splitlines()))  # what is missing at the end is marked behind it
        line = min(error.problem_mark.line + 1, last) if error.problem_mark else 1
        raise YamlFault(f"not valid YAML: {error.problem or error.context}{_hint(text, line)}", line) from None
    except yaml.YAMLError:
        raise YamlFault("not valid YAML: the text has control characters or is cut off", 1) from None


def looks_like_template(node: Node) -> bool:
    """Whether somebody wrote {{ x }} without quotes, which YAML reads as a mapping with a mapping for a key."""
    return isinstance(node, Pairs) and any(isinstance(key, Pairs) for key, _ in node.pairs)


def _hint(text: str, line: int) -> str:
    lines = text.splitlines()[max(0, line - 2) : line]
    return "; a value that begins with {{ must stand in quotes" if any(": {{" in each or "- {{" in each for each in lines) else ""


class _Composer:
    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, Node] = {}
        self._weight = 0

    def document(self) -> Node:
        next(self._events)  # the start of the stream
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return Scalar("", plain=True, line=1)
        node = self._node(next(self._events), 1)
        next(self._events)  # the end of the document
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise YamlFault("there is a second document (---); put each chain in a file of its own", _line(event))
        return node

    def _node(self, event: yaml.Event, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise YamlFault(f"nested deeper than {MAX_DEPTH} levels", _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event)
        if not isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent):
            raise YamlFault("not valid YAML", _line(event))
        if event.tag is not None:
            raise YamlFault(f"the tag {event.tag} is not taken here; write the value without it, texts in quotes", _line(event))
        node = self._content(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node  # only now: an alias inside its own anchor is unknown, so there are no cycles
        return node

    def _content(self, event: yaml.Event, depth: int) -> Node:
        line, before = _line(event), self._weight
        self._add(NODE_WEIGHT, line)
        if isinstance(event, yaml.ScalarEvent):
            self._add(len(event.value), line)
            return Scalar(event.value, plain=not event.style, line=line, weight=self._weight - before)
        if isinstance(event, yaml.SequenceStartEvent):
            items = tuple(self._until(yaml.SequenceEndEvent, depth))
            return Items(items, line, self._weight - before)
        nodes = tuple(self._until(yaml.MappingEndEvent, depth))
        return Pairs(tuple(zip(nodes[::2], nodes[1::2], strict=True)), line, self._weight - before)

    def _until(self, end: type[yaml.Event], depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), end):
            yield self._node(event, depth + 1)

    def _aliased(self, event: yaml.AliasEvent) -> Node:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            raise YamlFault(f"*{event.anchor} stands before or inside its anchor &{event.anchor}", _line(event))
        self._add(node.weight, _line(event))
        return node

    def _add(self, weight: int, line: int) -> None:
        self._weight += weight
        if self._weight > MAX_WEIGHT:
            raise YamlFault(f"larger than {MAX_WEIGHT} characters once its aliases are expanded", line)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
