"""Around a call: request ids, retries, deadlines, cancellation."""

import asyncio
from typing import Any

import grpc
import pytest

from promptwire import Promptwire, SyncPromptwire, errors
from promptwire import v1 as pb
from promptwire._async.client import DEFAULT_TIMEOUT_S
from tests.unit.client.callers import Caller
from tests.unit.client.gateway import Context, Gateway, Hanging, HangingStream, abort, failing, text_events

OK = pb.ChatResponse(text="ok")


def attempts(gateway: Gateway) -> int:
    return len(gateway.seen)


async def test_every_call_gets_a_request_id_of_its_own(gateway: Gateway, caller: Caller) -> None:
    gateway.on["StreamChat"] = text_events("x")
    await caller.call(gateway.target, "chat", "hi")
    await caller.call(gateway.target, "run_chain", ["hi"])
    await caller.collect(gateway.target, "stream_chat", "hi", into=[])
    ids = [gateway.seen[0].request.request_id, gateway.seen[1].request.request_id, gateway.seen[2].request.chat.request_id]
    assert len(set(ids)) == 3
    assert all(len(each) == 32 for each in ids)


async def test_a_given_request_id_is_kept(gateway: Gateway, caller: Caller) -> None:
    await caller.call(gateway.target, "chat", "hi", request_id="mine")
    assert gateway.seen[0].request.request_id == "mine"


async def test_retries_share_the_request_id(gateway: Gateway, caller: Caller) -> None:
    gateway.on["Chat"] = failing(2, OK)
    assert await caller.call(gateway.target, "chat", "hi") == OK
    assert attempts(gateway) == 3
    assert len({seen.request.request_id for seen in gateway.seen}) == 1


async def test_the_fourth_failure_is_the_last(gateway: Gateway, caller: Caller) -> None:
    gateway.on["Chat"] = failing(9, OK)
    with pytest.raises(errors.Overloaded):
        await caller.call(gateway.target, "chat", "hi")
    assert attempts(gateway) == 4


async def test_a_server_that_says_no_is_not_asked_again(gateway: Gateway, caller: Caller) -> None:
    gateway.on["Chat"] = failing(9, OK, pushback_ms=-1)
    with pytest.raises(errors.Overloaded):
        await caller.call(gateway.target, "chat", "hi")
    assert attempts(gateway) == 1


async def test_the_delay_that_the_server_asks_for_is_kept(gateway: Gateway, caller: Caller) -> None:
    gateway.on["Chat"] = failing(1, OK, pushback_ms=400)
    await caller.call(gateway.target, "chat", "hi")
    assert gateway.seen[1].at_s - gateway.seen[0].at_s >= 0.39  # its own first pause is at most 0.12 s


async def test_without_a_wish_of_the_server_the_client_backs_off_by_itself(gateway: Gateway, caller: Caller) -> None:
    gateway.on["Chat"] = failing(1, OK, pushback_ms=None)
    assert await caller.call(gateway.target, "chat", "hi") == OK
    assert attempts(gateway) == 2


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED, grpc.StatusCode.INTERNAL])
async def test_only_unavailable_is_retried(gateway: Gateway, caller: Caller, code: grpc.StatusCode) -> None:
    gateway.on["Chat"] = failing(1, OK, code, pushback_ms=10)
    with pytest.raises(errors.PromptwireError):
        await caller.call(gateway.target, "chat", "hi")
    assert attempts(gateway) == 1


async def test_large_requests_are_retried_too(gateway: Gateway, caller: Caller) -> None:
    gateway.on["Chat"] = failing(1, OK)
    assert await caller.call(gateway.target, "chat", "x" * (2 << 20)) == OK
    assert attempts(gateway) == 2


async def test_a_stream_is_retried_until_its_first_event(gateway: Gateway, caller: Caller) -> None:
    async def events(_: object, context: Context) -> Any:
        if attempts(gateway) == 1:
            await abort(context, grpc.StatusCode.UNAVAILABLE, "OVERLOADED", pushback_ms=10)
        for event in text_events("x"):
            yield event

    gateway.on["StreamChat"] = events
    pieces: list[Any] = []
    await caller.collect(gateway.target, "stream_chat", "hi", into=pieces)
    assert (pieces, attempts(gateway)) == (["x"], 2)


async def test_a_stream_is_not_retried_after_its_first_event(gateway: Gateway, caller: Caller) -> None:
    async def events(_: object, context: Context) -> Any:
        yield text_events("x")[0]
        await abort(context, grpc.StatusCode.UNAVAILABLE, "STREAM_INTERRUPTED", pushback_ms=10)

    gateway.on["StreamChat"] = events
    with pytest.raises(errors.StreamInterrupted):
        await caller.collect(gateway.target, "stream_chat", "hi", into=[])
    assert attempts(gateway) == 1


