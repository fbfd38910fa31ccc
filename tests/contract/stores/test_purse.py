"""What every purse promises: atomic holds over several budgets, settled once, whoever dies in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from promptwire_server.core.budget import Alert, Budget, Calendar, Rolling, Scope, Spender
from promptwire_server.core.ledger import Entry
from promptwire_server.core.purse import Denial, Gift, Hold, Once
from tests.contract.stores.purses import WHOLE, Bench, SqliteBench
from tests.contract.stores.redis_purses import RedisBench

SHOP = Spender("shop", "openai", "gpt-4o-mini", principal="till", labels={"team": "search"})
DAY_S = 86_400


@pytest.fixture(params=["memory", "file", "postgres", "redis"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        # Found by name: its driver is an extra, and without it the fixture has skipped the test by now.
        bench: Bench = import_module("tests.contract.stores.postgres_purses").PostgresBench(server.database())
    elif request.param == "redis":
        bench = RedisBench(request.getfixturevalue("redis_server"), tmp_path / "usage.sqlite3")
    else:
        bench = SqliteBench(None if request.param == "memory" else tmp_path / "usage.sqlite3")
    yield bench
    await bench.aclose()


async def held(bench: Bench, most: int, *budgets: Budget) -> str:
    """A hold that was granted."""
    decided = await bench.purse.hold(bench.ask(most, *budgets))
    assert isinstance(decided, Hold)
    return decided.hold_id


async def test_a_hold_is_held_until_it_is_settled_at_what_it_cost(bench: Bench) -> None:
    await bench.purse.put(WHOLE)
    hold = await held(bench, 600)
    balance = await bench.purse.balance(WHOLE)
    assert (balance.spent_nano_usd, balance.held_nano_usd, balance.free_nano_usd) == (0, 600, 400)
    bench.purse.settle(hold, bench.row(hold, 70))
    balance = await bench.purse.balance(WHOLE)
    assert (balance.spent_nano_usd, balance.held_nano_usd, balance.free_nano_usd) == (70, 0, 930)


async def test_what_does_not_fit_is_denied_and_says_whether_waiting_helps(bench: Bench) -> None:
    await bench.purse.put(WHOLE)
    hold = await held(bench, 600)
    assert await bench.purse.hold(bench.ask(500)) == Denial("whole", 1000, 400, by_holds=True, reset_us=None)
    assert await bench.purse.hold(bench.ask(1001)) == Denial("whole", 1000, 400, by_holds=False, reset_us=None)
    bench.purse.settle(hold, bench.row(hold, 600))
    assert await bench.purse.hold(bench.ask(500)) == Denial("whole", 1000, 400, by_holds=False, reset_us=None)


async def test_a_wish_may_be_content_with_less(bench: Bench) -> None:
    await bench.purse.put(WHOLE)
    await held(bench, 600)
    decided = await bench.purse.hold(bench.ask(500, least=400))
    assert isinstance(decided, Hold)
    assert decided.nano_usd == 400


async def test_of_several_budgets_all_hold_or_none(bench: Bench) -> None:
    small = replace(WHOLE, budget_id="small", limit_nano_usd=100)
    await bench.purse.put(WHOLE)
    await bench.purse.put(small)
    decided = await bench.purse.hold(bench.ask(500, WHOLE, small))
    assert isinstance(decided, Denial)
    assert decided.budget_id == "small"
    assert (await bench.purse.balance(WHOLE)).held_nano_usd == 0


async def test_soft_and_paused_budgets_count_and_deny_nothing(bench: Bench) -> None:
    soft, paused = replace(WHOLE, budget_id="soft", hard=False), replace(WHOLE, budget_id="paused", paused=True)
    await bench.purse.put(soft)
    await bench.purse.put(paused)
    hold = await held(bench, 5000, soft, paused)
    bench.purse.settle(hold, bench.row(hold, 4000, soft, paused))
    assert (await bench.purse.balance(soft)).free_nano_usd == -3000
    assert (await bench.purse.balance(paused)).spent_nano_usd == 4000


async def test_three_hundred_at_once_never_spend_more_than_there_is(bench: Bench) -> None:
    budget = replace(WHOLE, limit_nano_usd=37 * 1_234_567 + 999)
    purses = [bench.purse, bench.another(), bench.another()]
    await bench.purse.put(budget)

    async def one(number: int) -> bool:
        purse = purses[number % 3]
        decided = await purse.hold(bench.ask(1_234_567))
        if isinstance(decided, Denial):
            return False
        purse.settle(decided.hold_id, bench.row(decided.hold_id, 1_234_567))
        return True

    served = await asyncio.gather(*map(one, range(300)))
    balances = [await purse.balance(budget) for purse in purses]  # each behind what its own process has settled
    assert sum(served) == 37
    assert balances[-1].spent_nano_usd == 37 * 1_234_567
    assert (await bench.purse.balance(budget)).held_nano_usd == 0


async def test_who_leaves_while_waiting_holds_nothing(bench: Bench) -> None:
    await bench.purse.put(WHOLE)
    for steps in range(30):
        asking = asyncio.ensure_future(bench.purse.hold(bench.ask(900)))
        for _ in range(steps):
            await asyncio.sleep(0)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            decided = await asking
            assert isinstance(decided, Hold)
            bench.purse.settle(decided.hold_id, ())
        assert (await bench.purse.balance(WHOLE)).held_nano_usd == 0


async def test_a_run_s_hold_is_drawn_on_by_its_steps_and_gets_back_what_they_leave(bench: Bench) -> None:
    await bench.purse.put(WHOLE)
    run = await bench.purse.hold(replace(bench.ask(800), intent=None))
    assert isinstance(run, Hold)
    assert isinstance(await bench.purse.hold(bench.ask(300)), Denial)
    step = await bench.purse.hold(replace(bench.ask(500), parent=run.hold_id))
    beside = await bench.purse.hold(replace(bench.ask(400), parent=run.hold_id))
    assert isinstance(step, Hold)
    assert isinstance(beside, Hold)  # 300 of the run, and 100 of what is free
    assert (await bench.purse.balance(WHOLE)).held_nano_usd == 900
    bench.purse.settle(step.hold_id, bench.row(step.hold_id, 50))
    bench.purse.settle(beside.hold_id, bench.row(beside.hold_id, 350))
    balance = await bench.purse.balance(WHOLE)
    assert (balance.spent_nano_usd, balance.held_nano_usd) == (400, 450)
    bench.purse.settle(run.hold_id, ())
    assert (await bench.purse.balance(WHOLE)).held_nano_usd == 0


async def test_a_run_of_a_dead_process_holds_nothing_and_its_step_is_spent(bench: Bench) -> None:
    await bench.purse.put(WHOLE)
    run = await bench.purse.hold(replace(bench.ask(800), intent=None))
    assert isinstance(run, Hold)
    step = await bench.purse.hold(replace(bench.ask(500), parent=run.hold_id))
    assert isinstance(step, Hold)
    await bench.advance(16)
    other = bench.another()
    await other.tick()
    balance = await other.balance(WHOLE)
    assert (balance.spent_nano_usd, balance.held_nano_usd) == (500, 0)


async def test_what_a_dead_process_held_is_spent_and_its_row_says_so(bench: Bench) -> None:
    await bench.purse.put(WHOLE)
    hold = await held(bench, 600)
    await bench.purse.tick()
    other = bench.another()
    await bench.advance(10)
    await other.tick()
    assert (await other.balance(WHOLE)).held_nano_usd == 600
    await bench.advance(6)
    await other.tick()
    balance = await other.balance(WHOLE)
    assert (balance.spent_nano_usd, balance.held_nano_usd) == (600, 0)
    assert await bench.rows() == [(1, hold, 600)]


async def test_a_process_that_was_only_slow_is_put_right(bench: Bench) -> None:
    await bench.purse.put(WHOLE)
    hold = await held(bench, 600)
    other = bench.another()
    await bench.advance(16)
    await other.tick()
    bench.purse.settle(hold, bench.row(hold, 70))
    assert (await bench.purse.balance(WHOLE)).spent_nano_usd == 70
    assert await bench.rows() == [(1, hold, 600), (3, hold, -530)]


async def test_thresholds_are_told_once_a_window(bench: Bench) -> None:
    daily = Budget("daily", Scope(), Calendar("day"), 1000, alerts=(Alert(50), Alert(100)))
    await bench.purse.put(daily)
    for _ in range(3):
        hold = await held(bench, 300, daily)
        bench.purse.settle(hold, bench.row(hold, 300, daily))
        await bench.purse.balance(daily)
    assert [reached.percent for reached in bench.reached] == [50]
    await bench.advance(DAY_S)
    hold = await held(bench, 1000, daily)
    assert [reached.percent for reached in bench.reached] == [50, 50, 100]


async def test_windows_begin_anew(bench: Bench) -> None:
    hourly = Budget("hourly", Scope(), Rolling(3600), 1000)
    await bench.purse.put(hourly)
    hold = await held(bench, 1000, hourly)
    bench.purse.settle(hold, bench.row(hold, 1000, hourly))
    assert (await bench.purse.balance(hourly)).held_nano_usd == 0
    await bench.advance(3540)
    assert (await bench.purse.balance(hourly)).spent_nano_usd == 1000
    await bench.advance(120)
    assert (await bench.purse.balance(hourly)).spent_nano_usd == 0


async def test_an_adjustment_is_for_the_window_under_way(bench: Bench) -> None:
    daily = Budget("daily", Scope(), Calendar("day", "Europe/Berlin"), 1000)
    await bench.purse.put(daily)
    _, balance = await bench.purse.adjust(daily, Gift(500, "sale", Entry("shop")), Once("shop"))
    assert balance.free_nano_usd == 1500
    await bench.advance(DAY_S)
    assert (await bench.purse.balance(daily)).free_nano_usd == 1000


async def test_unpriced_calls_are_counted(bench: Bench) -> None:
    soft = replace(WHOLE, hard=False)
    await bench.purse.put(soft)
    bench.purse.spend(bench.row("", None, soft))
    assert (await bench.purse.balance(soft)).unpriced_calls == 1


async def test_budgets_of_others_are_known_after_a_tick(bench: Bench) -> None:
    other = bench.another()
    await bench.purse.put(replace(WHOLE, scope=Scope(tenant="shop", labels={"team": "search"})))
    await bench.purse.put(replace(WHOLE, budget_id="else", scope=Scope(model="openai/gpt-4o")))
    assert other.counting(SHOP) == ()
    await other.tick()
    assert [budget.budget_id for budget in other.counting(SHOP)] == ["whole"]
    await bench.purse.delete("whole")
    await other.tick()
    assert other.counting(SHOP) == ()
