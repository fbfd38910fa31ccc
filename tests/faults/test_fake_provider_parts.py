"""The pure parts of the provider: scripts, words, and surgery on steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import validate

from tests.faults.fake_provider.schema import instance
from tests.faults.fake_provider.script import Point, PointKind, ScriptError, scripted
from tests.faults.fake_provider.steps import Body, Finish, Raw, Repeat, Step, body_bytes, divide
from tests.faults.fake_provider.words import tokenise

STEPS: list[Step] = [Raw(b"head", head=True), Body(b"one", event=True), Repeat(b"ab", 3), Body(b"two", event=True), Finish()]


def body(steps: list[Step]) -> bytes:
    parts = []
    for step in steps:
        match step:
            case Body(data=data):
                parts.append(data)
            case Repeat(block=block, count=count):
                parts.append(block * count)
            case _:
                pass
    return b"".join(parts)


@given(st.text())
def test_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(tokenise(text)) == text


@given(st.integers(0, 20))
def test_a_division_by_bytes_loses_none(n: int) -> None:
    before, after = divide(STEPS, Point(PointKind.BYTE, n))

    assert body(before) + body(after) == body(STEPS)
    assert len(body(before)) == min(n, len(body(STEPS)))
    assert isinstance(before[0], Raw)


@pytest.mark.parametrize(("n", "text"), [(0, b""), (1, b"one"), (2, b"oneabababtwo"), (9, b"oneabababtwo")])
def test_a_division_by_events(n: int, text: bytes) -> None:
    before, after = divide(STEPS, Point(PointKind.EVENT, n))

    assert body(before) == text
    assert isinstance(after[-1], Finish)


def test_an_endless_body_has_no_length() -> None:
    assert body_bytes([Body(b"x"), Repeat(b"y", -1)]) is None


@given(st.text(alphabet="abc=;/~%019_-:. "))
def test_any_script_is_understood_or_refused(text: str) -> None:
    try:
        scripted(model=f"fake~{text}", api_key="", attempt=1)
    except ScriptError as error:
        assert str(error)  # noqa: PT017  # both outcomes are right, silence is not


def test_schema_instances_fit() -> None:
    schema = {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "minimum": 10},
            "kind": {"enum": ["a", "b"]},
            "name": {"type": ["string", "null"], "minLength": 40},
            "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
            "items": {"type": "array", "minItems": 2, "items": {"type": "boolean"}},
        },
        "required": ["id", "kind", "name", "next", "items"],
    }
    validate(instance(schema, seed="x"), schema)
