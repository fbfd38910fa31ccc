"""Budgets of the file: made, changed and deleted as it says, by several workers at once, spending kept."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from promptwire_server.core.budget import Budget, Calendar, Lifetime, Scope
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.ledger import Amounts, Entry
from promptwire_server.layers.steward import Steward
from promptwire_server.stores.sqlite.database import Database
from promptwire_server.stores.sqlite.purse import Purse

SHOP = Budget("shop", Scope(tenant="shop"), Calendar("month"), 1000)


@pytest.fixture
async def purse(tmp_path: Path) -> AsyncIterator[Purse]:
    clock = ManualClock()
    database = Database(tmp_path / "usage.sqlite3", clock=clock, report=print)
    database.start()
    yield Purse(database, "p1", lambda: int(clock.time() * 1e6))
    await asyncio.to_thread(database.close)


async def spent(purse: Purse, budget: Budget) -> int:
    return (await purse.balance(budget)).spent_nano_usd


async def test_the_file_is_kept_and_what_is_spent_stays(purse: Purse) -> None:
    steward = Steward(purse, ManualClock())
    await steward.keep({"shop": SHOP})
    (made,) = await purse.every()
    assert (made.configured, made.limit_nano_usd) == (True, 1000)
    purse.spend([Entry("shop", amounts=Amounts(total=70), budgets=("shop",))])
    await steward.keep({"shop": SHOP})
    assert await purse.every() == [made]  # nothing to change
    await steward.keep({"shop": replace(SHOP, limit_nano_usd=2000)})
    (changed,) = await purse.every()
    assert (changed.limit_nano_usd, changed.created_us, await spent(purse, changed)) == (2000, made.created_us, 70)


@pytest.mark.parametrize("other", [replace(SHOP, window=Lifetime()), replace(SHOP, scope=Scope())])
async def test_with_another_scope_or_window_it_begins_anew(purse: Purse, other: Budget) -> None:
    steward = Steward(purse, ManualClock())
    await steward.keep({"shop": SHOP})
    purse.spend([Entry("shop", amounts=Amounts(total=70), budgets=("shop",))])
    await steward.keep({"shop": other})
    assert await spent(purse, other) == 0


async def test_what_the_file_drops_goes_and_what_others_made_stays(purse: Purse) -> None:
    steward = Steward(purse, ManualClock())
    await purse.put(replace(SHOP, budget_id="made", etag="0123"))
    await steward.keep({"shop": SHOP, "more": replace(SHOP, budget_id="more")})
    await steward.keep({"more": replace(SHOP, budget_id="more")})
    assert [budget.budget_id for budget in await purse.every()] == ["made", "more"]


async def test_the_file_takes_over_what_somebody_made(purse: Purse) -> None:
    await purse.put(replace(SHOP, etag="0123", limit_nano_usd=5))
    purse.spend([Entry("shop", amounts=Amounts(total=3), budgets=("shop",))])
    await Steward(purse, ManualClock()).keep({"shop": SHOP})
    (taken,) = await purse.every()
    assert (taken.configured, taken.limit_nano_usd, await spent(purse, taken)) == (True, 1000, 3)


async def test_workers_that_start_together_agree(purse: Purse) -> None:
    wanted = {f"b{number}": replace(SHOP, budget_id=f"b{number}") for number in range(20)}
    await asyncio.gather(*(Steward(purse, ManualClock(float(worker))).keep(wanted) for worker in range(8)))
    assert len(await purse.every()) == 20
