"""The dialects as their recordings have them: what plays a recording back through the server's own decoder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptwire_server.core.clock import SystemClock
from promptwire_server.providers.adapter import Adapter
from promptwire_server.providers.dialect import Dialect
from promptwire_server.providers.openai.facts import ANY
from promptwire_server.providers.remote import speaker_of
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.providers.upstream import Answer, Request
from tests.unit.providers.support import make_ids

RECORDINGS = Path(__file__).parent / "recordings"


@dataclass(frozen=True)
class Wire:
    """One dialect on the wire."""

    name: str
    dialect: str  # of registry.DIALECTS
    prefix: str  # of its recordings
    content_type: str
    end: bytes  # what its last event that matters begins with ...
    closing: bytes  # ... and how far that event must have come to count
    options: Mapping[str, str] = field(default_factory=dict)

    def sure_from(self, body: bytes) -> int:
        """How many bytes of a stream must have come before it may be called complete."""
        return body.index(self.closing, body.rindex(self.end)) + len(self.closing)

    def recordings(self, suffix: str) -> list[str]:
        """Names of its recordings; those without a prefix are of chat completions."""
        prefixes = tuple(wire.prefix for wire in WIRES if wire.prefix)
        names = (path.name for path in RECORDINGS.glob(f"{self.prefix}*{suffix}.http"))
        return sorted(name for name in names if self.prefix or not name.startswith(prefixes))

    def decoder(self) -> Dialect:
        """The server's own."""
        settings = HttpSettings(dialect=self.dialect, options=self.options)
        return speaker_of(self.dialect).dialect(self.dialect, settings, ANY, make_ids())

    def provider(self, reads: list[bytes]) -> Adapter:
        """A provider whose every stream is these reads, and then the end."""
        dialect = self.decoder()
        stream = Cut(iter(reads), headers={"content-type": self.content_type})
        return Adapter(self.dialect, Memory(stream), dialect, clock=SystemClock())


EVENTS = "text/event-stream"
WIRES = (
    Wire("openai", "openai", "", EVENTS, b"data: [DONE]", b"data: [DONE]"),
    Wire("responses", "openai", "responses_", EVENTS, b"event: response.completed", b"}", options={"api": "responses"}),
    Wire("anthropic", "anthropic", "anthropic_", EVENTS, b"event: message_stop", b"}"),
    # It has no mark of its own: after the event with the reason, which counts without its blank line, a stream that ends is complete.
    Wire("gemini", "gemini", "gemini_", EVENTS, b'"finishReason"', b'"}'),
    Wire("ollama", "ollama", "ollama_", "application/x-ndjson", b'"done":true', b"}"),
)


def recorded(name: str) -> bytes:
    """A recording, head and all."""
    return (RECORDINGS / name).read_bytes()


def body_of(recording: bytes) -> bytes:
    """The body, without the head and the chunk sizes."""
    head, _, rest = recording.partition(b"\r\n\r\n")
    if b"chunked" not in head.lower():
        return rest
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return body


@dataclass
class Cut:
    """A stream of these reads and then the end."""

    reads: Iterator[bytes]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    async def read(self) -> bytes:
        return next(self.reads, b"")

    def progress(self) -> None:
        pass

    def close(self) -> None:
        pass

    def finish(self) -> None:
        pass


@dataclass
class Memory:
    """An upstream whose every stream is the given one."""

    stream: Cut

    async def open(self, request: Request) -> Cut:
        return self.stream

    async def fetch(self, request: Request) -> Answer:
        body = b"".join(self.stream.reads)
        return Answer(200, self.stream.headers, body)

    async def aclose(self) -> None:
        pass
