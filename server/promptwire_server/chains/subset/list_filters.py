"""Filters on lists and objects, and the way from and to JSON text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from promptwire_server.chains.subset.fault import Trouble
from promptwire_server.chains.subset.frame import Frame
from promptwire_server.chains.subset.jsontext import INDENT_MOST, to_json, to_text
from promptwire_server.chains.subset.operation import (
    REQUIRED,
    Arguments,
    Operation,
    attribute_keys,
    follow,
    members,
)
from promptwire_server.chains.subset.values import (
    MISSING,
    bounded,
    calculate,
    kind,
    need_count,
    need_items,
    need_text,
)

# [{"":0},{"":0},... makes up to 30 bytes of objects from each character.
_JSON_BYTES_PER_CHAR: Final = 32
_PAIR_BYTES: Final = 88
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def _length(_frame: Frame, value: object, _: Arguments) -> int:
    if isinstance(value, (str, list, tuple, Mapping)):
        return len(value)
    raise Trouble("type", f"length works on text, lists and objects, not on {kind(value)}")


def _first(frame: Frame, value: object, _: Arguments) -> object:
    return _end(frame, value, "first", 0)


def _last(frame: Frame, value: object, _: Arguments) -> object:
    return _end(frame, value, "last", -1)


def _end(frame: Frame, value: object, user: str, index: int) -> object:
    entries = value if isinstance(value, (str, list, tuple)) else need_items(frame, value, user)
    return entries[index] if entries else MISSING


def _list(frame: Frame, value: object, _: Arguments) -> list[object]:
    entries = need_items(frame, value, "list")
    frame.fit_items(len(entries))
    return list(entries)


def _items(frame: Frame, value: object, _: Arguments) -> list[object]:
    """Pairs of key and value, for `for key, value in ...`."""
    if not isinstance(value, Mapping):
        raise Trouble("type", f"items works on objects, not on {kind(value)}")
    frame.fit_items(len(value), _PAIR_BYTES)
    return [[key, member] for key, member in value.items()]


def _reverse(frame: Frame, value: object, _: Arguments) -> object:
    if isinstance(value, str):
        text = need_text(frame, value, "reverse")
        frame.spend(len(text) >> 5)
        return frame.keep(text[::-1])
    entries = need_items(frame, value, "reverse")
    frame.fit_items(len(entries))
    return list(reversed(entries))


def _join(frame: Frame, value: object, arguments: Arguments) -> str:
    separator = need_text(frame, arguments[0], "the separator of join")
    entries = members(frame, need_items(frame, value, "join"), arguments[1], "join")
    frame.fit_items(len(entries))
    frame.spend(2 * len(entries))
    texts: list[str] = []
    chars = len(separator) * max(0, len(entries) - 1)
    for entry in entries:
        texts.append(to_text(frame, entry))
        chars += len(texts[-1])
        frame.fit(chars)
    return frame.keep(separator.join(texts))


def _map(frame: Frame, value: object, arguments: Arguments) -> list[object]:
    """The member that `attribute` names of each item; only this form of Jinja's map."""
    attribute, default = arguments
    entries = need_items(frame, value, "map")
    if default is MISSING:
        return list(members(frame, entries, attribute, "map"))
    keys = attribute_keys(attribute)
    frame.fit_items(len(entries))
    frame.spend(len(entries) * len(keys) * 4)
    found = (follow(entry, keys) for entry in entries)
    return [default if member is MISSING else member for member in found]


def _keys(frame: Frame, entries: Sequence[object], user: str, *, exact: bool) -> tuple[list[str], list[float]]:
    """The keys to sort by: all texts, or all numbers; the other list stays empty."""
    frame.fit_items(len(entries))
    texts: list[str] = []
    numbers: list[float] = []
    for entry in entries:
        if isinstance(entry, str):
            texts.append(entry if exact else _folded(frame, entry))
        elif isinstance(entry, (int, float)) and not isinstance(entry, bool):
            numbers.append(bounded(entry))
        else:
            raise Trouble("type", f"{user} compares numbers or texts, not {kind(entry)}: name a key with attribute='...'")
    if texts and numbers:
        raise Trouble("type", f"{user} compares numbers or texts, and the list mixes them")
    _pay_for_comparisons(frame, len(entries), sum(map(len, texts)))
    return texts, numbers


def _folded(frame: Frame, text: str) -> str:
    frame.fit(len(text))
    frame.spend(len(text) >> (7 if text.isascii() else 3))
    return frame.keep(text.lower())


