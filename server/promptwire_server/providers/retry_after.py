"""When a vendor says that a retry may succeed, in each of the shapes that vendors use."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 24 * 3600.0  # beyond a day it is not advice for a program
_RESETS = (
    *("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens", "x-ratelimit-reset"),
    *(f"anthropic-ratelimit-{what}-reset" for what in ("requests", "tokens", "input-tokens", "output-tokens")),
)
_NUMBER = re.compile(r"\d{1,18}(\.\d{1,9})?")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PIECE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_EPOCH_LIKE_S = 1e9  # a bare number above this is a date, above a thousand times this a date in milliseconds


def retry_after_s(headers: Mapping[str, str], now_epoch_s: float, *, limited: bool) -> float | None:
    """Seconds to wait, at least 0; None when nothing usable is said. `headers` has lower-case names or is case-insensitive.

    Order: retry-after-ms, retry-after (seconds or an HTTP date), and, only when `limited` since vendors send it with every answer, of
    x-ratelimit-reset-* and anthropic-ratelimit-*-reset (a date of RFC 3339) the longest among the limits that are used up
    (`…-remaining-…` is 0), or of all when none is said to be.
    """
    if (milliseconds := number_in(headers.get("retry-after-ms", ""))) is not None:
        return _sane(milliseconds / 1000)
    if (said := headers.get("retry-after", "").strip()) and (delay := delay_s(said, now_epoch_s)) is not None:
        return _sane(delay)
    resets = {name: headers[name] for name in _RESETS if name in headers} if limited else {}
    used_up = {name: value for name, value in resets.items() if headers.get(name.replace("reset", "remaining"), "").strip() == "0"}
    delays = [delay for value in (used_up or resets).values() if (delay := delay_s(value.strip(), now_epoch_s)) is not None]
    return _sane(max(delays)) if delays else None


def delay_s(text: str, now_epoch_s: float) -> float | None:
    """Seconds from now until what a header says: a number of them, a length such as "6m0s", or a date. None: it says nothing usable."""
    if (number := number_in(text)) is not None:
        return _from_number(number, now_epoch_s)
    parse = _rfc3339 if text[4:5] == "-" else parsedate_to_datetime
    if parse is parsedate_to_datetime and (seconds := _spelled(text)) is not None:
        return seconds
    with suppress(ValueError, OverflowError):
        return parse(text).timestamp() - now_epoch_s
    return None


def _rfc3339(text: str) -> datetime:
    """The date; without a zone it is UTC. Raises ValueError."""
    date = datetime.fromisoformat(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _from_number(number: float, now_epoch_s: float) -> float:
    if number > _EPOCH_LIKE_S * 1000:
        return number / 1000 - now_epoch_s
    return number - now_epoch_s if number > _EPOCH_LIKE_S else number


def _spelled(text: str) -> float | None:
    """The length of "6m0s", "20ms", "1h2m3.5s"."""
    pieces = _PIECE.findall(text)
    if not pieces or "".join(number + unit for number, unit in pieces) != text:
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in pieces)


def number_in(text: str) -> float | None:
    """The number that is the whole text, at least 0."""
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def _sane(seconds: float) -> float:
    return min(LONGEST_S, max(0.0, seconds))
