"""Upstreams that flood: the server's memory grows by 16 MiB at most, each call ends by its timer with an error that says why."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.e2e import floods, process
from tests.e2e.conftest import SERVERS
from tests.e2e.floods import HEADS, SPEAKERS, STREAMS, Flood, Speaker, endless
from tests.e2e.process import Server
from tests.faults.fake_provider.process import Entry, FakeProvider

ENDS = ("no end within 4 s", "no first token within 2 s", "longer than", "more than 1024 parts")
MOST_GROWTH_BYTES = 16 << 20
TOTAL_S = 4.0
SLACK_S = 8.0  # of a machine that is busy with other tests
TIMEOUTS = {"connect": "5s", "first_token": "2s", "idle": "2s", "total": f"{TOTAL_S}s"}


@pytest.fixture(scope="module")
def flooded(fake: FakeProvider, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server before the fake in every dialect, warm, with no bound but the usual ones."""
    providers = {
        name: {**speaker.config, "base_url": f"{fake.origin}{speaker.path}", "timeouts": TIMEOUTS, **_key(speaker)}
        for name, speaker in SPEAKERS.items()
    }
    resilience = {"retries": {"max_attempts": 1}, "breaker": {"consecutive_failures": 0, "error_rate": 0}}
    listed = request.config.stash[SERVERS]
    folder = tmp_path_factory.mktemp("flooded")
    with process.running(folder, {"providers": providers, "resilience": resilience}, started=listed.append) as server:
        asyncio.run(_warm(server))
        yield server
    listed.remove(server)


def _key(speaker: Speaker) -> dict[str, str]:
    return {} if speaker.lines else {"api_key": "sk-flooded"}


async def _warm(server: Server) -> None:
    async with grpc.aio.insecure_channel(server.target) as channel:
        for _ in range(3):
            for name in SPEAKERS:
                await _asked(channel, f"{name}/warm~tokens=50", stream=False)
                await _asked(channel, f"{name}/warm~tokens=50", stream=True)


async def _asked(channel: grpc.aio.Channel, model: str, *, stream: bool) -> int:
    """Ask; how many events came."""
    chat = pb.ChatRequest(model=model, prompt="Tell me.")
    stub = ChatServiceStub(channel)
    if not stream:
        await stub.Chat(chat, timeout=60)
        return 1
    count = 0
    async for _ in stub.StreamChat(pb.StreamChatRequest(chat=chat), timeout=60):
        count += 1
    return count


