"""The schema of an answer, as both APIs word it."""

from promptwire import v1 as pb
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers import asked
from promptwire_server.providers.json_value import parsed_object


def json_schema_to_wire(shape: pb.JsonSchemaFormat, path: str) -> dict[str, object]:
    """Name, schema, strictness and description. Raises InvalidRequest for what is no schema."""
    schema = parsed_object(shape.schema_json)
    if schema is None:
        raise InvalidRequest.at(f"{path}.schema_json", "must be a JSON Schema as a JSON object in text")
    strict = shape.strict if shape.HasField("strict") else may_be_strict(schema)
    wire: dict[str, object] = {"name": shape.name or "response", "schema": asked.verbatim(shape.schema_json), "strict": strict}
    if shape.description:
        wire["description"] = shape.description
    return wire


def may_be_strict(schema: object) -> bool:
    """Whether every object in it is closed and requires all its properties: others are refused when strict."""
    if isinstance(schema, list):
        return all(map(may_be_strict, schema))
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        required = schema.get("required")
        named = set(properties) if isinstance(properties, dict) else set()
        if schema.get("additionalProperties") is not False or not named <= set(required if isinstance(required, list) else ()):
            return False
    return all(map(may_be_strict, schema.values()))
