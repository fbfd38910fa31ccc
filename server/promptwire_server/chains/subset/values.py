"""The values of the language: JSON's, with the operations on them that need a bound or a check of types."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final, Literal

from promptwire_server.chains.subset.fault import Trouble
from promptwire_server.chains.subset.frame import Frame

# Exact far beyond 2**53, and small enough that no single operation is ever felt.
NUMBER_BITS: Final = 1024
JSON_DEPTH: Final = 64


class _Missing(Enum):
    MISSING = "missing"


MISSING: Final = _Missing.MISSING

Number = int | float


def kind(value: object) -> str:
    """What a person would call the type of the value; used in messages."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list | tuple):
        return "a list"
    return "an object" if isinstance(value, Mapping) else "a value of an unknown type"


def item(value: object, key: object) -> object:
    """The item of a list or text, or the member of an object; MISSING where there is none. Never an attribute."""
    if isinstance(value, dict | Mapping):
        return value.get(key, MISSING) if isinstance(key, str) else MISSING
    if isinstance(value, list | tuple | str) and isinstance(key, int) and not isinstance(key, bool):
        return value[key] if -len(value) <= key < len(value) else MISSING
    return MISSING


def need_text(frame: Frame, value: object, user: str) -> str:
    """A text that is short enough to be taken apart."""
    if not isinstance(value, str):
        raise Trouble("type", f"{user} works on text, not on {kind(value)}")
    frame.fit(len(value))
    return value


def need_items(frame: Frame, value: object, user: str) -> Sequence[object]:
    """A list as it is, or the keys of an object. Walking it is paid for here, at one unit an item."""
    if isinstance(value, list | tuple):
        frame.spend(len(value))
        return value
    if isinstance(value, Mapping):
        frame.fit_items(len(value))
        return list(value)
    advice = ": split text with lines or split(',') first" if isinstance(value, str) else ""
    raise Trouble("type", f"{user} works on lists, not on {kind(value)}{advice}")


def need_number(value: object, user: str) -> Number:
    if isinstance(value, bool) or not isinstance(value, int | float):
        advice = ": join texts with ~" if user == "+" and isinstance(value, str) else ""
        raise Trouble("type", f"{user} works on numbers, not on {kind(value)}{advice}")
    return bounded(value)


def need_count(value: object, user: str, most: int) -> int:
    """An argument that is a whole number from 0 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise Trouble("type", f"{user} is a whole number from 0 to {most}")
    return value


def bounded(number: Number) -> Number:
    if isinstance(number, int):
        if number.bit_length() > NUMBER_BITS:
            raise Trouble("limit", f"a number of more than {NUMBER_BITS} bits is too large")
    elif not math.isfinite(number):
        raise Trouble("limit", "a number is too large, or is none")
    return number


def calculate(symbol: str, operation: Callable[[Number, Number], Number], left: object, right: object) -> Number:
    first, second = need_number(left, symbol), need_number(right, symbol)
    try:
        return bounded(operation(first, second))
    except ZeroDivisionError:
        raise Trouble("type", f"{symbol} by zero") from None
    except OverflowError:
        raise Trouble("limit", f"the result of {symbol} is too large") from None


def to_text(frame: Frame, value: object) -> str:
    """The value as it appears in a prompt: text as it is, nothing as no text, all else as compact JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return (int if isinstance(value, int) else float).__repr__(bounded(value))
    return to_json(frame, value, 0)


def to_json(frame: Frame, value: object, indent: int) -> str:
    """JSON text in the order of the keys, with only the escapes that JSON demands."""
    _check_json(frame, value, indent)
    return frame.keep((_INDENTED[indent] if indent else _COMPACT).encode(value))


def _plain(value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError  # unreachable: _check_json has seen every value


# Cycles are excluded by the bound on depth.
_COMPACT: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), default=_plain
)
INDENT_MOST: Final = 8
_INDENTED: Final = tuple(
    json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, indent=width, default=_plain)
    for width in range(INDENT_MOST + 1)
)


