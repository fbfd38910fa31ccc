"""Pairs of messages that differ in one field, for every field of a message and of those within it, found by walking the contract."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

Path = tuple[FieldDescriptor, ...]
_DEEPEST = 6  # parts hold results of tools, which hold parts
_LETTERS = "abcxyz \u00e9\u6f22\U0001f600\0{}"
_FLOATS = frozenset({FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT})


@dataclass(frozen=True)
class Change:
    """One way for two messages to differ."""

    path: Path
    how: str  # "value", "presence", "more", "order"

    def __str__(self) -> str:
        return f"{'.'.join(field.name for field in self.path)} ({self.how})"


def changes(kind: type[Message]) -> list[Change]:
    """All there are."""
    descriptor: Any = kind.DESCRIPTOR
    return [Change(path, how) for path in _paths(descriptor, ()) for how in _ways(path[-1])]


def pair(kind: type[Message], change: Change, source: random.Random) -> tuple[Any, Any]:
    """Two messages that differ in this alone."""
    one = kind()
    _fill(one, source, 0)
    _reach(one, change.path, source)
    if change.how == "presence":
        _at(one, change.path).ClearField(change.path[-1].name)
    other = kind()
    other.CopyFrom(one)
    _differ(_at(other, change.path), change, source)
    return one, other


def _paths(descriptor: Descriptor, before: Path) -> Iterator[Path]:
    for field in descriptor.fields:
        path = (*before, field)
        yield path
        if field.message_type is not None and not _is_map(field) and len(path) < _DEEPEST:
            yield from _paths(field.message_type, path)


def _ways(field: FieldDescriptor) -> Iterator[str]:
    if field.is_repeated:
        yield "more"
        if not _is_map(field):
            yield "order"
    elif field.message_type is None:
        yield "value"
    if field.has_presence:
        yield "presence"


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _at(message: Any, path: Path) -> Any:
    """The message that holds the last field of the path."""
    for field in path[:-1]:
        inner = getattr(message, field.name)
        message = inner[0] if field.is_repeated else inner
    return message


def _reach(message: Any, path: Path, source: random.Random) -> None:
    """Have something at every step of the path."""
    for field in path:
        if field.is_repeated and not _is_map(field):
            values = getattr(message, field.name)
            while len(values) < 2:
                _append(values, field, source)
            inner = values[0]
        elif field.message_type is not None and not _is_map(field):
            inner = getattr(message, field.name)
            inner.SetInParent()
        else:
            inner = None
            if not _is_map(field):
                setattr(message, field.name, _value(field, source))
        message = inner


def _differ(holder: Any, change: Change, source: random.Random) -> None:
    field = change.path[-1]
    if change.how == "presence":
        if field.message_type is not None:
            getattr(holder, field.name).SetInParent()
        else:
            setattr(holder, field.name, field.default_value)
    elif _is_map(field):
        _grow(getattr(holder, field.name), field, source)
    elif change.how == "more":
        _append(getattr(holder, field.name), field, source)
    elif change.how == "order":
        _swap(getattr(holder, field.name), field, source)
    else:
        before = getattr(holder, field.name)
        while (value := _value(field, source)) == before:
            pass
        setattr(holder, field.name, value)


def _grow(values: Any, field: FieldDescriptor, source: random.Random) -> None:
    assert field.message_type is not None
    name = f"key {source.random()}"
    values[name] = _value(field.message_type.fields_by_name["value"], source)


def _swap(values: Any, field: FieldDescriptor, source: random.Random) -> None:
    """Turn the order around; where that changes nothing, since they are equal, add one."""
    before = list(values)
    turned = [*reversed(before)]
    if turned == before:
        _append(values, field, source)
        return
    copies = [type(value).FromString(value.SerializeToString()) for value in turned] if field.message_type else turned
    del values[:]
    values.extend(copies)


def _append(values: Any, field: FieldDescriptor, source: random.Random) -> None:
    if field.message_type is None:
        values.append(_value(field, source))
    else:
        _fill(values.add(), source, _DEEPEST - 1)


def _fill(message: Any, source: random.Random, depth: int) -> None:
    """Set some of the fields."""
    for field in message.DESCRIPTOR.fields:
        if source.random() < 0.7:
            continue
        if _is_map(field):
            _grow(getattr(message, field.name), field, source)
        elif field.is_repeated:
            if depth < _DEEPEST:
                for _ in range(source.randrange(1, 3)):
                    _append_deeper(getattr(message, field.name), field, source, depth)
        elif field.message_type is None:
            setattr(message, field.name, _value(field, source))
        elif depth < _DEEPEST:
            inner = getattr(message, field.name)
            inner.SetInParent()
            _fill(inner, source, depth + 2)


def _append_deeper(values: Any, field: FieldDescriptor, source: random.Random, depth: int) -> None:
    if field.message_type is None:
        values.append(_value(field, source))
    else:
        _fill(values.add(), source, depth + 2)


def _value(field: FieldDescriptor, source: random.Random) -> object:
    if field.enum_type is not None:
        return source.choice([value.number for value in field.enum_type.values] + [77])
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return source.random() < 0.5
    if kind in _FLOATS:
        return source.choice([0.0, -0.0, 1.0, 0.5, 0.50000001, source.random()])
    if kind == FieldDescriptor.CPPTYPE_STRING:
        text = "".join(source.choices(_LETTERS, k=source.randrange(4)))
        return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
    return source.choice([0, 1, 2, source.randrange(1 << 30)])


def names(path: Sequence[FieldDescriptor]) -> str:
    """The path as the contract writes it."""
    return ".".join(field.name for field in path)
