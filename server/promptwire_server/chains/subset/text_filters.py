"""Filters on text and numbers. Each pays before it works, and knows the size of its result before it builds it."""

from __future__ import annotations

import math
import re
import sys
from typing import Final

from promptwire_server.chains.subset.fault import Trouble
from promptwire_server.chains.subset.frame import Frame
from promptwire_server.chains.subset.jsontext import to_text
from promptwire_server.chains.subset.operation import REQUIRED, Arguments, Operation
from promptwire_server.chains.subset.values import (
    MISSING,
    Number,
    bounded,
    kind,
    need_count,
    need_number,
    need_text,
    scan_cost,
)

_WORD: Final = re.compile(r"[^-\s({\[<]+")
_INDENT_MOST: Final = 100
_PRECISION_MOST: Final = 15
_CONVERSION_COST: Final = 20
# What a short text takes by itself, with the reference to it.
_TEXT_BYTES: Final = 80
# All numbers within bounds have fewer digits; int() is quadratic, and isfinite() takes no more than these.
_DIGITS_MOST: Final = 300


def _case_text(frame: Frame, value: object, user: str) -> str:
    text = need_text(frame, value, user)
    # 'ß'.upper() takes 50 ns a character, ASCII 1 ns.
    frame.spend(len(text) >> (7 if text.isascii() else 1))
    return text


def _lower(frame: Frame, value: object, _: Arguments) -> str:
    return frame.keep(_case_text(frame, value, "lower").lower())


def _upper(frame: Frame, value: object, _: Arguments) -> str:
    return frame.keep(_case_text(frame, value, "upper").upper())


def _capitalize(frame: Frame, value: object, _: Arguments) -> str:
    return frame.keep(_case_text(frame, value, "capitalize").capitalize())


def _title(frame: Frame, value: object, _: Arguments) -> str:
    """As in Jinja: "it's" becomes "It's", where Python's own title() gives "It'S"."""
    text = _case_text(frame, value, "title")
    frame.spend(2 * len(text))
    return frame.keep(_WORD.sub(lambda word: word[0][0].upper() + word[0][1:].lower(), text))


def _trim(frame: Frame, value: object, arguments: Arguments) -> str:
    text, chars = need_text(frame, value, "trim"), arguments[0]
    # Each character at the ends is compared with each of `chars`.
    frame.spend(len(text) >> 5)
    if chars is None:
        return frame.keep(text.strip())
    if not isinstance(chars, str) or len(chars) > _INDENT_MOST:
        raise Trouble("type", f"the argument of trim is text of at most {_INDENT_MOST} characters")
    frame.spend(len(text) * len(chars) >> 7)
    return frame.keep(text.strip(chars))


def _replace(frame: Frame, value: object, arguments: Arguments) -> str:
    text, old, new = (need_text(frame, part, "replace") for part in (value, *arguments))
    if not old:
        raise Trouble("type", "replace needs a text to look for that is not empty")
    frame.spend(2 * scan_cost(len(text), len(old)))
    found = text.count(old)
    frame.spend(found >> 2)
    frame.fit(len(text) + found * (len(new) - len(old)))
    return frame.keep(text.replace(old, new))


def _truncate(frame: Frame, value: object, arguments: Arguments) -> str:
    """At most `length` characters, the end mark included; Jinja's leeway of five more is 0 here."""
    if not isinstance(value, str):
        raise Trouble("type", f"truncate works on text, not on {kind(value)}")
    length = need_count(arguments[0], "the length of truncate", frame.limits.text_chars)
    end = need_text(frame, arguments[2], "the end of truncate")
    if len(value) <= length:
        return value
    head = frame.keep(value[: max(0, length - len(end))])
    if not arguments[1]:
        head = head.rsplit(" ", 1)[0]
    return frame.keep((head + end)[:length])


def _indent(frame: Frame, value: object, arguments: Arguments) -> str:
    text, (width, first, blank) = need_text(frame, value, "indent"), arguments
    pad = width if isinstance(width, str) else " " * need_count(width, "the width of indent", _INDENT_MOST)
    frame.spend(scan_cost(len(text), 1))
    count = text.count("\n") + 1
    frame.fit(len(text) + count * len(pad))
    lines = _split(frame, text, "\n")
    frame.claim(sys.getsizeof(text) + count * (len(pad) + _TEXT_BYTES))
    padded = [pad + line if line or blank else line for line in lines]
    if not first:
        padded[0] = lines[0]
    return frame.keep("\n".join(padded))


