"""Lines of JSON, taken apart whatever the cuts."""

import pytest

from promptwire_server.core.errors import UpstreamFailed
from promptwire_server.providers.lines import Parser

STREAM = '{"a":"grüß 🎉"}\n\r\n\n{"b":2}\r\n{"c":3}\n'.encode()


def parser(limit: int = 1000) -> Parser:
    return Parser("p", max_line_bytes=limit)


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_a_cut_anywhere_changes_nothing(cut: int) -> None:
    whole, halved = parser(), parser()
    assert (
        halved.feed(STREAM[:cut]) + halved.feed(STREAM[cut:])
        == whole.feed(STREAM)
        == [("", '{"a":"grüß 🎉"}'), ("", '{"b":2}'), ("", '{"c":3}')]
    )
    assert halved.rest() == ""


def test_what_the_end_cut_off_is_told_apart() -> None:
    one = parser()
    assert one.feed(b'{"a":1}\n{"b"') == [("", '{"a":1}')]
    assert one.rest() == '{"b"'


def test_a_line_may_be_long_but_not_too_long() -> None:
    assert parser(10).feed(b"1234567890\n") == [("", "1234567890")]
    for reads in ([b"12345678901\n"], [b"1"] * 11, [b"12345", b"678901\nx"]):
        one = parser(10)
        with pytest.raises(UpstreamFailed, match="more than 10 bytes"):
            [one.feed(read) for read in reads]


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(UpstreamFailed, match="UTF-8"):
        parser().feed(b"\xff\n")
    cut = parser()
    cut.feed(b"\xff")
    assert cut.rest() == ""
