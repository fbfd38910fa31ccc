"""Inputs: what the caller gives a chain, as declared and as given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from promptwire import v1 as pb
from promptwire_server.chains.findings import Findings
from promptwire_server.chains.names import did_you_mean, is_name, reserved
from promptwire_server.chains.schemas import Schema, SchemaFault, compiled
from promptwire_server.chains.site import Site
from promptwire_server.core import json_text

Values = dict[str, object]

_MOST_INPUTS: Final = 64
_MOST_SCHEMA_CHARS: Final = 16 * 1024  # of a chain: each thousand take up to 20 ms to compile, during which nobody else is served


@dataclass(frozen=True, slots=True)
class Input:
    """One declared input."""

    name: str
    schema: Schema | None  # None: any text
    required: bool
    has_default: bool = False
    default: object = None


def compile_inputs(declared: Sequence[pb.ChainInput], site: Site) -> tuple[Input, ...]:
    """The inputs of a chain; `site` is that of the list's owner."""
    if len(declared) > _MOST_INPUTS:
        site.at("inputs").fault(f"has {len(declared)} inputs; at most {_MOST_INPUTS} are allowed")
        return ()
    if sum(len(message.json_schema) for message in declared) > _MOST_SCHEMA_CHARS:
        site.at("inputs").fault(f"has schemas of more than {_MOST_SCHEMA_CHARS} characters together")
        return ()
    seen: set[str] = set()
    inputs = []
    for index, message in enumerate(declared):
        place = site.at("inputs").item(index)
        _check_name(message.name, seen, place.at("name"))
        seen.add(message.name)
        inputs.append(_compiled(message, place))
    return tuple(inputs)


def _check_name(name: str, seen: set[str], site: Site) -> None:
    if not is_name(name):
        site.fault("a name is a letter, then letters, digits and _")
    elif reserved(name):
        site.fault(f"'{name}' has a meaning in templates already; choose another name")
    elif name in seen:
        site.fault(f"another input is named '{name}'")


def _compiled(message: pb.ChainInput, site: Site) -> Input:
    schema = _schema(message.json_schema, site.at("json_schema")) if message.json_schema else None
    has_default = message.HasField("default_json")
    default = _default(message.default_json, schema, site.at("default_json")) if has_default else None
    required = message.required if message.HasField("required") else not has_default
    return Input(message.name, schema, required, has_default, default)


def _schema(text: str, site: Site) -> Schema | None:
    try:
        return compiled(text)
    except SchemaFault as fault:
        site.fault(str(fault))
        return None


def _default(text: str, schema: Schema | None, site: Site) -> object:
    try:
        value = json_text.parse(text)
    except json_text.NotJson as error:
        site.fault(f'{error}; text needs quotes, e.g. "\\"tea\\""')
        return None
    for fault in _value_faults(value, schema):
        site.fault(fault)
    return value


def _value_faults(value: object, schema: Schema | None) -> list[str]:
    if schema is not None:
        return schema.faults(value)
    return [] if isinstance(value, str) else ["must be text; an input of another type needs a json_schema"]


@dataclass(frozen=True, slots=True)
class Given:
    """The inputs of one request, as they came."""

    values: Values
    paths: Mapping[str, str]  # name -> where it stands in the request


def read_inputs(request: pb.RunChainRequest, findings: Findings) -> Given:
    """The inputs from both fields of the request."""
    values: Values = dict(request.inputs)
    paths = {name: f"inputs.{name}" for name in values}
    if not request.inputs_json:
        return Given(values, paths)
    try:
        given = json_text.parse_object(request.inputs_json)
    except json_text.NotJson as error:
        findings.field("inputs_json", str(error))
        return Given(values, paths)
    for name, value in given.items():
        if name in values:
            findings.field("inputs_json", f"'{name}' is given in inputs too; give it once")
        values[name] = value
        paths[name] = f"inputs_json.{name}"
    return Given(values, paths)


def declared_values(inputs: Sequence[Input], given: Given, findings: Findings) -> Values:
    """The values of declared inputs, defaults filled in."""
    names = [declared.name for declared in inputs]
    for name in given.values:
        if name not in names and not findings.full:
            findings.field(given.paths[name], f"the chain has no such input{did_you_mean(name, names)}; it has: {', '.join(names)}")
    values: Values = {}
    for declared in inputs:
        _take(declared, given, values, findings)
    return values


def _take(declared: Input, given: Given, values: Values, findings: Findings) -> None:
    name = declared.name
    if name not in given.values:
        if declared.required:
            findings.field("inputs", f"'{name}' is missing; the chain requires it")
        elif declared.has_default:
            values[name] = declared.default
        return
    value = given.values[name]
    for fault in _value_faults(value, declared.schema):
        by_text = isinstance(value, str) and given.paths[name].startswith("inputs.")
        findings.field(given.paths[name], f"{fault}{' (inputs holds texts only: use inputs_json)' if by_text else ''}")
    values[name] = value
