"""What every store of answers promises: what was put, its age, its end; nothing across tenants; and that it never stands in the way."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

import pytest

from promptwire_server.core.clock import ManualClock, SystemClock
from promptwire_server.core.kept import Held, Kept, Selector
from promptwire_server.core.store import StoreDown
from promptwire_server.layers.cache.cache import Store
from promptwire_server.stores import memory
from promptwire_server.stores.near import NearAnswers
from promptwire_server.stores.redis import answers as redis_answers
from promptwire_server.stores.redis.connection import Redis
from tests.contract.stores.redis_server import RedisServer

MIB = 1 << 20
Wait = Callable[[float], Awaitable[None]]


class Whole(Store, Protocol):
    """A store with what operators do to it."""

    async def held(self, selector: Selector) -> Sequence[Held]: ...

    async def purge(self, selector: Selector, *, dry_run: bool) -> tuple[int, int]: ...


async def done() -> None:
    """Nothing is still to be sent."""


class Place:
    """A store, how time passes in it, and how to wait until it has what was put."""

    def __init__(self, store: Whole, wait: Wait, settled: Callable[[], Awaitable[None]] = done) -> None:
        self.store = store
        self.wait = wait
        self.settled = settled

    async def put(self, key: str, kept: Kept, tenant: str = "shop") -> None:
        self.store.put(tenant, key, kept)
        await self.settled()


@pytest.fixture(params=["memory", "redis", "both"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    clock = ManualClock()

    async def advance(seconds: float) -> None:
        clock.advance(seconds)

    if request.param == "memory":
        yield Place(memory.Answers(clock=clock, max_bytes=MIB), advance)
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    redis: Redis = server.client()
    far = redis_answers.Answers(redis)
    near = NearAnswers(memory.Answers(clock=SystemClock(), max_bytes=MIB), far)
    yield Place(far if request.param == "redis" else near, asyncio.sleep, far.settle)  # the server has the clock
    await far.aclose()
    await redis.aclose()


def kept(answer: bytes = b"hi", model: str = "acme/fast", namespace: str = "", ttl_s: float = 60, stale_s: float = 0) -> Kept:
    return Kept(answer, model, namespace, ttl_s, stale_s)


async def test_what_was_put_is_given_as_it_was_with_its_age(place: Place) -> None:
    strange = kept(bytes(range(256)) * 20, "acme/mod\u00e8le \U0001f600", "v1", 1.5, 2.25)
    await place.put("k", strange)
    await place.wait(0.3)
    found = await place.store.get("shop", "k")
    assert found is not None
    assert found[0] == strange
    assert 0.2 < found[1] < 5


async def test_what_nobody_put_is_not_there(place: Place) -> None:
    assert await place.store.get("shop", "k") is None


@pytest.mark.parametrize("tenant", ["bank", "", "shop*", "sho?", "*"])
async def test_another_tenant_finds_and_purges_nothing(place: Place, tenant: str) -> None:
    await place.put("k", kept())
    assert await place.store.get(tenant, "k") is None
    assert await place.store.purge(Selector(tenant=tenant), dry_run=False) == (0, 0)
    assert await place.store.get("shop", "k") is not None


async def test_an_answer_is_there_until_both_its_times_are_over(place: Place) -> None:
    await place.put("gone", kept(ttl_s=0.1, stale_s=0.1))
    await place.put("there", kept(ttl_s=0.1, stale_s=60))
    await place.wait(0.4)
    assert await place.store.get("shop", "gone") is None
    assert await place.store.get("shop", "there") is not None


async def test_putting_again_replaces_it(place: Place) -> None:
    await place.put("k", kept(b"old"))
    await place.wait(0.3)
    await place.put("k", kept(b"new"))
    found = await place.store.get("shop", "k")
    assert found is not None
    assert found[0].answer == b"new"
    assert found[1] < 0.3


async def test_selectors_mean_those_for_which_all_of_them_holds(place: Place) -> None:
    await place.put("a1", kept(b"x" * 100))
    await place.put("a2", kept(model="acme/slow", namespace="v1"))
    await place.wait(0.5)
    await place.put("b1", kept(model="beta/fast"))
    await place.put("a1", kept(), "bank")
    for selector, count in [
        (Selector(), 4),
        (Selector(tenant="shop"), 3),
        (Selector(model="acme/*"), 3),
        (Selector(model="acme/fast"), 2),
        (Selector(key_prefix="a", tenant="shop"), 2),
        (Selector(min_age_s=0.5), 2),
        (Selector(namespace="v1"), 1),
        (Selector(namespace=""), 3),
        (Selector(tenant="bank", model="beta/*"), 0),
    ]:
        assert sum(held.answers for held in await place.store.held(selector)) == count, selector
        assert (await place.store.purge(selector, dry_run=True))[0] == count, selector
    held = {each.model: each for each in await place.store.held(Selector(tenant="shop"))}
    assert held["acme/fast"].oldest_s >= 0.4
    assert held["acme/fast"].size_bytes > 100
    count, size_bytes = await place.store.purge(Selector(tenant="shop", model="acme/*"), dry_run=False)
    assert (count, size_bytes > 100) == (2, True)
    assert [await place.store.get("shop", key) is not None for key in ("a1", "a2", "b1")] == [False, False, True]
    assert await place.store.get("bank", "a1") is not None


async def test_thousands_are_purged_page_by_page(redis: Redis) -> None:
    store = redis_answers.Answers(redis)
    for number in range(1200):
        store.put("shop", hashlib.sha256(str(number).encode()).hexdigest(), kept())
        if number % 100 == 99:
            await store.settle(30)
    assert sum(held.answers for held in await store.held(Selector())) == 1200
    assert (await store.purge(Selector(tenant="shop"), dry_run=False))[0] == 1200
    assert await store.held(Selector()) == []


async def only_key(redis: Redis) -> bytes:
    names = await redis.command("KEYS", "*")
    assert isinstance(names, list)
    assert len(names) == 1
    name: bytes = names[0]
    return name


async def test_every_key_has_an_end_and_a_tag(redis: Redis) -> None:
    store = redis_answers.Answers(redis)
    store.put("shop", "k", kept(ttl_s=100, stale_s=50))
    await store.settle(30)
    name = await only_key(redis)
    assert name.startswith(b"pw:{")
    left_ms = await redis.command("PTTL", name)
    assert isinstance(left_ms, int)
    assert 100_000 < left_ms <= 150_000


@pytest.mark.parametrize("value", [b"", b"x", b"1 [1]\nx", b'no ["m","",1,0]\nx', b"\xff\xff\n"])
async def test_what_others_wrote_there_is_a_miss(redis: Redis, value: bytes) -> None:
    store = redis_answers.Answers(redis)
    store.put("shop", "k", kept())
    await store.settle(30)
    name = await only_key(redis)
    await redis.command("SET", name, value)
    assert await store.get("shop", "k") is None
    assert await store.held(Selector()) == []


async def test_a_server_that_is_gone_is_a_miss_and_what_was_to_be_kept_is_counted(redis_server: RedisServer) -> None:
    redis = redis_server.client(timeout_s=0.2)
    store = redis_answers.Answers(redis)
    redis_server.kill()
    for _ in range(5):
        assert await store.get("shop", "k") is None
        store.put("shop", "k", kept())
        await store.settle(30)
    assert store.lost == 5
    with pytest.raises(StoreDown):
        await store.held(Selector())
    with pytest.raises(StoreDown):
        await store.purge(Selector(), dry_run=False)
    await store.aclose()
    await redis.aclose()


async def test_putting_never_waits_and_what_is_too_much_is_dropped(redis_server: RedisServer) -> None:
    redis = redis_server.client(timeout_s=0.3)
    store = redis_answers.Answers(redis)
    store.put("shop", "warm", kept())
    await store.settle(30)
    redis_server.freeze()
    begun_s = time.monotonic()
    for number in range(1000):
        store.put("shop", str(number), kept(b"x" * 1000))
    assert time.monotonic() - begun_s < 0.5
    assert store.lost >= 700
    redis_server.thaw()
    await store.aclose()
    await redis.aclose()


@pytest.mark.parametrize("steps", range(8))
async def test_looking_may_be_cancelled_at_any_point(redis: Redis, steps: int) -> None:
    store = redis_answers.Answers(redis)
    store.put("shop", "k", kept(b"mine"))
    await store.settle(30)
    for _ in range(10):
        looking = asyncio.ensure_future(store.get("shop", "other"))
        for _ in range(steps):
            await asyncio.sleep(0)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        found = await store.get("shop", "k")
        assert found is not None
        assert found[0].answer == b"mine"


async def test_a_copy_that_is_near_is_looked_for_again_soon(redis: Redis) -> None:
    clock = ManualClock()
    far = redis_answers.Answers(redis)
    one, other = (NearAnswers(memory.Answers(clock=clock, max_bytes=MIB), far) for _ in range(2))
    one.put("shop", "k", kept())
    await far.settle(30)
    assert await other.get("shop", "k") is not None
    await one.purge(Selector(tenant="shop"), dry_run=False)
    assert await one.get("shop", "k") is None
    assert await other.get("shop", "k") is not None  # a copy, for a little while
    clock.advance(30)
    assert await other.get("shop", "k") is None


async def test_what_is_near_needs_no_server(redis_server: RedisServer) -> None:
    redis = redis_server.client(timeout_s=0.2)
    store = NearAnswers(memory.Answers(clock=SystemClock(), max_bytes=MIB), redis_answers.Answers(redis))
    redis_server.kill()
    store.put("shop", "k", kept())
    assert await store.get("shop", "k") is not None
    await redis.aclose()
