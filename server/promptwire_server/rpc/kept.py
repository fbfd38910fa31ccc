"""Kept: the outcome of a request as bytes that a store keeps, and back."""

from collections.abc import Iterator, Sequence

from promptwire import v1 as pb
from promptwire_server.core import error_text
from promptwire_server.core.errors import PromptwireError, TooLarge

_ANSWER, _ERROR, _FAILURE, _TOO_LARGE = b"A", b"E", b"F", b"L"  # an error without its attempts is of an older version
_LENGTH_BYTES = 4
# Failures that would be the same if the request were made again, or that come after money was spent. All others are worth another try.
_FINAL = frozenset(
    {
        pb.ERROR_REASON_INVALID_FIELD,
        pb.ERROR_REASON_INVALID_TEMPLATE,
        pb.ERROR_REASON_CONTEXT_TOO_LONG,
        pb.ERROR_REASON_UPSTREAM_INVALID_REQUEST,
        pb.ERROR_REASON_UPSTREAM_POLICY,
        pb.ERROR_REASON_CHAIN_FAILED,
        pb.ERROR_REASON_OUTPUT_SCHEMA_MISMATCH,
    }
)


def answer(messages: Sequence[bytes], most_bytes: int) -> bytes:
    """The messages of an answer; of one that is too large, only that it was given."""
    if sum(map(len, messages)) > most_bytes:
        return _TOO_LARGE
    return _ANSWER + b"".join(map(_framed, messages))


def failure(error: PromptwireError, attempts: Sequence[pb.Attempt]) -> bytes | None:
    """An error that is final, with what was tried before it; None for one after which the request may be made again."""
    if error.reason not in _FINAL or error.retryable:
        return None
    return _FAILURE + _framed(pb.AttemptTrail(attempts=attempts).SerializeToString()) + error_text.to_text(error)


def attempts(outcome: bytes) -> Sequence[pb.Attempt]:
    """What was tried before an error that was kept. Of an answer that was given: nothing, it says so itself."""
    if outcome[:1] != _FAILURE:
        return ()
    return pb.AttemptTrail.FromString(_first(outcome[1:])).attempts


def messages(outcome: bytes) -> list[bytes]:
    """The messages that were given. Raises the error that was kept, TooLarge where the answer was not, ValueError for anything else."""
    kind, rest = outcome[:1], outcome[1:]
    if kind == _ANSWER:
        return list(_split(rest))
    if kind == _ERROR:
        raise error_text.from_text(rest)
    if kind == _FAILURE:
        raise error_text.from_text(rest[_LENGTH_BYTES + len(_first(rest)) :])
    if kind == _TOO_LARGE:
        raise TooLarge("this request was answered before, and the answer was too large to be kept; to ask again, use another request_id")
    raise ValueError("is no outcome of a request")


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(_LENGTH_BYTES, "big") + message


def _first(data: bytes) -> bytes:
    return next(_split(data))


def _split(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(data[at:begin], "big")
        if at > len(data):
            raise ValueError("is cut off")
        yield data[begin:at]
