"""Going away: load balancers look away first, calls may end, and those that cannot are told to go elsewhere."""

import asyncio
import time

import grpc
import pytest

from promptwire_server.rpc.server import DrainSettings, Server
from tests.unit.rpc.edge import Running, Serve, Stream, build, settings
from tests.unit.rpc.health_stub import NOT_SERVING, SERVING, HealthStub
from tests.unit.rpc.station import Station, reached
from tests.unit.rpc.wire import failure


def draining(edge: Running) -> "asyncio.Task[None]":
    return asyncio.get_running_loop().create_task(edge.server.drain())


async def test_a_watch_sees_not_serving_and_is_ended(serve: Serve) -> None:
    edge = await serve()
    watch = HealthStub(edge.channel).watch()
    assert await watch.next() == SERVING
    drain = draining(edge)
    assert await watch.next() == NOT_SERVING
    assert await watch.code() is grpc.StatusCode.UNAVAILABLE
    await drain


async def test_calls_are_taken_while_load_balancers_look_away(serve: Serve, station: Station) -> None:
    station.proceed.set()
    edge = await serve(Chat=station.chat, options=settings(drain=DrainSettings(pre_drain_s=0.3, grace_s=5.0)))
    watch = HealthStub(edge.channel).watch()
    await watch.next()
    drain = draining(edge)
    assert await watch.next() == NOT_SERVING
    assert (await edge.chat()).text == "done"
    await drain


async def test_a_call_under_way_may_end(serve: Serve, station: Station) -> None:
    edge = await serve(Chat=station.chat)
    call = asyncio.ensure_future(edge.chat())
    await reached(station.entered)
    watch = HealthStub(edge.channel).watch()
    await watch.next()
    drain = draining(edge)
    assert await watch.next() == NOT_SERVING
    await watch.code()  # ended: the server is stopping
    station.proceed.set()
    assert (await call).text == "done"
    await drain


async def test_calls_that_outlive_the_grace_are_told_to_go_elsewhere(serve: Serve, station: Station) -> None:
    edge = await serve(Chat=station.chat, StreamChat=station.one_event, options=settings(drain=DrainSettings(0.0, 0.7)))
    stream = edge.stream()
    await stream.read()
    calls = [asyncio.ensure_future(failure(edge.chat())), asyncio.ensure_future(failure(rest(stream)))]
    await reached(station.chatting)
    began_s = time.monotonic()
    await edge.server.drain()
    assert time.monotonic() - began_s < 2.0
    unary, streamed = await asyncio.gather(*calls)
    for failed in (unary, streamed):
        assert (failed.code, failed.reason, failed.details.pushback) == (grpc.StatusCode.UNAVAILABLE, "DRAINING", "10")
    assert streamed.details.info.metadata["last_sequence"] == "1"
    assert "last_sequence" not in unary.details.info.metadata


async def rest(stream: "Stream") -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


async def test_a_stop_without_grace_still_owes_a_status(serve: Serve, station: Station) -> None:
    edge = await serve(Chat=station.chat)
    call = asyncio.ensure_future(failure(edge.chat()))
    await reached(station.entered)
    await edge.server.stop()
    assert (await call).reason == "DRAINING"
    assert station.left.is_set()


async def test_a_reader_that_takes_nothing_does_not_hold_the_stop(serve: Serve, station: Station) -> None:
    edge = await serve(StreamChat=station.endless, options=settings(drain=DrainSettings(0.0, 0.7)))
    stream = edge.stream()
    await reached(station.entered)
    async with asyncio.timeout(3):
        await edge.server.drain()
    assert station.left.is_set()
    stream.cancel()


async def test_an_idle_server_stops_at_once(serve: Serve) -> None:
    edge = await serve(options=settings(drain=DrainSettings(0.0, 30.0)))
    await HealthStub(edge.channel).check()
    watch = HealthStub(edge.channel).watch()
    await watch.next()
    async with asyncio.timeout(2):
        await edge.server.drain()


async def test_new_calls_are_refused_afterwards(serve: Serve, station: Station) -> None:
    station.proceed.set()
    edge = await serve(Chat=station.chat)
    await edge.chat()
    await edge.server.drain()
    assert (await failure(edge.chat())).code is grpc.StatusCode.UNAVAILABLE


async def test_stopping_twice_is_harmless(serve: Serve) -> None:
    edge = await serve()
    await edge.server.stop()
    await edge.server.stop()


async def test_a_port_that_is_taken_is_named(serve: Serve) -> None:
    edge = await serve()
    other, *_ = build({}, options=settings(listen=f"127.0.0.1:{edge.server.port}"))
    with pytest.raises(RuntimeError, match=rf"server\.listen: cannot listen on 127\.0\.0\.1:{edge.server.port}"):
        await started(other)


async def started(server: Server) -> None:
    try:
        await server.start()
    finally:
        await server.stop()
