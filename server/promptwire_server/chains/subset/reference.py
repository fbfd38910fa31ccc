"""Names, attributes and items: finding what they refer to, and saying why there is nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from jinja2 import nodes

from promptwire_server.chains.subset.binding import constant
from promptwire_server.chains.subset.fault import SUGGESTION_CHARS, TemplateError, shorten, suggestion
from promptwire_server.chains.subset.frame import Evaluate, Frame
from promptwire_server.chains.subset.values import MISSING, item, kind

Key = str | int
_KEYS_COMPARED: Final = 50
_ADVICE: Final = "; where it may be absent, use default('...') or 'is defined'"


@dataclass(frozen=True, slots=True)
class Lookup:
    """`find` may give MISSING; `explain` then says what is missing. Neither knows the line."""

    find: Evaluate
    explain: Callable[[Frame], str]


def required(lookup: Lookup, line: int) -> Evaluate:
    """The strict form of a lookup."""
    find = lookup.find

    def run(frame: Frame) -> object:
        value = find(frame)
        if value is MISSING:
            raise TemplateError("undefined", line, shorten(lookup.explain(frame) + _ADVICE))
        return value

    return run


def split_path(node: nodes.Expr) -> tuple[nodes.Expr, tuple[Key, ...]]:
    """`a.b[0]['c']` as its root `a` and the constant keys after it."""
    keys: list[Key] = []
    while isinstance(node, (nodes.Getattr, nodes.Getitem)):
        key = node.attr if isinstance(node, nodes.Getattr) else constant(node.arg)
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            break
        keys.append(key)
        node = node.node
    return node, tuple(reversed(keys))


def free_name(name: str) -> Lookup:
    """A name that the values must have."""

    def find(frame: Frame) -> object:
        return frame.values.get(name, MISSING)

    return Lookup(find, lambda frame: f"'{name}' is undefined{_near(name, frame.values)}")


def slot(number: int) -> Lookup:
    """A loop variable; inside its loop it is always there."""

    def find(frame: Frame) -> object:
        return frame.slots[number]

    return Lookup(find, lambda _: "this is undefined")


def walk(base: Lookup, keys: tuple[Key, ...], root: str) -> Lookup:
    """The members that the constant keys lead to, one after the other."""
    start = base.find

    def find(frame: Frame) -> object:
        value = start(frame)
        for key in keys:
            # Nearly always true, and then several times faster than `item`.
            value = value.get(key, MISSING) if type(value) is dict and type(key) is str else item(value, key)
        return value

    def explain(frame: Frame) -> str:
        value, path = start(frame), root
        if value is MISSING:
            return base.explain(frame)
        for key in keys:
            inner = item(value, key)
            if inner is MISSING:
                return f"'{_joined(root, keys)}' is undefined: '{path}' {_reason(value, key)}"
            value, path = inner, _joined(path, (key,))
        return f"'{path}' is undefined"

    return Lookup(find, explain)


def dynamic(base: Lookup, key: Evaluate, text: str) -> Lookup:
    """An item whose key is computed."""

    def find(frame: Frame) -> object:
        return item(base.find(frame), key(frame))

    def explain(frame: Frame) -> str:
        value = base.find(frame)
        return base.explain(frame) if value is MISSING else f"'{text}' is undefined: {kind(value)} has no such item"

    return Lookup(find, explain)


def describe(node: nodes.Node) -> str:
    """The expression as a person would point at it."""
    match node:
        case nodes.Name():
            return str(node.name)
        case nodes.Getattr() | nodes.Getitem():
            root, keys = split_path(node)
            return _joined(describe(root), keys) if keys else f"{describe(node.node)}[...]"
        case nodes.Filter() if node.node is not None:
            return f"{describe(node.node)}|{node.name}"
    return "(...)"


def _joined(root: str, keys: tuple[Key, ...]) -> str:
    parts = [f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]" for key in keys]
    return shorten(root + "".join(parts), 120)


def _reason(value: object, key: Key) -> str:
    if isinstance(value, Mapping) and isinstance(key, str):
        return f"has no '{shorten(key, 60)}'{_near(key, value)}"
    if isinstance(value, (list, tuple, str)) and isinstance(key, int):
        unit = "characters" if isinstance(value, str) else "items"
        return f"has {len(value)} {unit}"
    return f"is {kind(value)}"


def _near(key: str, values: Mapping[str, object]) -> str:
    known = [name for name in islice(values, _KEYS_COMPARED) if isinstance(name, str) and len(name) <= SUGGESTION_CHARS]
    return suggestion(key, known)
