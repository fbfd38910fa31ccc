"""Going away: rolling restarts lose no call, what outlives the grace is told so, and a second signal ends at once."""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from promptwire import Promptwire, errors
from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.process import Config, Server
from tests.faults.fake_provider.process import FakeProvider

REPLICAS = 3
CALLERS = 6
LEAST_CALLS = 2000
PAUSE_S = 0.004  # between two calls of a caller: the load is to be steady, not all that two cores can do


class Rolling:
    """Three servers on ports that stay the same, restarted one after the other while callers call."""

    def __init__(self, folder: Path, config: Config) -> None:
        self._folder = folder
        self._config = config
        self._ports = [process.free_port() for _ in range(REPLICAS)]
        self._servers = [self._start(at) for at in range(REPLICAS)]
        for server in self._servers:
            server.wait_ready()

    @property
    def target(self) -> str:
        return "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in self._ports)

    def restart_all(self) -> list[int]:
        """The exit codes."""
        codes = []
        for at, server in enumerate(self._servers):
            codes.append(server.stop())
            self._servers[at] = self._start(at)
            self._servers[at].wait_ready()
        return codes

    def stop(self) -> None:
        for server in self._servers:
            server.stop()

    def _start(self, at: int) -> Server:
        config = process.merged(process.base_config(self._folder), {**self._config})
        config = process.merged(config, {"server": {"listen": f"127.0.0.1:{self._ports[at]}"}})
        return Server(process.write_config(self._folder, config, f"{at}.yaml"), self._folder, {})


@pytest.fixture
def rolling(tmp_path: Path, fake: FakeProvider) -> Iterator[Rolling]:
    config = {
        "server": {"drain": {"pre_drain": "1s", "grace": "10s"}, "metrics_listen": None},
        "providers": {"fake": process.openai(fake.base_url)},
    }
    replicas = Rolling(tmp_path, config)
    with contextlib.ExitStack() as stack:
        stack.callback(replicas.stop)
        yield replicas


async def _call_until(over: asyncio.Event, client: Promptwire, number: int, said: "Counter[str]") -> None:
    """One caller: whole answers, or streams that last a while."""
    while not over.is_set():
        try:
            if number % 3 == 0:
                answer = await client.stream_chat("a b c d e f", model="echo/echo?word_delay_ms=5", timeout_s=30).read()
            elif number % 3 == 1:
                answer = await client.chat("a b c d e f", timeout_s=30)
            else:
                answer = await client.chat("a b c d e f", model="echo/echo?delay_ms=20", timeout_s=30)
            said["whole" if answer.text == "a b c d e f" else "garbled"] += 1
        except errors.PromptwireError as error:
            said[f"{error.code.name} {error.reason} {error.message}"] += 1
        await asyncio.sleep(PAUSE_S)


async def test_a_rolling_restart_of_three_servers_loses_no_call(rolling: Rolling, capsys: pytest.CaptureFixture[str]) -> None:
    said: Counter[str] = Counter()
    over = asyncio.Event()
    began_s = time.monotonic()
    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        clients = [await stack.enter_async_context(Promptwire(rolling.target)) for _ in range(2)]
        for number in range(CALLERS):
            tasks.create_task(_call_until(over, clients[number % 2], number, said))
        codes = await asyncio.to_thread(rolling.restart_all)
        while said["whole"] < LEAST_CALLS and time.monotonic() - began_s < 20:  # noqa: ASYNC110 - a load loop, bounded by time
            await asyncio.sleep(0.1)
        over.set()
    with capsys.disabled():
        print(f"\nrolling restart of {REPLICAS}: {said.total()} calls in {time.monotonic() - began_s:.1f} s, {dict(said)}")
    assert codes == [0] * REPLICAS
    assert set(said) == {"whole"}
    assert said["whole"] >= LEAST_CALLS


