"""A Redis that stands still holds nobody up: calls are decided by their process, and by Redis again once it answers."""

import asyncio

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import ANONYMOUS, Call
from promptwire_server.core.clock import Chance, SystemClock
from promptwire_server.core.errors import RateLimited
from promptwire_server.core.reply import Reply
from promptwire_server.layers.quota import Limit
from promptwire_server.layers.rates import RateLimit, RateStores
from promptwire_server.stores import memory_rates
from promptwire_server.stores.redis.rates import Rates
from tests.contract.stores.redis_server import RedisServer


async def echo(_: Call) -> Reply:
    return Reply.whole(pb.ChatResponse(text="hello"))


async def test_frozen_redis_costs_a_few_calls_its_deadline_and_is_asked_again_when_it_is_back(redis_server: RedisServer) -> None:
    changes: list[bool] = []
    redis = redis_server.client(timeout_s=0.05, changed=lambda up, _: changes.append(up))
    rates = Rates(redis, Chance())
    clock, loop = SystemClock(), asyncio.get_running_loop()
    stores = RateStores(memory_rates.Rates(clock), rates)
    limits = [Limit("a", requests_per_minute=1, burst=300, concurrency=300)]
    layer = RateLimit(echo, limits=limits, stores=stores, clock=clock, default_model="")
    waits: list[float] = []

    async def call() -> None:
        began_s = loop.time()
        async with await layer(Call(pb.ChatRequest(), ANONYMOUS, "req-1", "f" * 32, clock.monotonic() + 60, clock.monotonic())) as reply:
            await reply.read()
        waits.append(loop.time() - began_s)

    await call()
    redis_server.freeze()
    waits.clear()
    for _ in range(60):
        await asyncio.gather(*(call() for _ in range(5)))
    waits.sort()
    assert waits[len(waits) // 2] < 0.005
    assert waits[-1] < 0.25
    assert changes == [False]
    assert stores.refused.alone == 300
    with pytest.raises(RateLimited):
        await call()
    redis_server.thaw()
    async with asyncio.timeout(10):
        while redis.down:
            try:
                await call()
            except RateLimited:
                await asyncio.sleep(0.01)  # the time of the next probe is nobody's event
    assert changes == [False, True]
    await call()  # Redis knows of two calls, and of those that it was asked while it stood still
    await rates.aclose()
    await redis.aclose()
