"""A recorded stream cut at every byte: what was delivered is a prefix of the truth, and success means that the terminal marker was seen."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from promptwire_server.core.clock import SystemClock
from promptwire_server.core.errors import PromptwireError, StreamInterrupted, UpstreamFailed
from promptwire_server.core.reply import Event
from promptwire_server.providers.adapter import Adapter
from promptwire_server.providers.openai.dialect import OpenAI
from promptwire_server.providers.openai.facts import ANY
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.upstream import Answer, Request
from tests.faults.upstreams import provider_at
from tests.unit.providers.support import make_call, make_ids

RECORDINGS = Path(__file__).parent / "recordings"
FAILING = "error_mid_stream.http"
OTHERS = ("anthropic_", "gemini_", "ollama_", "responses_")
STREAMS = sorted(path.name for path in RECORDINGS.glob("*_stream.http") if path.name != FAILING and not path.name.startswith(OTHERS))
DONE = b"data: [DONE]"
AT_ONCE = 32  # connections that are cut at the same time


def recorded(name: str) -> bytes:
    return (RECORDINGS / name).read_bytes()


def body_of(recording: bytes) -> bytes:
    """The events, without the head and the chunk sizes."""
    body, rest = b"", recording.partition(b"\r\n\r\n")[2]
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
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})

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
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


Heard = dict[tuple[int, int, str], str]


async def heard(provider: Provider, model: str = "m") -> tuple[Heard, PromptwireError | None]:
    """What was delivered, by part and kind, and how it ended."""
    said: Heard = {}
    try:
        async with await provider(make_call(model=model, stream=True)) as reply:
            async for event in reply:
                note(event, said)
    except PromptwireError as error:
        return said, error
    return said, None


def note(event: Event, said: Heard) -> None:
    kind = event.part_delta.WhichOneof("delta")
    if kind:
        where = (event.part_delta.candidate_index, event.part_delta.part_index, kind)
        said[where] = said.get(where, "") + getattr(event.part_delta, kind)


def check(said: Heard, error: PromptwireError | None, truth: Heard) -> None:
    """Nothing that is not true, and an error of the right kind."""
    assert all(truth.get(where, "").startswith(text) for where, text in said.items())
    if error is None:
        assert said == truth
    else:
        assert isinstance(error, StreamInterrupted if said else StreamInterrupted | UpstreamFailed)


def in_memory(reads: list[bytes]) -> Adapter:
    return Adapter("openai", Memory(Cut(iter(reads))), OpenAI("openai", ANY, make_ids()), clock=SystemClock())


def halved(body: bytes) -> list[bytes]:
    at = len(body) // 2
    return [part for part in (body[:at], body[at:]) if part]


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_cut_anywhere_tells_no_lie(name: str) -> None:
    body = body_of(recorded(name))
    truth, failure = await heard(in_memory([body]))
    assert failure is None
    assert truth
    marker = body.index(DONE) + len(DONE)
    for cut in range(len(body) + 1):
        said, error = await heard(in_memory(halved(body[:cut])))
        check(said, error, truth)
        assert (error is None) == (cut >= marker), f"cut at byte {cut}"


async def test_a_stream_that_fails_midway_never_ends_well_however_it_is_cut() -> None:
    body = body_of(recorded(FAILING))
    for cut in range(len(body) + 1):
        _, error = await heard(in_memory(halved(body[:cut])))
        assert error is not None, f"cut at byte {cut}"


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_that_arrives_byte_by_byte_is_the_same(name: str) -> None:
    body = body_of(recorded(name))
    assert await heard(in_memory([bytes([byte]) for byte in body])) == await heard(in_memory([body]))


@asynccontextmanager
async def cutting(recording: bytes, how: str) -> AsyncIterator[str]:
    """A server that sends as many bytes of the recording as the model's name says, and then closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head.lower())
        body = await reader.readexactly(int(size[1]) if size else 0)
        cut = re.search(rb'"model":"cut-(\d+)"', body)
        writer.write(recording[: int(cut[1]) if cut else 0])
        await writer.drain()
        if how == "rst":
            writer.transport.abort()
        else:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_a_connection_cut_anywhere_tells_no_lie(how: str) -> None:
    recording = recorded("text_stream.http")
    truth, _ = await heard(in_memory([body_of(recording)]))
    marker = recording.index(DONE) + len(DONE)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(provider: Provider, cut: int) -> None:
        async with gate:
            said, error = await heard(provider, f"cut-{cut}")
        check(said, error, truth)
        # A close may overtake the marker within our own buffers: then it is an error that could have been none, never the reverse.
        assert error is not None or cut >= marker, f"cut at byte {cut}"
        assert error is None or cut < len(recording) or how == "rst", f"cut at byte {cut}"

    async with cutting(recording, how) as base_url, provider_at(base_url, "sk-cut") as provider, asyncio.TaskGroup() as group:
        for cut in range(len(recording) + 1):
            group.create_task(one(provider, cut))
