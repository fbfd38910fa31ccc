"""A small value that fits a JSON Schema, always the same: for providers that have nothing to say of their own."""

from collections.abc import Mapping

from promptwire_server.providers.json_value import Json, JsonObject

_MAX_DEPTH = 8  # a recursive schema ends here
_PLAIN: Mapping[str, Json] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}


def sample_of(schema: JsonObject) -> Json:
    """A value for the common keywords: const, enum, default, examples, type, properties, items, anyOf, oneOf, allOf, minimum, minItems."""
    return _sample(schema, schema, 0)


def _sample(schema: Json, root: JsonObject, depth: int) -> Json:
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return None
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    for keyword in ("enum", "examples"):
        listed = schema.get(keyword)
        if isinstance(listed, list) and listed:
            return listed[0]
    for keyword in ("anyOf", "oneOf", "allOf"):
        listed = schema.get(keyword)
        if isinstance(listed, list) and listed:
            return _sample(listed[0], root, depth + 1)
    return _sample(_referred(schema["$ref"], root), root, depth + 1) if "$ref" in schema else _typed(schema, root, depth)


def _typed(schema: JsonObject, root: JsonObject, depth: int) -> Json:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0] if kind else "null"
    if kind == "object":
        properties = schema.get("properties")
        return {name: _sample(value, root, depth + 1) for name, value in properties.items()} if isinstance(properties, dict) else {}
    if kind == "array":
        least = schema.get("minItems")
        return [_sample(schema.get("items", {}), root, depth + 1)] * max(1, min(least, _MAX_DEPTH) if isinstance(least, int) else 1)
    if kind in ("integer", "number") and isinstance(schema.get("minimum"), int | float):
        return schema["minimum"]
    return _PLAIN.get(str(kind))


def _referred(reference: Json, root: JsonObject) -> Json:
    found: Json = root
    for name in str(reference).removeprefix("#").strip("/").split("/"):
        if name:
            found = found.get(name) if isinstance(found, dict) else None
    return found
