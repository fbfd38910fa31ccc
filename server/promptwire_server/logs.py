"""Logs: events with fields, one JSON line each on standard error, pretty on a terminal. Lines of libraries come in the same shape.

A line is written where it happens, synchronously: a reader of standard error that stops reading stops the server, as everywhere.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import BinaryIO, Protocol, cast

import orjson
import structlog
from structlog.dev import ConsoleRenderer, plain_traceback

from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.layers import names
from promptwire_server.layers.observe import CURRENT

LEVELS: Mapping[str, int] = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_MASK = "***"
_SECRET_NAME = re.compile(r"(?:^|_|-)(?:api_?key|key|secret|password|authorization|credential|token)s?$", re.IGNORECASE)
# Keys of vendors, JWTs, passwords in addresses, and what follows "Bearer": a last defence, for what should not have come here at all.
_SECRET = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|pplx|hf|ghp|glpat|pw|xox[abprs])[-_][A-Za-z0-9_\-]{12,}"
    r"|\bAIza[A-Za-z0-9_\-]{20,}|\bAKIA[A-Z0-9]{12,}|\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-.]{8,}"
    r"|(?<=[Bb]earer )\S{8,}|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
_LONGEST_TEXT = 1024  # characters of one field; a library may print a whole message
_MAX_EVENTS = 256  # names of events are fixed, so there are fewer
_FRAMES = 12  # of a stack, the innermost

Value = object  # whatever JSON or repr can show


class Logger(Protocol):
    """Writes events: a fixed name, and fields."""

    def bind(self, **fields: Value) -> "Logger":
        """The same logger with these fields on every line."""
        ...

    def debug(self, event: str, **fields: Value) -> None:
        """For whoever looks for a fault."""
        ...

    def info(self, event: str, **fields: Value) -> None:
        """What happened."""
        ...

    def warning(self, event: str, **fields: Value) -> None:
        """What somebody should look at in time."""
        ...

    def error(self, event: str, **fields: Value) -> None:
        """What somebody should look at now."""
        ...


class Lines:
    """Where all lines go: the level, the format and the time are decided here."""

    def __init__(self, out: BinaryIO, clock: Clock, *, level: str = "info", pretty: bool = False, colors: bool = True) -> None:
        self._out = out
        self._clock = clock
        self._threshold = LEVELS[level]
        console = ConsoleRenderer(colors=colors, exception_formatter=plain_traceback, pad_event_to=0, sort_keys=False)
        self._console = console if pretty else None
        # A line is built from pieces that are kept: the time to the second, and level and event.
        self._second = -1
        self._stamp = b""
        self._heads: dict[tuple[str, str], bytes] = {}

    def enabled(self, level: str) -> bool:
        """Whether lines of this level are written."""
        return LEVELS[level] >= self._threshold

    def write(self, level: str, event: str, fields: Mapping[str, Value]) -> None:
        """One line, at once, its fields as they stand: for callers that know what is in them. Never raises."""
        self.write_all([(level, event, fields)])

    def write_all(self, lines: Iterable[tuple[str, str, Mapping[str, Value]]]) -> None:
        """Several such lines, by one write to the system."""
        build = self._json if self._console is None else self._pretty
        text = b"".join([build(level, event, fields) for level, event, fields in lines if LEVELS[level] >= self._threshold])
        try:
            self._out.write(text)
            self._out.flush()
        except (OSError, ValueError):
            return  # standard error is closed: nobody is left to be told

    def write_masked(self, level: str, event: str, fields: Mapping[str, Value]) -> None:
        """One line whose fields come from anywhere: secrets are masked, and the call of the running task is named."""
        if self.enabled(level):
            self.write(level, event, {**_of_call(CURRENT.get()), **{name: masked(name, value) for name, value in fields.items()}})

    def _json(self, level: str, event: str, fields: Mapping[str, Value]) -> bytes:
        now_s = self._clock.time()
        second = int(now_s)
        if second != self._second:
            self._second = second
            self._stamp = _utc(second).encode()
        head = self._heads.get((level, event)) or self._new_head(level, event)
        rest = _dumped(fields)[1:]
        return b'{"time":"%b.%03dZ",%b%b%b\n' % (self._stamp, int((now_s - second) * 1000), head, b"" if rest == b"}" else b",", rest)

    def _new_head(self, level: str, event: str) -> bytes:
        head = orjson.dumps({"level": level, "event": event})[1:-1]
        if len(self._heads) < _MAX_EVENTS:
            self._heads[level, event] = head
        return head

    def _pretty(self, level: str, event: str, fields: Mapping[str, Value]) -> bytes:
        console = cast("ConsoleRenderer", self._console)
        time = _utc(int(self._clock.time())).partition("T")[2]
        line = console(None, level, {"timestamp": time, "level": level, "event": event, **fields})
        return f"{line}\n".encode(errors="backslashreplace")


def to_stderr(clock: Clock, *, level: str, style: str) -> Lines:
    """Lines on standard error; `style` is "json", "pretty", or "auto" for pretty on a terminal."""
    terminal = sys.stderr.isatty()
    return Lines(sys.stderr.buffer, clock, level=level, pretty=style == "pretty" or (style == "auto" and terminal), colors=terminal)


def configure(lines: Lines) -> None:
    """Send structlog and the standard library's logging to `lines`: once a process, at its start."""
    structlog.configure(
        processors=[_split],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=lambda *_: _Adapter(lines),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [LibraryHandler(lines)]
    root.setLevel(min(number for name, number in LEVELS.items() if lines.enabled(name)))


def get_logger(**fields: Value) -> Logger:
    """A logger whose lines have these fields."""
    return cast("Logger", structlog.get_logger(**fields))


def masked(name: str, value: Value) -> Value:
    """The value of a field without what looks like a secret, by the field's name or by the text itself."""
    if isinstance(value, str):
        if _SECRET_NAME.search(name):
            return _MASK
        return _SECRET.sub(_MASK, value[:_LONGEST_TEXT])
    if isinstance(value, Mapping):
        return {str(key): masked(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(name, inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return masked(name, repr(value))


class LibraryHandler(logging.Handler):
    """Turns the lines of libraries into events. Of an exception it shows type and place, never the text, which may quote a prompt."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        fields: dict[str, Value] = {"logger": record.name, "message": _first_line(record)}
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = record.exc_info[0].__name__
            fields["where"] = stack_of(record.exc_info[2])
        self._lines.write_masked(_level_name(record.levelno), names.LIBRARY, fields)


def stack_of(trace: TracebackType | None) -> list[str]:
    """Where an exception came from, innermost last: "file.py:12 in function"."""
    frames = traceback.extract_tb(trace)[-_FRAMES:]
    return [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} in {frame.name}" for frame in frames]


class _Adapter:
    """What structlog takes for a logger."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def debug(self, event: str, fields: Mapping[str, Value]) -> None:
        self._lines.write_masked("debug", event, fields)

    def info(self, event: str, fields: Mapping[str, Value]) -> None:
        self._lines.write_masked("info", event, fields)

    def warning(self, event: str, fields: Mapping[str, Value]) -> None:
        self._lines.write_masked("warning", event, fields)

    def error(self, event: str, fields: Mapping[str, Value]) -> None:
        self._lines.write_masked("error", event, fields)

    critical = exception = error


def _split(
    _logger: Value, _method: str, event_dict: MutableMapping[str, Value]
) -> tuple[tuple[str, Mapping[str, Value]], dict[str, Value]]:
    """The last of structlog's processors: the arguments of the logger's method."""
    event = str(event_dict.pop("event", ""))
    return (event, event_dict), {}


def _dumped(fields: Mapping[str, Value]) -> bytes:
    try:
        return orjson.dumps(fields, default=repr)
    except TypeError:  # text that is no Unicode, or integers beyond 64 bits
        return json.dumps(fields, default=repr).encode()


def _utc(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _of_call(call: Call | None) -> dict[str, Value]:
    if call is None:
        return {}
    fields: dict[str, Value] = {names.REQUEST_ID: call.request_id, names.TRACE_ID: call.trace_id}
    if call.run_id:
        fields |= {names.RUN_ID: call.run_id, names.STEP_ID: call.step_id}
    return fields


def _first_line(record: logging.LogRecord) -> str:
    try:
        message = record.getMessage()
    except (TypeError, ValueError):  # a library's format does not fit its arguments
        message = str(record.msg)
    return message.partition("\n")[0]


def _level_name(number: int) -> str:
    return next(name for name in ("error", "warning", "info", "debug") if number >= LEVELS[name] or name == "debug")
