"""UsageService over a real ledger: sums that are exact, by every grouping, page by page, for nobody but who may see them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from promptwire import v1 as pb
from promptwire.admin import v1 as admin
from promptwire_server.core.call import Principal
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import BudgetStoreUnavailable, Disabled, InvalidRequest, PolicyDenied
from promptwire_server.core.ledger import ADJUSTMENT, ATTEMPT, CORRECTION, SAVED, Amounts, Entry, Tokens
from promptwire_server.rpc.usage import UsageService, UsageStore
from promptwire_server.stores.sqlite import ledger
from promptwire_server.stores.sqlite.database import Database
from promptwire_server.stores.sqlite.usage import Usage
from tests.contract.stores.conftest import postgres_process, postgres_server
from tests.unit.rpc.exchanges import FakeExchange
from tests.unit.rpc.usages import expected

__all__ = ["postgres_process", "postgres_server"]

OPERATOR, SHOP = Principal(tenant="", name="ops", operator=True), Principal("shop", "till")
DAY_US = 86_400_000_000
NOW_US = 1_700_000_000_000_000  # 2023-11-14 22:13:20 UTC
FAILED = pb.Failure(code=14, reason=pb.ERROR_REASON_UPSTREAM_FAILED).SerializeToString()


def at(micros: int) -> Timestamp:
    """A moment as the contract has it."""
    time = Timestamp()
    time.FromMicroseconds(micros)
    return time


def berlin(text: str) -> int:
    """Microseconds of a time on a wall in Berlin."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()) * 1_000_000


class Shelf(Protocol):
    """Where a ledger is."""

    def usage(self, settle: Callable[[], None]) -> UsageStore:
        """It, to be read."""

    async def write(self, entries: Sequence[Entry]) -> None:
        """Add rows."""

    async def close(self) -> None:
        """No more of it."""


