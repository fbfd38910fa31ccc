"""What to write instead of the expressions of Jinja that are not part of the language."""

from __future__ import annotations

from typing import Final

from jinja2 import nodes

_CALLS: Final = {
    "endswith": "text is endswith('...')",
    "format": "'...' ~ value",
    "get": "object.key|default('...')",
    "items": "object|items",
    "join": "list|join(', ')",
    "keys": "'for key in object'",
    "lower": "text|lower",
    "lstrip": "text|trim",
    "range": "'for item in list' with loop.index",
    "replace": "text|replace('old', 'new')",
    "rstrip": "text|trim",
    "split": "text|split(',')",
    "splitlines": "text|lines",
    "startswith": "text is startswith('...')",
    "strip": "text|trim",
    "title": "text|title",
    "upper": "text|upper",
    "values": "'for key, value in object|items'",
}


def advice(node: nodes.Node) -> str:
    """Why the node is refused, and what is allowed in its place."""
    match node:
        case nodes.Call():
            name = _called(node.node)
            return f"calls are not allowed: use {_CALLS.get(name, 'a filter, such as topic|upper')}"
        case nodes.Pow():
            return "** is not allowed: numbers grow too fast; multiply with *"
        case nodes.Slice():
            return "a slice is written list[start:stop] and stands in brackets after a name"
    return f"{type(node).__name__} is not allowed in this language"


def _called(node: nodes.Node) -> str:
    if isinstance(node, nodes.Getattr):
        return str(node.attr)
    return str(node.name) if isinstance(node, nodes.Name) else ""


def text_operand(symbol: str) -> str:
    """What to write instead of arithmetic with text."""
    if symbol == "%":
        return "% with text is not allowed: join texts with ~"
    if symbol == "*":
        return "text and lists cannot be multiplied: * works on numbers"
    return f"{symbol} works on numbers: join texts with ~"
