"""Checks of single fields: each adds what is wrong to a list of violations."""

from collections.abc import Callable, Collection, Iterable, Mapping
from math import isfinite
from typing import Protocol

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration

from promptwire_server.core import json_text
from promptwire_server.core.errors import Violation

Check = Callable[..., None]  # takes the field's value, its path, and the list to add violations to
Found = list[Violation]

_MAX_LABELS = 16
_MAX_LABEL_CHARS = 64
_MAX_MODEL_CHARS = 256


class _Message(Protocol):
    def ListFields(self) -> Iterable[tuple[FieldDescriptor, object]]: ...  # noqa: N802 - protobuf's name


def check_fields(message: _Message, checks: Mapping[str, Check], prefix: str, found: Found) -> None:
    """Run the checks of those fields that are set. `prefix` is empty or ends with a dot."""
    for field, value in message.ListFields():
        check = checks.get(field.name)
        if check is not None:
            check(value, f"{prefix}{field.name}", found)


def at_most(limit: int) -> Check:
    """A text, or a list, of at most so many characters or items."""

    def check(value: Collection[object], path: str, found: Found) -> None:
        if len(value) > limit:
            unit = "characters" if isinstance(value, str) else "items"
            found.append(Violation(path, f"has {len(value)} {unit}; at most {limit} are allowed"))

    return check


def between(low: float, high: float) -> Check:
    """A number in a closed range."""

    def check(value: float, path: str, found: Found) -> None:
        if not low <= value <= high:  # so written, NaN fails too
            found.append(Violation(path, f"is {_shown(value)}; it must be from {low} to {high}"))

    return check


def above(low: float, high: float) -> Check:
    """A number over `low`, and at most `high`."""

    def check(value: float, path: str, found: Found) -> None:
        if not low < value <= high:
            found.append(Violation(path, f"is {_shown(value)}; it must be above {low} and at most {high}"))

    return check


def at_least(low: int) -> Check:
    """A whole number with a lower bound."""

    def check(value: int, path: str, found: Found) -> None:
        if value < low:
            found.append(Violation(path, f"is {value}; it must be {low} or more"))

    return check


def known(values: Iterable[int], *, allow_zero: bool = True) -> Check:
    """An enum whose number this server knows: a client of a newer contract must not be misread."""
    numbers = frozenset(values) - (frozenset() if allow_zero else {0})

    def check(value: int, path: str, found: Found) -> None:
        if value not in numbers:
            found.append(Violation(path, f"{value} is no value that this server knows; use one of the contract's names"))

    return check


def each(check_one: Check) -> Check:
    """A list, item by item."""

    def check(values: Iterable[object], path: str, found: Found) -> None:
        for index, value in enumerate(values):
            check_one(value, f"{path}[{index}]", found)

    return check


def all_of(*checks: Check) -> Check:
    """Several checks of one field."""

    def check(value: object, path: str, found: Found) -> None:
        for one in checks:
            one(value, path, found)

    return check


def not_empty(value: Collection[object], path: str, found: Found) -> None:
    """A text, or a list, with something in it."""
    if not value:
        found.append(Violation(path, "is empty; fill it in or leave it out"))


def json_object(value: str, path: str, found: Found) -> None:
    """A text that is a JSON object."""
    try:
        json_text.parse_object(value)
    except json_text.NotJson as error:
        found.append(Violation(path, str(error)))


def positive(value: Duration, path: str, found: Found) -> None:
    """A time longer than nothing."""
    if value.seconds < 0 or value.nanos < 0 or not (value.seconds or value.nanos):
        found.append(Violation(path, 'must be longer than nothing, e.g. "30s"'))


def printable(value: str, path: str, found: Found) -> None:
    """A text without control characters, as it is shown in logs and terminals."""
    if not value.isprintable():
        found.append(Violation(path, "has characters that do not print; use letters, digits, - and _"))


def model_name(value: str, path: str, found: Found) -> None:
    """The name of a model or alias: it goes into logs, metrics and vendors' paths."""
    if len(value) > _MAX_MODEL_CHARS:
        found.append(Violation(path, f"has {len(value)} characters; a model's name has at most {_MAX_MODEL_CHARS}"))
    elif not value.isprintable():
        found.append(Violation(path, "has characters that do not print; ListModels has the names of all models"))


def labels(value: Mapping[str, str], path: str, found: Found) -> None:
    """Labels for cost attribution."""
    if len(value) > _MAX_LABELS:
        found.append(Violation(path, f"has {len(value)} labels; at most {_MAX_LABELS} are allowed"))
        return
    for key, text in value.items():
        if not key or len(key) > _MAX_LABEL_CHARS or len(text) > _MAX_LABEL_CHARS:
            found.append(
                Violation(
                    f"{path}.{key[:_MAX_LABEL_CHARS]}",
                    f"key and value of a label have at most {_MAX_LABEL_CHARS} characters, a key at least one",
                )
            )


def _shown(value: float) -> str:
    return f"{value:g}" if isfinite(value) else "not a finite number"
