"""The matrix: every fault that an upstream can have, and what becomes of a whole answer and of a stream. One row a fault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from promptwire_server.core.errors import (
    ContextTooLong,
    PromptwireError,
    StreamInterrupted,
    UpstreamAccount,
    UpstreamFailed,
    UpstreamInvalidRequest,
    UpstreamMisdirected,
    UpstreamModelUnknown,
    UpstreamPolicy,
    UpstreamRateLimited,
)
from promptwire_server.providers.upstream import Timeouts

# Where a fault comes midway, so many tokens, one after the other; an event of a dialect is not always a token.
MIDWAY: Final = "MIDWAY"
MIDWAY_AT: Final[Mapping[str, int]] = {"responses": 14}
MIDWAY_ELSE: Final = 10
_SLOWLY: Final = "tokens=20;delay_ms=15"

QUICK: Final = Timeouts(connect_s=5, first_token_s=0.6, idle_s=0.6, total_s=1.2)
Timer = Literal["first_token", "idle", "total"]
Connection = Literal["kept", "closed", "either"]  # either: by which bytes had come when it was given up


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a call whose first request meets the fault, and of which a second one would be answered."""

    error: type[PromptwireError] | None = None  # of the first attempt
    again: bool = False  # whether there is a second
    connection: Connection = "kept"  # of the first
    timer: Timer | None = None  # that ends the first


@dataclass(frozen=True, slots=True)
class Fault:
    """One row."""

    name: str
    script: str
    whole: Outcome | None  # None: a whole answer has no middle
    streamed: Outcome
    differs: Mapping[str, Outcome] = field(default_factory=dict)  # streams of these dialects
    without: frozenset[str] = frozenset()  # dialects that have no words for it
    scripts: Mapping[str, str] = field(default_factory=dict)  # of dialects that say it in other words
    pause_s: float = 0.0  # at least, between the two attempts


def _fails(error: type[PromptwireError], connection: Connection = "kept") -> Outcome:
    return Outcome(error, connection=connection)


def _again(error: type[PromptwireError] = UpstreamFailed, connection: Connection = "kept", timer: Timer | None = None) -> Outcome:
    return Outcome(error, again=True, connection=connection, timer=timer)


def _both(name: str, script: str, outcome: Outcome, **more: float | frozenset[str] | Mapping[str, str]) -> Fault:
    return Fault(name, script, outcome, outcome, **more)  # type: ignore[arg-type]  # passed on as they are


_WELL: Final = Outcome()
_WELL_ONCE: Final = Outcome(connection="closed")  # the vendor ends the connection behind the answer
_BROKEN: Final = _again(connection="closed")
_WRONG: Final = _again(connection="either")
_CUT: Final = _fails(StreamInterrupted, "closed")
_CUT_EITHER: Final = _fails(StreamInterrupted, "either")
_PAGE: Final = "body=<html>sorry;content_type=text%2Fhtml"

