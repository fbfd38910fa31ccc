"""What an operator sees and does, on real servers."""

import asyncio
import time
from pathlib import Path

import grpc
import pytest

from promptwire import Promptwire, errors
from promptwire import v1 as pb
from promptwire.admin import v1 as admin
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.e2e import process
from tests.e2e.conftest import UPSTREAM_KEY, Serve
from tests.e2e.process import Config, Server
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.rpc.wire import failure

APP, OPERATOR = "app-" + "k" * 30, "ops-" + "k" * 30
SLOW = "echo/echo?delay_ms=60000"
SLOW_STREAM = "echo/echo?word_delay_ms=500"
WITHIN_S = 10.0


@pytest.fixture
def own(serve: Serve, fake: FakeProvider) -> Server:
    """A server whose providers the test may spoil."""
    return serve(_config(fake))


def _config(fake: FakeProvider, **more: object) -> Config:
    config: Config = {
        "providers": {"fake": process.openai(fake.base_url, UPSTREAM_KEY)},
        "models": {"both": {"targets": ["fake/fake", "echo/echo"]}},
        "default_model": "echo/echo",
        "resilience": {"breaker": {"probe_after": "60s", "probe_cap": "60s"}},  # nobody probes within a test
        **more,
    }
    return config


async def test_a_failing_target_is_left_alone_shown_and_reset(own: Server, fake: FakeProvider, marker: str) -> None:
    name = f"{marker}~status=500"
    async with Promptwire(own.target) as client, grpc.aio.insecure_channel(own.target, options=[("grpc.enable_retries", 0)]) as channel:
        asked = Asked(channel, fake, marker, name)
        while await asked.failure() != "NO_HEALTHY_UPSTREAM":
            assert asked.times < 50, "the breaker never opened"
        reached = await asked.reached()
        assert 0 < reached <= asked.times * 3
        target = next(target for target in (await client.admin.get_provider("fake")).targets if target.model == name)
        assert (target.breaker.state, target.health) == (admin.BREAKER_STATE_OPEN, admin.PROVIDER_HEALTH_UNHEALTHY)
        assert target.stats.failure_count == reached
        own.log.wait("breaker.changed", provider="fake", model=name, state="open")
        assert (await asyncio.to_thread(own.metrics)).sum("promptwire_breaker_state", provider="fake", model=name) == 2
        provider = await client.admin.reset_breaker("fake", name, reason="a test")
        assert {target.breaker.state for target in provider.targets} == {admin.BREAKER_STATE_CLOSED}
        own.log.wait("breaker.reset", provider="fake", principal="anonymous", reason="a test")
        assert await asked.failure() == "UPSTREAM_FAILED"
        assert await asked.reached() > reached


class Asked:
    """A model that fails, asked without a client's retries."""

    def __init__(self, channel: grpc.aio.Channel, fake: FakeProvider, marker: str, model: str) -> None:
        self.channel, self.fake, self.marker, self.model, self.times = channel, fake, marker, model, 0

    async def failure(self) -> str:
        """Ask it once; the reason of its failure."""
        self.times += 1
        return (await failure(self._ask(), WITHIN_S)).reason

    async def _ask(self) -> object:
        return await ChatServiceStub(self.channel).Chat(pb.ChatRequest(prompt="hi", model=f"fake/{self.model}"), timeout=WITHIN_S)

    async def reached(self) -> int:
        """How often the vendor was asked."""
        return len(await asyncio.to_thread(self.fake.ledger, model=self.marker))


async def test_a_provider_out_of_use_gets_nothing_and_its_fallback_does(own: Server) -> None:
    async with Promptwire(own.target) as client:
        assert (await client.chat("hi", model="both")).provider == "fake"
        off = await client.admin.disable_provider("fake", reason="a test")
        assert (off.mode, off.mode_reason) == (admin.PROVIDER_MODE_DISABLED, "a test")
        assert (await client.chat("hi", model="both")).provider == "echo"
        with pytest.raises(errors.UpstreamFailed, match="switched off"):
            await client.chat("hi", model="fake/fake")
        assert (await client.admin.enable_provider("fake")).mode == admin.PROVIDER_MODE_ENABLED
        assert (await client.chat("hi", model="both")).provider == "fake"


