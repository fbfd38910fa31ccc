"""The tests of the language: what may stand after `is`, and be named in select and reject."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from promptwire_server.chains.subset.frame import Frame
from promptwire_server.chains.subset.operation import REQUIRED, Arguments, Operation
from promptwire_server.chains.subset.values import (
    Order,
    calculate,
    contains,
    equal,
    kind,
    need_text,
    ordered,
)


def _check(holds: Callable[[object], bool]) -> Operation:
    return Operation(lambda _frame, value, _: holds(value))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _remainder(value: object, divisor: object) -> object:
    return calculate("%", lambda left, right: left % right, value, divisor)


def _divisible(_frame: Frame, value: object, arguments: Arguments) -> bool:
    return _remainder(value, arguments[0]) == 0


def _startswith(frame: Frame, value: object, arguments: Arguments) -> bool:
    text, part = _two_texts(frame, value, arguments, "startswith")
    return text.startswith(part)


def _endswith(frame: Frame, value: object, arguments: Arguments) -> bool:
    text, part = _two_texts(frame, value, arguments, "endswith")
    return text.endswith(part)


def _two_texts(frame: Frame, value: object, arguments: Arguments, user: str) -> tuple[str, str]:
    part = need_text(frame, arguments[0], user)
    frame.spend(len(part) >> 10)
    # A long text is welcome: only as much of it is read as the part is long.
    return (value, part) if isinstance(value, str) else (need_text(frame, value, user), part)


def _lower(frame: Frame, value: object, _: Arguments) -> bool:
    text = need_text(frame, value, "lower")
    frame.spend(len(text) >> 3)
    return text.islower()


def _upper(frame: Frame, value: object, _: Arguments) -> bool:
    text = need_text(frame, value, "upper")
    frame.spend(len(text) >> 3)
    return text.isupper()


_OTHER: Final = (("other", REQUIRED),)


def _order(symbol: Order) -> Operation:
    return Operation(lambda frame, value, arguments: ordered(frame, symbol, value, arguments[0]), _OTHER)


_EQUAL: Final = Operation(lambda frame, value, arguments: equal(frame, value, arguments[0]), _OTHER)
_UNEQUAL: Final = Operation(lambda frame, value, arguments: not equal(frame, value, arguments[0]), _OTHER)

# `defined` and `undefined` are the compiler's: their operand may be absent.
TESTS: Final = {
    "==": _EQUAL,
    "boolean": _check(lambda value: isinstance(value, bool)),
    "divisibleby": Operation(_divisible, (("divisor", REQUIRED),)),
    "endswith": Operation(_endswith, (("part", REQUIRED),)),
    "eq": _EQUAL,
    "equalto": _EQUAL,
    "even": _check(lambda value: _remainder(value, 2) == 0),
    "false": _check(lambda value: value is False),
    "float": _check(lambda value: isinstance(value, float)),
    "ge": _order(">="),
    "gt": _order(">"),
    "in": Operation(lambda frame, value, arguments: contains(frame, arguments[0], value), (("container", REQUIRED),)),
    "integer": _check(lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "le": _order("<="),
    "list": _check(lambda value: isinstance(value, (list, tuple))),
    "lower": Operation(_lower),
    "lt": _order("<"),
    "mapping": _check(lambda value: isinstance(value, Mapping)),
    "ne": _UNEQUAL,
    "none": _check(lambda value: value is None),
    "number": _check(_is_number),
    "odd": _check(lambda value: _remainder(value, 2) == 1),
    "startswith": Operation(_startswith, (("part", REQUIRED),)),
    "string": _check(lambda value: kind(value) == "text"),
    "true": _check(lambda value: value is True),
    "upper": Operation(_upper),
}
