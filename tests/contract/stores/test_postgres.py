"""What money in PostgreSQL promises beyond what every purse does: many replicas start, wait, leave and fail in their own ways."""

import asyncio
from dataclasses import replace

import psycopg
import pytest

from promptwire_server.core.budget import Budget, Lifetime, Scope
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.purse import Ask, Denial, Hold
from promptwire_server.core.secret import Secret
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.postgres.database import Database
from promptwire_server.stores.postgres.purse import Purse
from promptwire_server.stores.postgres.settings import PostgresSettings
from tests.contract.stores.postgres_purses import PostgresBench
from tests.contract.stores.postgres_server import PostgresServer
from tests.contract.stores.purses import WHOLE

BUDGETS = [Budget(name, Scope(), Lifetime(), 10**9) for name in "abcdef"]


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    return postgres_server.database()


async def test_replicas_that_start_at_once_make_the_tables_once(url: str) -> None:
    bench = PostgresBench(url)
    purses = [bench.purse, *[bench.another() for _ in range(5)]]
    await asyncio.gather(*[purse.tick() for purse in purses])
    await bench.purse.put(WHOLE)
    assert isinstance(await purses[-1].hold(bench.ask(600)), Hold)
    await bench.aclose()


async def test_tables_of_a_newer_server_are_refused(url: str) -> None:
    bench = PostgresBench(url)
    await bench.purse.tick()
    await bench.aclose()
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE promptwire.version SET version = 99")
    later = PostgresBench(url)
    with pytest.raises(StoreDown, match="version 99, and this server knows 1"):
        await later.purse.tick()
    await later.aclose()


async def test_replicas_that_ask_for_budgets_in_every_order_do_not_block_each_other(url: str) -> None:
    bench = PostgresBench(url)
    purses = [bench.purse, bench.another(), bench.another()]
    for budget in BUDGETS:
        await bench.purse.put(budget)

    async def one(number: int) -> None:
        purse = purses[number % 3]
        turned = BUDGETS[number % 6 :] + BUDGETS[: number % 6]
        held = await purse.hold(bench.ask(10, *turned[:2]))
        assert isinstance(held, Hold)
        purse.settle(held.hold_id, bench.row(held.hold_id, 7, *turned[1:4]))

    await asyncio.gather(*map(one, range(300)))
    for purse in purses:
        await purse.balance(BUDGETS[0])  # behind what each has settled
    spent = [(await bench.purse.balance(budget)).spent_nano_usd for budget in BUDGETS]
    assert spent == [300 * 3 // 6 * 7] * 6
    await bench.aclose()


async def test_names_that_postgres_cannot_keep_are_kept_as_far_as_it_can(url: str) -> None:
    bench = PostgresBench(url)
    await bench.purse.put(WHOLE)
    ask = bench.ask(600)
    held = await bench.purse.hold(replace(ask, intent=ask.intent and ask.intent._replace(model="a\0b", labels={"n": "\0"})))
    assert isinstance(held, Hold)
    bench.purse.settle(held.hold_id, [bench.row(held.hold_id, 5)[0]._replace(model="a\0b", labels={"n": "\0"})])
    balance = await bench.purse.balance(WHOLE)
    assert (balance.spent_nano_usd, balance.held_nano_usd) == (5, 0)
    await bench.aclose()


async def test_what_was_held_for_nobody_is_given_back(url: str) -> None:
    bench = PostgresBench(url)
    await bench.purse.put(WHOLE)
    await bench.purse.tick()
    with psycopg.connect(url) as connection:  # as by a decision whose answer was lost with its connection
        connection.execute("INSERT INTO promptwire.holds SELECT 'lost', owner, 0, 600, '', '' FROM promptwire.owners")
        connection.execute("INSERT INTO promptwire.held VALUES ('whole', 'lost', 600, 0)")
    known = await bench.purse.hold(bench.ask(300))
    assert isinstance(known, Hold)
    await bench.purse.tick()
    assert (await bench.purse.balance(WHOLE)).held_nano_usd == 300
    await bench.aclose()


async def test_a_frozen_replica_keeps_no_budget_for_long(url: str) -> None:
    bench = PostgresBench(url)
    await bench.purse.put(WHOLE)
    async with await psycopg.AsyncConnection.connect(url) as frozen:  # as a replica's session is, amid a transaction
        await frozen.execute("SELECT set_config('idle_in_transaction_session_timeout', '1s', false)")
        await frozen.execute("SELECT * FROM promptwire.budgets FOR UPDATE")
        assert isinstance(await bench.purse.hold(bench.ask(600)), Hold)
        with pytest.raises(psycopg.Error):
            await frozen.execute("SELECT 1")
    await bench.aclose()


async def test_while_it_is_away_wishes_fail_and_settling_waits(postgres_server: PostgresServer, url: str) -> None:
    told: list[bool] = []
    back = asyncio.Event()

    def changed(up: bool, _: str) -> None:  # noqa: FBT001 - the shape of Changed
        told.append(up)
        if up:
            back.set()

    settings = PostgresSettings(Secret(url), timeout_s=5.0)
    database = Database(settings, SystemClock(), changed, retry_s=0.05)
    database.start()
    purse = Purse(database, "one")
    await purse.put(WHOLE)
    held = await purse.hold(Ask("h1", ("whole",), 600, 600, None))
    assert isinstance(held, Hold)
    postgres_server.kill()
    with pytest.raises(StoreDown):
        await purse.hold(Ask("h2", ("whole",), 100, 100, None))
    purse.settle("h1", ())
    postgres_server.start()
    await back.wait()
    balance = await purse.balance(WHOLE)
    assert (balance.held_nano_usd, told) == (0, [False, True])
    assert isinstance(await purse.hold(Ask("h3", ("whole",), 1001, 1001, None)), Denial)
    assert await database.close() == 0
