"""The trail of attempts, through a real server: in errors, in streams while they run, and with what each attempt took."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from promptwire import Promptwire, errors
from promptwire import v1 as pb
from promptwire.v1.chain_service_pb2_grpc import ChainServiceStub
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from promptwire.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.process import Server
from tests.e2e.test_tools import _grpcurl
from tests.faults.fake_provider.process import FakeProvider

BREAKING = "fake/breaking~tokens=30;fin=6"
DEAD = ["fake/dead1~status=503", "fake/dead2~status=500", "fake/dead3~status=502"]
MODELS = {
    "limping": {"targets": [DEAD[0], "fake/well~tokens=4"]},
    "dead": {"targets": DEAD},
    "breaking": {"targets": [DEAD[0], BREAKING]},
}
FACTS = {BREAKING: {"input_usd_per_1m": "1", "output_usd_per_1m": "2"}}
Kinds = list[str | None]


@pytest.fixture
def trying(serve: Serve, fake: FakeProvider) -> Server:
    return serve({"providers": {"fake": process.openai(fake.base_url)}, "models": MODELS, "model_facts": FACTS})


@pytest.fixture
async def caller(trying: Server) -> AsyncIterator[Promptwire]:
    async with Promptwire(trying.target) as client:
        yield client


@pytest.fixture
async def bare(trying: Server) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(trying.target, options=[("grpc.enable_retries", 0)]) as channel:
        yield channel


def tried(attempts: Sequence[pb.Attempt]) -> list[tuple[str, int]]:
    """The models, and how each failed; 0: it did not."""
    return [(f"{attempt.provider}/{attempt.model}", attempt.failure.http_status) for attempt in attempts]


def trail_of(error: grpc.aio.AioRpcError) -> tuple[pb.AttemptTrail, dict[str, str]]:
    """What the trailers say was tried, and the metadata beside it."""
    trail, info = pb.AttemptTrail(), error_details_pb2.ErrorInfo()
    data = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(data, bytes)
    for detail in status_pb2.Status.FromString(data).details:
        detail.Unpack(trail)
        detail.Unpack(info)
    return trail, dict(info.metadata)


async def test_an_error_tells_everything_that_was_tried(caller: Promptwire) -> None:
    with pytest.raises(errors.UpstreamFailed) as caught:
        await caller.chat("hi", model="dead")
    error = caught.value
    assert tried(error.attempts) == list(zip(DEAD, [503, 500, 502], strict=True))
    assert all(attempt.chosen_because and attempt.latency.ToNanoseconds() > 0 for attempt in error.attempts)
    assert error.metadata["attempts"] == "3"
    assert "3 attempts: fake/dead1" in str(error)


@pytest.mark.parametrize("method", ["Chat", "StreamChat", "RunChain", "StreamChain", "Embed"])
async def test_every_method_that_asks_a_model_tells_it_in_its_trailers(bare: grpc.aio.Channel, method: str) -> None:
    ask = pb.ChatRequest(prompt="hi", model="dead")
    run = pb.RunChainRequest(prompts=["hi"], model="dead")
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "Chat": lambda: ChatServiceStub(bare).Chat(ask, timeout=10),
        "StreamChat": lambda: ChatServiceStub(bare).StreamChat(pb.StreamChatRequest(chat=ask), timeout=10).read(),
        "RunChain": lambda: ChainServiceStub(bare).RunChain(run, timeout=10),
        "StreamChain": lambda: ChainServiceStub(bare).StreamChain(pb.StreamChainRequest(run=run), timeout=10).read(),
        "Embed": lambda: EmbeddingServiceStub(bare).Embed(pb.EmbedRequest(model="dead", texts=["a"]), timeout=10),
    }
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await calls[method]()
    trail, metadata = trail_of(caught.value)
    assert [target for target, _ in tried(trail.attempts)] == DEAD
    assert (metadata["attempts"], "billed_nano_usd" in metadata) == ("3", False)


def test_grpcurl_shows_what_was_tried(trying: Server) -> None:
    done = _grpcurl(trying, "promptwire.v1.ChatService/Chat", {"prompt": "hi", "model": "dead"})
    assert done.returncode != 0
    at = done.stderr.rindex("{", 0, done.stderr.index("promptwire.v1.AttemptTrail"))
    trail, _ = json.JSONDecoder().raw_decode(done.stderr, at)
    assert [attempt["failure"]["httpStatus"] for attempt in trail["attempts"]] == [503, 500, 502]


async def test_a_stream_tells_what_failed_before_it_and_ends_once(bare: grpc.aio.Channel) -> None:
    asked = pb.StreamChatRequest(chat=pb.ChatRequest(prompt="hi", model="limping"))
    events = [event async for event in ChatServiceStub(bare).StreamChat(asked, timeout=10)]
    kinds: Kinds = [event.WhichOneof("event") for event in events]
    assert kinds[:3] == ["started", "attempt_failed", "part_started"]
    assert (kinds.count("attempt_failed"), kinds.count("finished"), kinds[-1]) == (1, 1, "finished")
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    failed = events[1].attempt_failed
    assert tried([failed.attempt]) == [(DEAD[0], 503)]
    assert (failed.next_action, failed.next_provider, failed.next_model, failed.discard_partial_output) == (
        pb.AttemptFailed.NEXT_ACTION_FALLBACK,
        "fake",
        "well~tokens=4",
        False,
    )
    answered = events[-1].finished.response.attempts[-1]
    assert (answered.HasField("failure"), answered.usage.output_tokens) == (False, 4)


async def test_the_client_puts_such_a_stream_together_as_any_other(caller: Promptwire) -> None:
    streamed = await caller.stream_chat("hi", model="limping").read()
    whole = await caller.chat("hi", model="limping")
    assert streamed.text == whole.text
    assert tried(streamed.attempts) == tried(whole.attempts) == [(DEAD[0], 503), ("fake/well~tokens=4", 0)]


@pytest.mark.parametrize("parts", [True, False], ids=["with parts", "without parts"])
async def test_a_chain_tells_what_failed_for_its_steps(bare: grpc.aio.Channel, *, parts: bool) -> None:
    run = pb.RunChainRequest(prompts=["hi"], model="limping")
    asked = pb.StreamChainRequest(run=run, omit_parts=not parts)
    events = [said.event async for said in ChainServiceStub(bare).StreamChain(asked, timeout=10)]
    (failed,) = (event for event in events if event.HasField("attempt_failed"))
    assert (failed.step_id, tried([failed.attempt_failed.attempt])) == ("step1", [(DEAD[0], 503)])
    assert failed.attempt_failed.next_model == "well~tokens=4"
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].HasField("run_finished")


async def test_a_stream_that_breaks_off_tells_what_it_took(bare: grpc.aio.Channel) -> None:
    asked = pb.StreamChatRequest(chat=pb.ChatRequest(prompt="eight letters", model="breaking"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        [event async for event in ChatServiceStub(bare).StreamChat(asked, timeout=10)]
    trail, metadata = trail_of(caught.value)
    dead, broken = trail.attempts
    assert not dead.HasField("usage")
    assert (broken.usage.input_tokens, broken.usage.estimated) == (4, True)
    assert 1 <= broken.usage.output_tokens < 30
    assert broken.cost.total_nano_usd == 4 * 1000 + broken.usage.output_tokens * 2000
    assert int(metadata["billed_nano_usd"]) == broken.cost.total_nano_usd


async def test_a_chain_counts_what_broken_streams_took(bare: grpc.aio.Channel) -> None:
    run = pb.RunChainRequest(prompts=["eight letters"], model="breaking")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        [event async for event in ChainServiceStub(bare).StreamChain(pb.StreamChainRequest(run=run), timeout=10)]
    trail, metadata = trail_of(caught.value)
    assert int(metadata["billed_nano_usd"]) == trail.attempts[-1].cost.total_nano_usd > 0
