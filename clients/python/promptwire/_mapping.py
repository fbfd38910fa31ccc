"""A YAML tree as a protobuf message, told by its descriptor, with every fault collected."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import NamedTuple, Protocol, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from promptwire import _scalars as scalars
from promptwire import _yamltree as tree
from promptwire._scalars import Refused, Value

_MAX_FAULTS = 100  # of one file: nobody reads more

Rewrite = Callable[[tree.Node], tree.Node]


class Fault(NamedTuple):
    """One thing wrong with a file."""

    path: str  # of the field in the message, e.g. "steps[3].prompt.user"; empty: the file as a whole
    message: str  # what is wrong and what to do
    line: int  # in the file, from 1


class _List(Protocol):
    def add(self) -> Message: ...
    def append(self, value: Value, /) -> None: ...


class Reader:
    """Fills messages from trees; `faults` and `lines` (path -> line) add up."""

    def __init__(self, rewrites: Mapping[str, Rewrite]) -> None:
        self.faults: list[Fault] = []
        self.lines: dict[str, int] = {}
        self._rewrites = rewrites  # full name of a message -> what makes its long form out of a short one

    def fill(self, message: Message, node: tree.Node, path: str = "") -> None:
        """Set what the node says; what does not fit becomes a fault and stays unset."""
        try:
            self._fill(message, node, path)
        except Refused as refused:
            self.fault(path, refused.message, refused.line)

    def fault(self, path: str, message: str, line: int) -> None:
        """One more fault."""
        if len(self.faults) < _MAX_FAULTS:
            self.faults.append(Fault(path, message, line))

    def _fill(self, message: Message, node: tree.Node, path: str) -> None:
        if isinstance(message, Duration):
            message.FromNanoseconds(scalars.nanoseconds(node))
            return
        rewrite = self._rewrites.get(message.DESCRIPTOR.full_name)
        pairs = _pairs(rewrite(node) if rewrite else node)
        fields: dict[str, FieldDescriptor] = {}
        for key, value in pairs.pairs:
            field = self._field(message, key, path, fields)
            if field is not None:
                self.lines[join(path, field.name)] = key.line
                self._set(message, field, value, join(path, field.name))
        self._check_oneofs(message, fields, path, pairs.line)

    def _field(self, message: Message, key: tree.Node, path: str, seen: dict[str, FieldDescriptor]) -> FieldDescriptor | None:
        name, of = scalars.key_of(key), message.DESCRIPTOR
        field = cast("FieldDescriptor | None", of.fields_by_name.get(name) or of.fields_by_camelcase_name.get(name))
        if field is None:
            self.fault(join(path, name), f"unknown key{scalars.did_you_mean(name, of.fields_by_name)}", key.line)
            return None
        if field.name in seen:
            self.fault(join(path, field.name), "given twice; keep one", key.line)
            return None
        seen[field.name] = field
        return field

    def _check_oneofs(self, message: Message, fields: Mapping[str, FieldDescriptor], path: str, line: int) -> None:
        for oneof in message.DESCRIPTOR.oneofs:
            chosen = [name for name, field in fields.items() if field.containing_oneof == oneof]
            if len(chosen) > 1:
                self.fault(path, f"{' and '.join(chosen)} exclude each other; keep one", line)

    def _set(self, message: Message, field: FieldDescriptor, node: tree.Node, path: str) -> None:
        if isinstance(node, tree.Scalar) and node.is_null:
            _set_null(message, field)
        elif _is_map(field):
            self._set_map(getattr(message, field.name), field, node, path)
        elif field.is_repeated:
            self._set_list(getattr(message, field.name), field, node, path)
        elif field.message_type is not None:
            getattr(message, field.name).SetInParent()
            self.fill(getattr(message, field.name), node, path)
        elif (value := self._value(field, node, path)) is not None:
            setattr(message, field.name, value)

    def _set_list(self, into: _List, field: FieldDescriptor, node: tree.Node, path: str) -> None:
        if not isinstance(node, tree.Items):
            self.fault(path, f"a list is wanted, not {scalars.kind_of(node)}: write [ ] around it, or - before each", node.line)
            return
        for index, item in enumerate(node.items):
            at = f"{path}[{index}]"
            self.lines[at] = item.line
            if field.message_type is not None:
                self.fill(into.add(), item, at)
            elif (value := self._value(field, item, at)) is not None:
                into.append(value)

    def _set_map(self, into: MutableMapping[str, Value], field: FieldDescriptor, node: tree.Node, path: str) -> None:
        # A map's own name says whether its values are JSON text, as in provider_options_json.
        told_by = field if scalars.holds_json(field) or field.message_type is None else field.message_type.fields_by_name["value"]
        try:
            pairs = [(scalars.key_of(key), key, value) for key, value in _pairs(node).pairs]
        except Refused as refused:
            self.fault(path, refused.message, refused.line)
            return
        for name, key, value in pairs:
            at = join(path, name)
            if at in self.lines:
                self.fault(at, "given twice; keep one", key.line)
            self.lines[at] = key.line
            if (converted := self._value(told_by, value, at)) is not None:
                into[name] = converted

    def _value(self, field: FieldDescriptor, node: tree.Node, path: str) -> Value | None:
        try:
            return scalars.value_of(field, node)
        except Refused as refused:
            self.fault(path, refused.message, refused.line)
            return None


def join(path: str, name: str) -> str:
    """The path of a field below another."""
    return f"{path}.{name}" if path else name


def _pairs(node: tree.Node) -> tree.Pairs:
    if isinstance(node, tree.Pairs):
        return node
    if isinstance(node, tree.Wrong):
        raise Refused(node.message, node.line)
    raise Refused(f"a mapping is wanted, not {scalars.kind_of(node)}", node.line)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _set_null(message: Message, field: FieldDescriptor) -> None:
    # As in protobuf's JSON null is absent; only where a message has no fields its bare name says all: `json_object:`.
    if field.message_type is not None and not field.is_repeated and not field.message_type.fields:
        getattr(message, field.name).SetInParent()
