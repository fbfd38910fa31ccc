"""A client that goes away: the upstream is closed at once, whatever the call was waiting for, and nothing is left of it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc
import pytest

from promptwire import Promptwire
from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.process import Server
from tests.faults.fake_provider.process import FakeProvider

CANCELS = 200
AT_ONCE = 8
MOST_P99_MS = 100.0
NOTHING_LEFT_S = 1.0

# Where the answer is when the client leaves: what the fake does, and whether its first event must have reached the client.
PHASES: Sequence[tuple[str, str, str]] = [
    ("before the head", "stream", "hang=start"),
    ("before the first event", "stream", "hang=head"),
    ("after three events", "stream", "hang=3"),
    ("amid the stream", "stream", "tokens=300;delay_ms=20"),
    ("unary, before the head", "unary", "hang=start"),
    ("unary, in the body", "unary", "hang=20b"),
    ("in a step of a chain", "chain", "hang=head"),
    ("in a streamed chain", "stream_chain", "tokens=300;delay_ms=20"),
]


@pytest.fixture
async def gateway(serve: Serve, fake: FakeProvider) -> AsyncIterator[tuple[Server, Promptwire]]:
    server = serve({"providers": {"fake": process.openai(fake.base_url)}})
    async with Promptwire(server.target) as client:
        yield server, client


async def _cancelled(client: Promptwire, fake: FakeProvider, kind: str, model: str, random_s: float) -> float:
    """Start a call, wait until the upstream has it and a random moment more, cancel; when that was."""
    task = asyncio.create_task(_call(client, kind, model))
    await fake.aledger(model=model.partition("/")[2], seen=1)
    await asyncio.sleep(random_s)  # not to synchronise: the phase is to be random
    at_s = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return at_s


async def _call(client: Promptwire, kind: str, model: str) -> None:
    match kind:
        case "unary":
            await client.chat("wait", model=model)
        case "stream":
            async with client.stream_chat("wait", model=model) as stream:
                await stream.read()
        case "chain":
            await client.run_chain(["wait"], model=model)
        case _:
            async with client.stream_chain(["wait"], model=model) as run:
                await run.read()


async def test_two_hundred_cancels_close_their_upstreams(
    gateway: tuple[Server, Promptwire], fake: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    server, client = gateway
    chance = random.Random(20)
    room = asyncio.Semaphore(AT_ONCE)
    late_ms: dict[str, list[float]] = {name: [] for name, *_ in PHASES}

    async def one(number: int) -> None:
        name, kind, script = PHASES[number % len(PHASES)]
        async with room:
            base = f"cancelled_{number}~{script}"
            at_s = await _cancelled(client, fake, kind, f"fake/{base}", chance.uniform(0, 0.1))
            (entry,) = await fake.aledger(model=base, left=1, ended=1)
        assert entry["ended"] in ("client_fin", "client_rst"), (name, entry["ended"])
        late_ms[name].append((entry["connection_ended_s"] - at_s) * 1000)

    await asyncio.gather(*(one(number) for number in range(CANCELS)))
    ended_s = time.monotonic()
    every = sorted(late for lates in late_ms.values() for late in lates)
    p50, p99 = every[len(every) // 2], every[round(len(every) * 0.99) - 1]
    with capsys.disabled():
        print(f"\ncancel to upstream closed, {len(every)} cancels: p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {every[-1]:.1f} ms")
    assert len(every) == CANCELS
    assert p99 <= MOST_P99_MS, {name: f"{max(lates):.0f} ms" for name, lates in late_ms.items()}
    process.until(lambda: server.metrics().sum("promptwire_chats_in_flight") == 0, NOTHING_LEFT_S, "0 chats in flight")
    assert time.monotonic() - ended_s <= NOTHING_LEFT_S
    assert not [entry for entry in await fake.aledger() if entry["ended"] is None and str(entry["model"]).startswith("cancelled_")]


async def test_a_cancelled_call_is_counted_and_logged_as_cancelled(gateway: tuple[Server, Promptwire], fake: FakeProvider) -> None:
    server, client = gateway
    await _cancelled(client, fake, "stream", "fake/logged~hang=3", 0)
    (line,) = await asyncio.to_thread(server.log.wait, "chat.finished", outcome="CANCELLED")
    assert line["level"] == "info"
    assert server.metrics().sum("promptwire_chats_total", outcome="CANCELLED") == 1
    assert server.metrics().sum("promptwire_requests_total", code="CANCELLED") == 1


async def test_a_client_that_vanishes_without_a_word_closes_its_upstream(gateway: tuple[Server, Promptwire], fake: FakeProvider) -> None:
    """The connection breaks, as when a client's process is killed."""
    server, _ = gateway
    channel = grpc.aio.insecure_channel(server.target)
    request = pb.StreamChatRequest(chat=pb.ChatRequest(prompt="x", model="fake/vanished~tokens=300;delay_ms=20"))
    call = ChatServiceStub(channel).StreamChat(request)
    assert await call.read()
    at_s = time.monotonic()
    await channel.close()
    (entry,) = await fake.aledger(model="vanished", left=1)
    assert entry["connection_ended_s"] - at_s < NOTHING_LEFT_S


async def test_a_stream_left_early_closes_its_upstream(gateway: tuple[Server, Promptwire], fake: FakeProvider) -> None:
    _, client = gateway
    async with client.stream_chat("x", model="fake/left_early~tokens=300;delay_ms=20") as stream:
        async for _ in stream:
            break
        at_s = time.monotonic()
    (entry,) = await fake.aledger(model="left_early", left=1)
    assert entry["connection_ended_s"] - at_s < MOST_P99_MS / 1000


async def test_a_reader_that_takes_nothing_is_dropped_and_its_upstream_released(serve: Serve, fake: FakeProvider) -> None:
    server = serve({"server": {"streaming": {"write_stall_timeout": "1s"}}, "providers": {"fake": process.openai(fake.base_url)}})
    # The library would read megabytes ahead to fill a fast connection.
    options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65536)]
    async with grpc.aio.insecure_channel(server.target, options=options) as channel:
        request = pb.StreamChatRequest(chat=pb.ChatRequest(prompt="x", model="fake/stalled~huge_event=4m;tokens=200;delay_ms=100"))
        call = ChatServiceStub(channel).StreamChat(request)
        assert await call.read()
        (entry,) = await fake.aledger(model="stalled", ended=1, left=1, timeout_s=15)
        assert entry["ended"] in ("client_fin", "client_rst")
        assert server.metrics().sum("promptwire_chats_in_flight") == 0


def test_a_tree_of_cancelled_chains_leaves_no_call(serve: Serve, fake: FakeProvider, tmp_path: Path) -> None:
    server = serve({"providers": {"fake": process.openai(fake.base_url)}})

    async def abandon() -> None:
        async with Promptwire(server.target) as client:
            tasks = [asyncio.create_task(client.run_chain(["a", "b"], model="fake/abandoned~hang=start")) for _ in range(30)]
            await fake.aledger(model="abandoned", seen=30)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert len(await fake.aledger(model="abandoned", left=30)) == 30

    asyncio.run(abandon())
    process.until(lambda: server.metrics().sum("promptwire_chats_in_flight") == 0, NOTHING_LEFT_S, "0 chats in flight")
