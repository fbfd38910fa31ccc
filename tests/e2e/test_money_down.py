"""What happens to money while its store is away: hard budgets are closed, soft ones open, and all of it is written when it is back."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path

import apsw
import grpc
import pytest

from promptwire import Promptwire
from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from promptwire_server.core.budget import Budget, Lifetime, Scope
from tests.contract.stores import postgres_server as postgres
from tests.contract.stores.postgres_server import PostgresServer
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.money import Book, File, reason_of
from tests.e2e.process import Server
from tests.faults.fake_provider.process import FakeProvider

HARD, SOFT, FREE = "fake/hard", "fake/soft", "fake/free"
FACTS = {"input_usd_per_1m": "0.15", "output_usd_per_1m": "0.60"}
CALLS = 5  # of each kind


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[PostgresServer]:
    postgres.installed()
    with postgres.running() as server:
        yield server


async def opened(serve: Serve, fake: FakeProvider, book: Book) -> Server:
    """A server with a hard budget and a soft one."""
    await book.put(Budget("hard", Scope(model=HARD), Lifetime(), 10**9))
    await book.put(Budget("soft", Scope(model=SOFT), Lifetime(), 10**9, hard=False))
    config = {"providers": {"fake": process.openai(fake.base_url)}, "model_facts": dict.fromkeys((HARD, SOFT, FREE), FACTS)}
    return serve(config | book.config())


async def meet(server: Server, within_s: float) -> None:
    """Ask while the store is away."""
    async with grpc.aio.insecure_channel(server.target, options=[("grpc.enable_retries", 0)]) as channel:
        ask = ChatServiceStub(channel).Chat
        began_s = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(pb.ChatRequest(model=HARD, prompt="no"), timeout=30)
        assert reason_of(caught.value) == "BUDGET_STORE_UNAVAILABLE"
        assert time.monotonic() - began_s < within_s
        for model in (SOFT, FREE) * CALLS:
            await ask(pb.ChatRequest(model=model, prompt="yes"), timeout=30)


async def check(server: Server, book: Book, calls: int) -> None:
    """The store is back: what was written down meanwhile is there, once, and hard budgets are open."""
    rows = "SELECT COUNT(*), CAST(SUM(total_nano_usd) AS BIGINT) FROM ledger WHERE model = '{}'"
    await asyncio.to_thread(process.until, lambda: book.read(rows.format("soft"))[0][0] >= calls, 30.0, "a row of each call")
    await asyncio.to_thread(process.until, lambda: book.read(rows.format("free"))[0][0] >= calls, 30.0, "a row of each call")
    (counted,) = book.read(rows.format("soft"))
    assert counted[0] == calls
    assert book.read("SELECT spent_nano_usd FROM spending WHERE budget_id = 'soft'") == [(counted[1],)]
    async with Promptwire(server.target) as client:
        await client.chat("yes", model=HARD)
    await asyncio.to_thread(process.until, lambda: book.read("SELECT COUNT(*) FROM holds") == [(0,)], 30.0, "no hold")
    assert book.read(rows.format("hard"))[0][0] == 1


@pytest.mark.parametrize(("leave", "back"), [("kill", "start"), ("freeze", "thaw")])
async def test_with_postgres_away_hard_budgets_are_closed_and_soft_ones_open(
    serve: Serve, fake: FakeProvider, postgres_server: PostgresServer, leave: str, back: str
) -> None:
    book: Book = import_module("tests.e2e.money_postgres").Base(postgres_server.database())
    server = await opened(serve, fake, book)
    getattr(postgres_server, leave)()
    try:
        await meet(server, 7.0)
        await meet(server, 1.0)  # it is known by now
    finally:
        getattr(postgres_server, back)()
    await asyncio.to_thread(server.log.wait, "store.back")
    await check(server, book, 2 * CALLS)
    assert len(server.log.events("store.down")) == 1


async def test_with_a_file_that_cannot_be_written_hard_budgets_are_closed_and_soft_ones_open(
    serve: Serve, fake: FakeProvider, tmp_path: Path
) -> None:
    book = File(tmp_path / "kept")
    server = await opened(serve, fake, book)
    with closing(apsw.Connection(str(book.folder / "usage.sqlite3"))) as other:
        other.execute("BEGIN IMMEDIATE")
        await meet(server, 7.0)
        other.execute("ROLLBACK")
    await check(server, book, CALLS)


def test_a_server_does_not_start_without_the_postgres_that_may_hold_hard_budgets(serve: Serve) -> None:
    postgres.installed()
    with pytest.raises(process.ServerError, match="Budgets are kept there"):
        serve({"stores": {"budgets": "postgres", "postgres": {"url": "postgresql:///none?host=/nowhere"}}})