class File:
    """A Shelf."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._database = Database(file, clock=ManualClock(0.0), report=print)
        self._database.start()

    def usage(self, settle: Callable[[], None]) -> Usage:
        return Usage(self._file, self._database, settle)

    async def write(self, entries: Sequence[Entry]) -> None:
        await self._database.decide(lambda connection: ledger.insert(connection, entries, NOW_US))

    async def close(self) -> None:
        await asyncio.to_thread(self._database.close)


class Books:
    """The service and its ledger."""

    def __init__(self, shelf: Shelf) -> None:
        self.clock = ManualClock(0.0)
        self.settled = 0
        self.write = shelf.write
        self.close = shelf.close
        self.service = UsageService(shelf.usage(self._settle), self.clock)

    def _settle(self) -> None:
        self.settled += 1

    async def query(
        self, who: Principal = OPERATOR, request: admin.QueryUsageRequest | None = None, **fields: object
    ) -> admin.QueryUsageResponse:
        asked = request or admin.QueryUsageRequest(**fields)  # type: ignore[arg-type] # the test's
        return await self.service.QueryUsage(asked, FakeExchange(principal=who))

    async def export(self, who: Principal = OPERATOR, **fields: object) -> list[admin.LedgerEntry]:
        return [entry for message in await self.messages(who, **fields) for entry in message.entries]

    async def messages(self, who: Principal = OPERATOR, **fields: object) -> list[admin.ExportUsageResponse]:
        exchange = FakeExchange(principal=who)
        await self.service.ExportUsage(admin.ExportUsageRequest(**fields), exchange)  # type: ignore[arg-type] # the test's
        return exchange.messages  # type: ignore[return-value] # what it sends


@pytest.fixture(params=["file", "postgres"])
async def books(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Books]:
    shelf: Shelf = File(tmp_path / "usage.sqlite3") if request.param == "file" else postgres_shelf(request)
    yield Books(shelf)
    await shelf.close()


def postgres_shelf(request: pytest.FixtureRequest) -> Shelf:
    """Found by name: its driver is an extra, and without it the fixture has skipped the test by now."""
    server = request.getfixturevalue("postgres_server")
    shelf: Shelf = import_module("tests.contract.stores.postgres_shelf").PostgresShelf(server.database())
    return shelf


def row(at_us: int = NOW_US - 1, cost: int | None = 1, **fields: object) -> Entry:
    return Entry(**{"tenant": "shop", "at_us": at_us, "amounts": Amounts(total=cost)} | fields)  # type: ignore[arg-type] # the test's


WORDS = ["", "a", "b", 'c"d', "é"]
# Around both changes of the clock of 2023 in Berlin, and the last days.
BEGINS = [berlin("2023-03-24"), berlin("2023-10-28"), NOW_US - 3 * DAY_US]
MIDNIGHTS = [berlin(f"2023-{day}") for day in ("03-26", "03-27", "10-29", "10-30", "11-01")]
ZONES = ["", "Europe/Berlin", "Asia/Beirut", "Asia/Kathmandu", "America/New_York"]
BUCKETS = [value for value in admin.UsageBucket.values() if value != admin.USAGE_BUCKET_MINUTE]


class World:
    """A ledger and questions, as a seed has them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def moment(self) -> int:
        random = self.random
        return random.choice(MIDNIGHTS) if random.random() < 0.2 else random.choice(BEGINS) + random.randrange(3 * DAY_US)

    def tags(self) -> dict[str, str]:
        random = self.random
        return {key: random.choice(WORDS) for key in ("team", 'o"dd', "$.x") if random.random() < 0.5}

    def money(self) -> int | None:
        return None if self.random.random() < 0.2 else self.random.randrange(-(10**15), 10**15)

    def entry(self) -> Entry:
        random = self.random
        words = {
            name: random.choice(WORDS)
            for name in ("principal", "api_key_id", "provider", "model", "chain", "step_id", "run_id", "request_id")
        }
        return Entry(
            tenant=random.choice(["shop", "search"]),
            kind=random.choice([ATTEMPT, ATTEMPT, SAVED, CORRECTION, ADJUSTMENT]),
            at_us=self.moment(),
            served_from=random.randrange(5),
            failure=random.choice([b"", FAILED]),
            tokens=Tokens(*(random.randrange(10**12) for _ in Tokens._fields)),
            estimated=random.random() < 0.2,
            units={unit: random.randrange(1, 9) for unit in ("searches", "images") if random.random() < 0.3},
            amounts=Amounts(*(self.money() for _ in Amounts._fields)),
            labels=self.tags(),
            **words,  # type: ignore[arg-type] # all of them are texts
        )

    def question(self) -> admin.QueryUsageRequest:
        random = self.random
        start_us, end_us = sorted({self.moment(), self.moment() + 1})[:2] if random.random() < 0.5 else (BEGINS[0], NOW_US)
        chosen: dict[str, Any] = {
            "start_time": at(start_us),
            "end_time": at(max(end_us, start_us + 1)),
            "bucket": random.choice(BUCKETS),
            "time_zone": random.choice(ZONES),
            "group_by": random.sample(range(1, 8), random.randrange(4)),
            "group_by_label_keys": random.sample(["team", 'o"dd', "$.x", "none"], random.randrange(3)),
            "filter": self.filter() if random.random() < 0.5 else admin.UsageFilter(),
            "order": random.choice(admin.UsageOrder.values()),
            "page_size": random.randrange(1, 8),
        }
        return admin.QueryUsageRequest(**chosen)

    def filter(self) -> admin.UsageFilter:
        random = self.random
        return admin.UsageFilter(
            tenants=random.sample(["shop", "search"], random.randrange(3)),
            models=random.sample(WORDS, random.choice([0, 0, 2, 4])),
            chain_names=random.sample(WORDS, random.choice([0, 0, 4])),
            served_from=random.sample(SERVED, random.choice([0, 0, 3])),
            labels=self.tags() if random.random() < 0.3 else {},
        )


SERVED = [name for name, value in pb.ServedFrom.items() if value]
KEYS: dict[int, Callable[[admin.UsageRow], float]] = {
    admin.USAGE_ORDER_COST: lambda each: each.cost.total_nano_usd if each.cost.HasField("total_nano_usd") else float("-inf"),
    admin.USAGE_ORDER_TOKENS: lambda each: each.usage.input_tokens + each.usage.output_tokens,
    admin.USAGE_ORDER_ENTRIES: lambda each: each.entry_count,
}


