"""JSON Schemas of inputs: compiled once, applied with a bound on work, told without quoting the value."""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final, Protocol, cast

from jsonschema import FormatChecker, ValidationError
from jsonschema.validators import Draft202012Validator, extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from promptwire_server.chains.schemas import SchemaFault
from promptwire_server.core import json_text

_MOST_FAULTS: Final = 10
_MOST_SHOWN_CHARS: Final = 120
# One unit is one keyword applied to one value, 5 to 20 µs: a check never holds up everybody else for longer than a fifth of a second.
_FUEL: Final = 10_000
_TOO_MUCH_WORK: Final = "is too much work to check: use a simpler schema or a smaller value"

_Keyword = Callable[..., Iterator[ValidationError] | None]


class _Check(Protocol):
    """What a keyword sees of the check that it is part of."""

    format_checker: FormatChecker


class _TooMuchWork(Exception):
    """The fuel is used up."""


class _Fuel(FormatChecker):
    """What may still be spent. Poses as a format checker, since that is the one thing that travels down with every step of a check.

    Formats are thereby not asserted: in 2020-12 they are annotations.
    """

    def __init__(self) -> None:
        super().__init__(())
        self._left = _FUEL

    def spend(self, units: int) -> None:
        self._left -= units
        if self._left < 0:
            raise _TooMuchWork


def _metered(keyword: str, function: _Keyword) -> _Keyword:
    def apply(validator: _Check, value: object, instance: object, schema: object) -> Iterator[ValidationError] | None:
        size = len(instance) if isinstance(instance, (list, dict)) else 0
        fuel = cast(_Fuel, validator.format_checker)
        fuel.spend(1 + (size * size if keyword == "uniqueItems" else size) // 16)
        return function(validator, value, instance, schema)

    return apply


_METERED: Final = extend(  # type: ignore[no-untyped-call]  # the stubs leave it open
    Draft202012Validator, {name: _metered(name, function) for name, function in Draft202012Validator.VALIDATORS.items()}
)


class Schema:
    """One compiled JSON Schema. References resolve inside it only: nothing is ever fetched."""

    def __init__(self, text: str) -> None:
        """Raises SchemaFault. Takes up to 20 ms for each thousand characters: bound them."""
        self._schema = _parsed(text)
        faults = _faults(_METERED.META_SCHEMA, self._schema)
        if faults:
            raise SchemaFault(f"is no JSON Schema: {faults[0]}")

    def faults(self, value: object) -> list[str]:
        """What is wrong with the value, in words that do not quote it; empty when it fits."""
        return _faults(self._schema, value)


def _parsed(text: str) -> Mapping[str, object]:
    try:
        schema = json_text.parse_object(text)
    except json_text.NotJson as error:
        raise SchemaFault(str(error)) from None
    schema.pop("$schema", None)
    _refuse_unbounded(schema)
    return schema


def _refuse_unbounded(schema: object) -> None:
    """What would escape the bound on work: regular expressions, and a change of dialect, which changes the validator too."""
    waiting = [schema]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            # Python's regular expressions can take for ever on a short text, and nothing can stop them.
            if isinstance(current.get("pattern"), str) or isinstance(current.get("patternProperties"), dict):
                raise SchemaFault("has a pattern, and those are not available in this server version: use enum, or check in a step")
            if isinstance(current.get("$schema"), str):
                raise SchemaFault("has $schema inside; only the whole schema may name its dialect")
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)


def _faults(schema: Mapping[str, object], value: object) -> list[str]:
    validator = _METERED(schema, registry=Registry(), format_checker=_Fuel())
    try:
        return [_told(error) for error in islice(validator.iter_errors(value), _MOST_FAULTS)]
    except Unresolvable as error:
        return [f"cannot be checked: the schema refers to {error.ref!r}, which it does not define"]
    except (_TooMuchWork, RecursionError):
        return [_TOO_MUCH_WORK]


def _told(error: ValidationError) -> str:
    where = _place(error.absolute_path)
    expected = _shown(error.validator_value)
    match str(error.validator):
        case "type":
            rule = f"must be of type {expected}"
        case "required":
            rule = f"misses one of its required members {expected}"
        case "enum":
            rule = f"must be one of {expected}"
        case "additionalProperties" | "unevaluatedProperties":
            rule = "has a member that the schema does not allow"
        case "None":
            rule = "is not allowed here"
        case keyword:
            rule = f"does not satisfy {keyword} {expected}"
    return f"{where} {rule}" if where else rule


def _place(path: "Iterator[str | int] | object") -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in cast("Iterator[str | int]", path)]
    return "".join(parts).removeprefix(".")[:_MOST_SHOWN_CHARS]


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_SHOWN_CHARS else f"{text[:_MOST_SHOWN_CHARS]}…"
