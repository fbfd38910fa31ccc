"""Server-sent events, taken apart as they arrive: bytes in, events out, whatever the cuts between reads.

Follows the WHATWG standard (lines end in LF, CRLF or CR; comments; several data lines; a leading byte order mark), but bounds every line
and event, and refuses bytes that are no UTF-8 instead of replacing them: a replaced character in an answer would be a silent lie.
"""

from promptwire_server.core.errors import UpstreamFailed
from promptwire_server.providers.failed import failed

ServerEvent = tuple[str, str]  # the event's name (empty: none was given) and its data

_BOM = b"\xef\xbb\xbf"
_PLAIN = "data: "


class Parser:
    """Takes one stream apart. `feed` never waits for more bytes than the end of the event needs."""

    __slots__ = ("_after_cr", "_begun", "_line_bytes", "_max_event_bytes", "_max_line_bytes", "_pieces", "_provider", "_size")

    def __init__(self, provider: str, *, max_line_bytes: int, max_event_bytes: int) -> None:
        self._provider = provider
        self._max_line_bytes = max_line_bytes
        self._max_event_bytes = max_event_bytes
        self._pieces: list[bytes] = []  # the event under way; never joined while it grows, so that a trickle costs no more than a flood
        self._size = 0
        self._line_bytes = 0  # of the line under way
        self._after_cr = False  # a line feed that comes next belongs to the carriage return before it
        self._begun = False

    def feed(self, data: bytes) -> list[ServerEvent]:
        """The events that these bytes complete. Raises UpstreamFailed when a bound is exceeded or the bytes are no UTF-8."""
        if self._after_cr or b"\r" in data:
            data = self._with_line_feeds(data)
        if not data:
            return []
        pieces = self._pieces
        if pieces:
            seam = pieces[-1][-1:] + data
            if b"\n\n" not in seam:
                self._keep(data)
                return []
            pieces.append(data)
            data = b"".join(pieces)
            pieces.clear()
        self._size = self._line_bytes = 0
        end = data.rfind(b"\n\n")
        if end < 0:
            self._keep(data)
            return []
        if end + 2 < len(data):
            self._keep(data[end + 2 :])
        data = data[:end]  # an event may be long: no copy more than must be
        return self._events(data)

    def rest(self) -> str:
        """Data of an event that the end of the stream cut off before its blank line; empty when there is none. Not to be trusted."""
        try:
            events = self._events(b"".join(self._pieces).rstrip(b"\n"))
        except UpstreamFailed:
            return ""
        return events[-1][1] if events else ""

    def _events(self, block: bytes) -> list[ServerEvent]:
        if not self._begun:
            block = self._first(block)
        if len(block) > self._max_line_bytes:
            for part in block.split(b"\n\n"):
                self._check(len(part), max(map(len, part.split(b"\n"))))
        try:
            text = block.decode()
        except UnicodeDecodeError:
            raise failed(self._provider, "its stream is not UTF-8") from None
        events: list[ServerEvent] = []
        for lines in text.split("\n\n"):
            if lines.startswith(_PLAIN) and "\n" not in lines:
                events.append(("", lines[6:]))
            elif (event := _event(lines)) is not None:
                events.append(event)
        return events

    def _first(self, block: bytes) -> bytes:
        self._begun = True
        return block.removeprefix(_BOM)

    def _with_line_feeds(self, data: bytes) -> bytes:
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _keep(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        line_begins = data.rfind(b"\n") + 1
        self._line_bytes = len(data) - line_begins if line_begins else self._line_bytes + len(data)
        self._check(self._size, self._line_bytes)

    def _check(self, event_bytes: int, line_bytes: int) -> None:
        if line_bytes > self._max_line_bytes:
            raise failed(self._provider, f"it sent a line of more than {self._max_line_bytes} bytes")
        if event_bytes > self._max_event_bytes:
            raise failed(self._provider, f"it sent an event of more than {self._max_event_bytes} bytes")


def _event(lines: str) -> ServerEvent | None:
    """The event of these lines; None for comments, and for what has no data."""
    name = ""
    data: list[str] = []
    for line in lines.split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
    return (name, "\n".join(data)) if data else None
