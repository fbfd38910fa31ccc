"""Five times as many calls as the server works on: what is served is as much as ever, and who is sent away hears it at once."""

import asyncio
import contextlib
import time
from collections import Counter

import grpc

from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.e2e.conftest import Serve

SLOTS = 10
ANSWER_S = 0.2
CAPACITY = SLOTS / ANSWER_S  # calls a second
TIMES = 5
SECONDS = 6.0
CONNECTIONS = 8  # each takes a hundred calls at once, those that wait included
OPTIONS = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]


async def test_who_is_sent_away_hears_it_at_once_and_as_much_is_served_as_ever(serve: Serve) -> None:
    server = serve({"server": {"max_concurrent_calls": SLOTS, "admission": {"adaptive": False}}})
    request = pb.ChatRequest(prompt="x", model=f"echo/echo?delay_ms={ANSWER_S * 1000:.0f}")
    ends: Counter[str] = Counter()
    shed_s: list[float] = []
    told: set[bool] = set()

    async def call(channel: grpc.aio.Channel) -> None:
        began_s = time.perf_counter()
        asked = ChatServiceStub(channel).Chat(request, timeout=10)
        code = await asked.code()
        ends[code.name] += 1
        if code is grpc.StatusCode.UNAVAILABLE:
            trailers = dict(await asked.trailing_metadata() or ())
            told.add(b"RetryInfo" in trailers["grpc-status-details-bin"])
            if time.perf_counter() - began_s < ANSWER_S:  # the others had waited in the queue
                shed_s.append(time.perf_counter() - began_s)

    async with contextlib.AsyncExitStack() as stack:
        channels = []
        for _ in range(CONNECTIONS):
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(server.target, options=OPTIONS))
            await channel.channel_ready()
            channels.append(channel)
        began_s = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in range(int(TIMES * CAPACITY * SECONDS)):
                await asyncio.sleep(began_s + number / (TIMES * CAPACITY) - time.perf_counter())
                tasks.create_task(call(channels[number % CONNECTIONS]))
        took_s = time.perf_counter() - began_s
    shed_s.sort()
    print(f"\nended {dict(ends)} in {took_s:.1f} s; shed p50 {shed_s[len(shed_s) // 2] * 1000:.1f} ms, p99 {_p99(shed_s) * 1000:.1f} ms")
    assert set(ends) == {"OK", "UNAVAILABLE"}
    assert told == {True}
    assert ends["OK"] >= 0.9 * CAPACITY * took_s - SLOTS
    assert _p99(shed_s) <= 0.05
    assert server.metrics().sum("promptwire_admission_in_use") == 0
    assert server.metrics().sum("promptwire_queue_depth") == 0
    assert server.metrics().sum("promptwire_admission_sheds_total") == ends["UNAVAILABLE"]
    assert server.metrics().sum("promptwire_upstream_attempts_total") == ends["OK"]


def _p99(sorted_s: list[float]) -> float:
    return sorted_s[int(0.99 * (len(sorted_s) - 1))]
