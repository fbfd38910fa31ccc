"""Server-sent events, and the errors that this vendor writes between them as bare lines of JSON."""

import orjson

from promptwire_server.providers import sse
from promptwire_server.providers.failed import failed
from promptwire_server.providers.framing import ServerEvent
from promptwire_server.providers.json_value import Json, dumped

_LONGEST = 64 << 10  # bytes of an error
_BEGINNINGS = (b"\n{", b"\n[", b"\r{", b"\r[")


class Parser:
    """See framing.Parser. A line that begins with a brace or a bracket belongs to no event: it begins an error."""

    __slots__ = ("_bare", "_events", "_line_begins", "_provider")

    def __init__(self, provider: str, *, max_line_bytes: int, max_event_bytes: int) -> None:
        self._provider = provider
        self._events = sse.Parser(provider, max_line_bytes=max_line_bytes, max_event_bytes=max_event_bytes)
        self._line_begins = True
        self._bare = b""  # the error under way

    def feed(self, data: bytes) -> list[ServerEvent]:
        """See framing.Parser."""
        start = 0 if self._bare else self._start(data)
        if start < 0:
            self._line_begins = data.endswith((b"\n", b"\r")) if data else self._line_begins
            return self._events.feed(data)
        events = self._events.feed(data[:start])
        self._bare += data[start:]
        if len(self._bare) > _LONGEST:
            raise failed(self._provider, "it sent something else than events")
        if self._bare.rstrip().endswith((b"}", b"]")) and (error := _object_in(self._bare)):
            events.append(("error", error))
            self._bare = b""
        return events

    def rest(self) -> str:
        """See framing.Parser."""
        return self._bare.decode(errors="replace") or self._events.rest()

    def _start(self, data: bytes) -> int:
        """Where an error begins; less than 0 where none does."""
        if self._line_begins and data.startswith((b"{", b"[")):
            return 0
        end = data.find(b"\n")
        end = end if end >= 0 else data.find(b"\r")
        if end < 0 or data[end:].isspace():  # as in most reads: one event, and nothing behind it
            return -1
        found = [place for beginning in _BEGINNINGS if (place := data.find(beginning, end)) >= 0]
        return min(found) + 1 if found else -1


def _object_in(text: bytes) -> str:
    """The object, or the first of a list of them, as text; empty while it is not complete."""
    try:
        value: Json = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ""
    if isinstance(value, list):
        value = value[0] if value else None
    return dumped(value) if isinstance(value, dict) else ""
