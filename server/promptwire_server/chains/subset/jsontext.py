"""Values as JSON text, which is also how numbers, lists and objects appear in a prompt."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring
from typing import Final

from promptwire_server.chains.subset.fault import Trouble
from promptwire_server.chains.subset.frame import Frame
from promptwire_server.chains.subset.values import Number, bounded, kind

JSON_DEPTH: Final = 64
INDENT_MOST: Final = 8

# In units of fuel, as measured: the shortest exact text of a float is slow to find, and an encoder is built for each call.
_FLOAT_COST: Final = 8
_CONTAINER_COST: Final = 16
_CALL_COST: Final = 40
# The encoder for indented text is written in Python.
_INDENT_FACTOR: Final = 8
# Whole numbers up to here need no closer look.
_SMALL: Final = 2**63


def to_text(frame: Frame, value: object) -> str:
    """The value as it appears in a prompt: text as it is, nothing as no text, all else as compact JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else to_json(frame, value, 0)


def to_json(frame: Frame, value: object, indent: int) -> str:
    """JSON text in the order of the keys, with only the escapes that JSON demands."""
    if isinstance(value, (int, float)):
        return _number(frame, value)
    if isinstance(value, str):
        return _text(frame, value)
    if value is None:
        return "null"
    if not isinstance(value, (list, tuple, Mapping)):
        raise Trouble("type", f"{kind(value)} cannot be written as text")
    frame.spend(_CALL_COST)
    _check(frame, value, indent)
    return frame.keep(_encoded(value, indent))


def _number(frame: Frame, value: Number) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    bounded(value)
    frame.spend(_FLOAT_COST)
    return int.__repr__(value) if isinstance(value, int) else float.__repr__(value)


def _text(frame: Frame, value: str) -> str:
    frame.fit(len(value))
    frame.spend(len(value) >> 4)
    return frame.keep(encode_basestring(value))


def _plain(value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError  # unreachable: _check has seen every value


# Cycles are excluded by the bound on depth.
_COMPACT: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), default=_plain)
_INDENTED: Final = tuple(
    json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, indent=width, default=_plain)
    for width in range(INDENT_MOST + 1)
)


def _encoded(value: object, indent: int) -> str:
    try:
        return (_INDENTED[indent] if indent else _COMPACT).encode(value)
    except ValueError:
        raise Trouble("limit", "a list or object holds a number that is too large to be finite") from None


def _check(frame: Frame, value: object, indent: int) -> None:
    """Refuse before encoding what is no JSON, or too much of it; without recursion, as depth is the sender's choice."""
    factor = _INDENT_FACTOR if indent else 1
    chars = 0
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        container, depth = waiting.pop()
        if depth > JSON_DEPTH:
            raise Trouble("limit", f"a value is nested more than {JSON_DEPTH} levels deep")
        children = _children(frame, container, factor)
        chars += len(children) * (2 + depth * indent) + _scan(frame, children, waiting, depth + 1)
        frame.fit(chars)
    frame.spend(chars >> 4)


def _children(frame: Frame, container: object, factor: int) -> list[object] | tuple[object, ...]:
    if isinstance(container, (list, tuple)):
        frame.fit_items(len(container))
        frame.spend(factor * (_CONTAINER_COST + len(container)))
        return container
    if not isinstance(container, Mapping):
        return ()
    frame.fit_items(2 * len(container))
    frame.spend(factor * (_CONTAINER_COST + 2 * len(container)))
    if not all(isinstance(key, str) for key in container):
        raise Trouble("type", "an object has a key that is no text")
    return [*container, *container.values()]


def _scan(frame: Frame, children: Iterable[object], waiting: list[tuple[object, int]], depth: int) -> int:
    """The characters of the scalars, about; containers are put on the list of those that wait. The hot loop of this module."""
    chars = floats = 0
    for child in children:
        if isinstance(child, str):
            chars += len(child)
        elif isinstance(child, int):
            if not -_SMALL < child < _SMALL:
                bounded(child)
        elif isinstance(child, float):
            floats += 1
        elif isinstance(child, (list, tuple, Mapping)):
            waiting.append((child, depth))
        elif child is not None:
            raise Trouble("type", f"{kind(child)} cannot be written as text")
    frame.spend(floats * _FLOAT_COST)
    return chars + floats
