"""A recorded stream cut at every byte: what was delivered is a prefix of the truth, and success means that the terminal marker was seen."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from promptwire_server.core.errors import PromptwireError, StreamInterrupted, UpstreamFailed
from promptwire_server.core.reply import Event
from promptwire_server.providers.provider import Provider
from tests.faults.upstreams import provider_at
from tests.faults.wires import WIRES, Wire, body_of, recorded
from tests.unit.providers.support import make_call

AT_ONCE = 32  # connections that are cut at the same time


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


def halved(body: bytes) -> list[bytes]:
    at = len(body) // 2
    return [part for part in (body[:at], body[at:]) if part]


STREAMS = [(wire, name) for wire in WIRES for name in wire.recordings("_stream") if "error" not in name]
FAILING = [(wire, name) for wire in WIRES for name in wire.recordings("error_mid_stream")]


@pytest.mark.parametrize(("wire", "name"), STREAMS, ids=lambda value: getattr(value, "name", value))
async def test_a_stream_cut_anywhere_tells_no_lie(wire: Wire, name: str) -> None:
    body = body_of(recorded(name))
    truth, failure = await heard(wire.provider([body]))
    assert failure is None
    assert truth
    marker = wire.sure_from(body)
    for cut in range(len(body) + 1):
        said, error = await heard(wire.provider(halved(body[:cut])))
        check(said, error, truth)
        assert error is not None or cut >= marker, f"cut at byte {cut}"
        assert error is None or cut < len(body), f"cut at byte {cut}"


@pytest.mark.parametrize(("wire", "name"), FAILING, ids=lambda value: getattr(value, "name", value))
async def test_a_stream_that_fails_midway_never_ends_well_however_it_is_cut(wire: Wire, name: str) -> None:
    body = body_of(recorded(name))
    for cut in range(len(body) + 1):
        _, error = await heard(wire.provider(halved(body[:cut])))
        assert error is not None, f"cut at byte {cut}"


@pytest.mark.parametrize(("wire", "name"), STREAMS, ids=lambda value: getattr(value, "name", value))
async def test_a_stream_in_two_reads_is_the_same_wherever_they_meet(wire: Wire, name: str) -> None:
    body = body_of(recorded(name))
    truth = await heard(wire.provider([body]))
    for cut in range(1, len(body)):
        assert await heard(wire.provider([body[:cut], body[cut:]])) == truth, f"cut at byte {cut}"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize(("wire", "name"), STREAMS, ids=lambda value: getattr(value, "name", value))
async def test_a_stream_that_arrives_in_small_pieces_is_the_same(wire: Wire, name: str, size: int) -> None:
    body = body_of(recorded(name))
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    assert await heard(wire.provider(pieces)) == await heard(wire.provider([body]))


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_every_dialect_has_recordings(wire: Wire) -> None:
    assert len([name for of, name in STREAMS if of is wire]) >= 3
    assert wire.recordings("_whole")


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
    truth, _ = await heard(WIRES[0].provider([body_of(recording)]))
    marker = WIRES[0].sure_from(recording)
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
