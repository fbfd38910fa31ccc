"""What a hard budget and the provider's own ledger say of the same calls: the scene of the tests about money, and the audit after them."""

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any, Protocol

import apsw
import grpc
from google.rpc import error_details_pb2, status_pb2

from promptwire import v1 as pb
from promptwire.v1 import chat_service_pb2_grpc as chats
from promptwire_server.core.budget import Budget, Lifetime, Scope
from promptwire_server.core.clock import SystemClock
from promptwire_server.stores.sqlite.database import Database
from promptwire_server.stores.sqlite.purse import Purse
from tests.e2e import process
from tests.e2e.process import Server
from tests.faults.fake_provider.answer import last_user_text, prompt_tokens
from tests.faults.fake_provider.process import FakeProvider

TOKENS = 20  # of each answer
INPUT, OUTPUT, REQUEST = "0.123457", "9.876543", "0.000123"  # US dollars: for a million tokens, and for each call
LEASE_S = 3
_FREE_S = 30.0  # in which holds of the dead must be gone
_ATTEMPT = 1
_LOST = "LOST"  # the server went away


class Book(Protocol):
    """Our books, in a store that outlives servers."""

    async def put(self, budget: Budget) -> None:
        """Make a budget, as another process would."""

    def config(self) -> dict[str, Any]:
        """Of servers that keep it."""

    def read(self, statement: str) -> list[tuple[Any, ...]]:
        """What it says."""