def _split(frame: Frame, text: str, separator: str) -> list[str]:
    frame.spend(2 * scan_cost(len(text), len(separator)))
    frame.fit_items(text.count(separator) + 1, _TEXT_BYTES)
    frame.claim(sys.getsizeof(text))
    return text.split(separator)


def _split_filter(frame: Frame, value: object, arguments: Arguments) -> list[str]:
    text, separator = need_text(frame, value, "split"), arguments[0]
    if separator is None:
        return _words(frame, text)
    separator = need_text(frame, separator, "the separator of split")
    if not separator:
        raise Trouble("type", "the separator of split is empty")
    return _split(frame, text, separator)


def _words(frame: Frame, text: str) -> list[str]:
    frame.spend(len(text) >> 3)
    frame.claim(sys.getsizeof(text))
    words = text.split(None, frame.limits.list_items)
    frame.fit_items(len(words), _TEXT_BYTES)
    return words


def _wordcount(frame: Frame, value: object, _: Arguments) -> int:
    return len(_words(frame, need_text(frame, value, "wordcount")))


def _lines(frame: Frame, value: object, _: Arguments) -> list[str]:
    """The lines without their ends, be they those of Unix or of Windows; an end of line at the end starts no new one."""
    lines = [line.removesuffix("\r") for line in _split(frame, need_text(frame, value, "lines"), "\n")]
    return lines if lines[-1] else lines[:-1]


_MARKUP: Final = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;"), ("'", "&#39;"))


def _escape(frame: Frame, value: object, _: Arguments) -> str:
    text = need_text(frame, to_text(frame, value), "escape")
    frame.spend(len(text) >> 4)
    frame.fit(len(text) + sum(text.count(char) * (len(mark) - 1) for char, mark in _MARKUP))
    for char, mark in _MARKUP:
        text = text.replace(char, mark)
    return frame.keep(text)


def _string(frame: Frame, value: object, _: Arguments) -> str:
    return to_text(frame, value)


def _int(frame: Frame, value: object, arguments: Arguments) -> object:
    return _converted(frame, value, "int", arguments[0])


def _float(frame: Frame, value: object, arguments: Arguments) -> object:
    return _converted(frame, value, "float", arguments[0])


def _converted(frame: Frame, value: object, user: str, default: object) -> object:
    """The number, or the default; Jinja's silent 0 for what is no number would end in a prompt unseen."""
    # A failure is the dear case.
    frame.spend(_CONVERSION_COST)
    try:
        return bounded(_number(value, user))
    except (ValueError, OverflowError):
        if default is not MISSING:
            return default
    raise Trouble("type", f"{user} cannot read {kind(value)} as a number here: give a default, as in {user}(0)")


def _number(value: object, user: str) -> Number:
    """As `int` and `float` read it; ValueError or OverflowError where that gives no finite number."""
    if not isinstance(value, (str, int, float)) or (isinstance(value, str) and len(value) > _DIGITS_MOST):
        raise ValueError(user)
    number = int(value) if user == "int" else float(value)
    if not math.isfinite(number):
        raise ValueError(user)
    return number


def _round(_frame: Frame, value: object, arguments: Arguments) -> Number:
    """A whole number for precision 0, where Jinja gives 4.0; halves go to the even neighbour, as in Python."""
    number = need_number(value, "round")
    precision = need_count(arguments[0], "the precision of round", _PRECISION_MOST)
    return bounded(round(number, precision) if precision else round(number))


def _abs(_frame: Frame, value: object, _: Arguments) -> Number:
    return abs(need_number(value, "abs"))


_NUMBER_DEFAULT: Final = (("default", MISSING),)

TEXT_FILTERS: Final = {
    "abs": Operation(_abs),
    "capitalize": Operation(_capitalize),
    "e": Operation(_escape),
    "escape": Operation(_escape),
    "float": Operation(_float, _NUMBER_DEFAULT),
    "indent": Operation(_indent, (("width", 4), ("first", False), ("blank", False))),
    "int": Operation(_int, _NUMBER_DEFAULT),
    "lines": Operation(_lines),
    "lower": Operation(_lower),
    "replace": Operation(_replace, (("old", REQUIRED), ("new", REQUIRED))),
    "round": Operation(_round, (("precision", 0),)),
    "split": Operation(_split_filter, (("separator", None),)),
    "string": Operation(_string),
    "title": Operation(_title),
    "trim": Operation(_trim, (("chars", None),)),
    "truncate": Operation(_truncate, (("length", 255), ("killwords", False), ("end", "..."))),
    "upper": Operation(_upper),
    "wordcount": Operation(_wordcount),
}
