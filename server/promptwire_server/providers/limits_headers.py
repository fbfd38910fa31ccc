"""What vendors tell of their rate limits in the head of every answer. A vendor with names of its own needs a few rows here.

Two habits are known. Most let the allowance flow back evenly, and their reset says when all of it is there: OpenAI, Groq, Azure, Anthropic
(by date). Those that name the window in the header (Mistral, Cerebras, SambaNova's day) give all of it back when the window ends. Limits of
a second (Together, Fireworks) are left out: they are over before the next call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from promptwire_server.core.limits import Allowance, Counted, RateLimits
from promptwire_server.providers.retry_after import delay_s, number_in

_MINUTE_S = 60.0
_WINDOWS_S = {"minute": _MINUTE_S, "hour": 3600.0, "day": 86_400.0, "month": 30 * 86_400.0}
_NONE: RateLimits = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """The headers of one limit."""

    name: str
    counted: Counted
    remaining: str
    limit: str
    reset: str
    period: str = ""  # the header with the length of its window in seconds
    window_s: float = 0.0  # of a limit that comes back all at once; 0: it flows back evenly


def _even(name: str, counted: Counted) -> _Row:
    """OpenAI's names; the period is Azure's."""
    at = "x-ratelimit"
    return _Row(name, counted, f"{at}-remaining-{name}", f"{at}-limit-{name}", f"{at}-reset-{name}", f"{at}-renewalperiod-{name}")


def _anthropic(name: str, counted: Counted) -> _Row:
    at = f"anthropic-ratelimit-{name}"
    return _Row(name, counted, f"{at}-remaining", f"{at}-limit", f"{at}-reset")


def _at_once(name: str, counted: Counted, window: str) -> _Row:
    """OpenAI's names with the window behind them."""
    return replace(_even(f"{name}-{window}", counted), window_s=_WINDOWS_S[window])


_ROWS = (
    _even("requests", "requests"),
    _even("tokens", "tokens"),
    _even("project-tokens", "tokens"),  # OpenAI's, where a project has limits of its own
    _anthropic("requests", "requests"),
    _anthropic("tokens", "tokens"),
    _anthropic("input-tokens", "input_tokens"),
    _anthropic("output-tokens", "output_tokens"),
    _at_once("req", "requests", "minute"),  # Mistral
    *(_at_once("requests", "requests", window) for window in ("minute", "hour", "day")),
    *(_at_once("tokens", "tokens", window) for window in ("minute", "hour", "day", "month")),
)


def rate_limits(headers: Mapping[str, str], now_epoch_s: float) -> RateLimits:
    """What is left of each limit; empty for vendors that do not tell. `headers` has lower-case names or is case-insensitive."""
    found: list[Allowance] = []
    for row in _ROWS:
        said = headers.get(row.remaining)
        if said is not None and (allowance := _allowance(row, said, headers, now_epoch_s)) is not None:
            found.append(allowance)
    return found or _NONE


def _allowance(row: _Row, said: str, headers: Mapping[str, str], now_epoch_s: float) -> Allowance | None:
    """None when it makes no sense. A limit of 0 is how Mistral says that an account has nothing at all, which is no rate."""
    remaining, limit = number_in(said), number_in(headers.get(row.limit, ""))
    if remaining is None or limit == 0:
        return None
    reset = headers.get(row.reset)
    reset_s = delay_s(reset, now_epoch_s) if reset else None
    if row.window_s or limit is None:
        return Allowance(row.name, row.counted, remaining, limit, max(0.0, reset_s or row.window_s or _MINUTE_S))
    per_s = _rate(max(0.0, limit - remaining), limit, reset_s or 0.0, number_in(headers.get(row.period, "")))
    return Allowance(row.name, row.counted, remaining, limit, max(0.0, limit - remaining) / per_s, per_s)


def _rate(spent: float, limit: float, reset_s: float, period_s: float | None) -> float:
    """What comes back in a second. Azure says the period, and 0 as the reset of what is not used up; others say when all is back."""
    if not period_s and spent and reset_s > 0:
        return spent / reset_s
    return limit / (period_s or _MINUTE_S)
