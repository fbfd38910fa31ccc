"""The cache on real servers: what is asked once, who gets it, what is never kept; with the provider's own ledger as the truth."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from promptwire import v1 as pb
from promptwire.admin import v1 as admin
from promptwire.admin.v1 import cache_service_pb2_grpc as caches
from promptwire.v1 import chat_service_pb2_grpc as chats
from tests.contract.stores.redis_server import RedisServer, installed
from tests.e2e import process
from tests.e2e.conftest import UPSTREAM_KEY, Serve
from tests.e2e.process import Server
from tests.faults.fake_provider.process import FakeProvider

KEYS = {"shop": "shop-key-" + "s" * 24, "bank": "bank-key-" + "b" * 24, None: "operator-key-" + "o" * 20}
FACTS = {"input_usd_per_1m": "1", "output_usd_per_1m": "2", "request_usd": "0.01"}
SAVED_ROWS = "SELECT tenant, served_from, total_nano_usd, saved_nano_usd, output_tokens FROM ledger WHERE kind = 2 ORDER BY entry"


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    installed()
    with tempfile.TemporaryDirectory(prefix="pw-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


def config(fake: FakeProvider, cache: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    providers = {"fake": process.openai(fake.base_url, UPSTREAM_KEY)}
    return {"providers": providers, "cache": {"default": "read_write", **(cache or {})}, **more}


def keys() -> dict[str, Any]:
    return {"api_keys": [{"name": f"of-{tenant}", "tenant": tenant, "key": key} for tenant, key in KEYS.items()]}


def channel(server: Server) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(server.target, options=[("grpc.enable_retries", 0)])


def credential(tenant: str | None) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {KEYS[tenant]}"),)


async def ask(to: grpc.aio.Channel, request: pb.ChatRequest, *, stream: bool = False, tenant: str | None = None) -> pb.ChatResponse:
    stub = chats.ChatServiceStub(to)
    metadata = credential(tenant) if tenant else None
    if not stream:
        return await stub.Chat(request, metadata=metadata)
    response, text = pb.ChatResponse(), ""
    async for event in stub.StreamChat(pb.StreamChatRequest(chat=request), metadata=metadata):
        text += event.part_delta.text
        if event.HasField("finished"):
            response.CopyFrom(event.finished.response)
    response.text = text
    return response


def rows(file: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as database:
        return database.execute(SAVED_ROWS).fetchall()


@pytest.mark.parametrize("first", [False, True], ids=["whole", "streamed"])
async def test_the_same_question_is_asked_once_and_each_hit_saves_what_it_would_have_cost(
    serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str, tmp_path: Path, *, first: bool
) -> None:
    name = model("tokens=200")
    server = serve(config(fake, model_facts={name: FACTS}, state_dir=str(tmp_path / "kept")))
    request = pb.ChatRequest(model=name, prompt=marker)
    async with channel(server) as to:
        missed = await ask(to, request, stream=first)
        hits = [await ask(to, request, stream=stream) for stream in (False, True, False)]
    assert len(fake.ledger(model=marker, ended=1)) == 1
    assert missed.served_from == pb.SERVED_FROM_PROVIDER
    assert {hit.served_from for hit in hits} == {pb.SERVED_FROM_CACHE}
    assert {hit.text for hit in hits} == {missed.text}
    assert missed.cost.total_nano_usd > 10_000_000
    assert {(hit.cost.total_nano_usd, hit.cost.saved_nano_usd) for hit in hits} == {(0, missed.cost.total_nano_usd)}
    assert len({hit.request_id for hit in hits}) == 3
    file = tmp_path / "kept" / "usage.sqlite3"
    process.until(lambda: len(rows(file)) == 3, what="a row for each hit")
    expected = ("default", pb.SERVED_FROM_CACHE, 0, missed.cost.total_nano_usd, missed.usage.output_tokens)
    assert rows(file) == [expected] * 3
    samples = server.metrics()
    assert samples.sum("promptwire_cache_lookups_total", outcome="hit") == 3
    assert samples.sum("promptwire_cache_lookups_total", outcome="miss") == 1
    assert samples.sum("promptwire_cache_saved_nano_usd_total") == 3 * missed.cost.total_nano_usd
    assert samples.sum("promptwire_cache_answers") == 1


async def test_a_streamed_hit_comes_in_pieces(serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str) -> None:
    async with channel(serve(config(fake))) as to:
        request = pb.ChatRequest(model=model("tokens=500"), prompt=marker)
        text = (await ask(to, request)).text
        call = chats.ChatServiceStub(to).StreamChat(pb.StreamChatRequest(chat=request))
        deltas = [event.part_delta.text async for event in call if event.HasField("part_delta")]
    assert "".join(deltas) == text
    assert len(deltas) > 3
    assert len(fake.ledger(model=marker, ended=1)) == 1


async def test_an_alias_that_leads_elsewhere_after_a_reload_does_not_give_the_old_answers(
    serve: Serve, fake: FakeProvider, marker: str
) -> None:
    old, new = (config(fake, models={"fast": f"fake/{marker}{which}~ok"}) for which in ("old", "new"))
    server = serve(old)
    request = pb.ChatRequest(model="fast", prompt=marker)
    async with channel(server) as to:
        assert (await ask(to, request)).model.startswith(f"{marker}old")
        for count, settings, name, served in [(1, new, "new", pb.SERVED_FROM_PROVIDER), (2, old, "old", pb.SERVED_FROM_CACHE)]:
            server.rewrite(settings)
            await asyncio.to_thread(server.log.wait, "config.reloaded", count=count)
            answer = await ask(to, request)
            assert (answer.model.startswith(f"{marker}{name}"), answer.served_from) == (True, served)


async def test_what_others_said_when_the_first_target_failed_is_asked_anew(serve: Serve, fake: FakeProvider, marker: str) -> None:
    models = {
        "listed": {"targets": [f"fake/{marker}~status=503", "echo/echo"]},
        "backed": {"targets": [f"fake/{marker}~status=503"], "fallbacks": ["echo/echo"]},
    }
    async with channel(serve(config(fake, models=models))) as to:
        for name in models:
            answers = [await ask(to, pb.ChatRequest(model=name, prompt=marker)) for _ in range(12)]  # until its breaker is open
            assert {answer.provider for answer in answers} == {"echo"}
            assert {answer.served_from for answer in answers} == {pb.SERVED_FROM_PROVIDER}


async def test_an_answer_that_money_cut_short_is_asked_anew(
    serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str
) -> None:
    name = model("tokens=200")
    facts = {"input_usd_per_1m": "1", "output_usd_per_1m": "1000", "max_output_tokens": 1000}
    async with channel(serve(config(fake, model_facts={name: facts}))) as to:
        short = pb.ChatRequest(model=name, prompt=marker, max_cost_nano_usd=600_000_000)
        assert pb.Notice.CODE_OUTPUT_LIMITED in [notice.code for notice in (await ask(to, short)).notices]
        whole = await ask(to, pb.ChatRequest(model=name, prompt=marker))
        assert whole.served_from == pb.SERVED_FROM_PROVIDER
        assert (await ask(to, short)).served_from == pb.SERVED_FROM_CACHE  # which costs nothing


async def test_an_answer_past_its_time_is_served_while_the_tenant_pays_for_a_new_one(
    serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str
) -> None:
    server = serve(config(fake, {"stale_while_revalidate": "1h"}))
    request = pb.ChatRequest(model=model(""), prompt=marker, cache=pb.CacheSettings(ttl={"nanos": 1_000_000}))
    async with channel(server) as to:
        await ask(to, request)
        stale = await ask(to, request)
        assert (stale.served_from, stale.cache_hit.stale) == (pb.SERVED_FROM_CACHE, True)
        (line, *_) = await asyncio.to_thread(server.log.wait, "cache.refreshed")
    assert (line["tenant"], line["outcome"], line["attempts"]) == ("default", "OK", 1)
    assert len(fake.ledger(model=marker, ended=2)) == 2


async def test_replicas_share_answers_in_redis_and_do_without_when_it_is_gone(
    serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str, redis_server: RedisServer
) -> None:
    settings = config(fake, {"store": "redis"}, stores={"redis": {"url": redis_server.url, "timeout": "2s"}})
    nodes = [serve(settings), serve(settings)]
    request = pb.ChatRequest(model=model(""), prompt=marker)
    async with channel(nodes[0]) as one, channel(nodes[1]) as other:
        missed = await ask(one, request)
        async with asyncio.timeout(20):
            while (  # noqa: ASYNC110 - it is sent behind the answer, by another process
                await caches.CacheServiceStub(other).GetCacheStats(admin.GetCacheStatsRequest())
            ).stats.entry_count < 1:
                await asyncio.sleep(0.02)
        hit = await ask(other, request, stream=True)
        assert (hit.served_from, hit.text) == (pb.SERVED_FROM_CACHE, missed.text)
        redis_server.kill()
        try:
            answers = [await ask(to, request) for to in (one, other) for _ in range(5)]
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await caches.CacheServiceStub(one).PurgeCache(admin.PurgeCacheRequest(all=True))
        finally:
            redis_server.start()
    assert {answer.served_from for answer in answers} == {pb.SERVED_FROM_PROVIDER}
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert nodes[0].metrics().sum("promptwire_cache_drops_total", why="store") > 0
    for node in nodes:
        assert len(node.log.events("store.down")) == 1


async def test_tenants_see_and_drop_their_own_answers_and_operators_all(
    serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str
) -> None:
    server = serve(config(fake, auth=keys()))
    request = pb.ChatRequest(model=model(""), prompt=marker)
    async with channel(server) as to:
        stub = caches.CacheServiceStub(to)
        for tenant in ("shop", "bank", "shop"):
            await ask(to, request, tenant=tenant)
        assert len(fake.ledger(model=marker, ended=2)) == 2
        everything = await stub.GetCacheStats(admin.GetCacheStatsRequest(include_models=True), metadata=credential(None))
        assert (everything.stats.entry_count, everything.stats.hit_count, everything.stats.miss_count) == (2, 1, 2)
        assert [each.model for each in everything.models] == [request.model]
        own = await stub.GetCacheStats(admin.GetCacheStatsRequest(), metadata=credential("bank"))
        assert (own.stats.entry_count, own.stats.hit_count) == (1, 0)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.PurgeCache(admin.PurgeCacheRequest(selector={"tenant": "bank"}), metadata=credential("shop"))
        assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
        purged = await stub.PurgeCache(admin.PurgeCacheRequest(all=True, reason="prices"), metadata=credential("shop"))
        assert (purged.purged_count, purged.instance_id) == (1, everything.instance_id)
        assert (await ask(to, request, tenant="bank")).served_from == pb.SERVED_FROM_CACHE
        assert (await ask(to, request, tenant="shop")).served_from == pb.SERVED_FROM_PROVIDER
    (line, *_) = server.log.wait("cache.purged")
    assert (line["principal"], line["tenant"], line["count"], line["reason"]) == ("of-shop", "shop", "1", "prices")


async def test_a_question_that_means_the_same_gets_the_answer_with_its_distance_where_that_is_wished(
    serve: Serve, fake: FakeProvider, model: Callable[[str], str], marker: str, tmp_path: Path
) -> None:
    settings = config(fake, {"similar": {"model": "fake/text-embedding-3-small"}}, state_dir=str(tmp_path / "kept"))
    server = serve(settings)
    wish = pb.CacheSettings(min_similarity=0.99)
    # The fake's vectors of different texts are far apart; these are the same text in two pieces, or with another one behind.
    one, same, other = (
        pb.ChatRequest(model=model(""), cache=wish, messages=[pb.ChatMessage(parts=[{"text": text} for text in texts])])
        for texts in ([f"{marker}\ntea"], [marker, "tea"], [marker, "war"])
    )
    async with channel(server) as to:
        missed = await ask(to, one)
        hit = await ask(to, same, stream=True)
        assert (hit.served_from, hit.text) == (pb.SERVED_FROM_CACHE, missed.text)
        assert hit.cache_hit.similarity == pytest.approx(1, abs=1e-4)
        assert (await ask(to, other)).served_from == pb.SERVED_FROM_PROVIDER
        same.ClearField("cache")
        assert (await ask(to, same)).served_from == pb.SERVED_FROM_PROVIDER
    assert len(fake.ledger(model=marker, ended=3)) == 3
    lines = server.log.wait("embed.finished", count=3)
    assert {(line["tenant"], line["outcome"]) for line in lines} == {("default", "OK")}
    file = tmp_path / "kept" / "usage.sqlite3"
    process.until(lambda: len(rows(file)) == 1, what="a row for the hit")
    assert server.metrics().sum("promptwire_cache_lookups_total", outcome="similar") == 1


async def test_a_store_that_is_not_there_is_told_at_the_start(serve: Serve, fake: FakeProvider) -> None:
    with pytest.raises(process.ServerError, match=r"cache\.store"):
        serve(config(fake, {"store": "both"}))
