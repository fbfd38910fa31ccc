"""The four timers of an upstream, through a real server: each says which it was, each is as configured, none outlasts the caller."""

import contextlib
import socket
import time
from collections.abc import AsyncIterable, Iterator

import grpc
import pytest

from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.process import Server
from tests.e2e.test_attempts import trail_of
from tests.faults.fake_provider.process import FakeProvider

LONG = {"connect": "30s", "first_token": "30s", "idle": "30s", "total": "30s"}
SHORT_S, LONGER_S = 0.3, 0.9
SLACK_S = 4.0  # of a machine that is busy with other tests
DRIP = "tokens=1000;delay_ms=100"
# Where an upstream falls silent, and which timer is for it.
SILENCES = [
    ("first_token", "hang=start", True),
    ("first_token", "hang=head", True),
    ("first_token", "pings=forever;ping_ms=5", True),
    ("idle", "hang=4", True),
    ("idle", "hang=30b", False),
    ("total", "hang=start", False),
    ("total", DRIP, True),
]
NO_RETRIES = {"retries": {"max_attempts": 1}, "breaker": {"consecutive_failures": 0, "error_rate": 0}}


@pytest.fixture
def timed(serve: Serve, fake: FakeProvider, deaf: int) -> Server:
    """For each timer a provider with a short one, and a provider with one that is longer; all other timers are far longer."""
    config = {
        f"{timer}_{name}": process.openai(fake.base_url, timeouts={**LONG, timer: f"{seconds}s"})
        for timer in LONG
        for name, seconds in (("short", SHORT_S), ("longer", LONGER_S))
    }
    for name, seconds in (("short", SHORT_S), ("longer", LONGER_S)):
        config[f"connect_{name}"] = process.openai(f"http://127.0.0.1:{deaf}/v1", timeouts={**LONG, "connect": f"{seconds}s"})
    return serve({"providers": config, "resilience": NO_RETRIES})


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port whose queue of connections is full: nobody is told that there is no room."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listening.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


async def _failed(server: Server, model: str, *, stream: bool, within_s: float = 20.0) -> tuple[grpc.aio.AioRpcError, float]:
    """The error, and after how many seconds it came."""
    chat = pb.ChatRequest(model=model, prompt="Tell me.")
    async with grpc.aio.insecure_channel(server.target, options=[("grpc.enable_retries", 0)]) as channel:
        stub = ChatServiceStub(channel)
        await stub.Chat(pb.ChatRequest(model="echo/echo", prompt="warm"))
        begun_s = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await (
                _read(stub.StreamChat(pb.StreamChatRequest(chat=chat), timeout=within_s)) if stream else stub.Chat(chat, timeout=within_s)
            )
        return caught.value, time.monotonic() - begun_s


async def _read(call: AsyncIterable[pb.StreamChatResponse]) -> None:
    async for _ in call:
        pass


@pytest.mark.parametrize(("timer", "script", "stream"), [*SILENCES, ("connect", "ok", False), ("connect", "ok", True)])
async def test_a_silence_is_ended_by_its_timer_which_is_as_configured(timed: Server, timer: str, script: str, *, stream: bool) -> None:
    took_s = {}
    for name in ("short", "longer"):
        error, took_s[name] = await _failed(timed, f"{timer}_{name}/fake~{script}", stream=stream)
        _, metadata = trail_of(error)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert metadata["timeout"] == timer
    assert SHORT_S * 0.9 < took_s["short"] < SHORT_S + SLACK_S
    assert LONGER_S * 0.9 < took_s["longer"] < LONGER_S + SLACK_S


@pytest.mark.parametrize(("timer", "script", "stream"), [*SILENCES, ("connect", "ok", False)])
async def test_no_timer_outlasts_the_caller(timed: Server, timer: str, script: str, *, stream: bool) -> None:
    other = "idle" if timer != "idle" else "first_token"
    provider = f"{timer}_longer" if timer == "connect" else f"{other}_longer" if timer == "total" else "total_longer"
    error, took_s = await _failed(timed, f"{provider}/fake~{script}", stream=stream, within_s=SHORT_S)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert took_s < SHORT_S + SLACK_S


async def test_a_drip_that_is_never_idle_is_ended_by_the_total(timed: Server, fake: FakeProvider, marker: str) -> None:
    error, took_s = await _failed(timed, f"total_longer/{marker}~{DRIP}", stream=True)
    _, metadata = trail_of(error)
    assert (metadata["timeout"], metadata["cause"]) == ("total", "UPSTREAM_FAILED")
    assert int(metadata["delivered_deltas"]) > 2
    assert LONGER_S * 0.9 < took_s < LONGER_S + SLACK_S
    (entry,) = await fake.aledger(model=f"{marker}~{DRIP}", ended=1, left=1)
    assert entry["ended"].startswith("client_")
