"""The layer: everybody that is let in goes out again."""

import asyncio
import gc
from random import Random

import pytest

from promptwire_server.core.call import Call
from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.core.errors import DeadlineExceeded, Draining, Overloaded, UpstreamFailed
from promptwire_server.core.reply import Reply
from promptwire_server.layers.admission.admission import Admission
from promptwire_server.layers.admission.admit import Admit
from promptwire_server.layers.admission.settings import AdmissionSettings
from tests.unit.layers.conftest import MakeCall, answer, streamed


@pytest.fixture
def admission(clock: ManualClock) -> Admission:
    return Admission(AdmissionSettings(ceiling_calls=1, queue_calls=0), clock=clock, chance=Chance(Random(1)))


async def whole(_: Call) -> Reply:
    return Reply.whole(answer())


async def test_a_call_that_is_too_many_is_sent_away_with_a_delay(admission: Admission, make_call: MakeCall) -> None:
    admit = Admit(whole, admission=admission)
    async with await admit(make_call()):
        with pytest.raises(Overloaded, match="the server is full") as caught:
            await admit(make_call())
        assert caught.value.retry_after_s
    async with await admit(make_call()) as reply:
        assert (await reply.read()).text == "hello"


async def test_a_call_leaves_when_the_inner_handler_raises(admission: Admission, make_call: MakeCall) -> None:
    async def broken(_: Call) -> Reply:
        raise UpstreamFailed("gone")

    with pytest.raises(UpstreamFailed):
        await Admit(broken, admission=admission)(make_call())
    assert admission.inside == 0


async def test_a_call_leaves_when_it_is_cancelled_while_the_upstream_waits(admission: Admission, make_call: MakeCall) -> None:
    waiting = asyncio.Event()

    async def slow(_: Call) -> Reply:
        waiting.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.ensure_future(Admit(slow, admission=admission)(make_call()))
    await waiting.wait()
    assert admission.inside == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert admission.inside == 0


async def test_a_streamed_call_keeps_its_slot_until_its_reader_leaves(
    admission: Admission, clock: ManualClock, make_call: MakeCall
) -> None:
    async def stream(_: Call) -> Reply:
        return streamed(answer(), clock=clock)

    async with await Admit(stream, admission=admission)(make_call()) as reply:
        async for _ in reply:
            break
        assert admission.inside == 1
    assert admission.inside == 0


async def test_closing_twice_leaves_once(admission: Admission, make_call: MakeCall) -> None:
    reply = await Admit(whole, admission=admission)(make_call())
    reply.close()
    reply.close()
    assert admission.inside == 0


async def test_a_reply_that_nobody_closes_costs_no_slot(admission: Admission, make_call: MakeCall) -> None:
    reply: Reply | None = await Admit(whole, admission=admission)(make_call())
    assert admission.inside == 1
    del reply
    gc.collect()
    await asyncio.sleep(0)
    assert admission.inside == 0
    assert admission.counts.reclaimed == 1


async def test_a_draining_server_takes_no_calls_but_lets_runs_go_on(admission: Admission, make_call: MakeCall) -> None:
    admit = Admit(whole, admission=admission)
    admission.drain()
    with pytest.raises(Draining):
        await admit(make_call())
    async with await admit(make_call(run_id="run-1")) as reply:
        assert await reply.read()


async def test_a_deadline_that_has_passed_ends_the_call_before_work_begins(
    admission: Admission, clock: ManualClock, make_call: MakeCall
) -> None:
    call = make_call(timeout_s=1.0)
    clock.advance(1.0)
    with pytest.raises(DeadlineExceeded) as caught:
        await Admit(whole, admission=admission)(call)
    assert caught.value.metadata["phase"] == "queue"
    assert admission.inside == 0


async def test_letting_a_call_in_makes_no_task_no_future_and_no_timer(
    admission: Admission, make_call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    made: list[str] = []
    for name in ("create_task", "create_future", "call_later", "call_at", "call_soon"):
        monkeypatch.setattr(loop, name, lambda *_, name=name, **__: made.append(name))  # the loop is the one place that all go through
    lease = await admission.enter(make_call())
    lease.release()
    monkeypatch.undo()
    assert not made


async def test_an_answer_from_a_store_says_nothing_of_the_upstream(admission: Admission, make_call: MakeCall) -> None:
    for _ in range(200):
        async with await Admit(whole, admission=admission)(make_call()):
            pass
    assert not admission._limit._usual._kinds
