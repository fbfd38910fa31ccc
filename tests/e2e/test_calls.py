"""Every method through the Python client and the raw stubs, against echo, script and a provider over a real socket."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from promptwire import Promptwire, SyncPromptwire, errors
from promptwire import v1 as pb
from promptwire.v1.batch_service_pb2_grpc import BatchServiceStub
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from promptwire.v1.conversation_service_pb2_grpc import ConversationServiceStub
from promptwire.v1.run_service_pb2_grpc import RunServiceStub
from tests.e2e.process import Server
from tests.faults.fake_provider.answer import expected_text
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.fake_provider.words import count_tokens

Model = Callable[[str], str]


async def test_echo_answers_with_the_question(client: Promptwire) -> None:
    response = await client.chat("hello there")
    assert (response.text, response.provider, response.model) == ("hello there", "echo", "echo")
    assert (response.usage.input_tokens, response.usage.output_tokens) == (2, 2)
    assert response.request_id
    assert len(response.trace_id) == 32


async def test_a_script_answers_from_its_file(client: Promptwire) -> None:
    response = await client.chat("What is the capital of France?", model="script/any")
    assert (response.text, response.provider) == ("Paris.", "script")
    with pytest.raises(errors.Overloaded):
        await client.chat("please fail", model="script/any")


async def test_a_script_calls_a_tool(client: Promptwire) -> None:
    tool = {"name": "look_outside", "parameters": {"type": "object", "properties": {"where": {"type": "string"}}}}
    response = await client.chat("how is the weather?", model="script/any", tools=[tool])
    (part,) = response.candidates[0].message.parts
    assert (part.tool_call.name, part.tool_call.arguments_json) == ("look_outside", '{"where":"here"}')
    assert response.candidates[0].finish_reason == pb.FINISH_REASON_TOOL_CALLS


async def test_a_whole_answer_of_a_provider_is_what_it_sent(client: Promptwire, fake: FakeProvider, marker: str, model: Model) -> None:
    response = await client.chat(marker, model=model(""), temperature=0.5, request_id=marker)
    (entry,) = await fake.aledger(model=marker, ended=1)
    assert response.text == expected_text(marker)
    assert (response.provider, response.request_id) == ("fake", marker)
    assert response.usage.output_tokens == entry["tokens_sent"] == count_tokens(response.text)
    assert entry["body"]["temperature"] == 0.5
    assert entry["body"]["messages"] == [{"role": "user", "content": marker}]
    assert [attempt.provider for attempt in response.attempts] == ["fake"]


async def test_a_streamed_answer_is_the_whole_one_in_pieces(client: Promptwire, fake: FakeProvider, marker: str, model: Model) -> None:
    stream = client.stream_chat(marker, model=model("tokens=30"))
    pieces = [str(piece) async for piece in stream]
    (entry,) = await fake.aledger(model=marker, ended=1)
    assert len(pieces) > 1
    assert "".join(pieces) == stream.response.text == expected_text(marker, tokens=30)
    assert stream.response.usage.output_tokens == entry["tokens_sent"] == 30
    assert entry["ended"] == "complete"


async def test_the_events_of_a_stream_are_numbered_and_end_once(client: Promptwire, model: Model) -> None:
    events = [event async for event in client.stream_chat("count", model=model("tokens=5")).events()]
    kinds = [event.WhichOneof("event") for event in events]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    assert kinds.count("finished") == 1
    assert not events[-1].finished.response.text


async def test_an_alias_and_a_fallback_lead_to_who_answers(client: Promptwire) -> None:
    assert (await client.chat("alias", model="fast")).provider == "fake"
    response = await client.chat("fallback", model="both")
    assert (response.text, response.provider) == ("fallback", "echo")
    assert [attempt.provider for attempt in response.attempts] == ["fake", "echo"]
    assert response.attempts[0].failure.http_status == 503
    assert pb.Notice.CODE_FALLBACK_USED in [notice.code for notice in response.notices]


async def test_tokens_are_counted_without_asking(client: Promptwire, fake: FakeProvider, marker: str, model: Model) -> None:
    exact = await client.count_tokens("one two three")
    assert (exact.input_tokens, exact.method, exact.estimated) == (3, "words", False)
    estimate = await client.count_tokens("one two three", model=model(""))
    assert estimate.estimated
    assert estimate.input_tokens > 0
    assert not await fake.aledger(model=marker)


async def test_models_are_listed_and_found(client: Promptwire) -> None:
    models = {model.name: model for model in await client.list_models()}
    assert {"fast", "both", "echo/echo", "fake/fake"} <= models.keys()
    assert list(models["both"].targets) == ["fake/fake~status=503", "echo/echo"]
    assert models["echo/echo"].is_default
    assert [model.name for model in await client.list_models(provider="echo")] == ["echo/echo"]
    assert (await client.get_model("fast")).provider_model == "fake"
    with pytest.raises(errors.NotFound, match="nobody"):
        await client.get_model("nobody/knows")


async def test_the_server_tells_what_it_is(client: Promptwire) -> None:
    info = await client.server_info()
    assert info.version
    assert (info.contract_version, info.default_model) == ("v1", "echo/echo")
    assert info.capabilities.chat
    assert info.capabilities.chains
    assert not info.capabilities.runs
    assert not info.capabilities.authentication
    assert info.limits.max_request_bytes == 16 << 20
    assert await client.health()


async def test_a_chain_of_prompts_runs_streams_and_validates(client: Promptwire) -> None:
    prompts = ["tell of {{ topic }}", "shorter: {{ output[-1] }}"]
    response = await client.run_chain(prompts, topic="tea")
    assert response.result.text == "shorter: tell of tea"
    stream = client.stream_chain(prompts, topic="tea")
    events = [event async for event in stream]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert stream.result.text == response.result.text
    assert stream.result.usage == response.result.usage
    plan = await client.validate_chain(prompts)
    assert plan.valid
    assert plan.chain_hash == response.chain_hash
    assert [step.step_id for step in plan.plan] == ["step1", "step2"]


def test_the_sync_client_does_the_same(server: Server, marker: str, model: Model) -> None:
    with SyncPromptwire(server.target) as client:
        assert client.chat("hi").text == "hi"
        assert "".join(client.stream_chat(marker, model=model(""))) == expected_text(marker)
        assert client.count_tokens("one two").input_tokens == 2
        assert "echo/echo" in [each.name for each in client.list_models()]
        assert client.get_model("fast").provider == "fake"
        assert client.server_info().contract_version == "v1"
        assert client.run_chain(["say {{ x }}"], x="y").result.text == "say y"
        stream = client.stream_chain(["say {{ x }}"], x="y")
        assert [event.WhichOneof("event") for event in stream][-1] == "run_finished"
        assert stream.result.text == "say y"
        assert client.validate_chain(["say {{ x }}"]).valid
        assert client.health()
        with pytest.raises(errors.NotFound):
            client.chat("hi", model="nobody")


def test_one_sync_client_serves_many_threads(server: Server) -> None:
    with SyncPromptwire(server.target) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: client.chat(f"question {number}").text, range(64)))
    assert answers == [f"question {number}" for number in range(64)]


async def test_many_streams_at_once_do_not_mix(client: Promptwire, model: Model) -> None:
    streams = [client.stream_chat(f"stream {number}", model=model("tokens=20;delay_ms=1")) for number in range(40)]
    answers = await asyncio.gather(*(stream.read() for stream in streams))
    assert [answer.text for answer in answers] == [expected_text(f"stream {number}", tokens=20) for number in range(40)]


async def test_raw_stubs_need_nothing_of_the_client(channel: grpc.aio.Channel) -> None:
    stub = ChatServiceStub(channel)
    response = await stub.Chat(pb.ChatRequest(prompt="raw"), timeout=10)
    assert response.text == "raw"
    call = stub.StreamChat(pb.StreamChatRequest(chat=pb.ChatRequest(prompt="raw stream")), timeout=10)
    events = [event async for event in call]
    assert "".join(event.part_delta.text for event in events) == "raw stream"
    assert await call.code() is grpc.StatusCode.OK


async def test_the_trace_of_the_caller_is_kept(channel: grpc.aio.Channel) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    metadata = (("traceparent", f"00-{trace}-b7ad6b7169203331-01"),)
    response = await ChatServiceStub(channel).Chat(pb.ChatRequest(prompt="x"), timeout=10, metadata=metadata)
    assert response.trace_id == trace


@pytest.mark.parametrize(
    "ask",
    [
        lambda channel: RunServiceStub(channel).GetRun(pb.GetRunRequest(), timeout=10),
        lambda channel: BatchServiceStub(channel).ListBatches(pb.ListBatchesRequest(), timeout=10),
        lambda channel: ConversationServiceStub(channel).ListConversations(pb.ListConversationsRequest(), timeout=10),
    ],
)
async def test_what_is_not_offered_says_so(channel: grpc.aio.Channel, ask: Callable[[grpc.aio.Channel], object]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(channel)  # type: ignore[misc]  # a unary call
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "GetServerInfo" in str(caught.value.details())
