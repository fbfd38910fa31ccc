"""Shape: how an answer is asked to be JSON, natively where the vendor can hold the schema, else in words and with a check.

A forced tool call would be another way; the newest models refuse one, it cannot be had with thinking, and the answer would not be text.
"""

from dataclasses import dataclass
from typing import Literal

from promptwire import v1 as pb
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers.anthropic.families import Family
from promptwire_server.providers.asked import missing, verbatim
from promptwire_server.providers.json_value import Json, parsed_object

_PATH = "generation.response_format"
_ONLY = "Write nothing before it or after it, and no code fence around it."
# What the vendor's grammar does not know; a schema with any of these is refused.
_UNKNOWN = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems", "uniqueItems"}
    | {"patternProperties", "propertyNames", "minProperties", "maxProperties", "not", "if", "then", "else", "oneOf", "prefixItems"}
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What to ask for."""

    format: dict[str, object] | None = None  # the wire's own
    instruction: str = ""  # to the model, where there is no format
    check: Literal["", "object", "value"] = ""  # what the text must then be


def shape_of(generation: pb.GenerationSettings, family: Family) -> Shape:
    """The shape that the caller asks for.

    Raises CapabilityMissing for one that cannot be had, InvalidRequest for a schema that is none.
    """
    wanted = generation.response_format
    match wanted.WhichOneof("format"):
        case None | "text":
            return Shape()
        case "json_object":
            return Shape(instruction=f"Answer with one JSON object. {_ONLY}", check="object")
        case "json_schema":
            return _of_schema(wanted.json_schema, family)
        case kind:
            raise missing(_PATH, f"the response format {kind}", "use json_schema")


def _of_schema(wanted: pb.JsonSchemaFormat, family: Family) -> Shape:
    path = f"{_PATH}.json_schema"
    schema = parsed_object(wanted.schema_json)
    if schema is None:
        raise InvalidRequest.at(f"{path}.schema_json", "must be a JSON Schema as a JSON object in text")
    if wanted.strict and not family.json_schema:
        raise missing(f"{path}.strict", "a way to hold this model to a schema", "leave strict out, or use a newer model")
    if family.json_schema and (wanted.strict or (not wanted.HasField("strict") and _can_be_held(schema))):
        return Shape(format={"type": "json_schema", "schema": verbatim(wanted.schema_json)})
    purpose = f" It is for: {wanted.description}" if wanted.description else ""
    instruction = f"Answer with JSON that fits this JSON Schema. {_ONLY}{purpose}\n{wanted.schema_json}"
    return Shape(instruction=instruction, check="object" if schema.get("type") == "object" else "value")


def _can_be_held(schema: Json) -> bool:
    """Whether the vendor's grammar knows all that is in it: every object closed, and no bounds."""
    if isinstance(schema, list):
        return all(map(_can_be_held, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return False
    # Under these, names are the caller's own and no keywords.
    named = {name: schema[name] for name in ("properties", "$defs", "definitions") if isinstance(schema.get(name), dict)}
    rest = {name: value for name, value in schema.items() if name not in named and name not in ("enum", "const", "default", "examples")}
    if not _UNKNOWN.isdisjoint(rest):
        return False
    below = [value for names in named.values() if isinstance(names, dict) for value in names.values()]
    return all(map(_can_be_held, [*below, *rest.values()]))