def _pay_for_comparisons(frame: Frame, count: int, chars: int) -> None:
    """For n log n comparisons, each as long as the shorter of its texts."""
    rounds = max(1, count.bit_length())
    frame.spend((count * rounds >> 1) + (chars * rounds >> 6))


def _order(frame: Frame, entries: Sequence[object], arguments: Arguments, user: str, *, reverse: bool) -> list[int]:
    """The places of the entries in their order; stable. `arguments`: case_sensitive, attribute."""
    keys = members(frame, entries, arguments[1], user)
    texts, numbers = _keys(frame, keys, user, exact=bool(arguments[0]))
    places = range(len(entries))
    return sorted(places, key=(texts or numbers).__getitem__, reverse=reverse)


def _sort(frame: Frame, value: object, arguments: Arguments) -> list[object]:
    entries = need_items(frame, value, "sort")
    order = _order(frame, entries, arguments[1:], "sort", reverse=bool(arguments[0]))
    frame.fit_items(len(entries))
    return [entries[place] for place in order]


def _min(frame: Frame, value: object, arguments: Arguments) -> object:
    return _extreme(frame, value, arguments, "min", reverse=False)


def _max(frame: Frame, value: object, arguments: Arguments) -> object:
    return _extreme(frame, value, arguments, "max", reverse=True)


def _extreme(frame: Frame, value: object, arguments: Arguments, user: str, *, reverse: bool) -> object:
    entries = need_items(frame, value, user)
    order = _order(frame, entries, arguments, user, reverse=reverse)
    return entries[order[0]] if order else MISSING


def _unique(frame: Frame, value: object, arguments: Arguments) -> list[object]:
    """The first of each; what is equal is decided on the JSON text.

    A set of the values themselves could be made quadratic by numbers that share a hash; text hashes are keyed.
    """
    entries = need_items(frame, value, "unique")
    keys = members(frame, entries, arguments[1], "unique")
    frame.fit_items(len(entries), _PAIR_BYTES)
    seen: dict[str, object] = {}
    for key, entry in zip(keys, entries, strict=True):
        frame.spend(15)
        seen.setdefault(_identity(frame, key, exact=bool(arguments[0])), entry)
    return list(seen.values())


def _identity(frame: Frame, key: object, *, exact: bool) -> str:
    if isinstance(key, str) and not exact:
        key = _folded(frame, key)
    elif isinstance(key, float) and key.is_integer():
        key = int(key)  # 1 and 1.0 are the same number
    return to_json(frame, key, 0)


def _sum(frame: Frame, value: object, arguments: Arguments) -> object:
    entries = members(frame, need_items(frame, value, "sum"), arguments[0], "sum")
    frame.spend(6 * len(entries))
    total: object = arguments[1]
    for entry in entries:
        total = calculate("sum", lambda left, right: left + right, total, entry)
    return total


def _tojson(frame: Frame, value: object, arguments: Arguments) -> str:
    indent = need_count(arguments[0] or 0, "the indent of tojson", INDENT_MOST)
    return to_json(frame, value, indent)


def _fromjson(frame: Frame, value: object, _: Arguments) -> object:
    text = need_text(frame, value, "fromjson")
    frame.spend(len(text) >> 1)
    frame.claim(_JSON_BYTES_PER_CHAR * len(text))
    try:
        parsed: object = json.loads(text, parse_constant=_refuse)
        if _SURROGATE.search(text):
            # Whole pairs have become one character by now; halves do not encode.
            json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Trouble("type", "the text given to fromjson is not valid JSON, or too deep") from None
    return parsed


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


_ORDERING: Final = (("case_sensitive", False), ("attribute", None))

LIST_FILTERS: Final = {
    "count": Operation(_length),
    "first": Operation(_first),
    "fromjson": Operation(_fromjson),
    "items": Operation(_items),
    "join": Operation(_join, (("separator", ""), ("attribute", None))),
    "last": Operation(_last),
    "length": Operation(_length),
    "list": Operation(_list),
    "map": Operation(_map, (("attribute", REQUIRED), ("default", MISSING))),
    "max": Operation(_max, _ORDERING),
    "min": Operation(_min, _ORDERING),
    "reverse": Operation(_reverse),
    "sort": Operation(_sort, (("reverse", False), *_ORDERING)),
    "sum": Operation(_sum, (("attribute", None), ("start", 0))),
    "tojson": Operation(_tojson, (("indent", None),)),
    "unique": Operation(_unique, _ORDERING),
}
