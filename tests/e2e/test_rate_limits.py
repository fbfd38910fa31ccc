"""Limits of callers, on real servers: what is refused never reaches a provider, says exactly why, and is the same for all replicas."""

import asyncio
import time
from collections import Counter
from typing import TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from promptwire import Promptwire
from promptwire import v1 as pb
from promptwire.errors import RateLimited
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from promptwire.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from tests.contract.stores.conftest import redis_process, redis_server
from tests.contract.stores.redis_server import RedisServer
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.process import Config, Server
from tests.faults.fake_provider.process import FakeProvider

__all__ = ["redis_process", "redis_server"]

KEYS = {"search": "pw-search-0123456789abcdef", "shop": "pw-shop-0123456789abcdef"}
M = TypeVar("M", bound=Message)


def config(fake: FakeProvider, *limits: Config, redis: str = "") -> Config:
    return {
        "auth": {"api_keys": [{"name": f"{tenant}-key", "tenant": tenant, "key": key} for tenant, key in KEYS.items()]},
        "providers": {"fake": process.openai(fake.base_url)},
        "limits": list(limits),
        **({"stores": {"redis": {"url": redis, "timeout": "2s"}}} if redis else {}),
    }


def by(tenant: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {KEYS[tenant]}")]


def detail(error: grpc.aio.AioRpcError, kind: type[M]) -> M:
    """One of the error's details."""
    status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    found = kind()
    assert any(packed.Unpack(found) for packed in status.details), status
    return found


async def ask(channel: grpc.aio.Channel, model: str, tenant: str = "search") -> grpc.aio.AioRpcError | None:
    try:
        await ChatServiceStub(channel).Chat(pb.ChatRequest(prompt="hello", model=model), metadata=by(tenant), timeout=20)
    except grpc.aio.AioRpcError as error:
        return error
    return None


def channel_to(server: Server) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(server.target, options=[("grpc.enable_retries", 0)])


async def test_a_refused_call_says_when_to_come_back_and_never_reaches_the_provider(serve: Serve, fake: FakeProvider, marker: str) -> None:
    limit = {"name": "search-team", "per": "key", "match": {"tenant": "search"}, "requests_per_minute": 60, "burst": 2}
    server = serve(config(fake, limit))
    model = f"fake/{marker}~ok"
    async with channel_to(server) as channel:
        assert [await ask(channel, model) for _ in range(2)] == [None, None]
        error = await ask(channel, model)
        assert error is not None
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        info, retry = detail(error, error_details_pb2.ErrorInfo), detail(error, error_details_pb2.RetryInfo)
        assert (info.reason, info.metadata["limit"], info.metadata["kind"]) == ("RATE_LIMITED", "search-team", "requests")
        (violation,) = detail(error, error_details_pb2.QuotaFailure).violations
        assert violation.subject == "search-team"
        assert "allows 60 requests a minute, 2 at once; 2 used now" in violation.description
        delay_s = retry.retry_delay.ToNanoseconds() / 1e9
        assert 0 < delay_s <= 1
        assert len(fake.ledger(model=marker)) == 2
        assert await ask(channel, model, "shop") is None  # of another tenant
        await asyncio.sleep(delay_s)  # what it was told
        assert await ask(channel, model) is None
    assert server.metrics().sum("promptwire_rate_limited_total", limit="search-team") == 1


async def test_a_client_is_told_the_delay_and_is_served_after_it(serve: Serve, fake: FakeProvider, marker: str) -> None:
    server = serve(config(fake, {"name": "all", "requests_per_minute": 300, "burst": 1}))
    async with Promptwire(server.target, api_key=KEYS["search"]) as client:
        assert (await client.chat("hello", model=f"fake/{marker}~ok")).text
        with pytest.raises(RateLimited) as caught:
            await client.chat("hello", model=f"fake/{marker}~ok")
        await asyncio.sleep(caught.value.retry_after_s or 0.0)
        assert (await client.chat("hello", model=f"fake/{marker}~ok")).text


async def test_vectors_and_streams_count_too(serve: Serve, fake: FakeProvider, marker: str) -> None:
    server = serve(config(fake, {"name": "all", "requests_per_minute": 60, "burst": 1, "per": "tenant"}))
    async with channel_to(server) as channel:
        stream = ChatServiceStub(channel).StreamChat(
            pb.StreamChatRequest(chat=pb.ChatRequest(prompt="x", model="echo/echo")), metadata=by("shop")
        )
        assert [event async for event in stream]
        embed = pb.EmbedRequest(model=f"fake/{marker}", texts=["a cat"])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await EmbeddingServiceStub(channel).Embed(embed, metadata=by("shop"))
        assert detail(caught.value, error_details_pb2.ErrorInfo).reason == "RATE_LIMITED"
    assert fake.ledger(model=marker) == []


async def test_a_slot_is_free_again_when_a_client_hangs_up(serve: Serve, fake: FakeProvider) -> None:
    server = serve(config(fake, {"name": "one", "concurrency": 1}))
    slow = pb.StreamChatRequest(chat=pb.ChatRequest(prompt="a b c d e f", model="echo/echo?delay_ms=30000"))
    async with channel_to(server) as channel:
        stream = ChatServiceStub(channel).StreamChat(slow, metadata=by("shop"))
        waiting = asyncio.ensure_future(stream.read())
        await until_inside(server)
        error = await ask(channel, "echo/echo")
        assert error is not None
        assert "allows 1 call at the same time; 1 used now" in (error.details() or "")
        waiting.cancel()
        stream.cancel()
        await until_outside(server)
        assert await ask(channel, "echo/echo") is None


async def until_inside(server: Server) -> None:
    await asyncio.to_thread(process.until, lambda: server.metrics().sum("promptwire_admission_in_use") == 1)


async def until_outside(server: Server) -> None:
    await asyncio.to_thread(process.until, lambda: server.metrics().sum("promptwire_admission_in_use") == 0)


async def test_reloading_keeps_what_was_consumed(serve: Serve, fake: FakeProvider) -> None:
    first = config(fake, {"name": "all", "requests_per_minute": 1, "burst": 2})
    server = serve(first)
    async with channel_to(server) as channel:
        assert [await ask(channel, "echo/echo") for _ in range(2)] == [None, None]
        server.rewrite(config(fake, {"name": "all", "requests_per_minute": 1, "burst": 3}))
        await asyncio.to_thread(server.log.wait, "config.reloaded")
        assert await ask(channel, "echo/echo") is None
        assert await ask(channel, "echo/echo") is not None
        server.rewrite(config(fake))
        await asyncio.to_thread(server.log.wait, "config.reloaded", count=2)
        assert await ask(channel, "echo/echo") is None


async def test_replicas_share_a_limit_through_redis_and_do_without_it(serve: Serve, fake: FakeProvider, redis_server: RedisServer) -> None:
    shared = config(fake, {"name": "all", "requests_per_minute": 1, "burst": 10}, redis=redis_server.url)
    shared["stores"]["redis"]["timeout"] = "500ms"
    servers = [serve(shared), serve(shared)]
    channels = [channel_to(server) for server in servers]
    ends = Counter(await asyncio.gather(*(_ended(channels[number % 2]) for number in range(40))))
    assert ends == {"OK": 10, "RESOURCE_EXHAUSTED": 30}
    await asyncio.to_thread(redis_server.kill)
    ends = Counter([await _ended(channels[0]) for _ in range(20)])
    assert ends == {"OK": 10, "RESOURCE_EXHAUSTED": 10}  # by itself, it allows what it allows
    (down,) = servers[0].log.wait("store.down")
    assert (down["store"], down["level"]) == ("redis", "warning")
    assert servers[0].metrics().sum("promptwire_store_up", store="redis") == 0
    await asyncio.to_thread(redis_server.start)
    began_s = time.monotonic()
    while not servers[0].log.events("store.back"):
        await _ended(channels[0])
        assert time.monotonic() - began_s < 15
    assert await _ended(channels[0]) == "RESOURCE_EXHAUSTED"  # Redis has kept what was consumed
    assert len(servers[0].log.events("store.down")) == 1
    assert servers[0].metrics().sum("promptwire_store_up", store="redis") == 1
    for channel in channels:
        await channel.close()


async def _ended(channel: grpc.aio.Channel) -> str:
    error = await ask(channel, "echo/echo")
    return "OK" if error is None else error.code().name


def test_a_server_starts_while_redis_is_away(serve: Serve, fake: FakeProvider) -> None:
    server = serve(config(fake, {"name": "all", "requests_per_minute": 1}, redis="redis://:hunter2@127.0.0.1:1/0"))
    assert len(server.log.wait("store.down")) == 1
    assert "hunter2" not in server.log.text
