"""The page of metrics: Prometheus can read it, and it counts what was done."""

import asyncio
import contextlib

import grpc
import pytest

from promptwire import Promptwire, errors
from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.process import Server
from tests.faults.fake_provider.process import FakeProvider

CHAT = "promptwire.v1.ChatService.Chat"
STREAM_CHAT = "promptwire.v1.ChatService.StreamChat"


@pytest.fixture
def counted(serve: Serve, fake: FakeProvider) -> Server:
    return serve({"providers": {"fake": process.openai(fake.base_url)}, "models": {"fast": "fake/counted~tokens=7"}})


async def test_the_numbers_are_those_of_what_was_done(counted: Server, fake: FakeProvider) -> None:
    async with Promptwire(counted.target) as client:
        for _ in range(5):
            await client.chat("a b c", model="fast")
        for _ in range(3):
            await client.stream_chat("a b", model="fast").read()
        await client.run_chain(["one two", "three four five"])
        for model in ("nobody/none", "echo/echo?error=UPSTREAM_ACCOUNT", "echo/echo?error=CONTEXT_TOO_LONG"):
            with pytest.raises(errors.PromptwireError):
                await client.chat("x", model=model)
        with pytest.raises(errors.InvalidRequest):
            await client.chat("")
    metrics = counted.metrics()
    requests = "promptwire_requests_total"
    assert metrics.sum(requests, rpc=CHAT, code="OK") == 5
    assert metrics.sum(requests, rpc=STREAM_CHAT, code="OK") == 3
    assert metrics.sum(requests, rpc="promptwire.v1.ChainService.RunChain", code="OK") == 1
    assert metrics.sum(requests, rpc=CHAT, code="NOT_FOUND", reason="NOT_FOUND") == 1
    assert metrics.sum(requests, rpc=CHAT, code="FAILED_PRECONDITION", reason="UPSTREAM_ACCOUNT") == 1
    assert metrics.sum(requests, rpc=CHAT, code="INVALID_ARGUMENT", reason="CONTEXT_TOO_LONG") == 1
    assert metrics.sum(requests, rpc=CHAT, code="INVALID_ARGUMENT", reason="INVALID_FIELD") == 1
    entries = await fake.aledger(model="counted", ended=8)
    assert metrics.sum("promptwire_tokens_total", provider="fake", direction="output") == sum(e["tokens_sent"] for e in entries) == 56
    assert metrics.sum("promptwire_tokens_total", provider="echo", direction="output") == 5
    assert metrics.sum("promptwire_chats_total", provider="fake", outcome="OK") == 8
    assert metrics.sum("promptwire_chat_duration_seconds_count", provider="fake") == 8
    assert metrics.sum("promptwire_chat_time_to_first_token_seconds_count", provider="fake") == 3
    assert metrics.sum("promptwire_upstream_attempts_total", provider="fake", outcome="OK") == 8
    assert metrics.sum("promptwire_chats_in_flight") == 0


async def test_what_is_in_flight_is_counted_while_it_is(counted: Server) -> None:
    async with grpc.aio.insecure_channel(counted.target) as channel:
        stub = ChatServiceStub(channel)
        calls = [stub.Chat(pb.ChatRequest(prompt="x", model="echo/echo?delay_ms=60000")) for _ in range(7)]
        await asyncio.to_thread(process.until, lambda: counted.metrics().sum("promptwire_chats_in_flight") == 7, what="7 in flight")
        for call in calls:
            call.cancel()
        await asyncio.to_thread(process.until, lambda: counted.metrics().sum("promptwire_chats_in_flight") == 0, what="0 in flight")
    assert counted.metrics().sum("promptwire_chats_total", outcome="CANCELLED") == 7


async def test_callers_cannot_fill_the_page_with_names(counted: Server) -> None:
    async with Promptwire(counted.target) as client:
        for number in range(300):
            with contextlib.suppress(errors.PromptwireError):
                await client.chat("x", model=f"echo/made_up_{number}" if number % 2 else f"nobody_{number}/x")
    text = counted.metrics_text()
    assert len([line for line in text.splitlines() if line.startswith("promptwire_chats_total")]) <= 120
    assert "nobody_" not in text


def test_probes_and_other_pages_are_answered(counted: Server) -> None:
    base = f"http://127.0.0.1:{counted.ports['metrics_port']}"
    assert process.get(f"{base}/healthz") == "ok\n"
    assert process.get(f"{base}/readyz") == "ready\n"
    names = {family.name for family in counted.metrics().families}
    assert {"promptwire_requests", "promptwire_chats", "process_resident_memory_bytes"} <= names