def _check_json(frame: Frame, value: object, indent: int) -> None:
    """Refuse before encoding what is no JSON, or too much of it; without recursion, as depth is the sender's choice."""
    # The encoder for indented text is written in Python, and about eight times slower.
    item_cost = 16 if indent else 2
    chars = 0
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        current, depth = waiting.pop()
        frame.spend(item_cost)
        chars += 2 + depth * indent + _json_chars(frame, current)
        frame.fit(chars)
        inner = _json_items(frame, current)
        if inner and depth >= JSON_DEPTH:
            raise Trouble("limit", f"a value is nested more than {JSON_DEPTH} levels deep")
        waiting.extend((child, depth + 1) for child in inner)
    frame.spend(chars >> 4)


def _json_items(frame: Frame, value: object) -> Sequence[object]:
    if isinstance(value, Mapping):
        frame.fit_items(2 * len(value))
        if not all(isinstance(key, str) for key in value):
            raise Trouble("type", "an object has a key that is no text")
        return [*value.values(), *value]
    if isinstance(value, list | tuple):
        frame.fit_items(len(value))
        return value
    return ()


def _json_chars(frame: Frame, value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, int | float):
        bounded(value)
    elif value is not None and not isinstance(value, list | tuple | Mapping):
        raise Trouble("type", f"{kind(value)} cannot be written as text")
    return 2


def equal(frame: Frame, left: object, right: object) -> bool:
    """Equality as in JSON: 1 equals 1.0 but not true; lists and objects by their content, without recursion."""
    waiting = [(left, right)]
    while waiting:
        first, second = waiting.pop()
        frame.spend(3)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            frame.spend(len(first))
            if len(first) != len(second) or any(key not in second for key in first):
                return False
            waiting.extend((first[key], second[key]) for key in first)
        elif isinstance(first, list | tuple) and isinstance(second, list | tuple):
            frame.spend(len(first))
            if len(first) != len(second):
                return False
            waiting.extend(zip(first, second, strict=True))
        elif not _same_scalar(frame, first, second):
            return False
    return True


def _same_scalar(frame: Frame, left: object, right: object) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        frame.spend(min(len(left), len(right)) >> 10)
        return left == right
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    return isinstance(left, int | float) and isinstance(right, int | float) and left == right


Order = Literal["<", "<=", ">", ">="]


def ordered(frame: Frame, symbol: Order, left: object, right: object) -> bool:
    """Order of two numbers, or of two texts by code point."""
    if isinstance(left, str) and isinstance(right, str):
        frame.spend(min(len(left), len(right)) >> 6)
        return _ordered(symbol, (left > right) - (left < right))
    both = kind(left) == kind(right) == "a number"
    if not both:
        raise Trouble("type", f"{symbol} compares two numbers or two texts, not {kind(left)} with {kind(right)}")
    first, second = need_number(left, symbol), need_number(right, symbol)
    return _ordered(symbol, (first > second) - (first < second))


def _ordered(symbol: Order, sign: int) -> bool:
    match symbol:
        case "<":
            return sign < 0
        case "<=":
            return sign <= 0
        case ">":
            return sign > 0
        case ">=":
            return sign >= 0


def contains(frame: Frame, container: object, sought: object) -> bool:
    """`sought in container`: part of a text, item of a list, key of an object."""
    if isinstance(container, str):
        if not isinstance(sought, str):
            raise Trouble("type", f"in looks for text in text, not for {kind(sought)}")
        frame.spend(scan_cost(len(container), len(sought)))
        return sought in container
    if isinstance(container, Mapping):
        return isinstance(sought, str) and sought in container
    items = need_items(frame, container, "in")
    return any(equal(frame, entry, sought) for entry in items)


def scan_cost(chars: int, sought_chars: int) -> int:
    """The most that CPython's substring search can take, in units of fuel.

    Measured on 3.11: linear at 5 ns a character for long texts; for short ones the plain algorithm is used, at 0.2 ns
    for each pair of characters.
    """
    plain = chars < 2_500 or (chars < 30_000 and sought_chars < 100)
    return (chars * sought_chars >> 9) + 1 if plain else chars >> 5