async def test_a_deadline_is_always_sent(gateway: Gateway, caller: Caller) -> None:
    gateway.on["StreamChat"] = text_events("x")
    await caller.call(gateway.target, "chat", "hi", client={"timeout_s": DEFAULT_TIMEOUT_S})
    await caller.call(gateway.target, "chat", "hi", client={"timeout_s": 60.0})
    await caller.call(gateway.target, "chat", "hi", timeout_s=20.0, client={"timeout_s": 60.0})
    await caller.collect(gateway.target, "stream_chat", "hi", into=[], timeout_s=40.0)
    remaining = [seen.remaining_s or 0.0 for seen in gateway.seen]
    for left, given in zip(remaining, [300, 60, 20, 40], strict=True):
        assert given - 10 < left <= given


def test_clients_that_name_no_deadline_have_one() -> None:
    assert Promptwire("127.0.0.1:1").timeout_s == SyncPromptwire("127.0.0.1:1").timeout_s == DEFAULT_TIMEOUT_S


@pytest.mark.parametrize("method", ["chat", "run_chain"])
async def test_a_deadline_passes_at_the_client_and_cancels_at_the_server(gateway: Gateway, caller: Caller, method: str) -> None:
    hanging = gateway.on["Chat"] = gateway.on["RunChain"] = Hanging()
    with pytest.raises(errors.DeadlineExceeded) as caught:
        await caller.call(gateway.target, method, "hi", timeout_s=0.2)
    assert caught.value.phase == "client"
    await asyncio.wait_for(hanging.cancelled.wait(), 5)


async def test_a_deadline_of_the_server_tells_its_phase(gateway: Gateway, caller: Caller) -> None:
    async def answer(_: object, context: Context) -> None:
        await abort(context, grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE", phase="queue")

    gateway.on["Chat"] = answer
    with pytest.raises(errors.DeadlineExceeded) as caught:
        await caller.call(gateway.target, "chat", "hi")
    assert caught.value.phase == "queue"


async def test_cancelling_the_task_cancels_the_call(gateway: Gateway) -> None:
    hanging = gateway.on["Chat"] = Hanging()
    async with Promptwire(gateway.target) as client:
        task = asyncio.ensure_future(client.chat("hi"))
        await asyncio.wait_for(hanging.asked.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(hanging.cancelled.wait(), 5)
    assert attempts(gateway) == 1


async def test_cancelling_the_task_that_reads_a_stream_cancels_the_call(gateway: Gateway) -> None:
    hanging = gateway.on["StreamChat"] = HangingStream(text_events("x")[:3])
    async with Promptwire(gateway.target) as client:
        task = asyncio.ensure_future(client.stream_chat("hi").read())
        await asyncio.wait_for(hanging.asked.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(hanging.cancelled.wait(), 5)


async def test_leaving_a_stream_cancels_the_call(gateway: Gateway) -> None:
    hanging = gateway.on["StreamChat"] = HangingStream(text_events("x")[:3])
    async with Promptwire(gateway.target) as client:
        async with client.stream_chat("hi") as stream:
            async for piece in stream:
                assert piece == "x"
                break
        await asyncio.wait_for(hanging.cancelled.wait(), 5)
        assert [piece async for piece in stream] == []


async def test_breaking_out_of_a_loop_over_a_stream_cancels_the_call(gateway: Gateway) -> None:
    hanging = gateway.on["StreamChat"] = HangingStream(text_events("x")[:3])
    async with Promptwire(gateway.target) as client:
        async for _ in client.stream_chat("hi"):
            break
        await asyncio.wait_for(hanging.cancelled.wait(), 5)


async def test_breaking_out_of_a_loop_over_events_cancels_the_call(gateway: Gateway) -> None:
    hanging = gateway.on["StreamChat"] = HangingStream(text_events("x")[:3])
    async with Promptwire(gateway.target) as client:
        async for _ in client.stream_chat("hi").events():
            break
        await asyncio.wait_for(hanging.cancelled.wait(), 5)


async def test_leaving_a_stream_cancels_the_call_of_the_sync_client(gateway: Gateway) -> None:
    hanging = gateway.on["StreamChat"] = HangingStream(text_events("x")[:3])

    def run() -> list[str]:
        with SyncPromptwire(gateway.target) as client, client.stream_chat("hi") as stream:
            return [next(stream)]

    assert await asyncio.to_thread(run) == ["x"]
    await asyncio.wait_for(hanging.cancelled.wait(), 5)


async def test_closing_the_client_cancels_its_calls(gateway: Gateway) -> None:
    hanging = gateway.on["Chat"] = Hanging()
    client = Promptwire(gateway.target)
    task = asyncio.ensure_future(client.chat("hi"))
    await asyncio.wait_for(hanging.asked.wait(), 5)
    await client.aclose()
    await asyncio.wait_for(hanging.cancelled.wait(), 5)
    with pytest.raises((asyncio.CancelledError, errors.Cancelled)):
        await task


async def test_a_stream_starts_only_when_it_is_read(gateway: Gateway) -> None:
    async with Promptwire(gateway.target) as client:
        async with client.stream_chat("hi"):
            pass
        with pytest.raises(TypeError, match="did you mean temperature"):
            client.stream_chat("hi", temprature=1)  # type: ignore[call-arg]
    assert attempts(gateway) == 0
