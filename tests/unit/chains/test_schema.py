"""JSON Schemas of strangers: nothing is fetched, and no schema or value takes long."""

import json
import time

import pytest

from promptwire_server.chains.schema import Schema
from promptwire_server.chains.schemas import SchemaFault


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        ('{"type": "string"}', 3, 'must be of type "string"'),
        ('{"properties": {"a": {"items": {"type": "number"}}}}', {"a": [1, "x"]}, 'a[1] must be of type "number"'),
        ('{"required": ["a"]}', {}, "misses one of its required members"),
        ('{"enum": [1, 2]}', 3, "must be one of [1, 2]"),
        ('{"additionalProperties": false}', {"a": 1}, "has a member that the schema does not allow"),
        ('{"maxLength": 2}', "abc", "does not satisfy maxLength 2"),
        ('{"$ref": "#/$defs/a", "$defs": {"a": {"const": 1}}}', 2, "does not satisfy const 1"),
    ],
)
def test_says_what_is_wrong(schema: str, value: object, words: str) -> None:
    assert [words in fault for fault in Schema(schema).faults(value)] == [True]


@pytest.mark.parametrize("dialect", ["https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#"])
def test_takes_schemas_that_name_a_dialect(dialect: str) -> None:
    assert Schema(f'{{"$schema": "{dialect}", "type": "integer"}}').faults(3) == []


@pytest.mark.parametrize("reference", ["https://example.com/schema.json", "file:///etc/passwd", "#/$defs/none", "urn:x"])
def test_fetches_nothing(reference: str) -> None:
    (fault,) = Schema(f'{{"$ref": "{reference}"}}').faults(1)
    assert "which it does not define" in fault


@pytest.mark.parametrize(
    "schema",
    [
        '{"$ref": "#"}',
        json.dumps(
            {"$defs": {"a99": {}} | {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(99)}, "$ref": "#/$defs/a0"}
        ),
        '{"uniqueItems": true}',
    ],
)
def test_stops_what_would_take_for_ever(schema: str) -> None:
    began = time.process_time()
    (fault,) = Schema(schema).faults([{"a": number} for number in range(5_000)])
    assert "too much work" in fault
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "schema",
    [
        '{"properties": {"a": {"pattern": "(a+)+$"}}}',
        '{"patternProperties": {"(a+)+$": {}}}',
        '{"properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#"}}}',
    ],
)
def test_refuses_what_it_could_not_bound(schema: str) -> None:
    with pytest.raises(SchemaFault):
        Schema(schema)


def test_a_property_may_be_named_like_a_keyword() -> None:
    assert Schema('{"properties": {"pattern": {"type": "string"}, "$schema": {}}}').faults({"pattern": "x"}) == []
