"""What every purse promises to who makes and changes budgets: compared and set at once, and asked for by name done once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import pytest

from promptwire_server.core.budget import MOST_NANO_USD, Budget
from promptwire_server.core.ledger import Entry
from promptwire_server.core.purse import Change, Conflict, Gift, Once, Reused, TooMuch
from tests.contract.stores.purses import WHOLE, Bench, SqliteBench
from tests.contract.stores.redis_purses import RedisBench

T = TypeVar("T")
MADE = replace(WHOLE, etag="e1")
GIFT = Gift(500, "sale", Entry("shop"))


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


async def settled(*tries: Awaitable[T]) -> list[T]:
    """What came of those that no conflict met."""
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert {type(each) for each in done if isinstance(each, BaseException)} <= {Conflict}
    return [each for each in done if not isinstance(each, BaseException)]


async def test_of_many_that_make_a_budget_one_does(bench: Bench) -> None:
    others = [bench.another() for _ in range(3)]
    wishes = [Change("whole", None, replace(MADE, limit_nano_usd=number)) for number in range(12)]
    (made,) = await settled(*(others[number % 3].change(wish, Once("a")) for number, wish in enumerate(wishes)))
    assert await bench.purse.every() == [made]


async def test_a_change_holds_only_for_what_was_seen(bench: Bench) -> None:
    await bench.purse.change(Change("whole", None, MADE), Once(""))
    changed = replace(MADE, limit_nano_usd=7, etag="e2")
    assert await bench.purse.change(Change("whole", "e1", changed), Once("")) == changed
    for stale in (Change("whole", "e1", MADE), Change("whole", None, MADE), Change("whole", "e1", None), Change("none", "e1", None)):
        with pytest.raises(Conflict):
            await bench.purse.change(stale, Once(""))
    assert await bench.another().every() == [changed]


async def test_what_is_spent_stays_with_a_change_and_goes_with_a_new_beginning(bench: Bench) -> None:
    await bench.purse.change(Change("whole", None, MADE), Once(""))
    bench.purse.spend(bench.row("", 70))
    second = replace(MADE, etag="e2")
    await bench.purse.change(Change("whole", "e1", second), Once(""))
    assert (await bench.purse.balance(second)).spent_nano_usd == 70
    await bench.purse.change(Change("whole", "e2", replace(MADE, etag="e3"), reset=True), Once(""))
    assert (await bench.purse.balance(MADE)).spent_nano_usd == 0


async def test_a_request_made_again_gets_the_answer_of_the_first(bench: Bench) -> None:
    once = Once("a", "r", "body")
    assert await bench.purse.change(Change("whole", None, MADE), once) == MADE
    await bench.purse.change(Change("whole", "e1", None), Once(""))
    assert await bench.another().change(Change("whole", None, replace(MADE, etag="e9")), once) == MADE
    assert await bench.purse.every() == []


async def test_a_request_id_with_another_body_is_refused(bench: Bench) -> None:
    await bench.purse.change(Change("whole", None, MADE), Once("a", "r", "body"))
    with pytest.raises(Reused):
        await bench.purse.change(Change("whole", "e1", None), Once("a", "r", "other"))
    with pytest.raises(Reused):
        await bench.purse.adjust(MADE, GIFT, Once("a", "r", "other"))
    await bench.purse.adjust(MADE, GIFT, Once("b", "r", "other"))  # somebody else's of the same name


async def test_a_gift_is_given_once_by_all_processes_together(bench: Bench) -> None:
    await bench.purse.change(Change("whole", None, MADE), Once(""))
    purses = [bench.purse, *(bench.another() for _ in range(3))]
    given = await asyncio.gather(*(purses[number % 4].adjust(MADE, GIFT, Once("a", "r", "body", "me")) for number in range(20)))
    assert len({each for each, _ in given}) == 1
    assert (given[0][0].amount_nano_usd, given[0][0].reason, given[0][0].principal) == (500, "sale", "me")
    assert (await bench.purse.balance(MADE)).adjusted_nano_usd == 500


async def test_gifts_without_a_name_are_given_each_time(bench: Bench) -> None:
    await bench.purse.change(Change("whole", None, MADE), Once(""))
    for _ in range(2):
        await bench.purse.adjust(MADE, GIFT, Once("a"))
    assert (await bench.purse.balance(MADE)).adjusted_nano_usd == 1000


async def test_what_is_gone_gets_nothing_and_nothing_gets_too_much(bench: Bench) -> None:
    with pytest.raises(Conflict):
        await bench.purse.adjust(MADE, GIFT, Once("a"))
    await bench.purse.change(Change("whole", None, MADE), Once(""))
    most = replace(GIFT, amount_nano_usd=MOST_NANO_USD)
    for _ in range(10):
        await bench.purse.adjust(MADE, most, Once("a"))
    with pytest.raises(TooMuch):
        await bench.purse.adjust(MADE, most, Once("a"))


async def test_balances_are_of_one_moment_and_in_order(bench: Bench) -> None:
    other: Budget = replace(MADE, budget_id="other", limit_nano_usd=5)
    for budget in (MADE, other):
        await bench.purse.change(Change(budget.budget_id, None, budget), Once(""))
    assert [balance.limit_nano_usd for balance in await bench.purse.balances([other, MADE])] == [5, 1000]
