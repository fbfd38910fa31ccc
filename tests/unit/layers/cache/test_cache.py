"""Which questions are the same, which answers are kept, and what a later caller gets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Principal, Target
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import InvalidRequest, UpstreamFailed
from promptwire_server.core.kept import Kept, Selector
from promptwire_server.core.reply import Batch, Reply
from promptwire_server.layers.alias import Alias, Member
from promptwire_server.layers.cache.aim import Aims
from promptwire_server.layers.cache.cache import CacheSettings
from promptwire_server.layers.metrics import Metrics
from promptwire_server.layers.observe import Observe
from promptwire_server.layers.tally import Tally
from tests.unit.layers.cache.house import ECHO, House, finished
from tests.unit.layers.conftest import MakeCall, streamed

Modes = pb.CacheSettings
BANK = Principal("bank", "me")
READ_WRITE = CacheSettings(mode=Modes.MODE_READ_WRITE, ttl_s=60, default_model="fast")


@pytest.fixture
def house(clock: ManualClock) -> House:
    return House(clock, READ_WRITE)


def wishing(make_call: MakeCall, **wishes: object) -> Call:
    return make_call(request=pb.ChatRequest(model="fast", prompt="hi", cache=pb.CacheSettings(**wishes)))  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(("first", "second"), [(False, False), (False, True), (True, False), (True, True)])
async def test_an_answer_serves_whole_and_streamed_calls_alike(house: House, make_call: MakeCall, first: bool, second: bool) -> None:  # noqa: FBT001 - parametrized
    asked = await house.ask(make_call(stream=first))
    served = await house.ask(make_call(stream=second))
    assert house.asked == 1
    assert served.text == asked.text == "answer 1"
    assert served.candidates == asked.candidates


async def test_a_streamed_hit_delivers_the_text_and_ends_with_finished(house: House, make_call: MakeCall) -> None:
    await house.ask(make_call())
    async with await house.cache(make_call(stream=True)) as reply:
        events = [event async for event in reply]
    assert "".join(event.part_delta.text for event in events) == "answer 1"
    assert events[-1].finished.response.served_from == pb.SERVED_FROM_CACHE


async def test_a_hit_says_where_it_is_from_and_keeps_the_usage_of_the_attempt_that_answered(house: House, make_call: MakeCall) -> None:
    missed = await house.ask(make_call())
    served = await house.ask(make_call())
    assert missed.served_from != pb.SERVED_FROM_CACHE
    assert served.served_from == pb.SERVED_FROM_CACHE
    assert served.usage == missed.usage
    assert served.cache_key == missed.cache_key == house.key(make_call())


async def test_a_hit_costs_nothing_and_saves_what_was_paid(house: House, make_call: MakeCall) -> None:
    def priced() -> pb.ChatResponse:
        response = finished()
        response.cost.CopyFrom(pb.Cost(total_nano_usd=700, input_nano_usd=300, output_nano_usd=400, price_source="operator"))
        return response

    house.says = priced
    assert (await house.ask(make_call())).cost.total_nano_usd == 700
    for _ in range(2):  # a saving does not grow
        cost = (await house.ask(make_call())).cost
        assert cost == pb.Cost(total_nano_usd=0, saved_nano_usd=700, price_source="operator")


async def test_what_an_answer_of_unknown_cost_saved_is_unknown_too(house: House, make_call: MakeCall) -> None:
    assert not (await house.ask(make_call())).HasField("cost")
    cost = (await house.ask(make_call())).cost
    assert cost.HasField("total_nano_usd")
    assert not cost.HasField("saved_nano_usd")


async def test_each_caller_gets_a_message_of_its_own_without_traces_of_the_first_call(house: House, make_call: MakeCall) -> None:
    house.cache = house.built(house.provider)
    observed = Observe(house.cache, tally=Tally(Metrics()), clock=house.clock)
    answers = []
    for name in ("one", "two", "three"):
        call = make_call(request_id=name, trace_id=name)
        call.trail.attempts.append(pb.Attempt(provider=name))
        async with await observed(call) as reply:
            answers.append(await reply.read())
    assert [response.request_id for response in answers] == ["one", "two", "three"]
    assert [[attempt.provider for attempt in response.attempts] for response in answers] == [["one"], ["two"], ["three"]]
    async with await house.cache(make_call()) as reply:
        untouched = await reply.read()
    assert (untouched.request_id, untouched.trace_id, list(untouched.attempts)) == ("", "", [])
    assert not untouched.HasField("timing")


async def test_changing_a_delivered_answer_does_not_change_what_is_kept(house: House, make_call: MakeCall) -> None:
    (await house.ask(make_call())).text = "changed"
    (await house.ask(make_call())).text = "changed"
    assert (await house.ask(make_call())).text == "answer 1"


async def test_another_tenant_is_asked_for_anew(house: House, make_call: MakeCall) -> None:
    await house.ask(make_call())
    await house.ask(make_call(principal=Principal("bank", "me")))
    assert house.asked == 2


async def test_an_answer_is_kept_for_the_operators_time(house: House, make_call: MakeCall) -> None:
    await house.ask(make_call())
    house.clock.advance(59)
    await house.ask(make_call())
    assert house.asked == 1
    house.clock.advance(1)
    await house.ask(make_call())
    assert house.asked == 2


async def test_the_callers_ttl_wins_over_the_operators(house: House, make_call: MakeCall) -> None:
    await house.ask(wishing(make_call, ttl={"seconds": 5}))
    house.clock.advance(5)
    await house.ask(wishing(make_call))
    assert house.asked == 2


async def test_an_answer_older_than_wanted_is_asked_for_anew_and_replaced(house: House, make_call: MakeCall) -> None:
    await house.ask(wishing(make_call))
    house.clock.advance(10)
    assert (await house.ask(wishing(make_call, max_age={"seconds": 10}))).text == "answer 1"
    assert (await house.ask(wishing(make_call, max_age={"nanos": 1}))).text == "answer 2"
    assert (await house.ask(wishing(make_call))).text == "answer 2"


@pytest.mark.parametrize(
    ("mode", "reads", "writes"),
    [
        (Modes.MODE_READ_WRITE, True, True),
        (Modes.MODE_READ_ONLY, True, False),
        (Modes.MODE_REFRESH, False, True),
        (Modes.MODE_BYPASS, False, False),
    ],
)
async def test_a_mode_reads_and_writes_what_it_says(clock: ManualClock, make_call: MakeCall, mode: int, reads: bool, writes: bool) -> None:  # noqa: FBT001 - parametrized
    empty = House(clock, READ_WRITE)
    asked = await empty.ask(wishing(make_call, mode=mode))
    assert len(empty.store) == writes
    assert bool(asked.cache_key) == (mode != Modes.MODE_BYPASS)
    filled = House(clock, READ_WRITE)
    await filled.ask(wishing(make_call))
    served = await filled.ask(wishing(make_call, mode=mode))
    assert (served.served_from == pb.SERVED_FROM_CACHE) == reads
    assert (await filled.ask(wishing(make_call))).text == ("answer 2" if mode == Modes.MODE_REFRESH else "answer 1")


@pytest.mark.parametrize("mode", [None, Modes.MODE_UNSPECIFIED])
async def test_without_a_wish_the_operators_default_holds_which_is_to_bypass(
    clock: ManualClock, make_call: MakeCall, mode: int | None
) -> None:
    house = House(clock, CacheSettings())
    call = make_call() if mode is None else wishing(make_call, mode=mode)
    assert (await house.ask(call)).cache_key == ""
    await house.ask(call)
    assert (house.asked, len(house.store)) == (2, 0)


async def test_a_caller_may_use_the_cache_where_the_default_is_to_bypass(clock: ManualClock, make_call: MakeCall) -> None:
    house = House(clock, CacheSettings())
    for _ in range(2):
        await house.ask(wishing(make_call, mode=Modes.MODE_READ_WRITE))
    assert house.asked == 1


@pytest.mark.parametrize("mode", Modes.Mode.values())
async def test_similar_questions_are_refused_as_not_available(house: House, make_call: MakeCall, mode: int) -> None:
    with pytest.raises(InvalidRequest, match="not available") as caught:
        await house.ask(wishing(make_call, mode=mode, min_similarity=0.9))
    assert caught.value.violations[0].field == "cache.min_similarity"
    assert house.asked == 0


@pytest.mark.parametrize("reason", pb.FinishReason.values())
async def test_only_answers_that_ended_well_are_kept(house: House, make_call: MakeCall, reason: int) -> None:
    house.says = lambda: finished(reason=reason)
    await house.ask(make_call())
    kept = reason in (pb.FINISH_REASON_STOP, pb.FINISH_REASON_LENGTH, pb.FINISH_REASON_TOOL_CALLS)
    assert len(house.store) == kept


async def test_one_candidate_that_ended_badly_spoils_the_answer(house: House, make_call: MakeCall) -> None:
    def mixed() -> pb.ChatResponse:
        response = finished()
        response.candidates.add(index=1, finish_reason=pb.FINISH_REASON_REFUSAL)
        return response

    house.says = mixed
    await house.ask(make_call())
    assert len(house.store) == 0


async def test_an_answer_without_candidates_is_not_kept(house: House, make_call: MakeCall) -> None:
    house.says = pb.ChatResponse
    await house.ask(make_call())
    assert len(house.store) == 0


async def test_what_a_fallback_said_is_not_kept(house: House, make_call: MakeCall) -> None:
    call = make_call()
    call.notice(pb.Notice.CODE_FALLBACK_USED, "another was asked")
    await house.ask(call)
    assert len(house.store) == 0


async def test_what_another_target_said_is_not_kept_whatever_led_to_it(house: House, make_call: MakeCall) -> None:
    call = make_call()  # its own target was left alone, since its breaker is open: nothing failed, and there is no notice
    call.trail.attempts.append(pb.Attempt(provider="backup", model="echo"))
    await house.ask(call)
    assert len(house.store) == 0


async def test_what_a_target_said_when_it_was_asked_again_is_kept(house: House, make_call: MakeCall) -> None:
    call = make_call()
    failed = pb.Attempt(provider="echo", model="echo", failure=pb.Failure(message="busy"))
    call.trail.attempts.extend([failed, pb.Attempt(provider="echo", model="echo")])
    await house.ask(call)
    assert len(house.store) == 1


async def test_what_a_budget_has_cut_short_is_not_kept(house: House, make_call: MakeCall) -> None:
    call = make_call()
    call.notice(pb.Notice.CODE_OUTPUT_LIMITED, "no more money", "generation.max_output_tokens")
    house.says = lambda: finished(reason=pb.FINISH_REASON_LENGTH)
    await house.ask(call)
    assert len(house.store) == 0


async def test_what_was_put_together_from_several_streams_is_not_kept(house: House, make_call: MakeCall) -> None:
    await house.ask(make_call(avoid=(ECHO,)))
    assert len(house.store) == 0


def calling() -> pb.ChatResponse:
    response = finished(reason=pb.FINISH_REASON_TOOL_CALLS)
    response.candidates[0].message.parts.add(tool_call=pb.ToolCallPart(tool_call_id="c1", name="look"))
    return response


@pytest.mark.parametrize("kept", [True, False])
async def test_the_operator_says_whether_answers_that_call_tools_are_kept(clock: ManualClock, make_call: MakeCall, kept: bool) -> None:  # noqa: FBT001 - parametrized
    house = House(clock, replace(READ_WRITE, tool_calls=kept))
    house.says = calling
    await house.ask(make_call())
    assert len(house.store) == kept


async def test_an_answer_that_is_too_large_is_not_kept(clock: ManualClock, make_call: MakeCall) -> None:
    house = House(clock, replace(READ_WRITE, max_answer_bytes=1000))
    house.says = lambda: finished("x" * 1000)
    await house.ask(make_call())
    assert len(house.store) == 0


async def test_a_reload_that_means_other_targets_asks_anew_and_going_back_finds_what_was_kept(house: House, make_call: MakeCall) -> None:
    await house.ask(make_call())
    usual, house.aims = house.aims, Aims({"fast": Alias(members=(Member(Target("echo", "other")),))}, "fast", str)
    house.cache = house.built(house.provider)
    assert (await house.ask(make_call())).text == "answer 2"
    assert len(house.store) == 1  # what the old target said is not kept under the new one's key
    house.aims = usual
    house.cache = house.built(house.provider)
    assert (await house.ask(make_call())).text == "answer 1"


async def test_namespaces_are_apart(house: House, make_call: MakeCall) -> None:
    for namespace in ("", "v1", "v2"):
        for _ in range(2):
            await house.ask(wishing(make_call, namespace=namespace))
    assert house.asked == 3


async def test_a_hit_says_how_old_it_is(house: House, make_call: MakeCall) -> None:
    assert not (await house.ask(make_call())).HasField("cache_hit")
    house.clock.advance(1.5)
    hit = (await house.ask(make_call())).cache_hit
    assert (hit.age.seconds, hit.age.nanos, hit.stale, hit.HasField("similarity")) == (1, 500_000_000, False, False)


async def test_a_long_answer_is_streamed_from_the_cache_in_pieces(house: House, make_call: MakeCall) -> None:
    text = "seven letters or so, " * 100
    house.says = lambda: finished(text)
    await house.ask(make_call())
    async with await house.cache(make_call(stream=True)) as reply:
        deltas = [event.part_delta.text async for event in reply if event.HasField("part_delta")]
        whole = await reply.read()
    assert "".join(deltas) == text == whole.text
    assert len(deltas) > 5
    assert max(map(len, deltas)) < 500


async def test_calls_are_counted_by_tenant_and_model(house: House, make_call: MakeCall) -> None:
    house.says = lambda: finished("x")
    for call in (make_call(), make_call(), make_call(stream=True), wishing(make_call, mode=Modes.MODE_BYPASS), make_call(principal=BANK)):
        call.trail.attempts.append(pb.Attempt(provider="echo", model="echo"))
        await house.ask(call)
    counted = dict(house.counts.lines(Selector(tenant="default")))
    echo = counted["echo/echo"]
    assert (echo.hits, echo.misses, echo.writes, counted["other"].bypasses) == (2, 1, 1, 1)
    assert (echo.saved_input, echo.saved_output, echo.saved_nano_usd) == (6, 4, None)
    assert [line.misses for _, line in house.counts.lines(Selector(tenant="bank"))] == [1]


async def test_an_answer_that_another_call_paid_for_is_not_kept_again(house: House, make_call: MakeCall) -> None:
    def shared() -> pb.ChatResponse:
        response = finished()
        response.served_from = pb.SERVED_FROM_DEDUP
        return response

    house.says = shared
    await house.ask(make_call())
    assert len(house.store) == 0


@pytest.mark.parametrize("stop_after", range(4))
async def test_a_stream_that_breaks_off_is_not_kept(house: House, clock: ManualClock, make_call: MakeCall, stop_after: int) -> None:
    async def breaking(_: Call) -> Reply:
        return streamed(finished(), clock=clock, stop_after=stop_after)

    with pytest.raises(UpstreamFailed if stop_after == 0 else Exception):
        async with await house.built(breaking)(make_call(stream=True)) as reply:
            await reply.read()
    assert len(house.store) == 0


async def test_a_stream_whose_reader_leaves_is_not_kept(house: House, make_call: MakeCall) -> None:
    async with await house.cache(make_call(stream=True)) as reply:
        async for _ in reply.batches():
            break
    assert len(house.store) == 0


async def test_a_call_cancelled_while_the_upstream_waits_leaves_nothing(house: House, make_call: MakeCall) -> None:
    waiting = asyncio.Event()
    released: list[bool] = []

    async def source() -> AsyncIterator[Batch]:
        waiting.set()
        await asyncio.Event().wait()
        yield []

    async def slow(_: Call) -> Reply:
        return Reply(source(), release=lambda: released.append(True))

    async def ask() -> None:
        async with await house.built(slow)(make_call(stream=True)) as reply:
            await reply.read()

    task = asyncio.ensure_future(ask())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (released, len(house.store)) == ([True], 0)


async def test_an_upstream_error_is_passed_on_and_not_kept(house: House, make_call: MakeCall) -> None:
    def fail() -> pb.ChatResponse:
        raise UpstreamFailed("gone")

    house.says = fail
    with pytest.raises(UpstreamFailed):
        await house.ask(make_call())
    assert len(house.store) == 0


async def test_garbage_in_the_store_is_a_miss(house: House, make_call: MakeCall) -> None:
    house.store.put("default", house.key(make_call()), Kept(b"\xff\xff", "echo/echo", "", 60))
    assert (await house.ask(make_call())).text == "answer 1"
    assert (await house.ask(make_call())).served_from == pb.SERVED_FROM_CACHE
