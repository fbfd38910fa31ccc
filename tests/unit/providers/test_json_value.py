"""JSON of others, looked into without trust."""

import orjson
import pytest

from promptwire_server.providers.json_value import dumped, parsed_object, too_rich


def nested(levels: int) -> str:
    return '{"a":' + "[" * levels + "]" * levels + "}"


@pytest.mark.parametrize("levels", [1, 100, 190])
def test_what_was_read_can_be_written(levels: int) -> None:
    value = parsed_object(nested(levels))
    assert value is not None
    assert dumped(value) == nested(levels)


@pytest.mark.parametrize("levels", [200, 300, 1000, 100_000])
def test_what_could_not_be_written_again_is_not_read(levels: int) -> None:
    assert parsed_object(nested(levels)) is None
    assert parsed_object(nested(levels).encode()) is None


def test_brackets_within_texts_are_no_nesting() -> None:
    assert parsed_object(dumped({"a": "[{" * 500, "b": [[1]] * 300})) is not None


@pytest.mark.parametrize("text", ["", "nope", "[]", "1", '"a"', '{"a":}', "\x00"])
def test_only_objects_are_objects(text: str) -> None:
    assert parsed_object(text) is None


MANY = 100_000


@pytest.mark.parametrize("text", ["[" + "{}," * MANY + "{}]", "[" + "[]," * MANY + "[]]", "[" + "1," * 2 * MANY + "1]", "[" * MANY])
def test_a_text_of_very_many_values_is_too_rich(text: str) -> None:
    assert too_rich(text)
    assert too_rich(text.encode())
    assert not too_rich(text, 16)


@pytest.mark.parametrize(
    "said", ["{}," * MANY, '{"a":1},' * MANY, '\\"{,' * MANY, "\\" * 3 * MANY, "\\\\\"',{[" * MANY, "\N{GRINNING FACE},{" * MANY]
)
def test_punctuation_in_strings_is_no_value(said: str) -> None:
    text = orjson.dumps({"a": said, "b": [said, {"c": said}]}).decode()
    assert not too_rich(text)
    assert not too_rich(text.encode())
    assert not too_rich(text.encode() * 3)


@pytest.mark.parametrize("shift", range(4))
def test_values_between_strings_are_seen_wherever_strings_begin(shift: int) -> None:
    text = " " * shift + "[" + '{"a\\\\":"{\\""},' * MANY + "{}]"
    assert too_rich(text)
    assert not too_rich(text, 4)
