"""The language in which a caller asks for misbehaviour.

    name   = base [ "~" attempt *( "/" attempt ) ]
    attempt = item *( ";" item )
    item   = "ok" | key [ "=" value ]

`fake~status=503;retry_after=2/ok` fails once and is well from then on: the last
attempt repeats. Values are percent-decoded, so `%3B`, `%2F` and `%7E` stand for the
separators. The same text may stand in the model name or in the API key; where both
speak, the model wins key by key.

A moment of the answer is a Point: `start` (before the head), `head` (after it), `3`
(after three events), `40b` (after forty bytes of the body), `end` (after the body, before its last chunk).
"""

# ruff: noqa: RUF009 - `key` is dataclasses.field with a parser, which the linter cannot see

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, Literal, TypeVar
from urllib.parse import unquote

T = TypeVar("T")
FOREVER = -1  # a count that ends only when the client leaves
ON_NEXT = -1.0  # an idle connection that closes when the next request comes in
SUFFIXES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
MARK = "~"


class ScriptError(ValueError):
    """A script this server does not understand; answered with 400, never ignored."""


class PointKind(Enum):
    START = "start"
    HEAD = "head"
    EVENT = "event"
    BYTE = "byte"
    END = "end"


@dataclass(frozen=True, slots=True)
class Point:
    """A moment within one answer; `n` counts events or bytes of the body."""

    kind: PointKind
    n: int = 0


def _point(text: str) -> Point:
    if text in ("start", "head", "end"):
        return Point(PointKind(text))
    if text.endswith("b"):
        return Point(PointKind.BYTE, int(text[:-1]))
    return Point(PointKind.EVENT, int(text))


def _size(text: str) -> int:
    """Bytes, with k, m or g for powers of 1024."""
    if text == "forever":
        return FOREVER
    unit = SUFFIXES.get(text[-1:].lower())
    return int(text[:-1]) * unit if unit else int(text)


def _flag(text: str) -> bool:
    return {"": True, "1": True, "0": False}[text]


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(text)
        return text

    return parse


def _idle(text: str) -> float:
    return ON_NEXT if text == "next" else float(text)


