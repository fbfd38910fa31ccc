"""Inputs are checked before a run begins, and no message quotes what was given."""

from collections.abc import Mapping

import pytest
from google.protobuf import json_format

from promptwire import v1 as pb
from promptwire_server.chains.check import check, validate
from promptwire_server.chains.plans import Plans
from promptwire_server.core.errors import InvalidRequest
from tests.unit.chains.scripted import prompts_of

COUNT = {"name": "count", "jsonSchema": '{"type": "integer", "minimum": 1}'}


def request_of(*declared: Mapping[str, object], given: dict[str, str] | None = None, given_json: str = "") -> pb.RunChainRequest:
    spec = {"inputs": list(declared), "steps": [{"prompt": {"user": "hi"}}]}
    return json_format.ParseDict({"spec": spec, "inputs": given or {}, "inputsJson": given_json}, pb.RunChainRequest())


def fields_of(request: pb.RunChainRequest) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        check(request, Plans())
    return [violation.field for violation in caught.value.violations]


@pytest.mark.parametrize(
    ("declared", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": "1st"}, "name"),
        ({"name": "steps"}, "name"),
        ({"name": "not"}, "name"),
        ({"name": "topic"}, "name"),
        ({"name": "x", "jsonSchema": "{"}, "json_schema"),
        ({"name": "x", "jsonSchema": "[]"}, "json_schema"),
        ({"name": "x", "jsonSchema": '{"type": "intger"}'}, "json_schema"),
        ({"name": "x", "jsonSchema": '{"pattern": "(a+)+$"}'}, "json_schema"),
        ({"name": "x", "defaultJson": "tea"}, "default_json"),
        ({"name": "x", "defaultJson": "3"}, "default_json"),
        ({"name": "x", "jsonSchema": '{"type": "integer"}', "defaultJson": '"3"'}, "default_json"),
    ],
)
def test_a_declaration_at_fault_is_named(declared: dict[str, object], path: str) -> None:
    request = request_of({"name": "topic"}, declared, given={"topic": "tea"})
    assert [fault.field for fault in validate(request, Plans()).faults] == [f"spec.inputs[1].{path}"]


@pytest.mark.parametrize(
    ("given", "given_json", "path"),
    [
        ({}, "", "inputs"),
        ({"count": "3"}, "", "inputs.count"),
        ({}, '{"count": 0}', "inputs_json.count"),
        ({}, '{"count": 1.5}', "inputs_json.count"),
        ({}, '{"count": 3, "cuont": 4}', "inputs_json.cuont"),
        ({}, '{"count": NaN}', "inputs_json"),
        ({}, "[1]", "inputs_json"),
        ({}, "{", "inputs_json"),
        ({}, '{"count": "\\ud800"}', "inputs_json"),
    ],
)
def test_a_value_at_fault_is_named(given: dict[str, str], given_json: str, path: str) -> None:
    assert path in fields_of(request_of(COUNT, given=given, given_json=given_json))


def test_a_name_may_not_stand_in_both() -> None:
    assert "inputs_json" in fields_of(request_of({"name": "a"}, given={"a": "x"}, given_json='{"a": "y"}'))


def test_deeply_nested_json_is_a_fault_and_no_crash() -> None:
    assert fields_of(request_of(COUNT, given_json='{"count": ' + "[" * 50_000)) == ["inputs_json", "inputs"]


def test_validation_looks_at_inputs_only_when_some_are_given() -> None:
    assert validate(request_of(COUNT), Plans()).valid
    assert not validate(request_of(COUNT, given={"other": "x"}), Plans()).valid


def test_defaults_stand_in_and_optional_inputs_may_be_absent() -> None:
    job = check(request_of({**COUNT, "defaultJson": "9007199254740993"}, {"name": "note", "required": False}), Plans())
    assert job.inputs == {"count": 9007199254740993}


def test_without_a_schema_a_value_is_text() -> None:
    assert fields_of(request_of({"name": "topic"}, given_json='{"topic": 3}')) == ["inputs_json.topic"]


def test_the_short_form_takes_any_input_and_needs_those_that_it_names() -> None:
    assert check(prompts_of("{{ topic }}", topic="tea", spare="x"), Plans()).inputs["topic"] == "tea"
    with pytest.raises(InvalidRequest, match="did you mean 'topic'") as caught:
        check(prompts_of("hi", "about\n{{ topc }}", topic="tea"), Plans())
    assert [(one.field, one.line) for one in caught.value.violations] == [("prompts[1]", 2)]


def test_an_undeclared_input_may_not_hide_a_name_of_the_templates() -> None:
    assert fields_of(prompts_of("hi", steps="x")) == ["inputs.steps"]


def test_no_message_quotes_a_value() -> None:
    request = request_of(
        {"name": "a", "jsonSchema": '{"enum": ["x"]}'}, {"name": "b", "jsonSchema": '{"not": {}}'}, given={"a": "s3cr3t", "b": "s3cr3t"}
    )
    for fault in validate(request, Plans()).faults:
        assert "s3cr3t" not in fault.message
    assert len(validate(request, Plans()).faults) == 2


def test_schemas_of_a_chain_are_bounded_together() -> None:
    request = request_of(*[{"name": f"n{number}", "jsonSchema": f'{{"title": "{"x" * 9_000}"}}'} for number in range(2)])
    assert [fault.field for fault in validate(request, Plans()).faults] == ["spec.inputs"]


def test_inputs_of_a_chain_are_bounded_in_number() -> None:
    assert [fault.field for fault in validate(request_of(*[{"name": f"n{number}"} for number in range(65)]), Plans()).faults] == [
        "spec.inputs"
    ]
