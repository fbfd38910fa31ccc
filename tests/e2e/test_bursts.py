"""Many calls at once, and calls at their deadline: each gets an answer or an error that says why."""

import asyncio
from collections import Counter

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from promptwire import v1 as pb
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.faults.fake_provider.process import FakeProvider

CHAT = "/promptwire.v1.ChatService/Chat"


def chat(channel: grpc.aio.Channel) -> "grpc.aio.UnaryUnaryMultiCallable[pb.ChatRequest, pb.ChatResponse]":
    return channel.unary_unary(CHAT, pb.ChatRequest.SerializeToString, pb.ChatResponse.FromString)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The reason in the details; the bare message where there is none."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            info = error_details_pb2.ErrorInfo()
            if any(detail.Unpack(info) for detail in status_pb2.Status.FromString(value).details):
                return str(info.reason)
    return f"{error.code().name}: {error.details()}"


async def outcome(ask: "grpc.aio.UnaryUnaryMultiCallable[pb.ChatRequest, pb.ChatResponse]", model: str, within_s: float) -> str:
    try:
        await ask(pb.ChatRequest(prompt="x", model=model), timeout=within_s)
    except grpc.aio.AioRpcError as error:
        return reason_of(error)
    return "OK"


@pytest.mark.parametrize(("calls", "channels"), [(500, 1), (2000, 40)])
async def test_a_burst_is_answered_or_sent_away_with_a_reason(serve: Serve, calls: int, channels: int) -> None:
    server = serve({})
    options = [("grpc.use_local_subchannel_pool", 1)]
    opened = [grpc.aio.insecure_channel(server.target, options=options) for _ in range(channels)]
    asks = [chat(channel) for channel in opened]
    outcomes = Counter(await asyncio.gather(*(outcome(asks[number % channels], "echo/echo?delay_ms=200", 60.0) for number in range(calls))))
    for channel in opened:
        await channel.close()
    assert set(outcomes) <= {"OK", "OVERLOADED", "QUEUE_TOO_LONG"}
    assert outcomes["OK"] >= calls // 4


async def test_an_error_at_the_deadline_reaches_its_caller_with_its_details(serve: Serve, fake: FakeProvider, marker: str) -> None:
    server = serve({"providers": {"fake": process.openai(fake.base_url)}})
    async with grpc.aio.insecure_channel(server.target) as channel:
        ask = chat(channel)
        outcomes = [await outcome(ask, f"fake/{marker}~hang=start", 0.7) for _ in range(6)]
    assert Counter(outcomes)["DEADLINE"] >= 5, "one may lose the race where the machine is busy"
    assert "rpc.bug" not in server.log.text
