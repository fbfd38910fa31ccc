"""News: what is heard of an answer, as entries that other servers read, and back."""

from collections.abc import Iterable, Iterator

from promptwire import v1 as pb
from promptwire_server.core import error_text
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.reply import Batch, Event

_EVENTS, _WHOLE, _ERROR = b"E", b"W", b"X"
_LENGTH_BYTES = 4


def of_events(events: Iterable[Event]) -> bytes:
    """Events of a stream."""
    said = [event.SerializeToString() for event in events]
    return _EVENTS + b"".join([len(each).to_bytes(_LENGTH_BYTES, "big") + each for each in said])


def of_whole(response: pb.ChatResponse) -> bytes:
    """A whole answer, which ends it."""
    return _WHOLE + response.SerializeToString()


def of_error(error: PromptwireError) -> bytes:
    """How it failed, which ends it."""
    return _ERROR + error_text.to_text(error)


def read(entry: bytes) -> Batch | pb.ChatResponse:
    """Events, or a whole answer. Raises the error that was told; DecodeError and ValueError for what is no entry."""
    kind, rest = entry[:1], entry[1:]
    if kind == _EVENTS:
        return list(_events(rest))
    if kind == _WHOLE:
        return pb.ChatResponse.FromString(rest)
    if kind == _ERROR:
        raise error_text.from_text(rest)
    raise ValueError("is no news of an answer")


def _events(data: bytes) -> Iterator[Event]:
    at = 0
    while at < len(data):
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(data[at:begin], "big")
        yield Event.FromString(data[begin:at])
