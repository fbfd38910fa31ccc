"""What reading a ledger that several replicas write promises beyond what QueryUsage and ExportUsage show of any."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from promptwire_server.core.clock import SystemClock
from promptwire_server.core.ledger import Entry
from promptwire_server.core.secret import Secret
from promptwire_server.core.store import StoreDown
from promptwire_server.core.sums import Question, Selection
from promptwire_server.stores.postgres.database import Database
from promptwire_server.stores.postgres.settings import PostgresSettings
from promptwire_server.stores.postgres.usage import Usage
from tests.contract.stores.postgres_server import PostgresServer
from tests.contract.stores.postgres_shelf import PostgresShelf

ALL = Selection(None, 0, 2**62)
COPY = """
INSERT INTO promptwire.ledger OVERRIDING USER VALUE SELECT * FROM promptwire.ledger WHERE entry = 1
"""


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    return postgres_server.database()


@pytest.fixture
async def shelf(url: str) -> AsyncIterator[PostgresShelf]:
    shelf = PostgresShelf(url)
    await shelf.write([Entry("shop")])
    yield shelf
    await shelf.close()


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_who_goes_on_behind_a_row_misses_none_that_is_committed_later(url: str, shelf: PostgresShelf, end: str) -> None:
    usage = shelf.usage()
    async with await psycopg.AsyncConnection.connect(url) as slow:
        await slow.execute(COPY)  # has number 2, and nobody sees it
        await shelf.write([Entry("bank")])
        reading = asyncio.create_task(usage.entries(ALL, 0, 10))
        counting = asyncio.create_task(usage.newest())
        await shelf.write([Entry("bank")])
        assert not reading.done()
        assert not counting.done()
        await getattr(slow, end)()
        numbers = [number for number, _ in await reading]
    assert numbers[:3] == ([1, 2, 3] if end == "commit" else [1, 3, *numbers[2:3]])
    assert await counting >= 3
    assert await usage.newest() == 4


async def test_who_begins_to_write_later_is_not_waited_for(url: str, shelf: PostgresShelf) -> None:
    usage = shelf.usage()
    first, second, watching = [await psycopg.AsyncConnection.connect(url, autocommit=number == 2) for number in range(3)]
    async with first, second, watching:
        await first.execute(COPY)
        reading = asyncio.create_task(usage.newest())
        await _until(watching, "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE '%FROM pg_locks%' AND state = 'idle'", 1)
        await second.execute(COPY)
        await first.commit()
        assert await reading == 2


async def test_a_label_that_postgres_cannot_keep_is_found_as_it_is_kept(shelf: PostgresShelf) -> None:
    await shelf.write([Entry("bank", labels={"n\0": "a\0", "b": "\\u0000"}, units={"u\0": 2})])
    selection = Selection("bank", 0, 2**62, labels={"n\0": "a\0"})
    summed = await shelf.usage().added_up(Question(selection, 10, labels=("n\0", "b")))
    assert [(each.labels, each.units) for each in summed.sums] == [(("a\ufffd", "\\u0000"), {"u\ufffd": 2})]


async def test_nobody_adds_up_any_more_what_nobody_waits_for(url: str, shelf: PostgresShelf) -> None:
    look = asyncio.create_task(shelf.usage()._read(lambda connection: connection.execute("SELECT pg_sleep(60)")))
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
        active = "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
        await _until(other, active, 1)
        look.cancel()
        with pytest.raises(asyncio.CancelledError):
            await look
        await _until(other, active, 0)


async def _until(connection: psycopg.AsyncConnection, question: str, count: int) -> None:
    async with asyncio.timeout(20):
        while await (await connection.execute(question.encode())).fetchone() != (count,):  # noqa: ASYNC110 - another process knows
            await asyncio.sleep(0.01)


async def test_sums_that_no_number_of_ours_holds_are_an_error(shelf: PostgresShelf) -> None:
    rows = [Entry("shop", adjustment_nano_usd=None)._replace(kind=1) for _ in range(3)]
    await shelf.write([row._replace(amounts=row.amounts._replace(total=2**62)) for row in rows])
    with pytest.raises(StoreDown, match="out of range"):
        await shelf.usage().added_up(Question(ALL, 10))


@pytest.mark.parametrize("leave", ["kill", "freeze"])
async def test_a_server_that_is_away_is_told_in_time(postgres_server: PostgresServer, url: str, leave: str) -> None:
    settings = PostgresSettings(Secret(url), timeout_s=1.0)
    database = Database(settings, SystemClock())
    database.start()
    usage = Usage(settings, database, lambda: None)
    getattr(postgres_server, leave)()
    async with asyncio.timeout(20):
        for asked in (usage.newest(), usage.entries(ALL, 0, 1), usage.added_up(Question(ALL, 1))):
            with pytest.raises(StoreDown, match="postgres"):
                await asked
    postgres_server.restore()
    await database.close()
