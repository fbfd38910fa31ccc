"""The table of the README that says what happens while a store is away: each cell is tried on two servers that share all three stores."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import apsw
import grpc
import pytest

from promptwire import v1 as pb
from promptwire.admin import v1 as admin
from promptwire.admin.v1.usage_service_pb2_grpc import UsageServiceStub
from promptwire.v1.chain_service_pb2_grpc import ChainServiceStub
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from promptwire_server.core.budget import Budget, Lifetime, Scope
from tests.contract.stores import postgres_server as postgres
from tests.contract.stores import redis_server as redis
from tests.e2e import process
from tests.e2e.money import Book, File, reason_of
from tests.e2e.process import ROOT, Config, Server, ServerError
from tests.faults.fake_provider.process import FakeProvider

HARD, SOFT = "fake/hard", "fake/soft"
FACTS = {"input_usd_per_1m": "0.15", "output_usd_per_1m": "0.60"}
BURST = 3  # calls that the limit allows
FILES = ("usage.sqlite3", "requests.sqlite3")
AS_EVER, REFUSED, ALONE = "as ever", "refused", "each process by itself"
Stubs = tuple[ChatServiceStub, ChatServiceStub]


class World:
    """Two servers that share Redis and the books, one of which is away within `away`."""

    def __init__(
        self, book: Book, config: Config, leave: Callable[[], None], back: Callable[[], None], *, keeps_books: bool = True
    ) -> None:
        self.book = book
        self.keeps_books = keeps_books  # the one that is away
        self.config = config
        self.leave = leave
        self.back = back
        self.nodes: list[Server] = []

    @contextmanager
    def away(self) -> Iterator[None]:
        """The store is not there."""
        try:
            self.leave()
            yield
        finally:
            self.back()

    def written(self, marker: str) -> int:
        """How many attempts the books have."""
        ((count,),) = self.book.read(f"SELECT COUNT(*) FROM ledger WHERE labels LIKE '%{marker}%'")  # noqa: S608 - a word of the test's
        return int(count)


class Locked:
    """Files that another process writes without an end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()

    def leave(self) -> None:
        for name in FILES:
            other = self._stack.enter_context(closing(apsw.Connection(str(self._folder / name))))
            other.set_busy_timeout(20_000)  # those who write are in their midst
            other.execute("BEGIN IMMEDIATE")

    def back(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def folder_of_world() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pw-down-") as folder:  # pytest's own paths are too long for a socket
        yield Path(folder)


@pytest.fixture(scope="module")
def redis_away(folder_of_world: Path) -> Iterator[redis.RedisServer]:
    redis.installed()
    (folder_of_world / "redis").mkdir()
    server = redis.RedisServer(folder_of_world / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def postgres_away() -> Iterator[postgres.PostgresServer]:
    postgres.installed()
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="module", params=["Redis", "PostgreSQL", "the file"])
def world(
    request: pytest.FixtureRequest, fake: FakeProvider, redis_away: redis.RedisServer, folder_of_world: Path
) -> Iterator[tuple[str, World]]:
    column = str(request.param)
    if column == "the file":
        folder = folder_of_world / "kept"
        locked = Locked(folder)
        made = World(File(folder), {"idempotency": {"store": "file"}}, locked.leave, locked.back)
    else:
        server: postgres.PostgresServer = request.getfixturevalue("postgres_away")
        book: Book = import_module("tests.e2e.money_postgres").Base(server.database())
        away: Any = redis_away if column == "Redis" else server
        made = World(book, {}, away.kill, away.start, keeps_books=column != "Redis")
    for budget in (Budget("hard", Scope(model=HARD), Lifetime(), 10**9), Budget("soft", Scope(model=SOFT), Lifetime(), 10**9, hard=False)):
        asyncio.run(made.book.put(budget))
    made.config = configuration(fake, redis_away.url, made)
    with ExitStack() as stack:
        for _ in range(2):
            own = Path(tempfile.mkdtemp(dir=folder_of_world))
            made.nodes.append(stack.enter_context(process.running(own, made.config)))
        yield column, made


def configuration(fake: FakeProvider, redis_url: str, world: World) -> Config:
    """All that needs a store."""
    kept = world.book.config() | world.config
    stores: Config = {"redis": {"url": redis_url, "timeout": "1s"}} | kept.pop("stores", {})
    return {
        "providers": {"fake": process.openai(fake.base_url)},
        "model_facts": dict.fromkeys((HARD, SOFT), FACTS),
        "limits": [{"name": "few", "per": "model", "match": {"model": "fake/few*"}, "requests_per_minute": 1, "burst": BURST}],
        "cache": {"default": "bypass", "store": "redis"},
        "stores": stores,
        **kept,
    }


@asynccontextmanager
async def reached(world: World) -> AsyncIterator[list[grpc.aio.Channel]]:
    """A channel to each server."""
    options = [("grpc.enable_retries", 0)]
    channels = [grpc.aio.insecure_channel(node.target, options=options) for node in world.nodes]
    yield channels
    for channel in channels:
        await channel.close()


async def reason(call: Awaitable[object]) -> str:
    """How it ended: OK, or the reason of the error."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return reason_of(error)
    return "OK"


async def hard(world: World, _: FakeProvider, marker: str) -> str:
    """A call that a hard budget counts."""
    async with reached(world) as channels:
        asked = pb.ChatRequest(model=HARD, prompt=marker)
        (ended,) = {await reason(ChatServiceStub(channel).Chat(asked, timeout=30)) for channel in channels}
    return {"OK": AS_EVER, "BUDGET_STORE_UNAVAILABLE": REFUSED}[ended]


async def soft(world: World, _: FakeProvider, marker: str) -> str:
    """Calls that no hard budget counts."""
    async with reached(world) as channels:
        for channel in channels:
            await ChatServiceStub(channel).Chat(pb.ChatRequest(model=SOFT, prompt=marker, labels={"n": marker}), timeout=30)
    if not world.keeps_books:
        await asyncio.to_thread(process.until, lambda: world.written(marker) == 2, 30.0, "a row of each call")
        return AS_EVER
    world.back()
    await asyncio.to_thread(process.until, lambda: world.written(marker) == 2, 30.0, "a row of each call")
    world.leave()
    return "answered, written later"


async def usage(world: World, _: FakeProvider, __: str) -> str:
    """Asking what was used."""
    async with reached(world) as channels:
        ended = await reason(UsageServiceStub(channels[0]).QueryUsage(admin.QueryUsageRequest(), timeout=30))
    return {"OK": AS_EVER, "BUDGET_STORE_UNAVAILABLE": REFUSED}[ended]


async def limits(world: World, _: FakeProvider, marker: str) -> str:
    """More calls than a limit allows."""
    asked = pb.ChatRequest(model=f"fake/few{marker}~ok", prompt=marker)
    async with reached(world) as channels:
        ends = [await reason(ChatServiceStub(channel).Chat(asked, timeout=30)) for channel in channels for _ in range(2 * BURST)]
    assert set(ends) == {"OK", "RATE_LIMITED"}
    return {BURST: AS_EVER, 2 * BURST: ALONE}[ends.count("OK")]


async def cache(world: World, fake: FakeProvider, marker: str) -> str:
    """What was answered before."""
    asked = pb.ChatRequest(model=f"fake/{marker}~ok", prompt=marker, cache=pb.CacheSettings(mode=pb.CacheSettings.MODE_READ_WRITE))
    async with reached(world) as channels:
        for number in range(20):
            answer = await ChatServiceStub(channels[number % 2]).Chat(asked, timeout=30)
            if answer.served_from == pb.SERVED_FROM_CACHE:
                return AS_EVER
            await asyncio.sleep(0.05)  # an answer is kept behind it; there is nothing to see of it from outside
    assert len(fake.ledger(model=marker, ended=20)) == 20
    return "the provider is asked"


async def dedup(world: World, fake: FakeProvider, marker: str) -> str:
    """Identical questions at once."""
    asked = pb.ChatRequest(model=f"fake/{marker}~head_ms=2000", prompt=marker, dedup=True)
    async with reached(world) as channels:
        await asyncio.gather(*(ChatServiceStub(channel).Chat(asked, timeout=30) for channel in channels for _ in range(10)))
    return {1: AS_EVER, 2: ALONE}[len(fake.ledger(model=marker))]


async def chat_again(world: World, fake: FakeProvider, marker: str) -> str:
    """A question with an id, made again."""
    asked = pb.ChatRequest(model=f"fake/{marker}~ok", prompt=marker, request_id=marker)
    async with reached(world) as channels:
        for _ in range(2):
            await asyncio.gather(*(ChatServiceStub(channel).Chat(asked, timeout=30) for channel in channels))
    return {1: AS_EVER, 2: ALONE}[len(fake.ledger(model=marker))]


async def run_again(world: World, fake: FakeProvider, marker: str) -> str:
    """A run with an id, made again."""
    asked = pb.RunChainRequest(prompts=[marker], model=f"fake/{marker}~ok", request_id=marker)
    async with reached(world) as channels:
        runs = [reason(ChainServiceStub(channel).RunChain(asked, timeout=30)) for channel in channels * 2]
        (ended,) = set(await asyncio.gather(*runs))
    assert len(fake.ledger(model=marker)) == (ended == "OK")
    return AS_EVER if ended == "OK" else REFUSED


async def start(world: World, _: FakeProvider, __: str) -> str:
    """Another server."""

    def begin() -> str:
        with tempfile.TemporaryDirectory() as own, process.running(Path(own), world.config):
            return AS_EVER

    try:
        return await asyncio.to_thread(begin)
    except ServerError as error:
        return REFUSED if "Budgets are kept there" in str(error) else str(error)


FEATURES: dict[str, Callable[[World, FakeProvider, str], Awaitable[str]]] = {
    "calls that a hard budget counts": hard,
    "soft budgets, the ledger": soft,
    "`promptwire usage`": usage,
    "limits of callers": limits,
    "the cache": cache,
    "identical questions at once": dedup,
    "`request_id` of chats": chat_again,
    "`request_id` of runs": run_again,
    "start of a server": start,
}


def table() -> dict[str, dict[str, str]]:
    """What the README says, by feature and store."""
    found = re.search(
        r"^\| while it is away \|.*\n\|[-|: ]+\|\n((?:\|.*\n)+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found, "README.md has no table that begins with | while it is away |"
    head, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in (found[0].splitlines()[0], *found[1].splitlines())]
    return {feature: dict(zip(head[1:], cells, strict=True)) for feature, *cells in rows}


def test_the_table_has_every_feature_and_nothing_else() -> None:
    assert list(table()) == list(FEATURES)


@pytest.mark.parametrize("feature", FEATURES)
async def test_a_cell_of_the_table_is_what_happens(world: tuple[str, World], fake: FakeProvider, marker: str, feature: str) -> None:
    column, made = world
    with made.away():
        happened = await FEATURES[feature](made, fake, marker)
    assert happened == table()[feature][column]
