"""JSON Schema of the configuration file, for editors, and what follows from it: which keys there are."""

from collections.abc import Iterator

from promptwire_server.config.model import File
from promptwire_server.config.section import Section
from promptwire_server.config.settings import KeyPath

Json = str | int | float | bool | list["Json"] | dict[str, "Json"] | None
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Json]:
    """The schema (draft 2020-12), with a description and examples for every key."""
    schema: dict[str, Json] = File.model_json_schema(by_alias=True)
    for section in _sections(Section):
        defined = schema if section is File else _object(_object(schema["$defs"]).get(section.__name__))
        if defined:  # some are only there for others to share
            _write_defaults(section, _object(defined["properties"]))
    schema.pop("description", None)
    return {"$schema": _DIALECT, "title": "Configuration of the Promptwire server", **{k: v for k, v in schema.items() if k != "title"}}


def _sections(base: type[Section]) -> Iterator[type[Section]]:
    for section in base.__subclasses__():
        yield section
        yield from _sections(section)


def _write_defaults(section: type[Section], properties: dict[str, Json]) -> None:
    """Defaults as people write them: "30s" where pydantic has 30.0."""
    for key, value in section.model_construct().model_dump(mode="json", by_alias=True).items():
        described = _object(properties[key])
        if "default" in described:
            described["default"] = value


def keys_at(path: KeyPath) -> list[str]:
    """The keys that may stand in the section at `path`; empty when their names are free, or nothing can stand there."""
    schema = json_schema()
    nodes = [schema]
    for key in path:
        nodes = [inner for node in nodes for inner in _inner(node, key, schema)]
    return list(dict.fromkeys(name for node in nodes for name in _object(node.get("properties"))))


def key_paths() -> list[KeyPath]:
    """Every key with a fixed path, e.g. ("server", "tls", "cert_file")."""
    schema = json_schema()
    return list(_paths(schema, (), schema))


def _paths(node: dict[str, Json], path: KeyPath, schema: dict[str, Json]) -> Iterator[KeyPath]:
    for variant in _variants(node, schema):
        for name, inner in _object(variant.get("properties")).items():
            yield (*path, name)
            yield from _paths(_object(inner), (*path, name), schema)


def _inner(node: dict[str, Json], key: str, schema: dict[str, Json]) -> Iterator[dict[str, Json]]:
    for holder in ("properties", "additionalProperties", "patternProperties", "items"):
        held = _object(node.get(holder))
        if holder == "properties":
            found: Json = held.get(key)
        elif holder == "patternProperties":
            found = next(iter(held.values()), None)
        else:
            found = held
        if isinstance(found, dict) and found:
            yield from _variants(found, schema)


def _variants(node: dict[str, Json], schema: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """The node itself, or what it refers to and may be one of."""
    reference = node.get("$ref")
    if isinstance(reference, str):
        yield from _variants(_object(_object(schema["$defs"])[reference.rpartition("/")[2]]), schema)
        return
    alternatives = [alternative for word in ("anyOf", "oneOf") for alternative in _list(node.get(word))]
    if not alternatives:
        yield node
    for alternative in alternatives:
        yield from _variants(_object(alternative), schema)


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