def _header(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name.strip(), value.strip()


def key(default: T, parse: Callable[[str], T], doc: str, *, many: bool = False) -> T:
    """Declare one script key; the field's name is the key."""
    meta = {"parse": parse, "doc": doc, "many": many}
    return field(default=default, metadata=meta)


@dataclass(frozen=True, slots=True)
class Head:
    """Status line, headers and errors."""

    status: int = key(200, int, "status; from 400 on with the error body of it")
    message: str | None = key(None, str, "`error.message`")
    error_type: str | None = key(None, str, "`error.type`")
    param: str | None = key(None, str, "`error.param`")
    code: str | None = key(None, str, "`error.code`")
    body: str | None = key(None, str, "the whole body, verbatim")
    content_type: str | None = key(None, str, "replaces the content type")
    header: tuple[tuple[str, str], ...] = key(
        (),
        _header,  # type: ignore[arg-type]  # gathered by `many`
        "`Name:value`, added; may be repeated",
        many=True,
    )
    header_bytes: int = key(0, _size, "adds one header of so many bytes")
    retry_after: str | None = key(None, str, "Retry-After: `2`, any text, or `date:2` for an HTTP date in 2 s")
    retry_after_ms: str | None = key(None, str, "the `retry-after-ms` header")
    retry_delay: str | None = key(None, str, "Gemini: `retryDelay` in the error's details, such as `0.5s`; empty: none")
    redirect: int | None = key(None, int, "301, 302, 307 or 308 with a Location")
    location: str = key("/redirected/v1/chat/completions", str, "where `redirect` points")
    interim: int | None = key(None, int, "an informational 1xx head comes first")


@dataclass(frozen=True, slots=True)
class Timing:
    """Delays in milliseconds."""

    head_ms: float = key(0.0, float, "before the head")
    first_event_ms: float = key(0.0, float, "before the first event")
    delay_ms: float = key(0.0, float, "between events")
    last_ms: float = key(0.0, float, "between the last event and the end of the body")


@dataclass(frozen=True, slots=True)
class Wire:
    """How bytes become writes and frames."""

    split: int = key(0, int, "no write is longer than so many bytes")
    framing: str | None = key(None, _one_of("chunked", "length", "close"), "`chunked`, `length` or `close`")
    chunk: int = key(0, int, "at most so many bytes in one HTTP chunk (default: one event, one chunk)")
    connection: str | None = key(None, _one_of("close", "keep-alive"), "`close` or `keep-alive`")
    gzip: bool = key(default=False, parse=_flag, doc="gzip the body, asked for or not")
    gzip_bomb: int = key(0, _size, "a gzip body that unpacks to so many zero bytes")
    idle_close: float | None = key(
        None,
        _idle,
        "closes the idle connection after so many ms, or `next`: when the next request comes in, unanswered",
    )


@dataclass(frozen=True, slots=True)
class Sse:
    """How one event is written down."""

    eol: str | None = key(None, _one_of("lf", "crlf", "cr"), "`lf`, `crlf` or `cr`; the default is the dialect's own")
    multiline: bool = key(default=False, parse=_flag, doc="data over several `data:` lines")
    event: str | None = key(None, str, "an `event:` line of this name")
    space: bool = key(default=True, parse=_flag, doc="`0`: `data:{` without the space")
    ids: bool = key(default=False, parse=_flag, doc="`id:` and `retry:` lines as well")
    bom: bool = key(default=False, parse=_flag, doc="a byte order mark before all else")
    pings: int = key(0, _size, "comments before the first event; `forever`: only these")
    ping_ms: float = key(10.0, float, "between two pings")
    ping_between: bool = key(default=False, parse=_flag, doc="a comment after each event")
    done: bool = key(default=True, parse=_flag, doc="`0`: no `data: [DONE]`")


@dataclass(frozen=True, slots=True)
class Breaks:
    """What goes wrong, and at which Point."""

    hang: Point | None = key(None, _point, "Point: silent from there on")
    fin: Point | None = key(None, _point, "Point: close there")
    rst: Point | None = key(None, _point, "Point: reset the connection there")
    garbage: Point | None = key(None, _point, "Point: 64 bytes of no meaning")
    bad_chunk: Point | None = key(None, _point, "Point: an impossible chunk size")
    bad_utf8: Point | None = key(None, _point, "Point: an event with invalid UTF-8")
    bad_json: Point | None = key(None, _point, "Point: an event that is not JSON")
    error_event: Point | None = key(None, _point, "Point: an error object as an event, then the end without [DONE]")
    error_bare: bool = key(default=False, parse=_flag, doc="Gemini: the object of `error_event` as bare lines of JSON")
    huge_line: int = key(0, _size, "so many bytes without a line end after the head")
    huge_event: int = key(0, _size, "a well-formed text delta of so many bytes first")
    huge_body: int = key(0, _size, "so many bytes more: spaces before a whole body, else small events")


@dataclass(frozen=True, slots=True)
class Content:
    """What the model says."""

    tokens: int | None = key(None, int, "words in the answer")
    text: str | None = key(None, str, "the answer, verbatim")
    finish: str | None = key(None, str, "the finish reason; `none` leaves it out")
    refusal: str | None = key(None, str, "refuses, in these words if any are given")
    reasoning: int = key(0, int, "words of reasoning before the answer")
    reasoning_field: str = key(
        "reasoning_content",
        _one_of("reasoning_content", "reasoning", "both", "hidden"),
        "`reasoning_content`, `reasoning`, `both`, or `hidden`: only in the usage",
    )
    tool: int | None = key(None, lambda text: int(text or 0), "calls N of the tools; bare: each one once")
    tool_loop: bool = key(default=False, parse=_flag, doc="calls tools even after a tool's result")
    tool_ids: str = key(
        "ok",
        _one_of("ok", "same", "blank", "missing", "null", "given"),
        "`same`, `blank`, `missing`, `null`, or `given`: also where the default is none (Gemini, Ollama)",
    )
    tool_args: str | None = key(None, str, "the arguments, verbatim")
    tool_piece: int = key(8, int, "characters of arguments in one event")
    invalid_schema: bool = key(default=False, parse=_flag, doc="structured output that breaks its schema")
    usage: str = key(
        "ok",
        _one_of("ok", "always", "none", "null", "negative", "huge", "zero", "text"),
        "`always` (unasked), `none`, `null`, `negative`, `huge` (10^18), `zero`, `text`",
    )
    cached: int = key(0, int, "cached prompt tokens")
    cache_write: int = key(0, int, "prompt tokens written to the cache, for five minutes where there is a choice")
    cache_write_1h: int = key(0, int, "prompt tokens written to the cache for an hour")
    redacted: int = key(0, int, "pieces of reasoning that only the provider can read")
    citations: int = key(0, int, "citations of the documents in the text")
    server_tool: bool = key(default=False, parse=_flag, doc="calls a tool of the provider's own first")
    logprobs: bool = key(default=False, parse=_flag, doc="logprobs unasked")
    unknown: bool = key(default=False, parse=_flag, doc="unknown fields in all objects")
    block: str | None = key(None, lambda text: text or "SAFETY", "Gemini: the prompt is blocked, for this reason")
    signatures: str = key(
        "on",
        _one_of("on", "all", "unchecked", "none"),
        "Gemini: `all` parts signed, `unchecked` on their way back, `none`",
    )
    images: int = key(0, lambda text: int(text or 1), "Gemini: so many PNG images after the text")
    obfuscation: bool = key(default=True, parse=_flag, doc="`0`: no `obfuscation` in streamed chunks")


@dataclass(frozen=True, slots=True)
class Play:
    """A recorded answer instead of one made up."""

    play: str | None = key(None, str, "plays this recording, byte for byte")
    cut: int | None = key(None, int, "only so many bytes of the recording")
    loop: int = key(0, _size, "the last so many bytes of the recording come again and again, without an end")
    cut_how: str = key("fin", _one_of("fin", "rst", "hang"), "after a cut: `fin`, `rst` or `hang`")


@dataclass(frozen=True, slots=True)
class Script:
    """All of one attempt."""

    head: Head = field(default_factory=Head)
    timing: Timing = field(default_factory=Timing)
    wire: Wire = field(default_factory=Wire)
    sse: Sse = field(default_factory=Sse)
    breaks: Breaks = field(default_factory=Breaks)
    content: Content = field(default_factory=Content)
    play: Play = field(default_factory=Play)
    id: str | None = None


GROUPS: Mapping[str, type[Any]] = {
    "head": Head,
    "timing": Timing,
    "wire": Wire,
    "sse": Sse,
    "breaks": Breaks,
    "content": Content,
    "play": Play,
}
KEYS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    item.name: (group, item.metadata) for group, kind in GROUPS.items() for item in fields(kind)
}
GOOD = Script()
Attempt = dict[str, Any]
Kind = Literal["model", "key"]


