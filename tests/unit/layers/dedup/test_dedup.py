"""Identical questions under way: one call to the provider, an answer of its own for each caller, and nobody hurt by another."""

import asyncio
import random
from collections import Counter

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import CallCancelled, DeadlineExceeded, StreamInterrupted, UpstreamFailed
from promptwire_server.layers.dedup.bill import split
from promptwire_server.layers.dedup.dedup import DedupSettings
from tests.unit.layers.dedup.house import COST, DEDUP, PROVIDER, House, settle

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
DISCARD = pb.StreamChatRequest.RESTART_POLICY_RESTART_WITH_DISCARD


@pytest.fixture
def house() -> House:
    return House()


async def gathered(house: House, calls: list[Call]) -> list[pb.ChatResponse]:
    return await asyncio.gather(*[house.ask(call) for call in calls])


@BOTH
async def test_200_identical_calls_make_one_call_and_each_has_its_own_answer(house: House, *, stream: bool) -> None:
    calls = [house.call(stream=stream) for _ in range(200)]
    answers = await gathered(house, calls)
    assert len(house.calls) == 1
    assert {answer.text for answer in answers} == {"answer 1"}
    assert [answer.request_id for answer in answers] == [call.request_id for call in calls]
    assert [answer.trace_id for answer in answers] == [call.trace_id for call in calls]
    assert Counter(answer.served_from for answer in answers) == {PROVIDER: 1, DEDUP: 199}
    assert house.open == 0


async def test_whole_and_streamed_calls_share_one_answer_whoever_comes_first(house: House) -> None:
    for first in (False, True):
        calls = [house.call(stream=first), house.call(stream=not first), house.call(stream=first)]
        answers = await gathered(house, calls)
        assert len({answer.text for answer in answers}) == 1
    assert len(house.calls) == 2


async def test_the_leader_pays_and_the_others_are_told_what_they_saved(house: House) -> None:
    answers = await gathered(house, [house.call(), house.call(stream=True)])
    assert [answer.cost.total_nano_usd for answer in answers] == [COST, 0]
    assert [answer.cost.saved_nano_usd for answer in answers] == [0, COST]
    assert [len(answer.attempts) for answer in answers] == [1, 0]


@BOTH
async def test_a_shared_bill_adds_up_to_the_cost_exactly(*, stream: bool) -> None:
    house = House(DedupSettings(on=True, share=True))
    answers = await gathered(house, [house.call(stream=stream) for _ in range(7)])
    assert sum(answer.cost.total_nano_usd for answer in answers) == COST
    assert {answer.cost.total_nano_usd + answer.cost.saved_nano_usd for answer in answers} == {COST}
    assert max(answer.cost.total_nano_usd for answer in answers) - min(answer.cost.total_nano_usd for answer in answers) <= 1


def test_shares_are_whole_numbers_whose_sum_is_the_total() -> None:
    for _ in range(500):
        total, callers = random.randrange(10**12), random.randrange(1, 300)
        shares = split(total, callers)
        assert sum(shares) == total
        assert max(shares) - min(shares) <= 1


async def test_other_tenants_and_other_words_are_asked_by_themselves(house: House) -> None:
    await gathered(house, [house.call(), house.call(tenant="other"), house.call("bye"), house.call(dedup=False)])
    assert len(house.calls) == 4


async def test_nothing_is_shared_unless_the_operator_or_the_caller_says_so() -> None:
    house = House(DedupSettings())
    await gathered(house, [house.call(), house.call(), house.call(dedup=True), house.call(dedup=True)])
    assert len(house.calls) == 3


async def test_a_question_asked_again_after_its_end_is_asked_anew(house: House) -> None:
    first = await house.ask(house.call())
    second = await house.ask(house.call())
    assert (first.text, second.text) == ("answer 1", "answer 2")


async def test_steps_of_one_run_never_share_an_answer(house: House) -> None:
    await gathered(house, [house.call(run_id="run-1"), house.call(run_id="run-1"), house.call(run_id="run-2")])
    assert len(house.calls) == 2


async def test_a_late_joiner_reads_the_stream_from_its_start(house: House) -> None:
    first, second = house.call(stream=True), house.call(stream=True)
    async with await house.handler(first) as reply:
        events = reply.batches()
        texts = [await anext(events) for _ in range(4)]
        joined = await house.ask(second)
        assert joined.text == "answer 1"
        assert texts
    assert len(house.calls) == 1


@BOTH
@pytest.mark.parametrize("others", [1, 9])
async def test_a_leader_cancelled_at_any_of_50_phases_hurts_nobody(*, stream: bool, others: int) -> None:
    for phase in range(50):
        house = House(words=12)
        calls = [house.call(stream=stream), *[house.call(stream=(stream and number % 3 != 0)) for number in range(others)]]
        leader, *rest = [asyncio.create_task(house.ask(call)) for call in calls]
        await settle(phase)
        leader.cancel()
        answers = await asyncio.gather(*rest)
        await asyncio.gather(leader, return_exceptions=True)
        assert {answer.text for answer in answers} == {"answer 1"}
        assert len(house.calls) == 1
        # One has made the attempt, and pays: who led when the answer was complete.
        assert sum(len(call.trail.attempts) for call in calls) == 1
        assert sum(answer.cost.total_nano_usd for answer in answers) == (0 if calls[0].trail.attempts else COST)
        await settle()
        assert house.open == 0


