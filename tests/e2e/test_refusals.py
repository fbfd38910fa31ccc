"""Every way in which a call is sent away: the client hears why and when to try again, and the provider hears nothing."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from promptwire.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.process import Server
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.rpc.wire import Failed, failure

KINDS = pytest.mark.parametrize("kind", ["whole", "streamed", "vectors"])
Admission = Mapping[str, Any]


@asynccontextmanager
async def full(serve: Serve, fake: FakeProvider, admission: Admission) -> AsyncIterator[tuple[Server, grpc.aio.Channel]]:
    """A server with one slot, which is taken by a call that never ends."""
    server = serve(
        {
            "server": {
                "max_concurrent_calls": 1,
                "drain": {"pre_drain": "0s", "grace": "3s"},
                "admission": {"adaptive": False, "min_concurrent_calls": 1, **admission},
            },
            "providers": {"fake": process.openai(fake.base_url)},
        }
    )
    async with grpc.aio.insecure_channel(server.target, options=[("grpc.enable_retries", 0)]) as channel:
        taken = ChatServiceStub(channel).Chat(pb.ChatRequest(prompt="x", model="echo/echo?delay_ms=60000"), timeout=60)
        await asyncio.to_thread(process.until, lambda: server.metrics().sum("promptwire_admission_in_use") == 1, what="a taken slot")
        yield server, channel
        taken.cancel()


async def asked(channel: grpc.aio.Channel, kind: str, model: str, timeout_s: float = 20.0) -> Failed:
    """Ask, and fail."""
    chat = pb.ChatRequest(prompt="x", model=model)

    async def ask() -> None:
        match kind:
            case "whole":
                await ChatServiceStub(channel).Chat(chat, timeout=timeout_s)
            case "streamed":
                async for _ in ChatServiceStub(channel).StreamChat(pb.StreamChatRequest(chat=chat), timeout=timeout_s):
                    pass
            case _:
                request = pb.EmbedRequest(model=model, texts=["x"])
                await EmbeddingServiceStub(channel).Embed(request, timeout=timeout_s)

    return await failure(ask(), seconds=10.0)


async def sent_away(fake: FakeProvider, marker: str, failed: Failed, reason: str) -> None:
    """It is UNAVAILABLE for this reason, says when to try again, and nobody else has heard of it."""
    assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, reason)
    assert failed.details.info.domain == "promptwire"
    assert 0 < failed.details.retry.retry_delay.ToMilliseconds() <= 90_000
    assert failed.details.info.metadata["request_id"]
    assert not failed.details.trail.attempts
    assert not await fake.aledger(model=marker)


def sheds(server: Server, reason: str) -> float:
    return server.metrics().sum("promptwire_admission_sheds_total", priority="normal", reason=reason)


@KINDS
async def test_when_nobody_may_wait(serve: Serve, fake: FakeProvider, marker: str, kind: str) -> None:
    async with full(serve, fake, {"queue_calls": 0}) as (server, channel):
        await sent_away(fake, marker, await asked(channel, kind, f"fake/{marker}"), "OVERLOADED")
        assert sheds(server, "queue") == 1


@KINDS
async def test_when_its_turn_does_not_come(serve: Serve, fake: FakeProvider, marker: str, kind: str) -> None:
    async with full(serve, fake, {"max_wait": "300ms"}) as (server, channel):
        await sent_away(fake, marker, await asked(channel, kind, f"fake/{marker}"), "OVERLOADED")
        assert sheds(server, "wait") == 1


@KINDS
async def test_when_it_would_wait_beyond_its_deadline(serve: Serve, fake: FakeProvider, marker: str, kind: str) -> None:
    async with full(serve, fake, {}) as (server, channel):
        late = await asked(channel, kind, f"fake/{marker}", timeout_s=1.0)  # nothing is known yet, so it waits as long as it can
        assert late.code is grpc.StatusCode.DEADLINE_EXCEEDED
        await sent_away(fake, marker, failed := await asked(channel, kind, f"fake/{marker}", timeout_s=0.8), "QUEUE_TOO_LONG")
        assert failed.details.pushback == "-1"  # a client's own retry has the same deadline
        assert sheds(server, "deadline") >= 1  # of two: the first may have been cancelled by its client at the same moment


@KINDS
async def test_when_memory_is_full(serve: Serve, fake: FakeProvider, marker: str, kind: str) -> None:
    async with full(serve, fake, {"memory_limit": "1MiB"}) as (server, channel):
        await sent_away(fake, marker, await asked(channel, kind, f"fake/{marker}"), "OVERLOADED")
        assert sheds(server, "memory") == 1


async def test_when_the_server_goes_away(serve: Serve, fake: FakeProvider, marker: str) -> None:
    async with full(serve, fake, {}) as (server, channel):
        waiting = asyncio.ensure_future(asked(channel, "whole", f"fake/{marker}"))
        await asyncio.to_thread(process.until, lambda: server.metrics().sum("promptwire_queue_depth") == 1, what="a call in the queue")
        server.signal(signal.SIGTERM)
        await sent_away(fake, marker, await waiting, "DRAINING")
