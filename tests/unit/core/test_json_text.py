"""JSON as text is read exactly, and what is no JSON is refused with its place."""

import pytest

from promptwire_server.core.json_text import NotJson, parse, parse_object


def test_whole_numbers_are_exact() -> None:
    assert parse("[9007199254740993, 3]") == [9007199254740993, 3]
    assert isinstance(parse("3"), int)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1, column 1"),
        ('{"a":\n 1,}', "line 2, column"),
        ("NaN", "NaN"),
        ("-Infinity", "NaN, Infinity"),
        ("1" * 5_000, "too many digits"),
        ("[" * 100_000, "nested too deeply"),
        (r'"\ud800"', "surrogate"),
        (r'{"\uDC00": 1}', "surrogate"),
    ],
)
def test_refuses_what_is_no_json(text: str, words: str) -> None:
    with pytest.raises(NotJson, match=words):
        parse(text)


def test_pairs_of_surrogates_are_characters() -> None:
    assert parse(r'"\ud83d\ude00"') == "\N{GRINNING FACE}"


@pytest.mark.parametrize("text", ["[]", "1", "null", '"x"'])
def test_an_object_is_an_object(text: str) -> None:
    with pytest.raises(NotJson, match="must be a JSON object"):
        parse_object(text)


def test_the_message_never_quotes_the_text() -> None:
    with pytest.raises(NotJson) as caught:
        parse('{"key": s3cr3t}')
    assert "s3cr3t" not in str(caught.value)
