"""An attempt is a hold and a row: paid for before it is made, settled at what it cost, however it ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial

import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import events_of
from promptwire_server.core.budget import Budget, Lifetime, PerCall, Scope
from promptwire_server.core.call import Call, Principal, Target, Trail
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.errors import (
    BudgetExhausted,
    BudgetStoreUnavailable,
    CallCancelled,
    PriceUnknown,
    PromptwireError,
    UpstreamFailed,
    failure_of,
)
from promptwire_server.core.facts import Facts
from promptwire_server.core.handler import Handler
from promptwire_server.core.price import PUBLISHED, Price, Rates
from promptwire_server.core.reply import Batch, Reply
from promptwire_server.layers.book import Account, Book
from promptwire_server.layers.hedge import hedged, mark_lost
from promptwire_server.providers.attempt import Try
from tests.unit.layers.purses import Bank, bank
from tests.unit.layers.vendors import Published

MINI = Target("openai", "mini")
PRICE = Facts(Price(Rates(input=1_000_000, output=2_000_000), PUBLISHED))  # a token of output costs 2,000 nano-USD
SHOP = Principal("shop", "till", api_key_id="till")
SHORT = pb.ChatRequest(prompt="hi", generation=pb.GenerationSettings(max_output_tokens=10))


def of(limit: int, *, hard: bool = True, per_call: bool = False, tenant: str = "") -> Budget:
    return Budget("b", Scope(tenant=tenant), PerCall() if per_call else Lifetime(), limit, hard=hard)


def known() -> Book:
    return Book({"openai": Account("https://openai")}, Published({"mini": PRICE}), SystemClock())


def call(request: pb.ChatRequest = SHORT, target: Target = MINI, *, stream: bool = False, within_s: float = 10.0) -> Call:
    now_s = SystemClock().monotonic()
    return Call(request, SHOP, "r1", "0" * 32, now_s + within_s, now_s, stream, target, trail=Trail())


def said(tokens: int) -> pb.ChatResponse:
    usage = pb.Usage(input_tokens=3, output_tokens=tokens)
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[pb.ContentPart(text="well")])
    candidate = pb.Candidate(message=message, finish_reason=pb.FINISH_REASON_STOP)
    return pb.ChatResponse(provider="openai", model="mini", candidates=[candidate], usage=usage)


def answering(tokens: int = 2, *, gate: asyncio.Event | None = None, seen: list[Call] | None = None) -> Handler:
    """A provider that answers, once the gate is open, and writes its attempt into the trail."""

    async def inner(asked: Call) -> Reply:
        if seen is not None:
            seen.append(asked)
        if gate is not None:
            await gate.wait()
        asked.trail.attempts.append(pb.Attempt(provider="openai", model="mini"))
        return Reply.whole(said(tokens))

    return inner


def failing(error: PromptwireError, usage: pb.Usage | None = None) -> Handler:
    async def inner(asked: Call) -> Reply:
        asked.trail.attempts.append(pb.Attempt(provider="openai", model="mini", failure=failure_of(error), usage=usage))
        raise error

    return inner


async def ask(till: Bank, inner: Handler, asked: Call) -> pb.ChatResponse:
    async with await till.before(inner, known())(asked) as reply:
        return await reply.read()


@pytest.fixture
async def till() -> AsyncIterator[Bank]:
    async with bank() as made:
        yield made


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what another thread does
            await asyncio.sleep(0.001)


async def free(till: Bank) -> int:
    (budget,) = till.purse.budgets()
    balance = await till.purse.balance(budget)
    assert balance.held_nano_usd == 0
    return balance.free_nano_usd


async def test_an_answer_is_paid_at_what_it_cost(till: Bank) -> None:
    await till.purse.put(of(10_000_000, tenant="shop"))
    response = await ask(till, answering(), call())
    assert response.cost.total_nano_usd == 3 * 1000 + 2 * 2000
    assert await free(till) == 10_000_000 - 7000
    assert await till.kept() == [(1, "openai", 3, 2, 7000, '["b"]')]


async def test_without_a_budget_there_is_a_row_and_no_hold(till: Bank) -> None:
    await ask(till, answering(), call())
    (row,) = till.rows
    assert (row.tenant, row.principal, row.attempt, row.amounts.total, row.rpc) == (
        "shop",
        "till",
        1,
        7000,
        "promptwire.v1.ChatService/Chat",
    )


async def test_what_does_not_fit_reaches_no_provider(till: Bank) -> None:
    await till.purse.put(of(2000))
    seen: list[Call] = []
    with pytest.raises(BudgetExhausted) as caught:
        await ask(till, answering(seen=seen), call())
    assert caught.value.metadata["budget_id"] == "b"
    assert seen == []
    assert await free(till) == 2000


async def test_budgets_of_others_do_not_count(till: Bank) -> None:
    await till.purse.put(of(0, tenant="another"))
    await ask(till, answering(), call())
    assert await free(till) == 0
    assert len(till.rows) == 1


async def test_a_soft_budget_counts_and_lets_through(till: Bank) -> None:
    await till.purse.put(of(1000, hard=False))
    await ask(till, answering(), call())
    assert await free(till) == -6000


async def test_an_unknown_price_is_refused_by_hard_budgets_and_counted_by_soft_ones(till: Bank) -> None:
    unheard = call(target=Target("openai", "unheard"))
    await till.purse.put(of(10_000_000))
    with pytest.raises(PriceUnknown):
        await ask(till, answering(), unheard)
    await till.purse.put(of(10_000_000, hard=False))
    await ask(till, answering(), unheard)
    (budget,) = till.purse.budgets()
    assert (await till.purse.balance(budget)).unpriced_calls == 1


async def test_an_answer_without_a_limit_gets_one_so_that_the_hold_is_a_bound(till: Bank) -> None:
    await till.purse.put(of(100_000_000))
    seen: list[Call] = []
    await ask(till, answering(seen=seen), call(pb.ChatRequest(prompt="hi")))
    assert seen[0].request.generation.max_output_tokens == 4096
    assert seen[0].trail.notices == []


async def test_an_answer_is_fitted_to_what_is_left(till: Bank) -> None:
    await till.purse.put(of(1_200_000))
    seen: list[Call] = []
    await ask(till, answering(seen=seen), call(pb.ChatRequest(prompt="hi", generation=pb.GenerationSettings(max_output_tokens=4000))))
    fitted = seen[0].request.generation.max_output_tokens
    assert 500 < fitted < 600
    assert [(notice.code, notice.field) for notice in seen[0].trail.notices] == [
        (pb.Notice.CODE_OUTPUT_LIMITED, "generation.max_output_tokens")
    ]


async def test_who_finds_all_money_held_waits_for_it(till: Bank) -> None:
    await till.purse.put(of(100_000))
    gate = asyncio.Event()
    first = asyncio.ensure_future(ask(till, answering(gate=gate), call()))
    await until(lambda: bool(first.done() or till.database._done >= 2))
    others = [asyncio.ensure_future(ask(till, answering(), call())) for _ in range(5)]
    await until(lambda: len(till.cashier._waiters) == 5)
    gate.set()
    await asyncio.gather(first, *others)
    assert await free(till) == 100_000 - 6 * 7000


@pytest.mark.parametrize("steps", range(0, 40, 3))
async def test_who_leaves_at_any_moment_leaves_no_hold(till: Bank, steps: int) -> None:
    await till.purse.put(of(1_000_000))
    leaving = asyncio.ensure_future(ask(till, answering(gate=asyncio.Event()), call()))
    for _ in range(steps):
        await asyncio.sleep(0)
    leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving
    assert await free(till) == 1_000_000


async def test_a_failure_costs_what_it_took(till: Bank) -> None:
    await till.purse.put(of(1_000_000))
    with pytest.raises(UpstreamFailed):
        await ask(till, failing(UpstreamFailed("down")), call())
    assert await free(till) == 1_000_000
    with pytest.raises(UpstreamFailed):
        await ask(till, failing(UpstreamFailed("broke off"), pb.Usage(input_tokens=5)), call())
    assert await free(till) == 1_000_000 - 5000
    assert [row[4] for row in await till.kept()] == [0, 5000]


async def test_the_loser_of_a_hedge_is_paid_too(till: Bank) -> None:
    await till.purse.put(of(1_000_000))
    reply = await till.before(answering(), known())(call())
    reply.close()
    assert await free(till) == 1_000_000 - 7000


@pytest.mark.parametrize("held", [False, True], ids=["free", "held"])
async def test_loser_and_winner_of_a_hedge_at_one_provider_are_rows_1_and_2_with_what_each_took(till: Bank, *, held: bool) -> None:
    if held:
        await till.purse.put(of(1_000_000))
    asked, begun = call(), asyncio.Event()

    async def hanging(asked: Call) -> Reply:
        with Try(asked, "openai", "mini", SystemClock()):
            begun.set()
            await asyncio.Event().wait()
        raise AssertionError

    first, second = till.before(hanging, known()), till.before(answering(), known())
    reply = await hedged(partial(first, asked), partial(second, asked), 0.0, lambda: None)
    assert begun.is_set()
    mark_lost(asked, (MINI,))
    async with reply:
        await reply.read()
    if held:
        kept = await till.kept()
        assert len(kept) == 2
        assert (1, "openai", 3, 2, 7000, '["b"]') in kept
        assert await free(till) <= 1_000_000 - 7000
    else:
        rows = sorted((row.attempt, bool(row.failure), row.tokens.output) for row in till.rows)
        assert rows == [(1, True, 0), (2, False, 2)]


async def test_a_call_s_own_limit_holds_for_all_its_attempts(till: Bank) -> None:
    request = pb.ChatRequest()
    request.CopyFrom(SHORT)
    request.max_cost_nano_usd = 70_000
    asked = call(request)
    with pytest.raises(UpstreamFailed):
        await ask(till, failing(UpstreamFailed("broke off"), pb.Usage(input_tokens=40)), asked)
    with pytest.raises(BudgetExhausted, match="max_cost_nano_usd"):
        await ask(till, answering(), asked)
    assert asked.trail.cost_nano_usd == 40_000
    await ask(till, answering(), call(request))


async def test_the_operator_s_limit_of_a_call_holds_too(till: Bank) -> None:
    await till.purse.put(of(1000, per_call=True))
    with pytest.raises(BudgetExhausted):
        await ask(till, answering(), call())


async def test_a_store_that_does_not_answer_closes_hard_budgets(till: Bank) -> None:
    await till.purse.put(of(1_000_000))
    await asyncio.to_thread(till.database.close)
    seen: list[Call] = []
    with pytest.raises(BudgetStoreUnavailable):
        await ask(till, answering(seen=seen), call())
    assert seen == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_guess_at_what_was_written_is_never_longer_than_what_was_asked_for(till: Bank, *, stream: bool) -> None:
    await till.purse.put(of(1_000_000))
    guess = pb.Usage(input_tokens=1, output_tokens=33, estimated=True)
    with suppress(PromptwireError):
        await ask(till, failing(UpstreamFailed("it broke"), guess), call(stream=stream))
    assert await free(till) == 1_000_000 - 1000 - 10 * 2000


async def kept(batches: AsyncIterator[Batch], seen: list[Batch]) -> AsyncIterator[Batch]:
    async for batch in batches:
        seen.append(batch)
        yield batch


async def test_a_stream_is_cut_when_its_hold_is_used_up(till: Bank) -> None:
    await till.purse.put(of(1_000_000))

    async def endless() -> AsyncIterator[Batch]:
        first, begun, delta, *_ = events_of(said(2))
        yield [first, begun]
        while True:
            yield [delta]

    async def inner(asked: Call) -> Reply:
        asked.trail.attempts.append(pb.Attempt(provider="openai", model="mini"))
        return Reply(endless())

    async with await till.before(inner, known())(call(stream=True)) as reply:
        seen: list[Batch] = []
        with pytest.raises(BudgetExhausted):
            seen = [batch async for batch in kept(reply.batches(), seen)]
    assert len(seen) == 1 + 11


async def test_a_stream_of_long_words_is_not_cut(till: Bank) -> None:
    await till.purse.put(of(1_000_000))
    answer = said(10)
    answer.candidates[0].message.parts[0].text = " " * 16 * 10  # of code, blanks in a row are one token

    async def inner(asked: Call) -> Reply:
        asked.trail.attempts.append(pb.Attempt(provider="openai", model="mini"))
        return Reply(_at_once(answer))

    async with await till.before(inner, known())(call(stream=True)) as reply:
        assert [event async for event in reply][-1].HasField("finished")


async def test_a_stream_that_is_cut_says_so_in_the_trail(till: Bank) -> None:
    await till.purse.put(of(1_000_000))
    answer = said(10)
    answer.candidates[0].message.parts[0].text = "x" * 16 * 11
    asked = call(stream=True)

    async def inner(asked: Call) -> Reply:
        gone = pb.Attempt(provider="openai", model="mini", failure=failure_of(CallCancelled("the caller went away")))
        return Reply(_at_once(answer), release=lambda: asked.trail.attempts.append(gone))

    async with await till.before(inner, known())(asked) as reply:
        with pytest.raises(BudgetExhausted):
            await reply.read()
    assert [attempt.failure.reason for attempt in asked.trail.attempts] == [pb.ERROR_REASON_BUDGET_EXHAUSTED]


async def _at_once(answer: pb.ChatResponse) -> AsyncIterator[Batch]:
    *events, end = events_of(answer)
    yield events
    yield [end]


async def test_three_hundred_at_once_are_served_as_far_as_the_money_goes(till: Bank) -> None:
    limit = 37 * 7000 + 6999
    await till.purse.put(of(limit))
    outcomes = await asyncio.gather(*(ask(till, answering(), call()) for _ in range(300)), return_exceptions=True)
    served = [outcome for outcome in outcomes if isinstance(outcome, pb.ChatResponse)]
    refused = [outcome for outcome in outcomes if not isinstance(outcome, pb.ChatResponse)]
    assert {type(outcome) for outcome in refused} == {BudgetExhausted}
    assert await free(till) == limit - 7000 * len(served) >= 0
    assert len(served) >= 28  # the last calls' worst case does not fit any more, though what they would cost does
