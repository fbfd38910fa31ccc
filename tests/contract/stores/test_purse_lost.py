"""What the purse on Redis promises when the server loses what it knew: nobody spends more than there is."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from promptwire_server.core.purse import Denial, Hold
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.redis.purse import Purse
from tests.contract.stores.purses import WHOLE
from tests.contract.stores.redis_purses import RedisBench
from tests.contract.stores.redis_server import RedisServer

LIMIT = 300_000
BUDGET = replace(WHOLE, limit_nano_usd=LIMIT)
COST = 1000


class Shop:
    """Three processes that spend as much as they may, until all of them are refused."""

    def __init__(self, bench: RedisBench, seed: int) -> None:
        self.bench = bench
        self.purses = [bench.purses[0], *(bench.another() for _ in range(2))]
        self.chance = Random(seed)
        self.spent = 0  # as the provider has it
        self.closed = 0
        self.at: dict[int, Callable[[], None]] = {}

    async def run(self) -> None:
        await self.purses[0].put(BUDGET)
        for purse in self.purses:
            await purse.tick()
        ticking = [asyncio.create_task(self._tick(purse)) for purse in self.purses]
        try:
            async with asyncio.timeout(30), asyncio.TaskGroup() as group:
                for number in range(24):
                    group.create_task(self._buy(self.purses[number % 3]))
        finally:
            for task in ticking:
                task.cancel()
            await asyncio.gather(*ticking, return_exceptions=True)

    async def _tick(self, purse: Purse) -> None:
        while True:
            with suppress(StoreDown):
                await purse.tick()
            await asyncio.sleep(0.05)

    async def _buy(self, purse: Purse) -> None:
        while True:
            try:
                decided = await purse.hold(self.bench.ask(COST * 2))
            except StoreDown:
                self.closed += 1
                await asyncio.sleep(0.02)
                continue
            if isinstance(decided, Denial):
                if not decided.by_holds:
                    return
                await asyncio.sleep(0.01)
                continue
            assert isinstance(decided, Hold)
            await asyncio.sleep(self.chance.random() * 0.01)  # the provider answers
            cost = COST + self.chance.randrange(COST)
            self.spent += cost
            for moment in [moment for moment in self.at if self.spent >= moment]:
                self.at.pop(moment)()
            purse.settle(decided.hold_id, self.bench.row(decided.hold_id, cost))


@pytest.fixture
async def bench(redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[RedisBench]:
    bench = RedisBench(redis_server, tmp_path / "usage.sqlite3", quiet_s=0.4)
    yield bench
    await bench.aclose()


@pytest.mark.parametrize("seed", range(3))
async def test_a_server_emptied_at_sixty_percent_lets_nobody_overspend(bench: RedisBench, seed: int) -> None:
    shop = Shop(bench, seed)
    shop.at[LIMIT * 6 // 10] = lambda: assert_ok(bench.server.tell("FLUSHALL"))
    await shop.run()
    balance = await bench.purse.balance(BUDGET)
    assert shop.closed
    assert LIMIT * 9 // 10 <= shop.spent <= balance.spent_nano_usd <= LIMIT
    assert balance.held_nano_usd == 0


@pytest.mark.parametrize("seed", range(3))
async def test_a_server_back_from_an_older_copy_lets_nobody_overspend(bench: RedisBench, seed: int, tmp_path: Path) -> None:
    shop = Shop(bench, seed)
    server = bench.server
    kept, copy = server.folder / "appendonlydir", tmp_path / "copy"

    def keep() -> None:
        server.freeze()
        shutil.copytree(kept, copy)
        server.thaw()

    def back() -> None:
        server.kill()
        shutil.rmtree(kept)
        shutil.copytree(copy, kept)
        server.start()

    shop.at[LIMIT * 3 // 10] = keep
    shop.at[LIMIT * 6 // 10] = back
    await shop.run()
    balance = await bench.purse.balance(BUDGET)
    assert shop.closed
    assert LIMIT * 9 // 10 <= shop.spent <= balance.spent_nano_usd <= LIMIT
    assert balance.held_nano_usd == 0


def assert_ok(reply: bytes) -> None:
    assert reply == b"+OK\r\n"


async def test_what_a_process_had_spent_and_held_that_died_before_a_loss_is_spent_as_others_saw_it(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    bench = RedisBench(redis_server, tmp_path / "usage.sqlite3", lease_s=0.5)
    first, dead = bench.purses[0], bench.another()
    await first.put(BUDGET)
    await dead.tick()
    decided = await dead.hold(bench.ask(1000))
    assert isinstance(decided, Hold)
    dead.settle(decided.hold_id, bench.row(decided.hold_id, 700))
    assert isinstance(await dead.hold(bench.ask(400)), Hold)
    assert (await dead.balance(BUDGET)).held_nano_usd == 400
    await first.tick()
    assert_ok(bench.server.tell("FLUSHALL"))
    with pytest.raises(StoreDown):
        await first.hold(bench.ask(1))
    assert [budget.budget_id for budget in first.budgets()] == [BUDGET.budget_id]
    async with asyncio.timeout(20):
        while isinstance(decided, Hold):
            with suppress(StoreDown):
                await first.tick()
                decided = await first.hold(bench.ask(LIMIT - 1099))
    assert decided == Denial(BUDGET.budget_id, LIMIT, LIMIT - 1100, by_holds=False, reset_us=None)
    await bench.aclose()


async def test_what_is_written_back_twice_counts_once(bench: RedisBench) -> None:
    await bench.purse.put(BUDGET)
    other = bench.another()
    hold = await bench.purse.hold(bench.ask(500))
    assert isinstance(hold, Hold)
    bench.purse.settle(hold.hold_id, bench.row(hold.hold_id, 300))
    assert isinstance(await bench.purse.hold(bench.ask(200)), Hold)
    await other.tick()
    for _ in range(3):
        assert_ok(bench.server.tell("FLUSHALL"))
        async with asyncio.timeout(20):
            seen = None
            while seen is None:
                with suppress(StoreDown):
                    await bench.purse.tick()
                with suppress(StoreDown):
                    await other.tick()
                    seen = await other.balance(BUDGET)
        assert (seen.spent_nano_usd, seen.held_nano_usd) == (300, 200)
