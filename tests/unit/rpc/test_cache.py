"""CacheService over the real store: what operators and tenants see and may drop, and that nobody reaches further."""

from collections.abc import Mapping

import pytest

from promptwire import v1 as pb
from promptwire.admin import v1 as admin
from promptwire_server.core.call import Call, Principal
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import InvalidRequest, Overloaded, PolicyDenied
from promptwire_server.core.kept import Held, Kept, Selector
from promptwire_server.core.store import StoreDown
from promptwire_server.layers.cache.cabinet import Cabinet
from promptwire_server.layers.cache.counts import Counts
from promptwire_server.rpc.cache import CacheService
from promptwire_server.stores.memory import Answers
from tests.unit.rpc.exchanges import FakeExchange

OPERATOR = Principal(tenant="", name="ops", operator=True)
SHOP = Principal(tenant="shop", name="till")
SAVED = pb.Cost(saved_nano_usd=500)
KEY = "ab" * 32


class Desk:
    """The service and what is behind it."""

    def __init__(self) -> None:
        self.clock = ManualClock(1000.0)
        self.counts = Counts(self.clock)
        self.store = Answers(clock=self.clock, max_bytes=1 << 20, dropped=self.counts.dropped)
        self.audited: list[tuple[str, Mapping[str, str]]] = []
        cabinet = Cabinet(self.store, self.counts, self.clock, "srv-1")
        self.service = CacheService(cabinet, lambda *event: self.audited.append(event))
        for tenant, key, model in (("shop", KEY, "acme/fast"), ("shop", "cd" * 32, "beta/slow"), ("bank", KEY, "acme/fast")):
            self.store.put(tenant, key, Kept(b"x" * 100, model, "v1" if model == "beta/slow" else "", 60))
            self.counts.wrote(tenant, model)
        self.clock.advance(10)

    async def stats(self, who: Principal = OPERATOR, **fields: object) -> admin.GetCacheStatsResponse:
        request = admin.GetCacheStatsRequest(**fields)  # type: ignore[arg-type]  # fields by name
        return await self.service.GetCacheStats(request, FakeExchange(principal=who))

    async def purge(self, who: Principal = OPERATOR, **fields: object) -> admin.PurgeCacheResponse:
        request = admin.PurgeCacheRequest(**fields)  # type: ignore[arg-type]  # fields by name
        return await self.service.PurgeCache(request, FakeExchange(principal=who))


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_an_operator_sees_everybodys_answers_and_a_tenant_its_own(desk: Desk) -> None:
    everything, own = await desk.stats(), await desk.stats(SHOP)
    assert (everything.stats.entry_count, everything.stats.write_count, everything.store, everything.instance_id) == (
        3,
        3,
        "memory",
        "srv-1",
    )
    assert everything.stats.size_bytes == desk.store.size_bytes
    assert everything.stats.max_size_bytes == 1 << 20
    assert everything.stats.oldest_entry_time.seconds == int(desk.clock.time()) - 10
    assert (own.stats.entry_count, own.stats.write_count) == (2, 2)
    assert (await desk.stats(tenant="bank")).stats.entry_count == 1
    assert (await desk.stats(SHOP, tenant="shop")) == own


async def test_what_was_counted_is_told_model_by_model(desk: Desk) -> None:
    answer = pb.ChatResponse(usage=pb.Usage(input_tokens=7, output_tokens=3, reasoning_tokens=2), cost=SAVED)
    for _ in range(2):
        desk.counts.hit("shop", "acme/fast", answer, stale=True)
    missed = Call(pb.ChatRequest(), SHOP, "r", "t", 0, 0)
    desk.counts.missed(missed)
    desk.counts.bypassed("shop")
    told = await desk.stats(SHOP, include_models=True)
    assert (told.stats.hit_count, told.stats.stale_hit_count, told.stats.miss_count, told.stats.bypass_count) == (2, 2, 1, 1)
    assert told.stats.saved_nano_usd == 1000
    assert told.stats.saved_usage == pb.Usage(input_tokens=14, output_tokens=6, reasoning_tokens=4)
    models = {each.model: each.stats for each in told.models}
    assert set(models) == {"acme/fast", "beta/slow"}
    assert (models["acme/fast"].hit_count, models["beta/slow"].hit_count, models["beta/slow"].entry_count) == (2, 0, 1)
    assert not models["beta/slow"].HasField("saved_nano_usd")


