"""JSON of others, looked into without trust."""

import pytest

from promptwire_server.providers.json_value import dumped, parsed_object


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