@pytest.mark.parametrize("seed", range(12))
async def test_sums_are_those_of_a_plain_count(books: Books, seed: int) -> None:
    world = World(seed)
    entries = [world.entry() for _ in range(world.random.randrange(40))]
    await books.write(entries)
    for _ in range(12):
        for who in (OPERATOR, SHOP):
            await compare(books, entries, world.question(), who)


async def compare(books: Books, entries: Sequence[Entry], question: admin.QueryUsageRequest, who: Principal) -> None:
    """Ask for all pages, and count by hand."""
    rows, total = expected(entries, question, None if who.operator else who.tenant)
    first = answer = await books.query(who, question)
    found = list(first.rows)
    while answer.next_page_token:
        question.page_token = answer.next_page_token
        answer = await books.query(who, question)
        assert not answer.HasField("total")
        found += answer.rows
    assert first.total == total
    assert sorted(map(_text, found)) == sorted(map(_text, rows))
    key = KEYS.get(question.order, _newest)
    assert [key(each) for each in found] == sorted(map(key, rows), reverse=True)


def _newest(row: admin.UsageRow) -> float:
    return -row.start_time.ToMicroseconds()


def _text(message: admin.UsageRow) -> bytes:
    return message.SerializeToString(deterministic=True)


async def test_days_with_a_change_of_the_clock_have_23_and_25_hours(books: Books) -> None:
    days = ["2023-03-26T12:00", "2023-10-29T12:00"]
    await books.write([row(berlin(day)) for day in days])
    found = await books.query(start_time=at(berlin("2023-01-01")), bucket=admin.USAGE_BUCKET_DAY, time_zone="Europe/Berlin")
    hours = [(each.end_time.seconds - each.start_time.seconds) / 3600 for each in found.rows]
    assert hours == [23, 25]
    assert found.rows[0].start_time == at(berlin("2023-03-26"))


async def test_a_span_is_widened_to_whole_buckets(books: Books) -> None:
    noon = berlin("2023-11-10T12:00")
    await books.write([row(noon - 3 * 3_600_000_000), row(noon + 3 * 3_600_000_000), row(noon - DAY_US)])
    question: dict[str, Any] = {"start_time": at(noon - 60_000_000), "end_time": at(noon), "time_zone": "Europe/Berlin"}
    assert (await books.query(**question)).total.entry_count == 0
    (found,) = (await books.query(**question, bucket=admin.USAGE_BUCKET_DAY)).rows
    assert (found.entry_count, found.start_time) == (2, at(berlin("2023-11-10")))


async def test_the_last_30_days_are_meant_where_nothing_is_said(books: Books) -> None:
    await books.write([row(NOW_US - 29 * DAY_US), row(NOW_US - 31 * DAY_US), row(NOW_US + 1)])
    answer = await books.query()
    assert (answer.total.entry_count, answer.as_of_time, len(answer.rows)) == (1, at(NOW_US), 1)
    assert books.settled == 1


async def test_money_without_a_price_is_unknown_rather_than_nothing(books: Books) -> None:
    await books.write([row(model="known", cost=3), row(model="known", cost=None), row(model="unknown", cost=None)])
    known, unknown = (await books.query(group_by=[admin.USAGE_DIMENSION_MODEL])).rows
    assert (known.cost.total_nano_usd, known.unpriced_count) == (3, 1)
    assert (unknown.cost.HasField("total_nano_usd"), unknown.unpriced_count) == (False, 1)


async def test_sums_beyond_what_a_float_holds_are_exact(books: Books) -> None:
    await books.write([row(cost=2**53), row(cost=1), row(cost=2**60)])
    assert (await books.query()).total.cost.total_nano_usd == 2**60 + 2**53 + 1


