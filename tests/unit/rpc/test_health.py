"""Health by the standard protocol, on the main port and on the probes' own."""

import dataclasses
from collections.abc import AsyncIterator

import grpc
import pytest

from promptwire_server.rpc.auth import ApiKey, Authenticator
from tests.unit.rpc.edge import LOOPBACK, Running, Serve, settings
from tests.unit.rpc.health_stub import NOT_SERVING, SERVICE_UNKNOWN, SERVING, HealthStub
from tests.unit.rpc.station import Station
from tests.unit.rpc.wire import failure

CHAT = "promptwire.v1.ChatService"


@pytest.fixture
async def guarded(serve: Serve, station: Station) -> Running:
    """A server that wants keys and lets no call last."""
    keys = Authenticator([ApiKey(name="app", tenant="t", key="k")])
    return await serve(Chat=station.chat, options=settings(health_listen=LOOPBACK), authenticator=keys, max_call_s=0.2)


@pytest.fixture(params=["main port", "probes' port"])
async def probed(guarded: Running, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """The same server by either port, without any credential."""
    port = guarded.server.port if request.param == "main port" else guarded.server.health_port
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield dataclasses.replace(guarded, channel=channel)


@pytest.mark.parametrize("service", ["", CHAT])
async def test_check_answers_without_credential(probed: Running, service: str) -> None:
    assert await HealthStub(probed.channel).check(service) == SERVING


async def test_check_of_an_unknown_service_is_not_found(probed: Running) -> None:
    failed = await failure(HealthStub(probed.channel).check("nobody"))
    assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_list_has_every_service_and_the_whole(probed: Running) -> None:
    assert await HealthStub(probed.channel).list() == {"": SERVING, CHAT: SERVING}


@pytest.mark.parametrize("service", ["", CHAT])
async def test_watch_tells_every_change(probed: Running, service: str) -> None:
    watch = HealthStub(probed.channel).watch(service)
    assert await watch.next() == SERVING
    probed.server.health.set_all(serving=False)
    assert await watch.next() == NOT_SERVING
    probed.server.health.set_all(serving=True)
    assert await watch.next() == SERVING


async def test_watch_of_an_unknown_service_says_so_and_goes_on(probed: Running) -> None:
    watch = HealthStub(probed.channel).watch("nobody")
    assert await watch.next() == SERVICE_UNKNOWN
    assert not watch.done()


async def test_a_watch_that_is_closed_with_a_change_still_tells_it(probed: Running) -> None:
    watch = HealthStub(probed.channel).watch()
    await watch.next()
    probed.server.health.close()
    assert await watch.next() == NOT_SERVING
    assert await watch.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_watch_outlives_the_longest_call(guarded: Running) -> None:
    watch = HealthStub(guarded.channel).watch()
    await watch.next()
    assert (await failure(guarded.chat())).code is grpc.StatusCode.DEADLINE_EXCEEDED
    guarded.server.health.set_all(serving=False)
    assert await watch.next() == NOT_SERVING


async def test_the_probes_port_offers_nothing_else(guarded: Running) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{guarded.server.health_port}") as channel:
        edge = dataclasses.replace(guarded, channel=channel)
        assert (await failure(edge.chat())).code is grpc.StatusCode.UNIMPLEMENTED
