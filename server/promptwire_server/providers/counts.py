"""Counts of tokens from a vendor, which may be missing, impossible or text."""

from collections.abc import Callable

from promptwire import v1 as pb
from promptwire_server.providers.json_value import Json

_MOST = 100_000_000  # no model reads or writes as much in one answer


def count_of(value: Json) -> int | None:
    """The number of tokens, or None when it is none: absent, no number, negative or absurd."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:  # noqa: PLR2004 - digits of _MOST, and one
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= _MOST else None


def total_of(value: Json, usage: pb.Usage, estimate: Callable[[], int]) -> int:
    """The count said, or the estimate where that cannot be: missing, negative, absurd, or nothing for something."""
    count = count_of(value)
    if count:
        return count
    estimated = estimate()
    usage.estimated |= count is None or estimated > 0
    return estimated


def note_estimate(usage: pb.Usage, notices: list[pb.Notice], *, said_something: bool) -> None:
    """Say that tokens had to be estimated, when they had."""
    if not usage.estimated:
        return
    code, what = (pb.Notice.CODE_USAGE_CORRECTED, "impossible counts") if said_something else (pb.Notice.CODE_USAGE_ESTIMATED, "no counts")
    message = f"the provider gave {what}; tokens were estimated from the length of the text"
    notices.append(pb.Notice(code=code, message=message, field="usage"))
