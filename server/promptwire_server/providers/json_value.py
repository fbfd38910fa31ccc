"""What JSON text means, and looking into it without trusting its shape."""

from typing import TypeAlias

import orjson

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]


_DEEPEST = 200  # levels: orjson reads 1,024 and writes 254, and ours come around them


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
    """The object that the text is, or None when it is not JSON, not an object, or nested so deeply that it cannot be written again."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) and not too_deep(text, value) else None


def too_deep(text: str | bytes, value: Json) -> bool:
    """Whether the value that was read from the text cannot be written again."""
    return _many_brackets(text) and _depth(value) > _DEEPEST


def _many_brackets(text: str | bytes) -> bool:
    """Whether the text may be nested deeply: a quick look, which brackets within strings deceive."""
    if isinstance(text, str):
        return text.count("{") + text.count("[") > _DEEPEST
    return text.count(b"{") + text.count(b"[") > _DEEPEST


def _depth(value: Json) -> int:
    level: list[Json] = [value]
    depth = 0
    while level:
        depth += 1
        nested = [inner for inner in level if isinstance(inner, dict | list)]
        level = [inner for outer in nested for inner in (outer.values() if isinstance(outer, dict) else outer)]
    return depth


def dumped(value: Json) -> str:
    """The value as compact JSON text. Raises TypeError for integers beyond 64 bits."""
    return orjson.dumps(value).decode()
