"""Requests made again, and questions that several ask: on real servers, with the provider's own ledger as the truth."""

import asyncio
import contextlib
import signal
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from promptwire import v1 as pb
from promptwire.v1 import chain_service_pb2_grpc as chains
from promptwire.v1 import chat_service_pb2_grpc as chats
from promptwire.v1 import embedding_service_pb2_grpc as embeddings
from tests.contract.stores.redis_server import RedisServer, installed
from tests.e2e import process
from tests.e2e.conftest import UPSTREAM_KEY, Serve
from tests.e2e.process import Server
from tests.faults.fake_provider.process import FakeProvider

Answer = tuple[bytes, str]  # the message, and "true" in trailing metadata of one that was given before
SLOW = "head_ms=400"  # milliseconds before the provider answers


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    installed()
    with tempfile.TemporaryDirectory(prefix="pw-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


def config(fake: FakeProvider, **more: Any) -> dict[str, Any]:
    return {"providers": {"fake": process.openai(fake.base_url, UPSTREAM_KEY)}, **more}


def channel(server: Server) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(server.target, options=[("grpc.enable_retries", 0)])


async def whole(channel: grpc.aio.Channel, request: pb.ChatRequest) -> Answer:
    call = channel.unary_unary("/promptwire.v1.ChatService/Chat", pb.ChatRequest.SerializeToString, lambda data: data)(request)
    return await call, _replayed(await call.trailing_metadata())


async def streamed(channel: grpc.aio.Channel, request: pb.ChatRequest) -> Answer:
    call = chats.ChatServiceStub(channel).StreamChat(pb.StreamChatRequest(chat=request))
    said = [event.SerializeToString(deterministic=True) async for event in call]
    return b"|".join(said), _replayed(await call.trailing_metadata())


def _replayed(metadata: Any) -> str:
    return str(dict(metadata or ()).get("promptwire-replayed", ""))


@pytest.mark.parametrize("ask", [whole, streamed])
async def test_100_calls_with_one_request_id_and_a_kill_between_are_one_execution(
    serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str, ask: Any, tmp_path: Path
) -> None:
    settings = config(fake, state_dir=str(tmp_path / "kept"), idempotency={"store": "file"})
    request = pb.ChatRequest(model=model(SLOW), prompt=marker, request_id=marker)
    first = serve(settings)
    async with channel(first) as to:
        answers = await asyncio.gather(*[ask(to, request) for _ in range(50)])
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    second = serve(settings)
    async with channel(second) as to:
        answers += await asyncio.gather(*[ask(to, request) for _ in range(50)])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(to, pb.ChatRequest(model=model(SLOW), prompt="another", request_id=marker))
    assert len({answer for answer, _ in answers}) == 1
    assert Counter(replayed for _, replayed in answers) == {"": 1, "true": 99}
    assert len(fake.ledger(model=marker, ended=1)) == 1
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_kill_while_it_runs_leaves_the_request_to_the_next_server(
    serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str, tmp_path: Path
) -> None:
    settings = config(fake, state_dir=str(tmp_path / "kept"), idempotency={"store": "file"})
    request = pb.ChatRequest(model=model("head_ms=1500"), prompt=marker, request_id=marker)
    first = serve(settings)
    async with channel(first) as to:
        lost = asyncio.create_task(whole(to, request))
        await fake.aledger(model=marker, seen=1)
        first.process.send_signal(signal.SIGKILL)
        with pytest.raises(grpc.aio.AioRpcError):
            await lost
    first.process.wait()
    second = serve(settings)
    async with channel(second) as to:
        answers = await asyncio.gather(*[whole(to, request) for _ in range(5)])  # once the lease of the dead one is over
    assert len({answer for answer, _ in answers}) == 1
    assert len(fake.ledger(model=marker, seen=2)) == 2


async def test_vectors_and_chains_are_answered_once_too(serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str) -> None:
    async with channel(serve(config(fake))) as to:
        chain = pb.RunChainRequest(prompts=[f"{marker} {{{{ topic }}}}"], inputs={"topic": "tea"}, model=model(""), request_id=marker)
        run = chains.ChainServiceStub(to).RunChain
        runs = await asyncio.gather(*[run(chain) for _ in range(5)])
        again = await run(chain)
        assert {each.run_id for each in runs} == {again.run_id}
        stream = chains.ChainServiceStub(to).StreamChain
        told = pb.StreamChainRequest(run=chain)
        events = [[event.SerializeToString(deterministic=True) async for event in stream(told)] for _ in range(3)]
        assert events[0] == events[1] == events[2]
        assert len(fake.ledger(model=marker, ended=2)) == 2  # of the two methods, each of which has ids of its own
        embed = pb.EmbedRequest(model=f"echo/{marker}", texts=["a"], request_id=marker)
        vectors = [await embeddings.EmbeddingServiceStub(to).Embed(embed) for _ in range(3)]
        assert vectors[0] == vectors[1] == vectors[2]


async def test_an_answer_that_is_given_again_is_no_row_of_the_ledger(serve: Serve, fake: FakeProvider, marker: str, tmp_path: Path) -> None:
    server = serve(config(fake, state_dir=str(tmp_path)))
    async with channel(server) as to:
        request = pb.ChatRequest(model=f"fake/{marker}", prompt=marker, request_id=marker)
        assert [replayed for _, replayed in [await whole(to, request) for _ in range(3)]] == ["", "true", "true"]
    server.stop()
    with contextlib.closing(sqlite3.connect(tmp_path / "usage.sqlite3")) as journal:
        rows = journal.execute("SELECT request_id, served_from FROM ledger").fetchall()
    assert rows == [(marker, pb.SERVED_FROM_PROVIDER)]


async def _details(to: grpc.aio.Channel, request: pb.ChatRequest) -> object:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await chats.ChatServiceStub(to).Chat(request)
    return dict(caught.value.trailing_metadata() or ())["grpc-status-details-bin"]


async def test_an_error_that_is_final_is_the_same_error_again_with_what_was_tried(
    serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str
) -> None:
    request = pb.ChatRequest(model=model("status=400;head_ms=200"), prompt=marker, request_id=marker)
    async with channel(serve(config(fake))) as to:
        said = await asyncio.gather(*[_details(to, request) for _ in range(5)])
        said.append(await _details(to, request))
    assert len(fake.ledger(model=marker, ended=1)) == 1
    assert len(set(said)) == 1
    assert isinstance(said[0], bytes)
    assert b"promptwire.v1.AttemptTrail" in said[0]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_200_identical_calls_on_two_nodes_are_one_call(
    serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str, redis_server: RedisServer, *, stream: bool
) -> None:
    settings = config(fake, stores={"redis": {"url": redis_server.url}}, dedup={"default": "on"})
    nodes = [serve(settings), serve(settings)]
    request = pb.ChatRequest(model=model("head_ms=1500"), prompt=marker)
    async with channel(nodes[0]) as one, channel(nodes[1]) as other:
        answers = await asyncio.gather(*[_answer(to, request, stream=stream) for to in (one, other) for _ in range(100)])
    assert len(fake.ledger(model=marker, ended=1)) == 1
    assert len({answer.text for answer in answers}) == 1
    assert len({answer.request_id for answer in answers}) == 200
    assert Counter(answer.served_from for answer in answers) == {pb.SERVED_FROM_PROVIDER: 1, pb.SERVED_FROM_DEDUP: 199}


async def _answer(to: grpc.aio.Channel, request: pb.ChatRequest, *, stream: bool) -> pb.ChatResponse:
    stub = chats.ChatServiceStub(to)
    if not stream:
        return await stub.Chat(request)
    response, text = pb.ChatResponse(), ""
    async for event in stub.StreamChat(pb.StreamChatRequest(chat=request)):
        text += event.part_delta.text
        if event.HasField("finished"):
            response.CopyFrom(event.finished.response)
    response.text = text
    return response


async def test_a_node_that_is_killed_is_taken_over_by_those_who_wait_elsewhere(
    serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str, redis_server: RedisServer
) -> None:
    settings = config(fake, stores={"redis": {"url": redis_server.url}}, dedup={"default": "on"})
    nodes = [serve(settings), serve(settings)]
    request = pb.ChatRequest(model=model("head_ms=1500"), prompt=marker)
    async with channel(nodes[0]) as one, channel(nodes[1]) as other:
        lost = asyncio.create_task(_answer(one, request, stream=False))
        await fake.aledger(model=marker, seen=1)
        waiting = [asyncio.create_task(_answer(other, request, stream=number % 2 == 0)) for number in range(10)]
        await asyncio.sleep(0.5)  # until they follow; there is nothing to see of it from outside
        assert len(fake.ledger(model=marker, seen=1)) == 1
        nodes[0].process.send_signal(signal.SIGKILL)
        answers = await asyncio.gather(*waiting)
        await asyncio.gather(lost, return_exceptions=True)
    assert len({answer.text for answer in answers}) == 1
    assert len(fake.ledger(model=marker, seen=2)) == 2


async def test_with_redis_gone_chats_are_answered_and_runs_with_an_id_refused(
    serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str
) -> None:
    settings = config(fake, stores={"redis": {"url": "unix:///nowhere/redis.sock"}}, dedup={"default": "on"})
    async with channel(serve(settings)) as to:
        request = pb.ChatRequest(model=model(""), prompt=marker, request_id=marker)
        answers = [await whole(to, request) for _ in range(3)]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await chains.ChainServiceStub(to).RunChain(pb.RunChainRequest(prompts=["x"], model=model(""), request_id=marker))
    assert len({answer for answer, _ in answers}) == 1
    assert len(fake.ledger(model=marker, ended=1)) == 1
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