class Memory:
    """How far the resident memory of a process grows."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak is the present again
        self._before_bytes = self._bytes("VmRSS:")

    def grown_bytes(self) -> int:
        """The peak since then, over what there was."""
        return self._bytes("VmHWM:") - self._before_bytes

    def _bytes(self, field: str) -> int:
        (line,) = (line for line in self._status.read_text().splitlines() if line.startswith(field))
        return int(line.split()[1]) * 1024


async def _flooded(server: Server, fake: FakeProvider, provider: str, flood: Flood, marker: str, *, stream: bool) -> grpc.aio.AioRpcError:
    """Ask, and see that the error comes in time, that memory stays, and that the upstream is let go of."""
    fake.register(marker, flood.recording)
    model = f"{marker}~play={marker}" + (f";loop={flood.loop}" if flood.loop else "")
    memory = Memory(server.pid)
    begun_s = time.monotonic()
    async with grpc.aio.insecure_channel(server.target, options=[("grpc.enable_retries", 0)]) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _asked(channel, f"{provider}/{model}", stream=stream)
    took_s = time.monotonic() - begun_s
    grown_bytes = memory.grown_bytes()
    print(f"{provider} {'stream' if stream else 'whole'}: {grown_bytes / 2**20:.1f} MiB, {took_s:.2f} s, {caught.value.details()}")
    assert grown_bytes <= MOST_GROWTH_BYTES
    assert took_s < TOTAL_S + SLACK_S
    (entry,) = await _left(fake, model)
    assert not flood.loop or entry["ended"].startswith("client_")
    return caught.value


async def _left(fake: FakeProvider, model: str) -> list[Entry]:
    return await fake.aledger(model=model, ended=1, left=1, timeout_s=TOTAL_S + SLACK_S)


STREAMED = [pytest.param(name, shape, id=f"{shape}-{name}".replace(" ", "-")) for shape, each in STREAMS.items() for name in each]
SPOKEN = list(SPEAKERS)
MILLIONS = [(many, provider) for many in ("candidates", "parts") for provider in floods.whole(many=many)]


@pytest.mark.parametrize(("provider", "shape"), STREAMED)
async def test_a_stream_that_never_ends_is_ended(flooded: Server, fake: FakeProvider, provider: str, shape: str, marker: str) -> None:
    flood = SPEAKERS[provider].stream(*STREAMS[shape][provider])
    error = await _flooded(flooded, fake, provider, flood, marker, stream=True)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert any(why in (error.details() or "") for why in ENDS), error.details()


@pytest.mark.parametrize("provider", SPOKEN)
async def test_pings_are_no_answer(flooded: Server, fake: FakeProvider, provider: str, marker: str) -> None:
    speaker = SPEAKERS[provider]
    error = await _flooded(flooded, fake, provider, endless(speaker.stream_head, speaker.ping), marker, stream=True)
    assert "no first token within 2 s" in (error.details() or "")


@pytest.mark.parametrize("provider", SPOKEN)
async def test_a_line_that_never_ends_is_ended(flooded: Server, fake: FakeProvider, provider: str, marker: str) -> None:
    speaker = SPEAKERS[provider]
    error = await _flooded(flooded, fake, provider, endless(speaker.stream_head + speaker.line + b'{"a":"', b"a"), marker, stream=True)
    assert "a line of more than 8388608 bytes" in (error.details() or "")


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
async def test_an_event_that_never_ends_is_ended(flooded: Server, fake: FakeProvider, provider: str, marker: str) -> None:
    speaker = SPEAKERS[provider]
    error = await _flooded(flooded, fake, provider, endless(speaker.stream_head, b"data: more and more\n"), marker, stream=True)
    assert "an event of more than 8388608 bytes" in (error.details() or "")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", SPOKEN)
async def test_depths_of_json_are_refused(flooded: Server, fake: FakeProvider, provider: str, marker: str, *, stream: bool) -> None:
    speaker = SPEAKERS[provider]
    recording = speaker.stream_head + floods.deep(speaker.line) + b"\n\n" if stream else floods.head("application/json") + floods.deep()
    error = await _flooded(flooded, fake, provider, Flood(recording), marker, stream=stream)
    assert any(why in (error.details() or "") for why in ("JSON", "too many values"))


@pytest.mark.parametrize(("many", "provider"), MILLIONS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_million_of_anything_is_refused(
    flooded: Server, fake: FakeProvider, provider: str, marker: str, many: str, *, stream: bool
) -> None:
    body = floods.whole(many=many)[provider]
    speaker = SPEAKERS[provider]
    recording = speaker.stream_head + speaker.line + body + b"\n\n" if stream else floods.head("application/json") + body
    error = await _flooded(flooded, fake, provider, Flood(recording), marker, stream=stream)
    assert "too many values" in (error.details() or "")


@pytest.mark.parametrize("unit", [b" ", b"a", b"[1],"], ids=["spaces", "a text", "values"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", SPOKEN)
async def test_a_body_that_never_ends_is_ended(
    flooded: Server, fake: FakeProvider, provider: str, unit: bytes, marker: str, *, stream: bool
) -> None:
    beginning = floods.head("application/json") + (b'{"a":"' if unit == b"a" else b'{"a":[' if unit != b" " else b"")
    error = await _flooded(flooded, fake, provider, endless(beginning, unit), marker, stream=stream)
    assert "longer than 8388608 bytes" in (error.details() or "") or "no first token" in (error.details() or "")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("what", HEADS)
async def test_a_head_that_never_ends_is_ended(flooded: Server, fake: FakeProvider, what: str, marker: str, *, stream: bool) -> None:
    error = await _flooded(flooded, fake, "openai", HEADS[what], marker, stream=stream)
    assert error.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", SPOKEN)
async def test_what_is_compressed_is_never_unpacked(
    flooded: Server, fake: FakeProvider, provider: str, marker: str, *, stream: bool
) -> None:
    memory = Memory(flooded.pid)
    async with grpc.aio.insecure_channel(flooded.target, options=[("grpc.enable_retries", 0)]) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="it compresses its answers though told not to"):
            await _asked(channel, f"{provider}/{marker}~gzip_bomb=50m", stream=stream)
    assert memory.grown_bytes() <= MOST_GROWTH_BYTES


async def test_a_caller_who_never_reads_slows_the_upstream_down(flooded: Server, fake: FakeProvider, marker: str) -> None:
    flood = SPEAKERS["openai"].stream(*STREAMS["text"]["openai"])
    fake.register(marker, flood.recording)
    model = f"{marker}~play={marker};loop={flood.loop}"
    memory = Memory(flooded.pid)
    # A client keeps little by itself: what it does not read waits at the server, and so does the upstream.
    options = [("grpc.http2.lookahead_bytes", 64 << 10), ("grpc.http2.bdp_probe", 0)]
    async with grpc.aio.insecure_channel(flooded.target, options=options) as channel:
        asked = pb.StreamChatRequest(chat=pb.ChatRequest(model=f"openai/{model}", prompt="Tell me."))
        call = ChatServiceStub(channel).StreamChat(asked, timeout=60)
        await call.read()
        (entry,) = await _left(fake, model)  # by the timer for the whole answer
        call.cancel()
    assert memory.grown_bytes() <= MOST_GROWTH_BYTES
    assert entry["stalled_ms"] > TOTAL_S * 1000 / 2
    assert entry["ended"].startswith("client_")