async def test_draining_ends_calls_and_streams_under_way(own: Server) -> None:
    async with Promptwire(own.target) as client:
        waiting = asyncio.ensure_future(client.chat("hi", model=SLOW))
        stream = client.stream_chat("one two three four five six seven eight nine ten " * 9, model=SLOW_STREAM)
        events = aiter(stream)
        await anext(events)
        await _until_in_flight(client, 2)
        begun_s = time.monotonic()
        await client.admin.disable_provider("echo", drain_timeout_s=0)
        with pytest.raises(errors.UpstreamFailed, match="switched off"):  # what its client's retries hear
            await waiting
        with pytest.raises(errors.StreamInterrupted, match="out of use"):
            [text async for text in events]
        assert time.monotonic() - begun_s < WITHIN_S
        assert (await client.admin.get_provider("echo")).mode == admin.PROVIDER_MODE_DISABLED


async def _until_in_flight(client: Promptwire, count: int) -> None:
    async with asyncio.timeout(WITHIN_S):
        while (await client.admin.get_provider("echo")).in_flight_count < count:  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.02)


async def test_only_an_operators_key_opens_it(serve: Serve, fake: FakeProvider) -> None:
    keys = [{"name": "app", "key": APP}, {"name": "ops", "key": OPERATOR, "tenant": None}]
    server = serve(_config(fake, auth={"api_keys": keys}))
    async with Promptwire(server.target, api_key=APP) as app:
        with pytest.raises(errors.PolicyDenied, match="operator's credential"):
            await app.admin.list_providers()
        assert (await app.chat("hi")).text == "hi"
    async with Promptwire(server.target, api_key=OPERATOR) as operator:
        assert [provider.name for provider in await operator.admin.list_providers()] == ["echo", "fake"]
        await operator.admin.disable_provider("fake")
    server.log.wait("provider.disabled", principal="ops")
    async with Promptwire(server.target) as nobody:
        with pytest.raises(errors.CredentialInvalid):
            await nobody.admin.list_providers()


async def test_out_of_use_is_so_on_every_worker_and_after_a_restart(serve: Serve, fake: FakeProvider, tmp_path: Path) -> None:
    config = _config(fake, state_dir=str(tmp_path / "state"))
    pair = serve(config, arguments=["--workers", "2"])
    async with Promptwire(pair.target) as client:
        await client.admin.disable_provider("fake", reason="a test")
    pair.log.wait("provider.disabled", provider="fake", reason="a test")
    async with asyncio.timeout(WITHIN_S):
        # Each on a connection of its own, so on either worker.
        while not all([await _off(pair) for _ in range(12)]):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.1)
    pair.stop()
    again = serve(config)
    assert await _off(again)
    again.log.wait("provider.disabled", provider="fake", reason="a test")


async def _off(server: Server) -> bool:
    async with Promptwire(server.target) as client:
        return (await client.admin.get_provider("fake")).mode == admin.PROVIDER_MODE_DISABLED


@pytest.mark.parametrize("ask", ["models", "chat"])
async def test_probes_find_out_before_any_caller_does(serve: Serve, fake: FakeProvider, marker: str, ask: str) -> None:
    dead = process.openai(f"http://127.0.0.1:{process.free_port()}/v1", UPSTREAM_KEY)
    config = _config(
        fake,
        providers={"fake": process.openai(fake.base_url, UPSTREAM_KEY), "dead": dead},
        models={"well": f"fake/{marker}", "ill": "dead/m"},
        resilience={"health_probes": {"interval": "100ms", "ask": ask, "timeout": "5s"}},
    )
    server = serve(config)
    await asyncio.to_thread(server.log.wait, "breaker.changed", provider="dead", model="m", state="open")
    async with Promptwire(server.target) as client:
        ill, well = await client.admin.get_provider("dead"), await client.admin.get_provider("fake")
    assert (ill.targets[0].health, well.targets[0].breaker.state) == (admin.PROVIDER_HEALTH_UNHEALTHY, admin.BREAKER_STATE_CLOSED)
    assert bool(ill.stats.failure_count) == (ask == "chat")  # a list is no call
    assert server.log.events("chat.finished") == []  # nobody asked, nobody is billed
