"""The shape of an answer, in the words of each vendor: JSON, a schema, an expression, a grammar, a list."""

import json
import re
from collections.abc import Callable, Mapping, Sequence

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers import asked
from promptwire_server.providers.openai.facts import Facts
from promptwire_server.providers.openai.schema import json_schema_to_wire

Wire = dict[str, object]
_PATH = "generation.response_format"


def shape_to_wire(call: Call, facts: Facts) -> Wire:
    """The fields. Raises CapabilityMissing for a shape that the vendor cannot hold, InvalidRequest for a schema that is none."""
    shape = call.request.generation.response_format
    match shape.WhichOneof("format"):
        case None | "text":
            return {}
        case "json_object":
            if "json_object" in facts.lacks:
                raise asked.missing(_PATH, "JSON without a schema", "use json_schema")
            return _format("json_object", value={"type": "object"}) if facts.guided == "value" else _format("json_object")
        case "json_schema":
            return _schema(call, shape.json_schema, facts)
        case "regex":
            return _guided(facts, "regex", shape.regex.pattern)
        case "grammar":
            return _guided(facts, "grammar", shape.grammar.grammar)
        case _:
            return _choices(facts, list(shape.choices.choices))


def schema_as_instruction(call: Call, facts: Facts) -> str:
    """The schema in words for the model, where the vendor holds answers to JSON but to no schema; else empty."""
    shape = call.request.generation.response_format
    if shape.WhichOneof("format") != "json_schema" or "json_schema" not in facts.lacks:
        return ""
    return f"Answer with JSON alone. It must fit this JSON Schema: {shape.json_schema.schema_json}"


def _schema(call: Call, shape: pb.JsonSchemaFormat, facts: Facts) -> Wire:
    path = f"{_PATH}.json_schema"
    schema = json_schema_to_wire(shape, path)
    if "json_schema" in facts.lacks:
        if shape.strict:
            raise asked.missing(f"{path}.strict", "answers held to a schema", "leave strict out to have it asked for in words")
        asked.setting_dropped(call, path, "this provider holds answers to JSON only; the model is asked for the schema in words")
        return _format("json_object")
    if facts.guided == "value":  # has no place for a name, and holds answers to every schema
        return _format("json_object", value=schema["schema"])
    return _format("json_schema", json_schema=schema)


def _format(kind: str, **more: object) -> Wire:
    return {"response_format": {"type": kind, **more}}


# How each way of guiding words an expression and a grammar.
_WORDS: Mapping[tuple[str, str], Callable[[str], Wire]] = {
    ("structured_outputs", "regex"): lambda text: {"structured_outputs": {"regex": text}},
    ("structured_outputs", "grammar"): lambda text: {"structured_outputs": {"grammar": text}},
    ("guided", "regex"): lambda text: {"guided_regex": text},
    ("guided", "grammar"): lambda text: {"guided_grammar": text},
    ("nvext", "regex"): lambda text: {"nvext": {"guided_regex": text}},
    ("nvext", "grammar"): lambda text: {"nvext": {"guided_grammar": text}},
    ("grammar", "grammar"): lambda text: {"grammar": text},
    ("value", "regex"): lambda text: _format("regex", value=text),
    ("pattern", "regex"): lambda text: _format("regex", pattern=text),
    ("nested regex", "regex"): lambda text: _format("regex", regex={"regex": text}),
    ("grammar format", "grammar"): lambda text: _format("grammar", grammar=text),
}
_LISTS: Mapping[str, Callable[[list[str]], Wire]] = {
    "structured_outputs": lambda choices: {"structured_outputs": {"choice": choices}},
    "guided": lambda choices: {"guided_choice": choices},
    "nvext": lambda choices: {"nvext": {"guided_choice": choices}},
}


def guides(facts: Facts, kind: str) -> bool:
    """Whether the vendor takes this kind: "regex" or "grammar"."""
    return (facts.guided, kind) in _WORDS


def _guided(facts: Facts, kind: str, text: str) -> Wire:
    words = _WORDS.get((facts.guided, kind))
    if words is None:
        raise asked.missing(_PATH, f"the response format {kind}", "use json_schema")
    return words(text)


def _choices(facts: Facts, choices: Sequence[str]) -> Wire:
    """Where there is no list, an expression or a grammar says the same."""
    if facts.guided in _LISTS:
        return _LISTS[facts.guided](list(choices))
    if guides(facts, "regex"):
        return _guided(facts, "regex", "|".join(f"({re.escape(choice)})" for choice in choices))
    if guides(facts, "grammar"):
        return _guided(facts, "grammar", "root ::= " + " | ".join(json.dumps(choice) for choice in choices))
    raise asked.missing(_PATH, "the response format choices", "use json_schema with an enum")
