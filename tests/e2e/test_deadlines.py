"""One deadline everywhere: whoever set it, the upstream is closed at that moment, and the error says where the time went."""

import asyncio
import time
from collections.abc import Callable

import grpc
import pytest

from promptwire import Promptwire, errors
from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.hostile import said_of
from tests.e2e.process import Server
from tests.faults.fake_provider.process import FakeProvider

Model = Callable[[str], str]
DEADLINE_S = 0.5
LATE_S = 0.1  # two shared cores; alone it is a few milliseconds
EARLY_S = 0.05  # the client's deadline is counted down while the call travels


async def _closed_after_s(fake: FakeProvider, marker: str, began_s: float) -> float:
    """When the upstream saw its client leave."""
    (entry,) = await fake.aledger(model=marker, left=1, ended=1)
    assert entry["ended"] in ("client_fin", "client_rst")
    return float(entry["connection_ended_s"]) - began_s


def _near(seconds: float, wanted_s: float) -> bool:
    return wanted_s - EARLY_S <= seconds <= wanted_s + LATE_S


@pytest.mark.parametrize("script", ["hang=start", "hang=head", "hang=3"])
async def test_the_callers_deadline_closes_the_upstream_of_a_stream(
    client: Promptwire, fake: FakeProvider, marker: str, model: Model, script: str
) -> None:
    await client.chat("warm")
    began_s = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded):
        await client.stream_chat("x", model=model(script), timeout_s=DEADLINE_S).read()
    assert _near(time.monotonic() - began_s, DEADLINE_S)
    assert _near(await _closed_after_s(fake, marker, began_s), DEADLINE_S)


async def test_the_callers_deadline_closes_the_upstream_of_a_whole_answer(
    client: Promptwire, fake: FakeProvider, marker: str, model: Model
) -> None:
    await client.chat("warm")
    began_s = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded):
        await client.chat("x", model=model("head_ms=20000"), timeout_s=DEADLINE_S)
    assert _near(await _closed_after_s(fake, marker, began_s), DEADLINE_S)


async def test_the_callers_deadline_holds_for_all_steps_together(client: Promptwire, fake: FakeProvider, marker: str, model: Model) -> None:
    await client.chat("warm")
    began_s = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded):
        await client.run_chain(["a", "b", "c", "d"], model=model("head_ms=200"), timeout_s=DEADLINE_S)
    entries = await fake.aledger(model=marker, ended=3, left=1)
    assert len(entries) == 3
    assert _near(entries[-1]["ended_s"] - began_s, DEADLINE_S)


@pytest.fixture
def strict(serve: Serve, fake: FakeProvider) -> Server:
    """A server whose calls may last no longer than the deadline of these tests."""
    return serve({"server": {"max_call_duration": f"{DEADLINE_S}s"}, "providers": {"fake": process.openai(fake.base_url)}})


async def test_the_servers_own_deadline_holds_where_the_caller_sets_none(
    strict: Server, fake: FakeProvider, marker: str, model: Model
) -> None:
    async with grpc.aio.insecure_channel(strict.target) as channel:
        began_s = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ChatServiceStub(channel).Chat(pb.ChatRequest(prompt="x", model=model("hang=start")))
        said = said_of(caught.value)
    assert (said.code, said.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE")
    assert "'phase': 'upstream'" in said.message
    assert _near(await _closed_after_s(fake, marker, began_s), DEADLINE_S)


async def test_the_servers_deadline_wins_over_a_longer_one(strict: Server, fake: FakeProvider, marker: str, model: Model) -> None:
    async with Promptwire(strict.target) as client:
        with pytest.raises(errors.DeadlineExceeded) as caught:
            await client.stream_chat("x", model=model("hang=3"), timeout_s=60).read()
        assert caught.value.metadata["phase"] in ("upstream", "server")
        assert (await client.server_info()).limits.max_call_duration.ToMilliseconds() == DEADLINE_S * 1000


@pytest.mark.parametrize("kind", ["chain", "step", "request"])
async def test_the_timeouts_of_a_chain_close_the_upstream(
    client: Promptwire, fake: FakeProvider, marker: str, model: Model, kind: str
) -> None:
    step = pb.Step(id="slow", prompt=pb.PromptAction(user="x", models=[model("hang=head")]))
    run = pb.RunChainRequest(spec=pb.ChainSpec(steps=[step]))
    bounded = {"chain": run.spec.limits.timeout, "step": run.spec.steps[0].policy.timeout, "request": run.limits.timeout}[kind]
    bounded.FromMilliseconds(round(DEADLINE_S * 1000))
    await client.chat("warm")
    began_s = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded) as caught:
        await client.stream_chain(run).read()
    assert caught.value.metadata["phase"] == "step"
    assert caught.value.metadata["step_id"] == "slow"
    assert ("policy.timeout" if kind == "step" else "limits.timeout") in caught.value.message
    assert _near(await _closed_after_s(fake, marker, began_s), DEADLINE_S)


async def test_a_step_that_times_out_may_be_skipped(client: Promptwire, model: Model) -> None:
    policy = pb.StepPolicy(on_error=pb.StepPolicy.ON_ERROR_SKIP)
    policy.timeout.FromMilliseconds(200)
    steps = [
        pb.Step(id="slow", policy=policy, prompt=pb.PromptAction(user="x", models=[model("hang=start")])),
        pb.Step(prompt=pb.PromptAction(user="on")),
    ]
    result = (await client.run_chain(pb.ChainSpec(steps=steps))).result
    assert result.text == "on"
    assert result.steps[0].failure.reason == pb.ERROR_REASON_DEADLINE


async def test_an_upstream_that_pings_but_says_nothing_is_given_up(serve: Serve, fake: FakeProvider) -> None:
    timeouts = {"first_token": "300ms", "idle": "300ms", "total": "5s"}
    server = serve({"providers": {"fake": process.openai(fake.base_url, timeouts=timeouts)}})
    async with grpc.aio.insecure_channel(server.target, options=[("grpc.enable_retries", 0)]) as channel:
        for script in ("pings=forever;ping_ms=20", "hang=3"):
            chat = pb.ChatRequest(prompt="x", model=f"fake/silent~{script}")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                async for _ in ChatServiceStub(channel).StreamChat(pb.StreamChatRequest(chat=chat), timeout=4):
                    pass
            assert said_of(caught.value).reason == ("STREAM_INTERRUPTED" if script == "hang=3" else "UPSTREAM_FAILED")
    entries = await fake.aledger(model="silent", ended=2, left=2)
    assert all(entry["ended"] in ("client_fin", "client_rst") for entry in entries)


async def test_many_deadlines_at_once_leave_nothing(client: Promptwire, server: Server, model: Model) -> None:
    calls = [client.chat("x", model=model("hang=start"), timeout_s=0.2) for _ in range(50)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {errors.DeadlineExceeded}
    process.until(lambda: server.metrics().sum("promptwire_chats_in_flight") == 0, 2, "0 chats in flight")
