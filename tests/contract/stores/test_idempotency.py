"""What every store of requests promises: one who answers, an outcome that stays as it was kept, nothing across tenants."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from promptwire_server.core.clock import ManualClock, SystemClock
from promptwire_server.core.repeat import Answered, Mine, RequestKey, Reused, Running
from promptwire_server.core.store import StoreDown
from promptwire_server.rpc.once import Store
from promptwire_server.stores import memory_requests
from promptwire_server.stores.redis import requests as redis_requests
from promptwire_server.stores.redis.connection import Redis
from promptwire_server.stores.sqlite import requests as sqlite_requests
from promptwire_server.stores.sqlite.database import Database
from tests.contract.stores.redis_server import RedisServer

KEY = RequestKey("shop", "a" * 64, "b" * 64)
Wait = Callable[[float], Awaitable[None]]


class Place:
    """A store, and how time passes in it."""

    def __init__(self, store: Store, wait: Wait) -> None:
        self.store = store
        self.wait = wait


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    clock = ManualClock()

    async def advance(seconds: float) -> None:
        clock.advance(seconds)

    if request.param == "memory":
        yield Place(memory_requests.Requests(clock), advance)
    elif request.param == "sqlite":
        database = Database(tmp_path / "state.sqlite", clock=SystemClock(), report=print)
        database.start()
        yield Place(sqlite_requests.Requests(database, clock), advance)
        assert database.close(30) == 0
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        redis: Redis = server.client()
        yield Place(redis_requests.Requests(redis), asyncio.sleep)  # the server has the clock
        await redis.aclose()


async def test_the_first_to_claim_answers_and_the_others_hear_that_it_runs(place: Place) -> None:
    claims = await asyncio.gather(*[place.store.claim(KEY, f"owner-{number}", 5.0) for number in range(20)])
    assert sum(isinstance(claim, Mine) for claim in claims) == 1
    running = [claim for claim in claims if isinstance(claim, Running)]
    assert len(running) == 19
    assert all(0 < claim.lease_s <= 5 for claim in running)


async def test_a_claim_may_be_repeated_by_its_owner(place: Place) -> None:
    assert await place.store.claim(KEY, "me", 5.0) == Mine()
    assert await place.store.claim(KEY, "me", 5.0) == Mine()


async def test_what_was_kept_is_what_everybody_gets(place: Place) -> None:
    outcome = bytes(range(256)) * 5000
    await place.store.claim(KEY, "me", 5.0)
    assert await place.store.keep(KEY, "me", outcome, 60.0)
    for owner in ("me", "you"):
        assert await place.store.claim(KEY, owner, 5.0) == Answered(outcome)


async def test_another_body_is_refused_while_it_runs_and_after(place: Place) -> None:
    other = replace(KEY, body="c" * 64)
    await place.store.claim(KEY, "me", 5.0)
    assert await place.store.claim(other, "you", 5.0) == Reused()
    await place.store.keep(KEY, "me", b"done", 60.0)
    assert await place.store.claim(other, "you", 5.0) == Reused()


async def test_tenants_and_names_have_nothing_to_do_with_each_other(place: Place) -> None:
    await place.store.claim(KEY, "me", 5.0)
    await place.store.keep(KEY, "me", b"done", 60.0)
    assert await place.store.claim(replace(KEY, tenant="other"), "you", 5.0) == Mine()
    assert await place.store.claim(replace(KEY, name="d" * 64), "you", 5.0) == Mine()


async def test_a_dead_owners_lease_runs_out_and_it_can_no_longer_keep_anything(place: Place) -> None:
    await place.store.claim(KEY, "dead", 0.05)
    await place.wait(0.1)
    assert await place.store.claim(KEY, "next", 5.0) == Mine()
    assert not await place.store.keep(KEY, "dead", b"late", 60.0)
    assert not await place.store.renew(KEY, "dead", 5.0)
    assert await place.store.keep(KEY, "next", b"done", 60.0)
    assert await place.store.claim(KEY, "you", 5.0) == Answered(b"done")


async def test_a_lease_that_is_renewed_lasts(place: Place) -> None:
    await place.store.claim(KEY, "me", 0.3)
    await place.wait(0.1)
    assert await place.store.renew(KEY, "me", 5.0)
    await place.wait(0.3)
    assert isinstance(await place.store.claim(KEY, "you", 5.0), Running)


async def test_what_is_released_is_free_but_an_outcome_stays(place: Place) -> None:
    await place.store.claim(KEY, "me", 5.0)
    await place.store.release(KEY, "you")
    assert isinstance(await place.store.claim(KEY, "you", 5.0), Running)
    await place.store.release(KEY, "me")
    assert await place.store.claim(KEY, "you", 5.0) == Mine()
    await place.store.keep(KEY, "you", b"done", 60.0)
    await place.store.release(KEY, "you")
    assert await place.store.claim(KEY, "me", 5.0) == Answered(b"done")


async def test_an_outcome_is_forgotten_after_its_time(place: Place) -> None:
    await place.store.claim(KEY, "me", 5.0)
    await place.store.keep(KEY, "me", b"done", 0.05)
    await place.wait(0.1)
    assert await place.store.claim(replace(KEY, body="c" * 64), "you", 5.0) == Mine()


async def test_whoever_comes_and_dies_in_whatever_order_nobody_answers_twice_at_once(place: Place) -> None:
    """The store against a plain model of it, without time passing."""
    chance = random.Random(11)
    owners: dict[str, str] = {}
    outcomes: dict[str, bytes] = {}
    for step in range(300):
        key = replace(KEY, name=str(chance.randrange(5)) * 64)
        me = f"owner-{chance.randrange(4)}"
        held = owners.get(key.name) == me and key.name not in outcomes
        match chance.randrange(4):
            case 0:
                claim = await place.store.claim(key, me, 100.0)
                if key.name in outcomes:
                    assert claim == Answered(outcomes[key.name])
                elif owners.setdefault(key.name, me) == me:
                    assert claim == Mine()
                else:
                    assert isinstance(claim, Running)
            case 1 if chance.random() < 0.3:
                outcome = f"outcome {step}".encode()
                assert await place.store.keep(key, me, outcome, 100.0) == held
                if held:
                    outcomes[key.name] = outcome
            case 2:
                await place.store.release(key, me)
                if held:
                    del owners[key.name]
            case 3:
                assert await place.store.renew(key, me, 100.0) == held


async def test_a_file_keeps_what_was_answered_across_processes(tmp_path: Path) -> None:
    for number, expected in enumerate([Mine(), Answered(b"done"), Answered(b"done")]):
        database = Database(tmp_path / "state.sqlite", clock=SystemClock(), report=print)
        database.start()
        store = sqlite_requests.Requests(database, SystemClock())
        assert await store.claim(KEY, f"process-{number}", 5.0) == expected
        await store.keep(KEY, f"process-{number}", b"done", 60.0)
        assert database.close(30) == 0


async def test_redis_that_is_killed_keeps_what_was_answered_and_says_while_it_is_down(redis_server: RedisServer) -> None:
    redis = redis_server.client()
    store = redis_requests.Requests(redis)
    await store.claim(KEY, "me", 5.0)
    await store.keep(KEY, "me", b"done", 60.0)
    redis_server.kill()
    with pytest.raises(StoreDown):
        await store.claim(KEY, "you", 5.0)
    redis_server.start()
    assert await store.claim(KEY, "you", 5.0) == Answered(b"done")
    await redis.aclose()


async def test_memory_forgets_the_oldest_when_it_is_full() -> None:
    store = memory_requests.Requests(ManualClock(), max_bytes=10_000)
    for number in range(10):
        key = replace(KEY, name=str(number))
        await store.claim(key, "me", 5.0)
        await store.keep(key, "me", b"x" * 1500, 60.0)
    assert store.size_bytes <= 10_000
    assert await store.claim(replace(KEY, name="0"), "me", 5.0) == Mine()
    assert await store.claim(replace(KEY, name="9"), "me", 5.0) == Answered(b"x" * 1500)
