"""What JSON text means, and looking into it without trusting its shape."""

from typing import TypeAlias

import orjson

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]


def object_in(value: Json) -> JsonObject:
    """The object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def list_in(value: Json) -> list[Json]:
    """The list, or an empty one in place of anything else."""
    return value if isinstance(value, list) else []


def text_in(value: Json) -> str:
    """The text, or an empty one in place of anything else."""
    return value if isinstance(value, str) else ""


def parsed_object(text: str | bytes) -> JsonObject | None:
    """The object that the text is, or None when it is not JSON or not an object."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def dumped(value: Json) -> str:
    """The value as compact JSON text. Raises TypeError for integers beyond 64 bits."""
    return orjson.dumps(value).decode()
