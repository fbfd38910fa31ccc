"""A run that is cancelled, wherever it waits, closes its upstream at once and stays cancelled."""

import asyncio

import pytest

from promptwire import v1 as pb
from promptwire_server.chains.run import Watcher
from promptwire_server.core.errors import CallCancelled, UpstreamFailed
from tests.unit.chains.scripted import Gateway, Hang, Log, context_of, engine_of, job_of, prompts_of, request_of


async def cancelled(task: "asyncio.Task[pb.RunChainResponse]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


def started(
    gateway: Gateway, request: pb.RunChainRequest, watcher: Watcher | None, **settings: object
) -> "asyncio.Task[pb.RunChainResponse]":
    engine = engine_of(gateway, **settings)  # type: ignore[arg-type]  # settings of runs
    return asyncio.create_task(engine.run(job_of(request), context_of(engine.clock), watcher).finish())


async def test_while_the_handler_is_awaited() -> None:
    gateway = Gateway([Hang()])
    task = started(gateway, prompts_of("a", "b"), Log().watcher)
    await gateway.waiting.wait()
    await cancelled(task)
    assert (gateway.left_while_asked, len(gateway.calls)) == (1, 1)


@pytest.mark.parametrize("streamed", [True, False])
async def test_while_the_answer_arrives(*, streamed: bool) -> None:
    gateway = Gateway([Hang(3)])
    task = started(gateway, prompts_of("a", "b"), Log().watcher if streamed else None)
    await gateway.waiting.wait()
    await cancelled(task)
    assert (gateway.released, len(gateway.endings), gateway.endings[0].response) == (1, 1, None)


async def test_while_the_reader_is_slow() -> None:
    gateway = Gateway()
    stuck = asyncio.Event()

    async def send(event: pb.RunEvent) -> None:
        if event.HasField("part_delta"):
            stuck.set()
            await asyncio.Event().wait()

    task = started(gateway, prompts_of("a", "b"), Watcher(send))
    await stuck.wait()
    await cancelled(task)
    assert (gateway.released, len(gateway.endings)) == (1, 1)


async def test_while_it_pauses_between_attempts() -> None:
    pausing = asyncio.Event()

    async def sleep(_: float) -> None:
        pausing.set()
        await asyncio.Event().wait()

    gateway = Gateway([UpstreamFailed("x")])
    task = started(gateway, request_of({"prompt": {"user": "a"}, "policy": {"attempts": 3, "onError": "ON_ERROR_SKIP"}}), None, sleep=sleep)
    await pausing.wait()
    await cancelled(task)
    assert len(gateway.calls) == 1


async def test_no_policy_makes_good_a_cancellation() -> None:
    gateway = Gateway([Hang()])
    policy = {"attempts": 5, "onError": "ON_ERROR_USE_DEFAULT", "defaultJson": '"x"', "timeout": "50s"}
    task = started(gateway, request_of({"prompt": {"user": "a"}, "policy": policy}), None)
    await gateway.waiting.wait()
    await cancelled(task)
    assert len(gateway.calls) == 1


async def test_a_slow_reader_is_not_cut_by_the_time_of_a_step() -> None:
    """A send that is cut in the middle would leave a gap, or a message twice."""
    sent: list[str] = []

    async def send(event: pb.RunEvent) -> None:
        if event.HasField("step_started") or event.HasField("part_delta"):
            await asyncio.sleep(0.01)
        sent.append(str(event.WhichOneof("event")))

    policy = {"timeout": "0.005s", "onError": "ON_ERROR_SKIP"}
    task = started(Gateway(["one two three"]), request_of({"prompt": {"user": "a"}, "policy": policy}), Watcher(send))
    await task
    assert sent[0] == "run_started"
    assert sent[-1] == "run_finished"


async def test_a_reader_that_is_gone_ends_the_run_whatever_the_policy() -> None:
    gateway = Gateway()
    sent: list[str] = []

    async def send(event: pb.RunEvent) -> None:
        sent.append(str(event.WhichOneof("event")))
        if event.HasField("part_delta"):
            raise CallCancelled("gone")

    policy = {"attempts": 3, "onError": "ON_ERROR_SKIP"}
    with pytest.raises(CallCancelled):
        await started(gateway, request_of({"prompt": {"user": "a"}, "policy": policy}, {"prompt": {"user": "b"}}), Watcher(send))
    assert (gateway.released, len(gateway.calls)) == (1, 1)
    assert sent[-1] == "part_delta", "nothing is sent to a reader that is gone"