@BOTH
async def test_whoever_is_cancelled_at_whatever_moment_the_rest_is_answered_and_nothing_stays_open(*, stream: bool) -> None:
    chance = random.Random(7)
    for _ in range(50):
        house = House(words=8)
        tasks = [asyncio.create_task(house.ask(house.call(stream=stream))) for _ in range(8)]
        doomed = chance.sample(tasks, chance.randrange(1, 9))
        for task in doomed:
            await settle(chance.randrange(4))
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, pb.ChatResponse) for task, result in zip(tasks, results, strict=True) if task not in doomed)
        await house.dedup.aclose()
        assert house.open == 0


async def test_the_last_one_leaving_ends_the_call_to_the_provider(house: House) -> None:
    house.gate.clear()
    tasks = [asyncio.create_task(house.ask(house.call())) for _ in range(3)]
    await settle()
    assert house.open == 1
    for task in tasks[:2]:
        task.cancel()
    await settle()
    assert house.open == 1
    tasks[2].cancel()
    await house.dedup.aclose()
    assert house.open == 0
    assert all(isinstance(result, asyncio.CancelledError) for result in await asyncio.gather(*tasks, return_exceptions=True))


async def test_a_question_that_everybody_left_is_asked_anew_by_whoever_comes_next(house: House) -> None:
    house.gate.clear()
    task = asyncio.create_task(house.ask(house.call()))
    await settle()
    task.cancel()
    await settle(1)
    house.gate.set()
    assert (await house.ask(house.call())).text == "answer 2"
    await asyncio.gather(task, return_exceptions=True)


@BOTH
async def test_everybody_gets_the_providers_error_as_an_error_of_its_own(house: House, *, stream: bool) -> None:
    house.failures = [UpstreamFailed("broken", retry_after_s=2.0)]
    results = await asyncio.gather(*[house.ask(house.call(stream=stream)) for _ in range(5)], return_exceptions=True)
    assert [str(result) for result in results] == ["broken"] * 5
    assert len({id(result) for result in results}) == 5
    assert len(house.calls) == 1


@BOTH
@pytest.mark.parametrize("error", [DeadlineExceeded.during("upstream"), CallCancelled("gone")])
async def test_an_error_that_is_the_leaders_own_is_taken_over_by_another(house: House, error: Exception, *, stream: bool) -> None:
    house.failures = [error]  # type: ignore[list-item]  # one of ours
    results = await asyncio.gather(*[house.ask(house.call(stream=stream)) for _ in range(5)], return_exceptions=True)
    assert isinstance(results[0], type(error))
    assert {result.text for result in results[1:] if isinstance(result, pb.ChatResponse)} == {"answer 2"}
    assert len(results[1:]) == 4
    assert len(house.calls) == 2


async def test_each_deadline_ends_only_its_own_wait(house: House) -> None:
    house.gate.clear()
    hasty = asyncio.create_task(house.ask(house.call(timeout_s=0.02)))
    patient = asyncio.create_task(house.ask(house.call(timeout_s=5.0, stream=True)))
    with pytest.raises(DeadlineExceeded):
        await hasty
    house.gate.set()
    assert (await patient).text == "answer 1"
    assert len(house.calls) == 1


async def test_a_break_midway_interrupts_streams_and_is_asked_again_for_who_reads_the_whole(house: House) -> None:
    house.breaks = {1: UpstreamFailed("cut")}
    results = await asyncio.gather(
        house.ask(house.call(stream=True)), house.ask(house.call(stream=True)), house.ask(house.call()), return_exceptions=True
    )
    assert [type(result) for result in results[:2]] == [StreamInterrupted, StreamInterrupted]
    assert isinstance(results[2], pb.ChatResponse)
    assert len(house.calls) == 2


async def test_streams_that_restart_share_the_second_answer_too(house: House) -> None:
    house.breaks = {1: UpstreamFailed("cut")}
    calls = [house.call(stream=True, restart=DISCARD) for _ in range(4)]
    answers = await gathered(house, calls)
    assert len(house.calls) == 2
    assert all(answer.text.endswith("answer 2") for answer in answers)
    assert [call.trail.attempts[0].provider for call in calls] == ["p"] * 4


async def test_beyond_its_room_nobody_joins_and_the_provider_waits_for_the_slowest_reader() -> None:
    house = House(DedupSettings(on=True, room_bytes=1500), words=100_000)
    house.answer = lambda number: _long(number, 400)  # type: ignore[method-assign]  # a longer one
    async with await house.handler(house.call(stream=True)) as slow:
        batches = slow.batches()
        await anext(batches)
        await settle(100)
        stopped_at = house.given
        assert stopped_at < 50
        late = asyncio.create_task(house.ask(house.call(stream=True)))
        await settle(100)
        assert len(house.calls) == 2
        assert (await late).text.startswith("2")
        async for _ in batches:
            pass
    assert house.open == 0


async def test_a_slow_reader_does_not_slow_the_others_while_there_is_room(house: House) -> None:
    other = asyncio.create_task(house.ask(house.call(stream=True)))
    async with await house.handler(house.call(stream=True)) as slow:
        await anext(slow.batches())
        assert (await other).text == "answer 1"
    assert len(house.calls) == 1


def _long(number: int, size: int) -> pb.ChatResponse:
    response = pb.ChatResponse(text=str(number) * size, provider="p", model="m")
    response.candidates.add().message.parts.add(text=response.text)
    return response
