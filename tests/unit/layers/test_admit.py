"""Who may come in, and that everybody goes out again."""

import asyncio

import pytest

from promptwire_server.core.call import Call
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import DeadlineExceeded, Draining, Overloaded, UpstreamFailed
from promptwire_server.core.reply import Reply
from promptwire_server.layers.admit import Admit, Gate
from tests.unit.layers.conftest import MakeCall, answer, streamed


async def whole(_: Call) -> Reply:
    return Reply.whole(answer())


async def test_calls_beyond_the_limit_are_shed_with_a_delay(clock: ManualClock, make_call: MakeCall) -> None:
    admit = Admit(whole, gate=Gate(1), clock=clock)
    async with await admit(make_call()):
        with pytest.raises(Overloaded, match="works on 1 calls already") as caught:
            await admit(make_call())
        assert caught.value.retry_after_s
    async with await admit(make_call()) as reply:
        assert (await reply.read()).text == "hello"


async def test_a_call_leaves_when_the_inner_handler_raises(clock: ManualClock, make_call: MakeCall) -> None:
    async def broken(_: Call) -> Reply:
        raise UpstreamFailed("gone")

    gate = Gate(1)
    with pytest.raises(UpstreamFailed):
        await Admit(broken, gate=gate, clock=clock)(make_call())
    assert gate.inside == 0


async def test_a_call_leaves_when_it_is_cancelled_while_the_upstream_waits(clock: ManualClock, make_call: MakeCall) -> None:
    waiting = asyncio.Event()

    async def slow(_: Call) -> Reply:
        waiting.set()
        await asyncio.Event().wait()
        raise AssertionError

    gate = Gate(1)
    task = asyncio.ensure_future(Admit(slow, gate=gate, clock=clock)(make_call()))
    await waiting.wait()
    assert gate.inside == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.inside == 0


async def test_a_call_leaves_when_its_reader_does(clock: ManualClock, make_call: MakeCall) -> None:
    async def stream(_: Call) -> Reply:
        return streamed(answer(), clock=clock)

    gate = Gate(1)
    async with await Admit(stream, gate=gate, clock=clock)(make_call()) as reply:
        async for _ in reply:
            break
        assert gate.inside == 1
    assert gate.inside == 0


async def test_closing_twice_leaves_once(clock: ManualClock, make_call: MakeCall) -> None:
    gate = Gate(1)
    reply = await Admit(whole, gate=gate, clock=clock)(make_call())
    reply.close()
    reply.close()
    assert gate.inside == 0


async def test_a_draining_server_takes_no_calls_but_lets_runs_go_on(clock: ManualClock, make_call: MakeCall) -> None:
    gate = Gate(5)
    admit = Admit(whole, gate=gate, clock=clock)
    gate.drain()
    with pytest.raises(Draining):
        await admit(make_call())
    async with await admit(make_call(run_id="run-1")) as reply:
        assert await reply.read()


async def test_a_deadline_that_has_passed_ends_the_call_before_work_begins(clock: ManualClock, make_call: MakeCall) -> None:
    gate = Gate(5)
    call = make_call(timeout_s=1.0)
    clock.advance(1.0)
    with pytest.raises(DeadlineExceeded) as caught:
        await Admit(whole, gate=gate, clock=clock)(call)
    assert caught.value.metadata["phase"] == "queue"
    assert gate.inside == 0