async def test_only_the_models_that_were_asked_for_are_told(desk: Desk) -> None:
    assert (await desk.stats(model="acme/*")).stats.entry_count == 2
    assert [each.model for each in (await desk.stats(model="beta/slow", include_models=True)).models] == ["beta/slow"]


async def test_an_empty_cache_has_no_oldest_answer(desk: Desk) -> None:
    await desk.purge(all=True)
    assert not (await desk.stats()).stats.HasField("oldest_entry_time")


async def test_a_tenants_purge_of_everything_leaves_others_alone(desk: Desk) -> None:
    purged = await desk.purge(SHOP, all=True)
    assert (purged.purged_count, purged.purged_bytes > 200, purged.instance_id) == (2, True, "srv-1")
    assert (await desk.stats()).stats.entry_count == 1
    assert (await desk.purge(SHOP, all=True)).purged_count == 0


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        ({"model": "acme/*"}, 2),
        ({"tenant": "bank"}, 1),
        ({"key_prefix": "cd"}, 1),
        ({"min_age": {"seconds": 10}}, 3),
        ({"min_age": {"seconds": 11}}, 0),
        ({"namespace": "v1"}, 1),
        ({"model": "acme/fast", "tenant": "shop", "key_prefix": KEY}, 1),
    ],
    ids=str,
)
async def test_a_dry_run_counts_what_a_purge_drops(desk: Desk, selector: dict[str, object], count: int) -> None:
    before = desk.store.size_bytes
    assert (await desk.purge(selector=selector, dry_run=True)).purged_count == count
    assert (desk.store.size_bytes, desk.audited) == (before, [])
    assert (await desk.purge(selector=selector)).purged_count == count
    assert len(desk.store) == 3 - count


async def test_a_purge_is_written_down(desk: Desk) -> None:
    await desk.purge(SHOP, selector={"model": "acme/*"}, reason="old prices", request_id="mine")
    ((event, fields),) = desk.audited
    assert event == "cache.purged"
    assert fields["reason"] == "old prices"
    assert (fields["principal"], fields["tenant"], fields["model"], fields["count"]) == ("till", "shop", "acme/*", "1")


async def test_nobody_reaches_another_tenants_answers(desk: Desk) -> None:
    with pytest.raises(PolicyDenied, match=r"^tenant: "):
        await desk.stats(SHOP, tenant="bank")
    with pytest.raises(PolicyDenied, match=r"^selector\.tenant: "):
        await desk.purge(SHOP, selector={"tenant": "bank"})
    assert len(desk.store) == 3


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({}, ["selector"]),
        ({"all": False}, ["all"]),
        ({"selector": {}}, ["selector"]),
        ({"selector": {"model": "fast", "key_prefix": "XY"}}, ["selector.model", "selector.key_prefix"]),
        ({"selector": {"namespace": "a b", "min_age": {"seconds": -1}}}, ["selector.namespace", "selector.min_age"]),
        ({"all": True, "reason": "x" * 1025, "request_id": "x" * 65}, ["request_id", "reason"]),
    ],
    ids=str,
)
async def test_a_purge_that_is_unclear_drops_nothing(desk: Desk, fields: dict[str, object], paths: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await desk.purge(**fields)  # type: ignore[arg-type]  # fields by name
    assert [violation.field for violation in caught.value.violations] == paths
    assert len(desk.store) == 3


async def test_a_model_that_is_none_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidRequest, match="provider/model"):
        await desk.stats(model="fast")


class Gone(Answers):
    """A store that does not answer."""

    name = "redis"

    async def held(self, selector: Selector) -> list[Held]:
        raise StoreDown("redis: no answer within 250 ms")

    async def purge(self, selector: Selector, *, dry_run: bool) -> tuple[int, int]:
        raise StoreDown("redis: no answer within 250 ms")


async def test_a_store_that_does_not_answer_is_told_and_may_be_asked_again(desk: Desk) -> None:
    store = Gone(clock=desk.clock, max_bytes=1)
    desk.service = CacheService(Cabinet(store, desk.counts, desk.clock, "srv-1"), lambda *_: None)
    for asked in (desk.stats(), desk.purge(all=True)):
        with pytest.raises(Overloaded, match="no answer within 250 ms"):
            await asked
