"""A deterministic instance of a JSON schema, for structured output and arguments."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from tests.faults.fake_provider.words import word_stream

MAX_DEPTH = 8  # a recursive schema ends here: optional parts are left out
Schema = Mapping[str, Any]


def instance(schema: Schema, *, seed: str) -> Any:
    """Return a value the schema accepts; the same for the same seed."""
    return _Builder(root=schema, words=word_stream(seed)).build(schema, 0)


class _Builder:
    def __init__(self, *, root: Schema, words: Iterator[str]) -> None:
        self._root = root
        self._words = words

    def build(self, schema: Schema, depth: int) -> Any:
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        for union in ("anyOf", "oneOf"):
            if union in schema:
                # The last variant is the null of an optional, which ends recursion.
                return self.build(schema[union][-1 if depth > MAX_DEPTH else 0], depth)
        return self._typed(schema, depth)

    def _resolve(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            path = schema["$ref"].removeprefix("#").strip("/")
            found: Any = self._root
            for part in filter(None, path.split("/")):
                found = found[part]
            schema = found
        return schema

    def _typed(self, schema: Schema, depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = kind[0]
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "integer" | "number":
                return schema.get("minimum", 7)
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._string(schema)

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        names = [n for n in properties if depth <= MAX_DEPTH or n in required]
        return {name: self.build(properties[name], depth + 1) for name in names}

    def _array(self, schema: Schema, depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        count = least if depth > MAX_DEPTH else max(1, least)
        return [self.build(schema.get("items", {}), depth + 1) for _ in range(count)]

    def _string(self, schema: Schema) -> str:
        text = " ".join(next(self._words) for _ in range(2))
        least = schema.get("minLength", 0)
        while len(text) < least:
            text = "".join(chain(text, " ", next(self._words)))
        return text[: schema.get("maxLength")]
