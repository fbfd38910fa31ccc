"""The shape of a filter or test: a function on a value and its arguments, with the names of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from promptwire_server.chains.subset.fault import Trouble
from promptwire_server.chains.subset.frame import Frame
from promptwire_server.chains.subset.values import MISSING, item


class _Required(Enum):
    REQUIRED = "required"


REQUIRED: Final = _Required.REQUIRED
ATTRIBUTE_CHARS: Final = 200

Arguments = tuple[object, ...]
Parameters = tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """`run` gets one argument for each parameter, in order, defaults filled in.

    A filter may return MISSING, as `first` does for an empty list: that is an undefined value like any other.
    """

    run: Callable[[Frame, object, Arguments], object]
    parameters: Parameters = ()


def attribute_keys(attribute: object) -> tuple[str | int, ...]:
    """The keys in an attribute argument such as 'author.name' or 'scores.0'."""
    if not isinstance(attribute, str):
        raise Trouble("type", "attribute is the name of a key, written as text")
    if len(attribute) > ATTRIBUTE_CHARS:
        raise Trouble("limit", f"attribute is longer than {ATTRIBUTE_CHARS} characters")
    return tuple(int(part) if part.isdecimal() else part for part in attribute.split("."))


def follow(value: object, keys: tuple[str | int, ...]) -> object:
    """The member at the end of the keys, or MISSING."""
    for key in keys:
        value = item(value, key)
    return value


def members(frame: Frame, items: Sequence[object], attribute: object, user: str) -> Sequence[object]:
    """What `attribute` names in each item, or the items themselves for None; undefined where one has no such member."""
    if attribute is None:
        return items
    keys = attribute_keys(attribute)
    frame.fit_items(len(items))
    frame.spend(len(items) * len(keys) * 4)
    found = [follow(entry, keys) for entry in items]
    for index, value in enumerate(found):
        if value is MISSING:
            raise Trouble("undefined", f"item {index} of the list given to {user} has no '{attribute}'")
    return found
