"""The values of the language: JSON's, with the operations on them that need a bound or a check of types."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final, Literal

from promptwire_server.chains.subset.fault import Trouble
from promptwire_server.chains.subset.frame import Frame

# Exact far beyond 2**53, and small enough that no single operation is ever felt.
NUMBER_BITS: Final = 1024


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
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "an object" if isinstance(value, Mapping) else "a value of an unknown type"


def item(value: object, key: object) -> object:
    """The item of a list or text, or the member of an object; MISSING where there is none. Never an attribute."""
    # In the order of speed: to find out that something is no Mapping takes longer than all the rest.
    if isinstance(value, (list, tuple, str)):
        inside = isinstance(key, int) and not isinstance(key, bool) and -len(value) <= key < len(value)
        return value[key] if isinstance(key, int) and inside else MISSING
    if isinstance(value, (int, float)) or not isinstance(value, Mapping):
        return MISSING
    return value.get(key, MISSING) if isinstance(key, str) else MISSING


def need_text(frame: Frame, value: object, user: str) -> str:
    """A text that is short enough to be taken apart."""
    if not isinstance(value, str):
        raise Trouble("type", f"{user} works on text, not on {kind(value)}")
    frame.fit(len(value))
    return value


def need_items(frame: Frame, value: object, user: str) -> Sequence[object]:
    """A list as it is, or the keys of an object. Walking it is paid for here, at one unit an item."""
    if isinstance(value, (list, tuple)):
        frame.spend(len(value))
        return value
    if isinstance(value, Mapping):
        frame.fit_items(len(value))
        return list(value)
    advice = ": split text with lines or split(',') first" if isinstance(value, str) else ""
    raise Trouble("type", f"{user} works on lists, not on {kind(value)}{advice}")


def need_number(value: object, user: str) -> Number:
    """A number within bounds; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        advice = ": join texts with ~" if user == "+" and isinstance(value, str) else ""
        raise Trouble("type", f"{user} works on numbers, not on {kind(value)}{advice}")
    return bounded(value)


def need_unicode(text: str) -> None:
    """Refuse halves of surrogate pairs: no wire format takes them. Values come without, so no other text can have any."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Trouble("type", "this text holds half of a surrogate pair, which is no character") from None


def need_count(value: object, user: str, most: int) -> int:
    """An argument that is a whole number from 0 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise Trouble("type", f"{user} is a whole number from 0 to {most}")
    return value


def bounded(number: Number) -> Number:
    """Refuse numbers that are not finite, or so large that calculating takes noticeable time."""
    if isinstance(number, int):
        if number.bit_length() > NUMBER_BITS:
            raise Trouble("limit", f"a number of more than {NUMBER_BITS} bits is too large")
    elif not math.isfinite(number):
        raise Trouble("limit", "a number is too large to be finite")
    return number


def calculate(symbol: str, operation: Callable[[Number, Number], Number], left: object, right: object) -> Number:
    """Arithmetic on two numbers; whole numbers stay exact."""
    first, second = need_number(left, symbol), need_number(right, symbol)
    try:
        return bounded(operation(first, second))
    except ZeroDivisionError:
        raise Trouble("type", f"{symbol} by zero") from None
    except OverflowError:
        raise Trouble("limit", f"the result of {symbol} is too large") from None


# Pays for the memory of waiting pairs too.
_PAIR_COST: Final = 4


def equal(frame: Frame, left: object, right: object) -> bool:
    """Equality as in JSON: 1 equals 1.0 but not true; lists and objects by their content, without recursion."""
    if left is None or isinstance(left, (str, int, float)):
        return _same_scalar(frame, left, right)
    waiting = [(left, right)]
    while waiting:
        first, second = waiting.pop()
        frame.spend(_PAIR_COST)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            frame.spend(_PAIR_COST * len(first))
            if len(first) != len(second) or any(key not in second for key in first):
                return False
            waiting.extend((first[key], second[key]) for key in first)
        elif isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
            frame.spend(_PAIR_COST * len(first))
            if len(first) != len(second):
                return False
            waiting.extend(zip(first, second, strict=True))
        elif not _same_scalar(frame, first, second):
            return False
    return True


def _same_scalar(frame: Frame, left: object, right: object) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        frame.spend(2 + (min(len(left), len(right)) >> 10))
        return left == right
    frame.spend(2)
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    return isinstance(left, (int, float)) and isinstance(right, (int, float)) and left == right


def cut(frame: Frame, value: object, start: object, stop: object) -> object:
    """`value[start:stop]`; its length is known before it is built."""
    bounds = slice(_bound(start), _bound(stop))
    if isinstance(value, str):
        frame.fit(len(range(*bounds.indices(len(value)))))
        return frame.keep(value[bounds])
    if isinstance(value, (list, tuple)):
        frame.fit_items(len(range(*bounds.indices(len(value)))))
        return list(value[bounds])
    raise Trouble("type", f"a slice works on text and lists, not on {kind(value)}")


def _bound(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise Trouble("type", f"the bounds of a slice are whole numbers, not {kind(value)}")


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
    if isinstance(sought, str):
        # Python's own search agrees with `equal` on texts, and is ten times faster.
        frame.spend(len(items) * (1 + (len(sought) >> 10)))
        return sought in items
    frame.spend(2 * len(items))
    return any(equal(frame, entry, sought) for entry in items)


# The thresholds of Objects/stringlib/fastsearch.h.
_SHORT_CHARS: Final = 2_500
_MEDIUM_CHARS: Final = 30_000
_MEDIUM_SOUGHT_CHARS: Final = 100


def scan_cost(chars: int, sought_chars: int) -> int:
    """The most that CPython's substring search can take, in units of fuel.

    Measured on 3.11: linear at 5 ns a character for long texts; for short ones the plain algorithm is used, at 0.2 ns
    for each pair of characters.
    """
    plain = chars < _SHORT_CHARS or (chars < _MEDIUM_CHARS and sought_chars < _MEDIUM_SOUGHT_CHARS)
    return (chars * sought_chars >> 9) + 1 if plain else chars >> 5
