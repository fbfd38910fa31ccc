"""What JSON text means, and looking into it without trusting its shape."""

from collections.abc import Mapping
from typing import TypeAlias

import orjson

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]


SMALL = 64 << 10  # characters: whatever such a text holds takes little memory
_RICHEST_BYTES = 8 << 20  # that the values of one text may take, besides what the text itself is long
_VALUE_BYTES: Mapping[bytes, int] = {b"{": 232, b"[": 88, b",": 64}  # about, of an object, a list, and one more value in either
_BLOCK_BYTES = 64 << 10  # looked at together
_UNSTRUCTURED = bytes(set(range(256)) - set(b'"{[,'))
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


def too_rich(text: str | bytes, times: int = 1) -> bool:
    """Whether the values in the text would take far more memory than it is long: a few bytes of JSON make an object of hundreds.

    A text of `times` as many values as usual may be expected.
    """
    most = _RICHEST_BYTES * times
    return len(text) > SMALL and _seeming(text) > most and _structured(text) > most


def _seeming(text: str | bytes) -> int:
    """Bytes that its values take at most: a quick look, which punctuation within strings deceives."""
    if isinstance(text, str):
        return sum(text.count(mark.decode()) * size_bytes for mark, size_bytes in _VALUE_BYTES.items())
    return sum(text.count(mark) * size_bytes for mark, size_bytes in _VALUE_BYTES.items())


def _structured(text: str | bytes) -> int:
    """Bytes that its values take, about: what stands in strings is not counted. In blocks, so that looking takes no memory itself."""
    total, quoted, start = 0, False, 0
    while start < len(text):
        end = start + _BLOCK_BYTES
        while text[end - 1 : end] in ("\\", b"\\"):  # what is escaped belongs to its backslash
            end += 1
        block = text[start:end]
        data = block.encode(errors="replace") if isinstance(block, str) else block
        marks = data.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _UNSTRUCTURED)
        total += sum(map(_seeming, marks.split(b'"')[quoted::2]))
        quoted ^= marks.count(b'"') % 2 == 1
        start = end
    return total


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
