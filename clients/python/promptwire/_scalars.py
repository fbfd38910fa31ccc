"""Single values of a YAML tree as protobuf's JSON mapping reads them, with the short forms that people write."""

import base64
import binascii
import difflib
import json
import re
from collections.abc import Iterable
from decimal import Decimal

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from promptwire import _yamltree as tree

Value = str | int | float | bool | bytes

_INTEGER = re.compile(r"[-+]?[0-9]{1,20}")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_JSON_WORDS = {"true": "true", "True": "true", "TRUE": "true", "false": "false", "False": "false", "FALSE": "false"}
_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|s|m|h))+")
_DURATION_PART = re.compile(r"([0-9.]+)(ms|s|m|h)")
_NANOS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}

_F = FieldDescriptor
_RANGES = {
    _F.TYPE_INT32: range(-(2**31), 2**31),
    _F.TYPE_INT64: range(-(2**63), 2**63),
    _F.TYPE_UINT32: range(2**32),
    _F.TYPE_UINT64: range(2**64),
}
_QUOTES = "a text that begins with {{ must stand in quotes"


class Refused(Exception):
    """A value does not fit; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def value_of(field: FieldDescriptor, node: tree.Node) -> Value:
    """The value of a field that holds no message. Raises Refused."""
    if holds_json(field):
        return json_text(node)
    scalar = _scalar(node)
    if field.type == _F.TYPE_STRING:
        return scalar.text
    if field.type == _F.TYPE_BOOL:
        return _boolean(scalar)
    if field.type == _F.TYPE_BYTES:
        return _base64(scalar)
    if field.enum_type is not None:
        return _enum(field.enum_type, scalar)
    return _float(scalar) if field.type in {_F.TYPE_DOUBLE, _F.TYPE_FLOAT} else _integer(field, scalar)


def holds_json(field: FieldDescriptor) -> bool:
    """Whether a field holds JSON text: a string (or a map to strings) named `json`, `json_schema` or `…_json`."""
    if field.message_type is not None:
        return field.name.endswith("_json") and field.message_type.GetOptions().map_entry
    return field.type == _F.TYPE_STRING and (field.name in {"json", "json_schema"} or field.name.endswith("_json"))


def json_text(node: tree.Node) -> str:
    """JSON text as it was written, or a YAML value as JSON text, its numbers digit for digit. Raises Refused."""
    if isinstance(node, tree.Scalar) and not node.is_null and node.text.lstrip()[:1] in {"{", "[", '"'}:
        return _checked_json(node)
    if isinstance(node, tree.Scalar) and not node.plain and _is_json_scalar(node.text):
        return node.text
    return _json(node)


def key_of(node: tree.Node) -> str:
    """The text of a mapping's key. Raises Refused."""
    if not isinstance(node, tree.Scalar):
        raise Refused(f"a key is a word; {_QUOTES}", node.line)
    if node.text == "<<" and node.plain:
        raise Refused("merge keys (<<) are not taken here; use `defaults` of the chain, or an alias for the whole value", node.line)
    return node.text


def nanoseconds(node: tree.Node) -> int:
    """A duration with units: 30s, 250ms, 1.5m, 1h30m. Raises Refused."""
    scalar = _scalar(node)
    if not _DURATION.fullmatch(scalar.text):
        raise Refused(f"{_shown(scalar)} is no duration; write a number with ms, s, m or h, such as 30s or 1h30m", scalar.line)
    return int(sum(Decimal(number) * _NANOS[unit] for number, unit in _DURATION_PART.findall(scalar.text)))


def kind_of(node: tree.Node) -> str:
    """What a node is, for people."""
    if isinstance(node, tree.Items):
        return "a list"
    return "a mapping" if isinstance(node, tree.Pairs) else "a single value"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that says what might have been meant, or what there is."""
    known = list(known)
    close = difflib.get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(known) or 'none'}"


def _scalar(node: tree.Node) -> tree.Scalar:
    if isinstance(node, tree.Scalar):
        return node
    hint = f"; {_QUOTES}" if tree.looks_like_template(node) else ""
    raise Refused(f"a single value is wanted, not {kind_of(node)}{hint}", node.line)


def _shown(scalar: tree.Scalar) -> str:
    return repr(scalar.text if len(scalar.text) <= 40 else scalar.text[:40] + "…")  # noqa: PLR2004 - about half a line


def _boolean(scalar: tree.Scalar) -> bool:
    if scalar.text.lower() not in {"true", "false"}:
        raise Refused(f"{_shown(scalar)} is neither true nor false", scalar.line)
    return scalar.text.lower() == "true"


def _integer(field: FieldDescriptor, scalar: tree.Scalar) -> int:
    if not _INTEGER.fullmatch(scalar.text):
        raise Refused(f"{_shown(scalar)} is no whole number", scalar.line)
    if (value := int(scalar.text)) not in _RANGES[field.type]:
        raise Refused(f"{value} is beyond the range of this field", scalar.line)
    return value


def _float(scalar: tree.Scalar) -> float:
    if not _NUMBER.fullmatch(scalar.text):
        raise Refused(f"{_shown(scalar)} is no number", scalar.line)
    return float(scalar.text)


def _base64(scalar: tree.Scalar) -> bytes:
    try:
        return base64.b64decode("".join(scalar.text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("not base64", scalar.line) from None


def _enum(of: EnumDescriptor, scalar: tree.Scalar) -> int:
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", of.name).upper() + "_"
    wanted = scalar.text.upper().replace("-", "_")
    value = of.values_by_name.get(wanted) or of.values_by_name.get(prefix + wanted)
    if value is None:
        known = [name.removeprefix(prefix).lower() for name in of.values_by_name]
        raise Refused(f"{_shown(scalar)} is no {of.name}{did_you_mean(scalar.text.lower(), known[1:])}", scalar.line)
    return value.number


def _is_json_scalar(text: str) -> bool:
    return text in {"null", "true", "false"} or _JSON_NUMBER.fullmatch(text) is not None


def _checked_json(scalar: tree.Scalar) -> str:
    try:
        json.loads(scalar.text, parse_int=str, parse_constant=_no_constant)  # digits are never converted: huge ones take square time
    except (ValueError, RecursionError) as error:
        raise Refused(f"not valid JSON: {error}", scalar.line) from None
    return scalar.text


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _json(node: tree.Node) -> str:
    if isinstance(node, tree.Items):
        return f"[{','.join(_json(item) for item in node.items)}]"
    if isinstance(node, tree.Pairs):
        return f"{{{','.join(_json_pairs(node))}}}"
    if isinstance(node, tree.Wrong):
        raise Refused(node.message, node.line)
    if not node.plain:
        return json.dumps(node.text, ensure_ascii=False)
    if node.is_null:
        return "null"
    if _JSON_NUMBER.fullmatch(node.text):
        return node.text
    return _JSON_WORDS.get(node.text) or json.dumps(node.text, ensure_ascii=False)


def _json_pairs(node: tree.Pairs) -> Iterable[str]:
    seen: set[str] = set()
    for key, value in node.pairs:
        name = key_of(key)
        if name in seen:
            raise Refused(f"{name!r} is given twice; keep one", key.line)
        seen.add(name)
        yield f"{json.dumps(name, ensure_ascii=False)}:{_json(value)}"