async def test_pages_tell_of_what_was_there_at_the_first(books: Books) -> None:
    await books.write([row(model=name) for name in "abc"])
    first = await books.query(group_by=[admin.USAGE_DIMENSION_MODEL], page_size=2)
    await books.write([row(model=name) for name in "0abcd"])
    books.clock.now_s += 60
    second = await books.query(group_by=[admin.USAGE_DIMENSION_MODEL], page_size=2, page_token=first.next_page_token)
    assert [(each.group.model, each.entry_count) for each in [*first.rows, *second.rows]] == [("a", 1), ("b", 1), ("c", 1)]
    assert (second.next_page_token, second.as_of_time) == ("", first.as_of_time)


async def test_a_token_of_another_question_is_refused(books: Books) -> None:
    await books.write([row(model=name) for name in "abc"])
    token = (await books.query(group_by=[admin.USAGE_DIMENSION_MODEL], page_size=1)).next_page_token
    bad: list[dict[str, Any]] = [{"page_token": token}, {"page_token": "rubbish"}, {"page_token": "MToyOjM="}]
    for fields in bad:
        with pytest.raises(InvalidRequest, match="page_token"):
            await books.query(**fields)


async def test_a_tenant_sees_itself_whatever_it_asks_for(books: Books) -> None:
    await books.write([row(), row(tenant="search", cost=50)])
    both = [admin.USAGE_DIMENSION_TENANT]
    assert [each.group.tenant for each in (await books.query(group_by=both)).rows] == ["search", "shop"]
    assert [each.group.tenant for each in (await books.query(SHOP, group_by=both)).rows] == ["shop"]
    assert not (await books.query(SHOP, filter={"tenants": ["search"]})).rows
    assert [entry.tenant for entry in await books.export(SHOP)] == ["shop"]
    assert await books.export(SHOP, filter={"tenants": ["search"]}) == []
    nobody = Principal("", "shadow")
    for asked in (books.query(nobody), books.export(nobody)):
        with pytest.raises(PolicyDenied):
            await asked


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"bucket": 9}, "bucket"),
        ({"order": 9}, "order"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"group_by": [0]}, "group_by[0]"),
        ({"group_by": [1, 1]}, "group_by[1]"),
        ({"group_by_label_keys": ["a", "b", "c", "d", "e"]}, "group_by_label_keys"),
        ({"group_by_label_keys": ["a", "a"]}, "group_by_label_keys[1]"),
        ({"group_by_label_keys": [""]}, "group_by_label_keys[0]"),
        ({"filter": {"models": ["m"] * 1001}}, "filter.models"),
        ({"filter": {"served_from": [7]}}, "filter.served_from[0]"),
        ({"filter": {"labels": {"k": "v" * 65}}}, "filter.labels.k"),
        ({"start_time": at(NOW_US)}, "start_time"),
        ({"bucket": admin.USAGE_BUCKET_MINUTE}, "start_time"),
        ({"page_size": -1}, "page_size"),
    ],
)
async def test_every_wrong_field_is_named(books: Books, fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await books.query(**fields)
    assert [violation.field for violation in raised.value.violations] == [path]


@pytest.mark.parametrize(
    ("fields", "path"), [({"kinds": [0]}, "kinds[0]"), ({"after_entry_id": "x"}, "after_entry_id"), ({"page_size": -1}, "page_size")]
)
async def test_every_wrong_field_of_an_export_is_named(books: Books, fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await books.export(**fields)
    assert raised.value.violations[0].field == path


async def test_an_export_has_every_entry_as_it_was_written(books: Books) -> None:
    whole = row(
        kind=ATTEMPT, principal="p", api_key_id="k", provider="openai", model="m", model_asked="fast", rpc="promptwire.v1.ChatService/Chat",
        request_id="r", attempt=2, run_id="run", chain="c", chain_version=3, step_id="s", step_path="s[1]", batch_id="b", served_from=1,
        failure=FAILED, tokens=Tokens(*range(1, 11)), estimated=True, units={"searches": 2}, amounts=Amounts(7, 1, None, 0, 6),
        price_source="book",
        latency_us=1_500_000, labels={"team": "é"}, budgets=("x", "y"), provider_request_id="v", trace_id="t", hold_id="h",
    )  # fmt: skip
    await books.write([whole, row(kind=CORRECTION, corrects=1), row(kind=ADJUSTMENT, adjustment_nano_usd=-5, cost=None)])
    first, second, third = await books.export()
    assert first == admin.LedgerEntry(
        entry_id="0000000000000001", kind=admin.LEDGER_ENTRY_KIND_ATTEMPT, create_time=at(NOW_US - 1), tenant="shop", principal="p",
        api_key_id="k", provider="openai", model="m", requested_model="fast", rpc="promptwire.v1.ChatService/Chat", request_id="r",
        attempt=2,
        run_id="run", chain_name="c", chain_version=3, step_id="s", step_path="s[1]", batch_id="b", served_from=pb.SERVED_FROM_PROVIDER,
        failure=pb.Failure.FromString(FAILED), labels={"team": "é"}, budget_ids=["x", "y"], provider_request_id="v", trace_id="t",
        usage=pb.Usage(
            input_tokens=1, output_tokens=2, cached_input_tokens=3, cache_write_5m_tokens=4, cache_write_1h_tokens=5, reasoning_tokens=6,
            input_audio_tokens=7, output_audio_tokens=8, input_image_tokens=9, output_image_tokens=10, estimated=True,
            provider_units={"searches": 2},
        ),
        cost=pb.Cost(total_nano_usd=7, input_nano_usd=1, cache_write_nano_usd=0, output_nano_usd=6, price_source="book", estimated=True),
        latency={"seconds": 1, "nanos": 500_000_000},
    )  # fmt: skip
    assert (second.corrected_entry_id, second.kind) == (first.entry_id, admin.LEDGER_ENTRY_KIND_CORRECTION)
    assert (third.adjustment_nano_usd, third.HasField("usage"), third.HasField("cost")) == (-5, False, False)


async def test_an_export_goes_on_behind_the_last_entry_that_is_there(books: Books) -> None:
    await books.write([row(cost=number) for number in range(25)])
    messages = await books.messages(page_size=10)
    assert [len(message.entries) for message in messages] == [10, 10, 5]
    rest = await books.export(after_entry_id=messages[0].entries[-1].entry_id)
    assert [entry.cost.total_nano_usd for entry in rest] == list(range(10, 25))
    assert await books.export(after_entry_id=rest[-1].entry_id) == []


async def test_an_export_can_be_of_a_time_and_of_kinds(books: Books) -> None:
    await books.write([row(NOW_US - 5), row(NOW_US - 3, kind=SAVED), row(NOW_US - 3), row(NOW_US - 1)])
    found = await books.export(start_time=at(NOW_US - 4), end_time=at(NOW_US - 1), kinds=[admin.LEDGER_ENTRY_KIND_ATTEMPT])
    assert [entry.entry_id[-1] for entry in found] == ["3"]


async def test_without_a_ledger_that_is_said() -> None:
    service = UsageService(None, ManualClock())
    for asked in (service.QueryUsage(admin.QueryUsageRequest(), FakeExchange(principal=OPERATOR)),
                  service.ExportUsage(admin.ExportUsageRequest(), FakeExchange(principal=OPERATOR))):  # fmt: skip
        with pytest.raises(Disabled, match=r"usage\.journal"):
            await asked


async def test_a_ledger_that_does_not_answer_is_told(books: Books) -> None:
    await books.write([row()])
    await books.close()
    for asked in (books.query(), books.export()):
        with pytest.raises(BudgetStoreUnavailable):
            await asked


async def test_who_reads_does_not_keep_others_from_writing(tmp_path: Path) -> None:
    """A long look, and a commit in its midst."""
    shelf = File(tmp_path / "usage.sqlite3")
    usage, books = shelf.usage(lambda: None), Books(shelf)
    await books.write([row(cost=number) for number in range(3000)])
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT SUM(i + entry) FROM n, ledger"
    look = asyncio.ensure_future(usage._read(lambda connection: connection.execute(slow).fetchall()))
    await books.write([row()])
    assert not look.done()
    look.cancel()
    with pytest.raises(asyncio.CancelledError):
        await look
    assert (await books.query()).total.entry_count == 3001  # the thread is free again
    await shelf.close()
