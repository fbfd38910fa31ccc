"""Streams that die before they have shown enough, through a real server: with a probe their caller never sees them."""

import asyncio
from collections.abc import Sequence

import grpc
import pytest

from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.process import Server
from tests.e2e.test_attempts import trail_of
from tests.faults.fake_provider.process import FakeProvider

DYING = "fake/dying~text=seven letters;rst=3"
MODELS = {"careful": {"targets": [DYING, "fake/well~text=the fallback speaks"]}, "alone": {"targets": [DYING]}}
FACTS = {DYING: {"input_usd_per_1m": "1", "output_usd_per_1m": "2"}}
NO_RETRIES = {"retries": {"max_attempts": 2, "budget_percent": 0, "budget_floor": 0}}


def started(serve: Serve, fake: FakeProvider, probe: object) -> Server:
    resilience = {"stream_probe": probe, **NO_RETRIES}
    config = {"providers": {"fake": process.openai(fake.base_url)}, "models": MODELS, "model_facts": FACTS, "resilience": resilience}
    return serve(config)


async def streamed(server: Server, model: str) -> list[pb.StreamChatResponse]:
    async with grpc.aio.insecure_channel(server.target, options=[("grpc.enable_retries", 0)]) as channel:
        asked = pb.StreamChatRequest(chat=pb.ChatRequest(model=model, prompt="hi"))
        return [event async for event in ChatServiceStub(channel).StreamChat(asked, timeout=10)]


def text_of(events: Sequence[pb.StreamChatResponse]) -> str:
    return "".join(event.part_delta.text for event in events)


async def test_a_stream_that_dies_early_is_never_seen_and_the_next_target_answers(serve: Serve, fake: FakeProvider) -> None:
    events = await streamed(started(serve, fake, {"characters": 20, "within": "5s"}), "careful")
    assert text_of(events) == "the fallback speaks"
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds[:2] == ["started", "attempt_failed"]
    assert (kinds.count("started"), kinds.count("finished"), kinds[-1]) == (1, 1, "finished")
    assert not events[1].attempt_failed.discard_partial_output
    broken, well = events[-1].finished.response.attempts
    assert broken.failure.reason == pb.ERROR_REASON_STREAM_INTERRUPTED
    assert broken.usage.input_tokens > 0
    assert broken.usage.output_tokens > 0
    assert broken.cost.total_nano_usd > 0
    assert not well.HasField("failure")


async def test_without_a_fallback_its_failure_is_that_of_an_attempt_that_never_began(serve: Serve, fake: FakeProvider) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await streamed(started(serve, fake, {"characters": 20}), "alone")
    trail, metadata = trail_of(caught.value)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert [attempt.failure.reason for attempt in trail.attempts] == [pb.ERROR_REASON_STREAM_INTERRUPTED]
    assert int(metadata["billed_nano_usd"]) == trail.attempts[0].cost.total_nano_usd > 0


async def test_without_a_probe_it_is_the_callers_error(serve: Serve, fake: FakeProvider) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await streamed(started(serve, fake, {"characters": 0}), "careful")
    trail, _ = trail_of(caught.value)
    assert [attempt.failure.reason for attempt in trail.attempts] == [pb.ERROR_REASON_STREAM_INTERRUPTED]


async def test_a_caller_who_leaves_while_a_stream_is_held_releases_it(serve: Serve, fake: FakeProvider) -> None:
    server = started(serve, fake, {"characters": 1000, "within": "60s"})
    reading = asyncio.ensure_future(streamed(server, "fake/held~tokens=10;hang=4"))
    await fake.aledger(model="held~tokens=10;hang=4", hung="True", seen=1)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    (entry,) = await fake.aledger(model="held~tokens=10;hang=4", ended=1)
    assert entry["ended"].startswith("client_")
    process.until(lambda: server.metrics().sum("promptwire_chats_in_flight") == 0, what="the end of the call")


async def test_a_stream_that_goes_on_slowly_is_let_through(serve: Serve, fake: FakeProvider) -> None:
    server = started(serve, fake, {"characters": 1000, "within": "100ms"})
    assert text_of(await streamed(server, "fake/slow~text=slowly but well;delay_ms=100")) == "slowly but well"