@dataclass(frozen=True)
class File:
    """A state directory."""

    folder: Path

    async def put(self, budget: Budget) -> None:
        """See Book."""
        database = Database(self._file, clock=SystemClock(), report=print)
        database.start()
        await Purse(database, "the test", lambda: int(SystemClock().time() * 1e6)).put(budget)
        await asyncio.to_thread(database.close)

    def config(self) -> dict[str, Any]:
        """See Book."""
        return {"state_dir": str(self.folder)}

    def read(self, statement: str) -> list[tuple[Any, ...]]:
        """See Book."""
        with closing(apsw.Connection(str(self._file), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            connection.set_busy_timeout(5000)
            return list(connection.execute(statement).fetchall())

    @property
    def _file(self) -> Path:
        return self.folder / "usage.sqlite3"


@dataclass
class Scene:
    """Calls that count against one budget."""

    fake: FakeProvider
    marker: str
    book: "Book"
    calls: int  # that the budget has money for
    script: str = ""
    most_tokens: int = TOKENS  # that a call asks for
    numbers: Iterator[int] = field(default_factory=itertools.count)
    lost: list[str] = field(default_factory=list)  # how questions ended that the server did not answer

    @property
    def model(self) -> str:
        return f"{self.marker}~tokens={TOKENS}{self.script}"

    @property
    def budget(self) -> Budget:
        """Money for so many calls, and a bit that is not enough for another."""
        return Budget("whole", Scope(model=f"fake/{self.model}"), Lifetime(), self.calls * _cost(2) + 12_345)

    def config(self, **more: Any) -> dict[str, Any]:
        """Of a server that keeps the scene's money."""
        facts = {"input_usd_per_1m": INPUT, "output_usd_per_1m": OUTPUT, "request_usd": REQUEST}
        settings: dict[str, Any] = {
            "providers": {"fake": process.openai(self.fake.base_url)},
            "model_facts": {f"fake/{self.model}": facts},
            "holds": {"lease": f"{LEASE_S}s"},
        }
        return settings | self.book.config() | more

    async def put(self) -> None:
        """Make the budget, as another process would."""
        await self.book.put(self.budget)

    async def load(self, servers: Server | Sequence[Server], calls: int, at_once: int, *, connections: int = 3) -> Counter[str]:
        """Ask so many questions, so many of them at once; how they ended: OK, the reason of an error, or LOST."""
        targets = [server.target for server in ([servers] if isinstance(servers, Server) else servers)]
        ended: Counter[str] = Counter()
        options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.aio.insecure_channel(targets[number % len(targets)], options=options) for number in range(connections)]
        turns = asyncio.Semaphore(at_once)

        async def one(number: int) -> None:
            async with turns:
                ended[await self._ask(channels[number % connections], number)] += 1

        await asyncio.gather(*[one(next(self.numbers)) for _ in range(calls)])
        await asyncio.gather(*[channel.close() for channel in channels])
        return ended

    async def _ask(self, channel: grpc.aio.Channel, number: int) -> str:
        """Every other question as a stream."""
        stub = chats.ChatServiceStub(channel)
        try:
            if number % 2:
                await stub.Chat(self.request(number), timeout=60)
            else:
                async for _ in stub.StreamChat(pb.StreamChatRequest(chat=self.request(number)), timeout=60):
                    pass
        except grpc.aio.AioRpcError as error:
            reason = reason_of(error)
            if reason == _LOST:
                self.lost.append(f"{number}: {error.code().name} {error.details()}")
            return reason
        return "OK"

    def request(self, number: int) -> pb.ChatRequest:
        """A question of its own, which both ledgers name."""
        request = pb.ChatRequest(model=f"fake/{self.model}", prompt=f"{self.marker} {number}", labels={"n": str(number)})
        request.generation.max_output_tokens = self.most_tokens
        return request

    async def settled(self) -> float:
        """Wait until nothing is held any more; how long that took, in seconds."""
        return await asyncio.to_thread(process.until, lambda: self.book.read("SELECT COUNT(*) FROM holds") == [(0,)], _FREE_S, "no hold")

    def audit(self) -> "Audit":
        """Both books, side by side. Nothing may be held any more."""
        asked: Counter[str] = Counter()
        bill = 0
        for entry in self.fake.ledger(model=self.marker):
            body: Mapping[str, Any] = entry["body"]
            asked[number_of(entry)] += 1
            bill += _cost(prompt_tokens(body["messages"]))
        columns = "kind, labels, request_id, attempt, estimated, hold_id, provider_request_id, output_tokens, total_nano_usd"
        rows = [Row(*row) for row in self.book.read(f"SELECT {columns} FROM ledger ORDER BY entry")]  # noqa: S608 - names of our own
        ((spent,),) = self.book.read("SELECT CAST(SUM(spent_nano_usd) AS BIGINT) FROM spending")
        return Audit(self.budget.limit_nano_usd, asked, bill, rows, spent or 0)


@dataclass(frozen=True)
class Row:
    """A row of our ledger."""

    kind: int
    labels: str
    request_id: str
    attempt: int
    estimated: int
    hold_id: str
    provider_request_id: str
    output_tokens: int
    nano_usd: int

    @property
    def number(self) -> str:
        """The question."""
        return str(json.loads(self.labels)["n"])


@dataclass(frozen=True)
class Audit:
    """The provider's book and ours."""

    limit: int
    asked: Counter[str]  # requests that the provider saw, by question
    bill: int  # what the provider charges: every answer as if it had been written to its end
    rows: Sequence[Row]
    spent: int

    def check(self) -> None:
        """Nothing overspent, no request without a row, no row twice, and all sums right."""
        self.check_rows()
        assert self.bill <= self.limit
        assert self.bill <= self.spent

    def check_rows(self) -> None:
        """The same but for the provider's bill."""
        attempts = [row for row in self.rows if row.kind == _ATTEMPT]
        written = Counter(row.number for row in attempts)
        assert sum(row.nano_usd for row in self.rows) == self.spent <= self.limit
        assert not self.asked - written, "requests without a row"
        assert not _twice((row.request_id, row.attempt) for row in attempts)
        assert not _twice(row.hold_id for row in attempts if row.hold_id)
        assert not _twice(row.provider_request_id for row in attempts if row.provider_request_id)
        # Only of those whose end nobody saw is it not known whether the provider was asked.
        assert all(row.estimated and not row.provider_request_id for row in attempts if not self.asked[row.number])


def number_of(entry: Mapping[str, Any]) -> str:
    """The question of a request that the provider saw."""
    *_, number = last_user_text(entry["body"]["messages"]).split(" ")
    return number


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """BUDGET_EXHAUSTED and the like; LOST when there was no server."""
    data = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    info = error_details_pb2.ErrorInfo()
    for detail in status_pb2.Status.FromString(data).details if isinstance(data, bytes) else ():
        if detail.Unpack(info):
            return str(info.reason)
    return _LOST


def moments(seed: int, count: int, most_s: float) -> list[float]:
    """Random ones, the same for the same seed."""
    chance = random.Random(seed)
    return [chance.uniform(0.05, most_s) for _ in range(count)]


def _cost(prompt: int) -> int:
    """What the provider charges for one answer, in nano-USD: each kind rounded up."""
    words = sum(ceil(Fraction(price) * 1000 * tokens) for price, tokens in ((INPUT, prompt), (OUTPUT, TOKENS)))
    return words + ceil(Fraction(REQUEST) * 10**9)


def _twice(names: Iterator[Any]) -> list[Any]:
    return [name for name, count in Counter(names).items() if count > 1]
