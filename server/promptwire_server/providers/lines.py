"""Lines of JSON (NDJSON), taken apart as they arrive: bytes in, events out, whatever the cuts between reads."""

from promptwire_server.core.errors import UpstreamFailed
from promptwire_server.providers.failed import failed
from promptwire_server.providers.framing import ServerEvent


class Parser:
    """Takes one stream of lines apart. See framing.Parser."""

    __slots__ = ("_max_line_bytes", "_pieces", "_provider", "_size")

    def __init__(self, provider: str, *, max_line_bytes: int) -> None:
        self._provider = provider
        self._max_line_bytes = max_line_bytes
        self._pieces: list[bytes] = []  # the line under way
        self._size = 0

    def feed(self, data: bytes) -> list[ServerEvent]:
        """The lines that these bytes complete; empty ones are left out. Raises UpstreamFailed for too long a line, or no UTF-8."""
        if b"\n" not in data:
            self._keep(data)
            return []
        *whole, rest = b"".join([*self._pieces, data]).split(b"\n")
        self._pieces.clear()
        self._size = 0
        if max(map(len, whole)) > self._max_line_bytes:
            raise self._too_long()
        if rest:
            self._keep(rest)
        return [("", text) for line in whole if (text := self._decoded(line).strip())]

    def rest(self) -> str:
        """The last line, when the stream ended without a line feed."""
        try:
            return self._decoded(b"".join(self._pieces)).strip()
        except UpstreamFailed:
            return ""

    def _keep(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > self._max_line_bytes:
            raise self._too_long()

    def _decoded(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            raise failed(self._provider, "its stream is not UTF-8") from None

    def _too_long(self) -> UpstreamFailed:
        return failed(self._provider, f"it sent a line of more than {self._max_line_bytes} bytes")
