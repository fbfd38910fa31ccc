"""Hostile bytes through the real port: the right status with its path, never UNKNOWN, never a trace, and the server goes on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.e2e import hostile
from tests.e2e.hostile import field, nested, number, send
from tests.e2e.process import Server

CHAT = "promptwire.v1.ChatService/Chat"
STREAM_CHAT = "promptwire.v1.ChatService/StreamChat"
RUN_CHAIN = "promptwire.v1.ChainService/RunChain"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
MOST_GROWTH_BYTES = 150 << 20
DEPTH = 10_000
MIB = 1 << 20


@pytest.fixture
async def channel(server: Server) -> AsyncIterator[grpc.aio.Channel]:
    """A bare channel that sends whatever it is given; afterwards the server is as well as before."""
    before, bugs = server.rss_bytes(), len(server.log.events("rpc.bug"))
    options = [("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0)]
    async with grpc.aio.insecure_channel(server.target, options=options) as channel:
        yield channel
        assert (await ChatServiceStub(channel).Chat(pb.ChatRequest(prompt="still well"), timeout=10)).text == "still well"
    assert server.process.poll() is None
    assert server.rss_bytes() - before < MOST_GROWTH_BYTES
    assert not server.log.events("rpc.bug")[bugs:]


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 64,
        b"\x00",
        b"\x0b\x0b\x0b",
        field(2, b"\xff\xfe\x80")[:-1],
        field(2, b"\xff\xfe\x80"),
        field(4, field(2, field(1, b"\xc3\x28"))),
        field(12, field(1, b"\xed\xa0\x80") + field(2, b"v")),
        field(5, b"\xff"),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["ones", "zero", "groups", "cut", "utf8", "utf8 deep", "utf8 in a map", "bad message", "http"],
)
@pytest.mark.parametrize("method", [CHAT, STREAM_CHAT, RUN_CHAIN])
async def test_bytes_that_are_no_message_are_invalid(channel: grpc.aio.Channel, method: str, data: bytes) -> None:
    if method == STREAM_CHAT:
        data = field(1, data)
    if method == RUN_CHAIN:
        data = field(2, b"\xff" + data)
    said = (await send(channel, method, data, streams=method == STREAM_CHAT)).check()
    assert (said.code, said.reason) == (INVALID, "INVALID_FIELD")


# ContentPart.tool_result.parts; a list of steps in a branch of a parallel step; a judge's chain of messages.
@pytest.mark.parametrize(
    ("method", "prefix", "path"),
    [(CHAT, (4, 2), (4, 3)), (RUN_CHAIN, (2, 4), (7, 1, 2)), (RUN_CHAIN, (2, 4), (9, 3))],
    ids=["tool results", "branches", "maps"],
)
async def test_ten_thousand_levels_are_refused(
    channel: grpc.aio.Channel, method: str, prefix: tuple[int, ...], path: tuple[int, ...]
) -> None:
    data = nested(path, DEPTH)
    for step in reversed(prefix):
        data = field(step, data)
    assert (await send(channel, method, data)).check().code is INVALID


async def test_json_of_ten_thousand_levels_is_refused_where_it_stands(channel: grpc.aio.Channel) -> None:
    deep = "[" * DEPTH + "]" * DEPTH
    run = pb.RunChainRequest(prompts=["{{ x }}"], inputs_json=f'{{"x": {deep}}}')
    said = (await send(channel, RUN_CHAIN, run.SerializeToString())).check()
    assert said.code is INVALID
    assert "inputs_json" in said.fields
    chat = pb.ChatRequest(prompt="x")
    chat.generation.response_format.json_schema.name = "deep"
    chat.generation.response_format.json_schema.schema_json = '{"items":' * DEPTH + "{}" + "}" * DEPTH
    said = (await send(channel, CHAT, chat.SerializeToString())).check()
    assert said.code is INVALID
    assert said.fields[0].startswith("generation.response_format")


@pytest.mark.parametrize("size", [17 * MIB, 64 * MIB], ids=["17 MiB", "64 MiB"])
@pytest.mark.parametrize("method", [CHAT, STREAM_CHAT])
async def test_a_message_over_the_limit_is_too_large(channel: grpc.aio.Channel, method: str, size: int) -> None:
    said = (await send(channel, method, field(2, b"x" * size), streams=method == STREAM_CHAT)).check()
    assert said.code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_message_just_below_the_limit_is_served(channel: grpc.aio.Channel) -> None:
    data = field(2, b"x" * (15 * MIB))
    said = (await send(channel, "promptwire.v1.ChatService/CountTokens", field(1, data))).check()
    assert said.code in (grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED, INVALID)


@pytest.mark.parametrize(
    ("method", "data", "where"),
    [
        (CHAT, field(2, b"x") + number(7, 99), "priority"),
        (CHAT, field(4, number(1, 99) + field(2, field(1, b"x"))), "messages[0].role"),
        (CHAT, field(2, b"x") + field(10, number(1, 77)), "cache.mode"),
        (STREAM_CHAT, field(1, field(2, b"x")) + number(2, 9), "restart_policy"),
        (RUN_CHAIN, field(1, b"x") + number(8, 99), "priority"),
        (RUN_CHAIN, field(2, field(4, field(3, number(3, 99)) + field(6, field(2, b"x")))), "spec.steps[0].policy.on_error"),
    ],
)
async def test_an_unknown_enum_value_is_served_or_refused_where_it_stands(
    channel: grpc.aio.Channel, method: str, data: bytes, where: str
) -> None:
    said = (await send(channel, method, data, streams=method == STREAM_CHAT)).check()
    assert said.code in (INVALID, grpc.StatusCode.OK)
    assert said.code is grpc.StatusCode.OK or where in said.fields


@pytest.mark.parametrize(
    ("method", "data", "where"),
    [
        (CHAT, b"", "prompt"),
        (CHAT, field(4, b""), "messages[0].parts"),
        (CHAT, field(4, field(2, b"")), "messages[0].parts[0]"),
        (CHAT, field(4, field(2, field(2, b""))), "messages[0].parts[0].media"),
        (CHAT, field(4, number(1, 5) + field(2, field(4, b""))), "messages[0].parts[0].tool_result.tool_call_id"),
        (CHAT, field(2, b"x") + field(8, b"i" * 65), "request_id"),
        (STREAM_CHAT, b"", "chat"),
        ("promptwire.v1.ChatService/CountTokens", b"", "chat"),
        ("promptwire.v1.ModelService/GetModel", b"", "name"),
        ("promptwire.v1.ModelService/ListModels", field(2, b"nonsense"), "page_token"),
        (RUN_CHAIN, b"", ""),
        (RUN_CHAIN, field(2, b""), "spec.steps"),
        (RUN_CHAIN, field(2, field(4, b"")), "spec.steps[0]"),
        (RUN_CHAIN, field(2, field(4, field(6, b""))), "spec.steps[0].prompt"),
        (RUN_CHAIN, field(2, field(4, field(11, b""))), "spec.steps[0].transform"),
        ("promptwire.v1.ChainService/StreamChain", b"", "run"),
    ],
)
async def test_what_is_missing_is_named(channel: grpc.aio.Channel, method: str, data: bytes, where: str) -> None:
    streams = method.rpartition("/")[2].startswith("Stream")
    said = (await send(channel, method, data, streams=streams)).check()
    assert said.code is INVALID
    assert any(found.startswith(where) for found in said.fields), said


async def test_an_action_that_is_not_offered_is_named(channel: grpc.aio.Channel) -> None:
    said = (await send(channel, RUN_CHAIN, field(2, field(4, field(7, b""))))).check()
    assert (said.code, said.reason, said.fields) == (grpc.StatusCode.UNIMPLEMENTED, "DISABLED", ("spec.steps[0].parallel",))


async def test_metadata_of_any_bytes_does_no_harm(channel: grpc.aio.Channel) -> None:
    metadata = (
        ("traceparent", "00-" + "z" * 60),
        ("authorization", "Bearer " + "k" * 4000),
        ("x-binary-bin", bytes(range(256))),
        ("grpc-previous-rpc-attempts", "x"),
    )
    response = await ChatServiceStub(channel).Chat(pb.ChatRequest(prompt="x"), timeout=10, metadata=metadata)
    assert response.text == "x"
    assert response.trace_id != "z" * 32


async def test_a_method_that_does_not_exist_is_unimplemented(channel: grpc.aio.Channel) -> None:
    for method in ("promptwire.v1.ChatService/Nothing", "promptwire.v9.ChatService/Chat", "x/y"):
        assert (await send(channel, method, b"")).check().code is grpc.StatusCode.UNIMPLEMENTED


async def test_no_request_message_at_all_is_answered(channel: grpc.aio.Channel) -> None:
    ask: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(f"/{CHAT}")
    call = ask(iter(()), timeout=1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is not grpc.StatusCode.UNKNOWN


async def test_raw_bytes_on_the_port_do_no_harm(server: Server, channel: grpc.aio.Channel) -> None:
    for data in (
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\x16\x03\x01" + bytes(100),
        bytes(range(256)) * 64,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff",
    ):
        for port in server.ports.values():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            answer = b""
            with contextlib.suppress(OSError):  # refused with a reset is well, too
                writer.write(data)
                await writer.drain()
                writer.write_eof()
                async with asyncio.timeout(15):
                    answer = await reader.read(1 << 16)
            writer.close()
            assert not [word for word in hostile.TRACES if word.encode() in answer.replace(b"google.", b"")]


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(made.shutdown_asyncgens())
    made.close()


def test_random_bytes_never_make_a_method_answer_unknown(server: Server, loop: asyncio.AbstractEventLoop) -> None:
    """Every method that reflection tells of, with bytes that hypothesis makes: some parse, most do not."""
    bugs = len(server.log.events("rpc.bug"))
    channel = loop.run_until_complete(_opened(server))
    found = loop.run_until_complete(hostile.methods(channel))
    asked = [method for method in found if "reflection" not in method.full_name and method.name != "Watch"]
    assert len(asked) >= 30
    piece = st.one_of(st.binary(max_size=40), st.builds(field, st.integers(1, 20), st.binary(max_size=30)), _tree())

    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=st.lists(piece, max_size=6).map(b"".join))
    def ask_all(data: bytes) -> None:
        for said in loop.run_until_complete(_all(channel, asked, data)):
            said.check()

    try:
        ask_all()
        good = loop.run_until_complete(send(channel, CHAT, field(2, b"fine")))
        assert good.code is grpc.StatusCode.OK
        assert not server.log.events("rpc.bug")[bugs:]
    finally:
        loop.run_until_complete(channel.close())


def _tree() -> "st.SearchStrategy[bytes]":
    leaf = st.one_of(
        st.builds(field, st.integers(1, 16), st.sampled_from([b"x", b"{{ x", b"[-1]", b"{}"])),
        st.builds(number, st.integers(1, 12), st.integers(0, 2**64 - 1)),
    )
    return st.recursive(leaf, lambda inner: st.builds(field, st.integers(1, 16), st.lists(inner, max_size=4).map(b"".join)), max_leaves=12)


async def _opened(server: Server) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(server.target, options=[("grpc.enable_retries", 0)])


async def _all(channel: grpc.aio.Channel, asked: list[MethodDescriptor], data: bytes) -> list[hostile.Said]:
    calls = [send(channel, f"{m.containing_service.full_name}/{m.name}", data, streams=m.server_streaming, timeout_s=10) for m in asked]
    return await asyncio.gather(*calls)
