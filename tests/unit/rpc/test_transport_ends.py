"""Every RPC ends once, however it ends, and its servicer is always let go."""

import asyncio

import grpc
import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import NotFound
from promptwire_server.rpc.exchange import Exchange
from tests.unit.rpc.edge import Running, Serve, settings
from tests.unit.rpc.station import Station, delta, reached
from tests.unit.rpc.wire import failure

CHAT, STREAM = "promptwire.v1.ChatService.Chat", "promptwire.v1.ChatService.StreamChat"


async def chatting(edge: Running) -> "asyncio.Task[pb.ChatResponse]":
    return asyncio.get_running_loop().create_task(edge.chat())


async def test_a_good_call_is_reported_once(serve: Serve, station: Station) -> None:
    edge = await serve(Chat=station.chat)
    station.proceed.set()
    await edge.chat()
    assert await edge.report() == (CHAT, 0, "")
    assert edge.finished.empty()


async def test_a_failed_call_is_reported_once(serve: Serve) -> None:
    async def absent(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        raise NotFound("nothing here")

    edge = await serve(Chat=absent)
    await failure(edge.chat())
    assert await edge.report() == (CHAT, 5, "NOT_FOUND")
    assert edge.finished.empty()


async def test_a_malformed_call_is_reported_once(serve: Serve, station: Station) -> None:
    edge = await serve(Chat=station.chat)
    await failure(edge.chat(b"\xff"))
    assert await edge.report() == (CHAT, 3, "INVALID_FIELD")
    assert edge.finished.empty()


async def test_a_clients_cancel_reaches_the_servicer_at_once(serve: Serve, station: Station) -> None:
    edge = await serve(Chat=station.chat)
    call = await chatting(edge)
    await reached(station.entered)
    call.cancel()
    await reached(station.left, 1.0)
    assert await edge.report() == (CHAT, 1, "CANCELLED")
    assert edge.finished.empty()
    assert not edge.bugs


async def test_a_clients_cancel_reaches_a_streaming_servicer_at_once(serve: Serve, station: Station) -> None:
    edge = await serve(StreamChat=station.one_event)
    call = edge.stream()
    await call.read()
    call.cancel()
    await reached(station.left, 1.0)
    assert await edge.report() == (STREAM, 1, "CANCELLED")


async def test_the_clients_deadline_reaches_the_servicer(serve: Serve, station: Station) -> None:
    edge = await serve(Chat=station.chat)
    failed = await failure(edge.chat(timeout_s=0.1))
    await reached(station.left, 1.0)
    assert failed.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await edge.report() == (CHAT, 4, "DEADLINE")
    assert edge.finished.empty()


async def test_a_servicer_sees_the_nearer_deadline(serve: Serve) -> None:
    async def remaining(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        return pb.ChatResponse(text=str(exchange.deadline_s - exchange.arrival_s))

    edge = await serve(Chat=remaining, max_call_s=60.0)
    assert float((await edge.chat(timeout_s=5.0)).text) == pytest.approx(5.0, abs=0.5)  # grpc-timeout is coarse
    assert float((await edge.chat(timeout_s=500.0)).text) == pytest.approx(60.0)
    assert float((await edge.chat()).text) == pytest.approx(60.0)


async def test_a_call_without_deadline_has_the_servers(serve: Serve, station: Station) -> None:
    edge = await serve(Chat=station.chat, max_call_s=0.2)
    failed = await failure(edge.chat())
    assert (failed.code, failed.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE")
    assert failed.details.info.metadata["phase"] == "server"
    assert station.left.is_set()
    assert await edge.report() == (CHAT, 4, "DEADLINE")


async def test_initial_metadata_waits_for_the_first_message(serve: Serve) -> None:
    first = asyncio.Event()

    async def hesitant(request: pb.StreamChatRequest, exchange: Exchange) -> None:
        await first.wait()
        await exchange.send(delta("x"))

    edge = await serve(StreamChat=hesitant)
    head = asyncio.ensure_future(edge.stream().initial_metadata())
    done, _ = await asyncio.wait([head], timeout=0.1)
    assert not done
    first.set()
    async with asyncio.timeout(5):
        await head


async def test_a_refused_stream_has_no_initial_metadata_of_its_own(serve: Serve) -> None:
    """Trailers only: what a client's own retry policy needs to try again."""

    async def refusing(request: pb.StreamChatRequest, exchange: Exchange) -> None:
        raise NotFound("nothing here")

    edge = await serve(StreamChat=refusing)
    call = edge.stream()
    assert await call.code() is grpc.StatusCode.NOT_FOUND
    assert "last_sequence" not in (await failure(edge.events())).details.info.metadata


async def test_an_error_in_a_stream_says_how_far_it_came(serve: Serve) -> None:
    async def breaking(request: pb.StreamChatRequest, exchange: Exchange) -> None:
        for sequence in (1, 2, 3, 3):  # a heartbeat repeats the number before it
            await exchange.send(delta("x", sequence))
        raise NotFound("no more")

    edge = await serve(StreamChat=breaking)
    failed = await failure(edge.events())
    assert failed.details.info.metadata["last_sequence"] == "3"


async def test_calls_that_share_an_error_keep_their_own_facts(serve: Serve) -> None:
    shared = NotFound("nothing here")

    async def breaking(request: pb.StreamChatRequest, exchange: Exchange) -> None:
        await exchange.send(delta("x", 1))
        raise shared

    async def absent(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        raise shared

    edge = await serve(StreamChat=breaking, Chat=absent)
    streamed, unary = await failure(edge.events()), await failure(edge.chat())
    assert streamed.details.info.metadata["last_sequence"] == "1"
    assert "last_sequence" not in unary.details.info.metadata
    assert streamed.details.info.metadata["request_id"] != unary.details.info.metadata["request_id"]


async def test_a_client_that_never_reads_is_dropped(serve: Serve, station: Station) -> None:
    edge = await serve(StreamChat=station.endless, options=settings(write_stall_timeout_s=0.2), max_call_s=2.0)
    call = edge.stream()
    await reached(station.entered)
    await reached(station.left)
    assert await edge.report() == (STREAM, 14, "OVERLOADED")
    assert not edge.server.transport.exchanges
    call.cancel()


async def test_a_quiet_servicer_is_not_taken_for_a_slow_reader(serve: Serve, station: Station) -> None:
    edge = await serve(StreamChat=station.one_event, options=settings(write_stall_timeout_s=0.05), max_call_s=0.5)
    assert (await failure(edge.events())).code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_client_that_vanishes_lets_its_servicer_go(serve: Serve, station: Station) -> None:
    edge = await serve(StreamChat=station.endless)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{edge.server.port}") as other:
        call = Running(edge.server, other).stream()
        await call.read()
    await reached(station.left)
    assert await edge.report() == (STREAM, 1, "CANCELLED")
    assert edge.finished.empty()
    assert not edge.bugs


async def test_many_cancels_at_once_leave_nothing_behind(serve: Serve, station: Station) -> None:
    edge = await serve(Chat=station.chat)
    calls = [await chatting(edge) for _ in range(50)]
    await reached(station.entered)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    station.proceed.set()
    assert (await edge.chat()).text == "done"
    async with asyncio.timeout(5):
        while edge.server.transport.exchanges:
            await edge.report()


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c", False),
        ("garbage", False),
    ],
)
async def test_the_trace_is_the_callers_where_there_is_one(serve: Serve, header: str, *, kept: bool) -> None:
    async def trace(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        assert exchange.trace_id == exchange.trace_id
        return pb.ChatResponse(trace_id=exchange.trace_id)

    edge = await serve(Chat=trace)
    trace_id = (await edge.chat(metadata=[("traceparent", header)])).trace_id
    assert (trace_id == "0af7651916cd43dd8448eb211c80319c") is kept
    assert len(trace_id) == 32


async def test_metadata_is_text_by_lower_case_key_the_last_wins(serve: Serve) -> None:
    async def shown(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        return pb.ChatResponse(text=exchange.metadata.get("k", "") + exchange.metadata.get("k-bin", "none"))

    edge = await serve(Chat=shown)
    assert (await edge.chat(metadata=[("k", "1"), ("k", "2"), ("k-bin", b"\x00")])).text == "2none"  # type: ignore[list-item]  # bytes are meant
