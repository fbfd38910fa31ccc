"""A run with a limit of cost sets the whole of it aside, draws on that, and gives back what is left."""

import asyncio
from dataclasses import replace

import pytest

from promptwire import v1 as pb
from promptwire_server.chains.run import Engine
from promptwire_server.core.budget import Budget, Lifetime, Scope
from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.errors import BudgetExhausted, PromptwireError, UpstreamFailed
from promptwire_server.core.facts import Facts
from promptwire_server.core.price import PUBLISHED, Price, Rates
from promptwire_server.core.reply import Reply
from promptwire_server.layers.book import Account, Book
from tests.unit.chains.scripted import Gateway, Hang, context_of, engine_of, job_of, prompts_of, response_of, run
from tests.unit.layers.purses import bank
from tests.unit.layers.vendors import Published

LIMIT = 1_000_000


class Purse:
    """Funds that remember."""

    def __init__(self, refusal: PromptwireError | None = None) -> None:
        self.reserved: list[tuple[str, int]] = []
        self.released: list[str] = []
        self._refusal = refusal

    async def reserve(self, call: Call, limit_nano_usd: int) -> str:
        self.reserved.append((call.run_id[:4], limit_nano_usd))
        if self._refusal is not None:
            raise self._refusal
        return "fund"

    def release(self, hold_id: str) -> None:
        self.released.append(hold_id)


def limited(*prompts: str) -> pb.RunChainRequest:
    request = prompts_of(*prompts)
    request.limits.max_cost_nano_usd = LIMIT
    return request


def engine_with(gateway: Gateway, purse: Purse) -> Engine:
    return replace(engine_of(gateway), funds=purse)


async def test_a_run_without_a_limit_sets_nothing_aside() -> None:
    gateway, purse = Gateway(), Purse()
    engine = engine_with(gateway, purse)
    await engine.run(job_of(prompts_of("a")), context_of(engine.clock)).finish()
    assert (purse.reserved, purse.released) == ([], [])
    assert not gateway.calls[0].request.HasField("max_cost_nano_usd")


async def test_every_step_may_cost_what_is_left_and_is_paid_from_the_run_s_hold() -> None:
    gateway, purse = Gateway(), Purse()
    engine = engine_with(gateway, purse)
    await engine.run(job_of(limited("a", "b")), context_of(engine.clock)).finish()
    assert purse.reserved == [("run-", LIMIT)]
    assert purse.released == ["fund"]
    assert [(call.fund, call.request.max_cost_nano_usd) for call in gateway.calls] == [("fund", LIMIT)] * 2


async def test_a_run_for_which_there_is_no_money_asks_nothing() -> None:
    gateway, purse = Gateway(), Purse(BudgetExhausted("there is none"))
    engine = engine_with(gateway, purse)
    with pytest.raises(BudgetExhausted) as caught:
        await engine.run(job_of(limited("a")), context_of(engine.clock)).finish()
    assert gateway.calls == []
    assert caught.value.metadata["run_id"]


@pytest.mark.parametrize("line", [UpstreamFailed("down"), Hang(0)])
async def test_however_a_run_ends_its_money_is_given_back(line: UpstreamFailed | Hang) -> None:
    def failing(_: pb.ChatRequest) -> Hang:
        if isinstance(line, UpstreamFailed):
            raise line
        return line

    gateway, purse = Gateway(failing), Purse()
    engine = engine_with(gateway, purse)
    running = asyncio.ensure_future(engine.run(job_of(limited("a")), context_of(engine.clock)).finish())
    if isinstance(line, Hang):
        await gateway.waiting.wait()
        running.cancel()
    with pytest.raises((UpstreamFailed, asyncio.CancelledError)):
        await running
    assert purse.released == ["fund"]


async def test_a_run_holds_its_limit_in_the_budget_until_it_ends() -> None:
    mini = Target("openai", "mini")
    book = Book({"openai": Account("https://openai")}, Published({"mini": Facts(Price(Rates(1000, 1000), PUBLISHED))}), SystemClock())
    async with bank() as till:
        budget = Budget("b", Scope(), Lifetime(), LIMIT * 3 // 2)
        await till.purse.put(budget)
        seen: list[tuple[int, int]] = []

        async def provider(call: Call) -> Reply:
            balance = await till.purse.balance(budget)
            seen.append((balance.spent_nano_usd, balance.held_nano_usd))
            call.trail.attempts.append(pb.Attempt(provider="openai", model="mini"))
            response = response_of("well")
            response.ClearField("cost")
            return Reply.whole(response)

        spend = till.before(provider, book)

        async def gateway(call: Call) -> Reply:
            return await spend(call.aimed_at(mini))

        engine = replace(engine_of(Gateway()), handler=gateway, funds=till.cashier)
        await engine.run(job_of(limited("a", "b")), context_of(engine.clock)).finish()
        assert seen == [(0, LIMIT), (7, LIMIT - 7)]
        balance = await till.purse.balance(budget)
        assert (balance.spent_nano_usd, balance.held_nano_usd) == (14, 0)


async def test_attempts_that_failed_count_too() -> None:
    class Costly(Gateway):
        async def __call__(self, call: Call) -> Reply:
            call.trail.cost_nano_usd += 400_000
            return await super().__call__(call)

    gateway = Costly()
    await run(limited("a", "b", "c"), gateway)
    assert [call.request.max_cost_nano_usd for call in gateway.calls] == [LIMIT, 600_000, 200_000]
