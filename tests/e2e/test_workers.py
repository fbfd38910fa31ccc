"""Several workers on one port: both serve, a killed one comes back, health and metrics are one, and all end together."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from promptwire import Promptwire
from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from promptwire.v1.system_service_pb2_grpc import SystemServiceStub
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.process import Server

CONNECTIONS = 24
RESTART_S = 15.0
END_S = 10.0


def _worker_pids(server: Server) -> list[int]:
    """The newest process of each worker."""
    newest = {line["worker"]: line["pid"] for line in server.log.events("worker.state", state="ready")}
    return [newest[index] for index in sorted(newest)]


async def _instance(server: Server) -> str:
    """Who answers on a connection of its own."""
    async with grpc.aio.insecure_channel(server.target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        return (await SystemServiceStub(channel).GetServerInfo(pb.GetServerInfoRequest(), timeout=10)).instance_id


async def _healthy(server: Server) -> bool:
    async with grpc.aio.insecure_channel(server.health_target) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check", request_serializer=StringValue.SerializeToString, response_deserializer=Int32Value.FromString
        )
        return (await check(StringValue(), timeout=5)).value == 1


@pytest.fixture
def pair(serve: Serve) -> Iterator[Server]:
    server = serve({"server": {"drain": {"grace": "3s"}}}, arguments=["--workers", "2"])
    yield server
    assert not [line for line in server.log.lines if not line.startswith("{")], server.log.tail()


async def test_two_workers_serve_one_port_and_count_together(pair: Server) -> None:
    assert len({await _instance(pair) for _ in range(CONNECTIONS)}) == 2
    clients = [Promptwire(pair.target) for _ in range(8)]
    answers = await asyncio.gather(*(client.chat(f"to {number}") for number in range(10) for client in clients))
    for client in clients:
        await client.aclose()
    assert len(answers) == 80
    metrics = await asyncio.to_thread(pair.metrics)
    assert metrics.sum("promptwire_requests_total", rpc="promptwire.v1.ChatService.Chat", code="OK") == 80
    assert metrics.sum("promptwire_chats_total", outcome="OK") == 80
    assert metrics.sum("promptwire_tokens_total", direction="output") == 160
    assert metrics.sum("promptwire_workers_ready") == 2
    assert metrics.sum("promptwire_chats_in_flight") == 0


async def test_a_killed_worker_comes_back_while_the_other_serves(pair: Server) -> None:
    first, second = _worker_pids(pair)
    os.kill(first, signal.SIGKILL)
    await asyncio.to_thread(pair.log.wait, "worker.died")
    for _ in range(10):
        assert await _healthy(pair)
    async with Promptwire(pair.target) as client:
        assert (await client.chat("the other one")).text == "the other one"
    await asyncio.to_thread(pair.log.wait, "worker.state", state="ready", count=3, timeout_s=RESTART_S)
    assert len({await _instance(pair) for _ in range(CONNECTIONS)}) == 2
    assert second in _worker_pids(pair)
    assert first not in _worker_pids(pair)
    metrics = await asyncio.to_thread(pair.metrics)
    assert metrics.sum("promptwire_worker_restarts_total") == 1


async def test_a_termination_drains_every_worker(pair: Server) -> None:
    pids = _worker_pids(pair)
    async with Promptwire(pair.target) as client, Promptwire(pair.target) as other:
        calls = [asyncio.create_task(each.chat("in time", model="echo/echo?delay_ms=800")) for each in (client, other) for _ in range(4)]
        await asyncio.to_thread(process.until, lambda: pair.metrics().sum("promptwire_chats_in_flight") == 8, what="8 calls")
        pair.signal(signal.SIGTERM)
        assert [answer.text for answer in await asyncio.gather(*calls)] == ["in time"] * 8
    assert await asyncio.to_thread(pair.wait) == 0
    assert not [pid for pid in pids if process.alive(pid)]
    assert len(pair.log.events("server.stopped")) == 2


async def test_workers_end_when_their_supervisor_is_killed(pair: Server) -> None:
    pids = _worker_pids(pair)
    async with grpc.aio.insecure_channel(pair.target) as channel:
        call = ChatServiceStub(channel).Chat(pb.ChatRequest(prompt="in time", model="echo/echo?delay_ms=500"), timeout=10)
        await asyncio.to_thread(process.until, lambda: pair.metrics().sum("promptwire_chats_in_flight") == 1, what="the call")
        pair.process.kill()
        assert (await call).text == "in time"
    await asyncio.to_thread(process.until, lambda: not any(map(process.alive, pids)), END_S, "the end of the workers")


async def test_a_second_signal_ends_supervisor_and_workers_at_once(serve: Serve) -> None:
    server = serve({"server": {"drain": {"grace": "30s"}}}, arguments=["--workers", "2"])
    pids = _worker_pids(server)
    async with grpc.aio.insecure_channel(server.target) as channel:
        call = ChatServiceStub(channel).Chat(pb.ChatRequest(prompt="x", model="echo/echo?delay_ms=60000"))
        await asyncio.to_thread(process.until, lambda: server.metrics().sum("promptwire_chats_in_flight") == 1, what="the call")
        server.signal(signal.SIGINT)
        await asyncio.to_thread(server.log.wait, "server.draining", count=2)
        server.signal(signal.SIGINT)
        assert await asyncio.to_thread(server.wait, 5) in (-signal.SIGINT, 128 + signal.SIGINT)
        await asyncio.to_thread(process.until, lambda: not any(map(process.alive, pids)), 5, "the end of the workers")
        call.cancel()


def test_a_termination_while_the_workers_start_ends_them_all(tmp_path: Path) -> None:
    path = process.write_config(tmp_path, process.base_config(tmp_path))
    server = Server(path, tmp_path, {}, ["--workers", "2"])
    try:
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
        process.until(lambda: len(children.read_text().split()) == 2, what="two workers")
        pids = [int(pid) for pid in children.read_text().split()]
        server.signal(signal.SIGTERM)
        server.wait(END_S)
        process.until(lambda: not any(map(process.alive, pids)), END_S, "the end of the workers")
    finally:
        server.stop()


def test_a_taken_port_is_told_and_ends_it(serve: Serve, tmp_path: Path) -> None:
    first = serve()
    for arguments in ([], ["--workers", "2"]):
        config = process.merged(process.base_config(tmp_path), {"server": {"listen": first.target}})
        second = Server(process.write_config(tmp_path, config), tmp_path, {}, arguments)
        try:
            assert second.wait() == 1
            (line,) = second.log.events("server.failed")
            assert first.target in line["error"]
        finally:
            second.stop()
