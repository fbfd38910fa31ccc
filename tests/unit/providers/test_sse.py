"""Our parser of server-sent events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptwire_server.core.errors import UpstreamFailed
from promptwire_server.providers.sse import Parser, ServerEvent


def parser(line: int = 1 << 20, event: int = 1 << 20) -> Parser:
    return Parser("v", max_line_bytes=line, max_event_bytes=event)


def parsed(*reads: bytes) -> list[ServerEvent]:
    one = parser()
    return [event for read in reads for event in one.feed(read)]


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b'data: {"a":1}\n\n', [("", '{"a":1}')]),
        (b"data: a\n\ndata: b\n\n", [("", "a"), ("", "b")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [("", "a"), ("", "b")]),
        (b"data: a\r\rdata: b\r\r", [("", "a"), ("", "b")]),
        (b"data: a\r\n\ndata: b\n\r\n", [("", "a"), ("", "b")]),
        (b"data:a\n\n", [("", "a")]),
        (b"data:  a\n\n", [("", " a")]),
        (b"data\n\n", [("", "")]),
        (b"data: a\ndata: b\n\n", [("", "a\nb")]),
        (b"event: error\ndata: a\n\ndata: b\n\n", [("error", "a"), ("", "b")]),
        (b"id: 1\nretry: 5\ndata: a\n\n", [("", "a")]),
        (b": ping\n\n: ping\n\n", []),
        (b": ping\ndata: a\n\n", [("", "a")]),
        (b"event: ping\n\n", []),
        (b"\n\n\n\ndata: a\n\n\n\n", [("", "a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("", "a")]),
        (b"data: caf\xc3\xa9\n\n", [("", "café")]),
        (b"data: a", []),
        (b"data: a\n", []),
        (b"", []),
    ],
)
def test_bytes_become_events(data: bytes, events: list[ServerEvent]) -> None:
    assert parsed(data) == events


def test_the_end_of_an_event_is_not_waited_for_when_lines_end_in_cr() -> None:
    one = parser()
    assert one.feed(b"data: a\r\r") == [("", "a")]
    assert one.feed(b"data: b\r\r") == [("", "b")]


def test_a_line_feed_that_completes_a_carriage_return_is_no_line_of_its_own() -> None:
    assert parsed(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [("", "a\nb")]


_LINES = st.sampled_from(["data: a", "data: é日", "data:", "data", ": ping", "event: x", "id: 1", "", 'data: {"a": 1}', "nonsense"])
_STREAMS = st.tuples(st.lists(_LINES, max_size=12), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())


@given(_STREAMS, st.data())
def test_cuts_between_reads_change_nothing(stream: tuple[list[str], str, bool], data: st.DataObject) -> None:
    lines, end, bom = stream
    whole = (("\ufeff" if bom else "") + end.join([*lines, "data: last", "", ""])).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert parsed(*pieces) == parsed(whole)
    assert parsed(*(bytes([byte]) for byte in whole)) == parsed(whole)


@given(st.binary(max_size=200), st.data())
def test_arbitrary_bytes_give_events_or_one_kind_of_error(noise: bytes, data: st.DataObject) -> None:
    one = parser(64, 96)
    at = data.draw(st.integers(0, len(noise)))
    try:
        for piece in (noise[:at], noise[at:]):
            assert all(isinstance(text, str) for event in one.feed(piece) for text in event)
    except UpstreamFailed:
        pass


@pytest.mark.parametrize("pieces", [[b"data: " + b"a" * 100], [b"data: "] + [b"a"] * 100, [b"data: " + b"a" * 100 + b"\n\n"]])
def test_a_line_beyond_its_bound_is_refused(pieces: list[bytes]) -> None:
    one = parser(line=50)
    with pytest.raises(UpstreamFailed, match="line of more than 50 bytes"):
        [one.feed(piece) for piece in pieces]


@pytest.mark.parametrize("pieces", [[b"data: aaaa\n" * 10], [b"data: aaaa\n"] * 10, [b"data: aaaa\n" * 10 + b"\n"]])
def test_an_event_beyond_its_bound_is_refused(pieces: list[bytes]) -> None:
    one = parser(line=50, event=60)
    with pytest.raises(UpstreamFailed, match="event of more than 60 bytes"):
        [one.feed(piece) for piece in pieces]


def test_events_within_their_bounds_pass_however_many_arrive_at_once() -> None:
    assert len(parser(line=50, event=60).feed(b"data: aaaa\n\n" * 100)) == 100


@pytest.mark.parametrize("data", [b"data: \xff\n\n", b"data: \xc3\n\n", b"data: \xed\xa0\x80\n\n"])
def test_what_is_no_utf_8_is_refused(data: bytes) -> None:
    with pytest.raises(UpstreamFailed, match="not UTF-8") as caught:
        parsed(data)
    assert caught.value.origin.provider == "v"


@pytest.mark.parametrize(
    ("data", "rest"),
    [(b"data: [DONE]", "[DONE]"), (b"data: [DONE]\n", "[DONE]"), (b"data: a\n\ndata: [DO", "[DO"), (b"data: a\n\n", ""), (b"\xff", "")],
)
def test_the_rest_is_what_the_end_cut_off(data: bytes, rest: str) -> None:
    one = parser()
    one.feed(data)
    assert one.rest() == rest