async def test_a_call_that_outlives_the_grace_is_told_that_the_server_goes(serve: Serve) -> None:
    server = serve({"server": {"drain": {"pre_drain": "0s", "grace": "1s"}}})
    async with grpc.aio.insecure_channel(server.target, options=[("grpc.enable_retries", 0)]) as channel:
        stub = ChatServiceStub(channel)
        unary = stub.Chat(pb.ChatRequest(prompt="x", model="echo/echo?delay_ms=60000"), timeout=20)
        stream = stub.StreamChat(
            pb.StreamChatRequest(chat=pb.ChatRequest(prompt="a b c", model="echo/echo?word_delay_ms=30000")), timeout=20
        )
        assert await stream.read()
        server.signal(signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError):
            await _rest_of(stream)
        for call in (unary, stream):
            trailers = dict(await call.trailing_metadata() or ())
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
            assert b"DRAINING" in trailers["grpc-status-details-bin"]
            assert trailers["grpc-retry-pushback-ms"] == "10"
    assert await asyncio.to_thread(server.wait) == 0


async def _rest_of(stream: "grpc.aio.UnaryStreamCall[pb.StreamChatRequest, pb.StreamChatResponse]") -> None:
    """Read to the end: a status comes after what was written before it."""
    while await stream.read():
        pass


async def test_a_call_within_the_grace_ends_well(serve: Serve) -> None:
    server = serve()
    async with Promptwire(server.target) as client:
        call = asyncio.create_task(client.chat("in time", model="echo/echo?delay_ms=700"))
        stream = client.stream_chat("one two three four", model="echo/echo?word_delay_ms=200")
        assert await anext(stream)
        server.signal(signal.SIGTERM)
        assert (await call).text == "in time"
        assert (await stream.read()).text == "one two three four"
    assert await asyncio.to_thread(server.wait) == 0
    assert server.log.events()[-1]["event"] == "server.stopped"


async def test_health_says_so_before_the_server_goes(serve: Serve) -> None:
    server = serve({"server": {"drain": {"pre_drain": "1s", "grace": "5s"}}})
    async with Promptwire(server.target) as client:
        assert await client.health()
        server.signal(signal.SIGTERM)
        await asyncio.to_thread(server.log.wait, "server.draining")
        assert not await client.health()
        async with grpc.aio.insecure_channel(server.target) as bare:
            assert (await ChatServiceStub(bare).Chat(pb.ChatRequest(prompt="still served"), timeout=5)).text == "still served"
    assert await asyncio.to_thread(server.wait) == 0


def test_an_interrupt_ends_it_as_a_termination_does(serve: Serve) -> None:
    server = serve()
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert server.log.events("server.stopped")


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_at_once_and_without_a_trace(serve: Serve, first: signal.Signals, second: signal.Signals) -> None:
    server = serve({"server": {"drain": {"pre_drain": "0s", "grace": "30s"}}})
    async with grpc.aio.insecure_channel(server.target) as channel:
        call = ChatServiceStub(channel).Chat(pb.ChatRequest(prompt="x", model="echo/echo?delay_ms=60000"))
        await asyncio.to_thread(process.until, lambda: server.metrics().sum("promptwire_chats_in_flight") == 1, what="the call under way")
        server.signal(first)
        await asyncio.to_thread(server.log.wait, "server.draining")
        began_s = time.monotonic()
        server.signal(second)
        code = await asyncio.to_thread(server.wait, 5)
        assert time.monotonic() - began_s < 1
        assert code in (-second, 128 + second)
        call.cancel()
    assert all(server.log.events() and line.startswith("{") for line in server.log.lines), server.log.tail()


def test_an_idle_connection_does_not_hold_the_end(serve: Serve) -> None:
    server = serve({"server": {"drain": {"pre_drain": "0s", "grace": "20s"}}})
    with grpc.insecure_channel(server.target) as channel:
        grpc.channel_ready_future(channel).result(timeout=10)
        began_s = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began_s < 2
