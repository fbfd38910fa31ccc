"""Budgets against the provider's own bill: hundreds of calls at once, processes killed at every point, streams left at any word."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import grpc
import pytest

from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.contract.stores import postgres_server as postgres
from tests.contract.stores.postgres_server import PostgresServer
from tests.e2e.conftest import Serve
from tests.e2e.doomed import POINTS
from tests.e2e.money import TOKENS, Book, File, Scene, moments, number_of
from tests.faults.fake_provider.process import FakeProvider

CALLS = 37  # that there is money for
AT_ONCE = 8
Staged = Callable[..., Scene]


@pytest.fixture
def staged(fake: FakeProvider, marker: str, tmp_path: Path) -> Staged:
    """Makes the scene of this test."""

    def stage(calls: int, script: str = "", book: Book | None = None) -> Scene:
        return Scene(fake, marker, book or File(tmp_path / "kept"), calls, script)

    return stage


@pytest.mark.parametrize("workers", [1, 3])
async def test_300_calls_at_once_spend_what_there_is_and_no_more(serve: Serve, staged: Staged, workers: int) -> None:
    scene = staged(CALLS)
    await scene.put()
    server = serve(scene.config(), arguments=["--workers", str(workers)])
    ended = await scene.load(server, 300, 300, connections=6)
    await scene.settled()
    assert ended["OK"] + ended["BUDGET_EXHAUSTED"] == 300, scene.lost
    scene.audit().check()
    assert ended["OK"] >= CALLS - 1


LIVES = [list(POINTS)[start : start + 5] for start in range(0, len(POINTS), 5)]


@pytest.mark.parametrize("points", LIVES, ids=lambda points: points[0].replace(" ", "-"))
async def test_a_server_that_dies_at_a_point_overspends_and_forgets_nothing(serve: Serve, staged: Staged, points: list[str]) -> None:
    scene = staged(100, ";head_ms=150")
    await scene.put()
    for point in points:
        number = 1 if POINTS[point].name in ("reconfigure", "drain") else 11
        server = serve(scene.config(), module="tests.e2e.doomed", environ={"DOOM": f"{point}:{number}"})
        load = asyncio.create_task(scene.load(server, 30, AT_ONCE))
        if POINTS[point].name == "reconfigure":
            await scene.fake.aledger(model=scene.marker, seen=1)
            server.signal(signal.SIGHUP)
        if POINTS[point].name == "drain":
            server.signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.wait, 60) == -signal.SIGKILL
        await load
    last = serve(scene.config())
    ended = await scene.load(last, 150, 30)
    await scene.settled()
    scene.audit().check()
    assert ended["BUDGET_EXHAUSTED"] > 0


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_server_killed_at_any_moment_overspends_and_forgets_nothing(serve: Serve, staged: Staged, seed: int) -> None:
    scene = staged(100, ";head_ms=30")
    await scene.put()
    for moment_s in moments(seed, 4, 1.0):
        server = serve(scene.config())
        load = asyncio.create_task(scene.load(server, 40, AT_ONCE))
        await asyncio.sleep(moment_s)  # any moment will do
        server.process.kill()
        await load
    ended = await scene.load(serve(scene.config()), 150, 30)
    await scene.settled()
    scene.audit().check()
    assert ended["BUDGET_EXHAUSTED"] > 0


async def test_workers_killed_at_any_moment_overspend_nothing_while_the_others_go_on(serve: Serve, staged: Staged) -> None:
    scene = staged(100, ";head_ms=30")
    await scene.put()
    server = serve(scene.config(), arguments=["--workers", "3"])
    for killed, moment_s in enumerate(moments(3, 3, 1.0), 1):
        load = asyncio.create_task(scene.load(server, 40, AT_ONCE, connections=6))
        await asyncio.sleep(moment_s)  # any moment will do
        newest = {line["worker"]: line["pid"] for line in server.log.events("worker.state", state="ready")}
        os.kill(newest[0], signal.SIGKILL)
        await load
        await asyncio.to_thread(server.log.wait, "worker.state", state="ready", count=3 + killed)
    ended = await scene.load(server, 150, 30, connections=6)
    await scene.settled()
    scene.audit().check()
    assert ended["BUDGET_EXHAUSTED"] > 0


async def test_500_streams_left_at_any_word_are_a_row_each_with_what_had_come(serve: Serve, staged: Staged) -> None:
    scene = staged(500, f";delay_ms=40;text={'%20abc' * TOKENS}")  # four characters a token: as they are estimated
    await scene.put()
    received: dict[str, int] = {}
    async with grpc.aio.insecure_channel(serve(scene.config()).target) as channel:
        turns = asyncio.Semaphore(50)
        await asyncio.gather(*[_leave(channel, scene, received, turns) for _ in range(500)])
    entries = await scene.fake.aledger(model=scene.marker, ended=500)
    await scene.settled()
    audit = scene.audit()
    audit.check_rows()
    sent = {number_of(entry): entry["tokens_sent"] for entry in entries}
    written = {row.number: row.output_tokens for row in audit.rows}
    assert len(audit.rows) == len(sent) == len(written) == 500
    assert not [(n, received[n], written[n], sent[n]) for n in sent if not received[n] <= written[n] <= sent[n]]
    assert sum(sent[n] - written[n] <= 1 for n in sent) >= 475  # what is sent while this machine does something else is a word more


async def _leave(channel: grpc.aio.Channel, scene: Scene, received: dict[str, int], turns: asyncio.Semaphore) -> None:
    """Ask for a stream, and leave it at some word."""
    async with turns:
        number = next(scene.numbers)
        call = ChatServiceStub(channel).StreamChat(pb.StreamChatRequest(chat=scene.request(number)))
        text = ""
        async for event in call:
            text += event.part_delta.text
            if len(text) // 4 >= 1 + number * 7 % (TOKENS - 2):
                call.cancel()
                break
        received[str(number)] = len(text) // 4


async def test_holds_of_five_times_the_cost_refuse_hardly_a_call_that_there_is_money_for(serve: Serve, staged: Staged) -> None:
    scene = staged(100, ";head_ms=100")
    scene.most_tokens = 155
    await scene.put()
    ended = await scene.load(serve(scene.config()), 100, 100)
    await scene.settled()
    scene.audit().check()
    assert ended["OK"] >= 90


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[PostgresServer]:
    postgres.installed()
    with postgres.running() as server:
        yield server


@pytest.fixture
def shared(postgres_server: PostgresServer) -> Book:
    """Books that several servers share."""
    # Found by name: its driver is an extra, and without it the fixture has skipped the test by now.
    book: Book = import_module("tests.e2e.money_postgres").Base(postgres_server.database())
    return book


async def test_300_calls_at_three_servers_on_one_postgres_spend_what_there_is_and_no_more(
    serve: Serve, staged: Staged, shared: Book
) -> None:
    scene = staged(CALLS, book=shared)
    await scene.put()
    servers = [serve(scene.config()) for _ in range(3)]
    ended = await scene.load(servers, 300, 300, connections=6)
    await scene.settled()
    assert ended["OK"] + ended["BUDGET_EXHAUSTED"] == 300, scene.lost
    scene.audit().check()
    assert ended["OK"] >= CALLS - 1


async def test_servers_and_a_postgres_killed_at_any_moment_overspend_and_forget_nothing(
    serve: Serve, staged: Staged, shared: Book, postgres_server: PostgresServer
) -> None:
    scene = staged(100, ";head_ms=30", shared)
    await scene.put()
    servers = [serve(scene.config()) for _ in range(2)]
    for moment_s in moments(4, 3, 0.6):
        load = asyncio.create_task(scene.load(servers, 40, AT_ONCE))
        await asyncio.sleep(moment_s)  # any moment will do
        servers.pop(0).process.kill()
        await asyncio.sleep(moment_s)
        await asyncio.to_thread(postgres_server.kill)
        await asyncio.to_thread(postgres_server.start)
        await load
        servers.append(serve(scene.config()))
    ended = await scene.load(servers, 150, 30)
    await scene.settled()
    scene.audit().check()
    assert ended["BUDGET_EXHAUSTED"] > 0