def base_of(name: str) -> str:
    """Return the name without its script."""
    return name.partition(MARK)[0]


def scripted(*, model: str, api_key: str, attempt: int) -> Script:
    """Return what to do on the given attempt, counted from 1."""
    merged = _pick(api_key, attempt) | _pick(model, attempt)
    return _build(merged)


def identity(*, model: str, api_key: str) -> str | None:
    """Return the explicit `id=` under which attempts are counted, if there is one."""
    found: str | None = _pick(model, 1).get("id") or _pick(api_key, 1).get("id")
    return found


def _pick(name: str, attempt: int) -> Attempt:
    _, mark, text = name.partition(MARK)
    if not mark:
        return {}
    attempts = [_attempt(part) for part in text.split("/")]
    return attempts[min(attempt, len(attempts)) - 1]


def _attempt(text: str) -> Attempt:
    values: Attempt = {}
    for item in text.split(";"):
        name, _, value = item.partition("=")
        if name not in ("", "ok"):
            _put(values, name, unquote(value))
    return values


def _put(values: Attempt, name: str, text: str) -> None:
    if name == "id":
        values["id"] = text
        return
    if name not in KEYS:
        raise ScriptError(f"unknown key {name!r}")
    meta = KEYS[name][1]
    try:
        value = meta["parse"](text)
    except (ValueError, KeyError) as error:
        raise ScriptError(f"{name}: {text!r} is not a value for it") from error
    values[name] = (*values.get(name, ()), value) if meta["many"] else value


def _build(values: Attempt) -> Script:
    if not values:
        return GOOD
    parts: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    for name, value in values.items():
        if name != "id":
            parts[KEYS[name][0]][name] = value
    groups = {group: kind(**parts[group]) for group, kind in GROUPS.items()}
    return Script(**groups, id=values.get("id"))