_STATUSES: Final = (
    *(_both(f"status {status}", f"status={status}", _again()) for status in (408, 409, 500, 502, 503, 504, 520, 529)),
    _both("503 with Retry-After", "status=503;retry_after_ms=80", _again(), pause_s=0.08),
    _both("429 with Retry-After", "status=429;retry_after_ms=80", _again(UpstreamRateLimited), pause_s=0.08),
    _both("429 without", "status=429", _again(UpstreamRateLimited), without=frozenset({"openai", "responses", "gemini", "huggingface"})),
    _both("429 beyond the deadline", "status=429;retry_after=60", _fails(UpstreamRateLimited)),
    _both("401", "status=401", _fails(UpstreamAccount)),
    _both("402", "status=402", _fails(UpstreamAccount)),
    _both("403", "status=403", _fails(UpstreamAccount)),
    _both("404", "status=404", _fails(UpstreamModelUnknown)),
    _both("400", "status=400", _fails(UpstreamInvalidRequest)),
    _both(
        "context too long",
        "status=400;code=context_length_exceeded",
        _fails(ContextTooLong),
        scripts={"ollama": "status=400;message=the input length exceeds the context length"},
    ),
    _both("policy", "status=400;code=content_policy_violation", _fails(UpstreamPolicy), without=frozenset({"ollama"})),
    *(_both(f"redirect {status}", f"redirect={status}", _fails(UpstreamMisdirected)) for status in (301, 302, 307, 308)),
    _both("error page", f"status=502;{_PAGE}", _again()),
    _both("compressed error page", "status=503;gzip", _again(connection="either")),
    _both("error that never ends", "status=503;huge_body=forever", _again(connection="closed")),
)
_SILENCES: Final = (
    Fault("hang before head", "hang=start", _again(UpstreamFailed, "closed", "total"), _again(UpstreamFailed, "closed", "first_token")),
    Fault("hang after head", "hang=head", _again(UpstreamFailed, "closed", "idle"), _again(UpstreamFailed, "closed", "first_token")),
    Fault("hang in the first event", "hang=30b", _again(UpstreamFailed, "closed", "idle"), _again(UpstreamFailed, "closed", "first_token")),
    Fault("hang midway", f"hang={MIDWAY};{_SLOWLY}", None, Outcome(StreamInterrupted, connection="closed", timer="idle")),
    Fault("slow head", "head_ms=60000", _again(UpstreamFailed, "closed", "total"), _again(UpstreamFailed, "closed", "first_token")),
    Fault(
        "slow first token",
        "first_event_ms=60000",
        _again(UpstreamFailed, "closed", "idle"),
        _again(UpstreamFailed, "closed", "first_token"),
    ),
    Fault("slow drip", "tokens=1000;delay_ms=50", _WELL, Outcome(StreamInterrupted, connection="closed", timer="total")),
    Fault(
        "endless pings", "pings=forever;ping_ms=1", _WELL, _again(UpstreamFailed, "closed", "first_token"), without=frozenset({"ollama"})
    ),
    Fault(
        "error of which nothing comes", "status=503;hang=10b", _again(UpstreamFailed, "closed", "idle"), _again(UpstreamFailed, "closed")
    ),
)
_CONNECTIONS: Final = (
    *(_both(f"{how} before head", f"{how}=start", _BROKEN) for how in ("fin", "rst")),
    *(_both(f"{how} after head", f"{how}=head", _BROKEN) for how in ("fin", "rst")),
    *(_both(f"{how} in the first event", f"{how}=30b", _BROKEN) for how in ("fin", "rst")),
    *(Fault(f"{how} midway", f"{how}={MIDWAY};{_SLOWLY}", _WELL_ONCE, _CUT) for how in ("fin", "rst")),
    _both("close for the end, too early", "framing=close;fin=40b", _BROKEN),
    _both("close for the end", "framing=close", _WELL_ONCE),
    _both("garbage for a head", "garbage=start", _BROKEN),
    _both("bad chunk", "bad_chunk=head;framing=chunked", _BROKEN),
    Fault("bad chunk midway", f"bad_chunk={MIDWAY};framing=chunked;{_SLOWLY}", _BROKEN, _CUT),
    _both("huge head", "header_bytes=100k", _BROKEN),
)
_BODIES: Final = (
    _both("garbage", "garbage=head", _WRONG),
    _both("bad JSON", "bad_json=0", _WRONG),
    Fault("bad JSON midway", f"bad_json={MIDWAY};{_SLOWLY}", _WRONG, _CUT_EITHER),
    _both("bad UTF-8", "bad_utf8=0", _WRONG),
    Fault("bad UTF-8 midway", f"bad_utf8={MIDWAY};{_SLOWLY}", _WRONG, _CUT_EITHER),
    _both("huge line", "huge_line=forever", _BROKEN),
    _both("huge event", "huge_event=1m", _BROKEN, without=frozenset({"anthropic"})),  # whose stream may have begun before
    Fault("huge body", "huge_body=forever", _BROKEN, _CUT),
    _both("gzip", "gzip", _fails(UpstreamMisdirected, "either")),
    _both("gzip bomb", "gzip_bomb=2m", _fails(UpstreamMisdirected, "either")),
    _both("error first", "error_event=0", _WRONG),
    Fault("error midway", f"error_event={MIDWAY};{_SLOWLY}", _WRONG, _CUT_EITHER),
    Fault("no terminal marker", f"done=0;{_SLOWLY}", _WELL, _CUT_EITHER, differs={"gemini": _WELL}),  # which has none
    Fault("no finish reason", f"finish=none;{_SLOWLY}", _WELL, _CUT_EITHER, differs={"responses": _WELL, "ollama": _WELL}),
    _both("HTML page for an answer", _PAGE, _WRONG),
    _both("nothing for an answer", "body=;content_type=application%2Fjson", _WRONG),
    _both("no object", "body=null;content_type=application%2Fjson", _WRONG),
    _both("empty object", "body={};content_type=application%2Fjson", _WRONG),
)
_HARMLESS: Final = (
    _both("wrong content type", "content_type=text%2Fplain", _WELL),
    _both("late first token", "first_event_ms=100", _WELL),
    _both("drip", "delay_ms=10;tokens=10", _WELL),
    _both("pings", "pings=20;ping_ms=1", _WELL),
    _both("bytes one by one", "split=1", _WELL),
)
FAULTS: Final[Sequence[Fault]] = (*_STATUSES, *_SILENCES, *_CONNECTIONS, *_BODIES, *_HARMLESS)
