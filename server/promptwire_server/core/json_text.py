"""JSON that travels as text: read exactly, refused with its place."""

import json
from typing import NoReturn


class NotJson(ValueError):
    """The text is not JSON; the message says where, and never quotes it."""


def parse(text: str) -> object:
    """The value. Integers are exact; NaN and Infinity are no JSON. Raises NotJson."""
    try:
        value: object = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise NotJson(f"is not JSON (line {error.lineno}, column {error.colno}: {error.msg})") from None
    except RecursionError:
        raise NotJson("is nested too deeply") from None
    except ValueError:
        raise NotJson("is not JSON: it has NaN, Infinity, or a number of too many digits") from None
    if "\\ud" in text or "\\uD" in text:
        _refuse_half_characters(value)
    return value


def parse_object(text: str) -> dict[str, object]:
    """The object. Raises NotJson, also for JSON that is no object."""
    value = parse(text)
    if not isinstance(value, dict):
        raise NotJson('must be a JSON object, e.g. {"name": "value"}')
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _refuse_half_characters(value: object) -> None:
    """Half of a surrogate pair is legal in JSON, and no wire format takes it."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise NotJson("holds half of a surrogate pair, which is no character") from None
