"""The client of Redis, against a real server: what is cancelled, late, forgotten, frozen or killed."""

import asyncio
import random

import pytest
from redis.exceptions import ResponseError

from promptwire_server.core.store import StoreDown
from promptwire_server.stores.redis.connection import Redis
from promptwire_server.stores.redis.fitness import fitness
from promptwire_server.stores.redis.script import Script
from tests.contract.stores.redis_server import RedisServer

ECHO = Script("return ARGV[1]")
SLOW_ECHO = Script("local n = 0; for i = 1, 20000 do n = n + i end; return ARGV[1]")


async def test_a_script_runs_before_and_after_the_server_forgot_it(redis: Redis, redis_server: RedisServer) -> None:
    assert await redis.decide(ECHO, ["pw:{a}:k"], ["one"]) == b"one"
    redis_server.tell("SCRIPT", "FLUSH")
    assert await redis.decide(ECHO, ["pw:{a}:k"], ["two"]) == b"two"
    assert await redis.decide(ECHO, [], ["three"]) == b"three"


@pytest.mark.parametrize("round_", range(5))
async def test_cancelled_commands_never_mix_up_replies(redis_server: RedisServer, round_: int) -> None:
    redis = redis_server.client(max_connections=4)
    chance = random.Random(round_)
    cancelled = 0
    for number in range(200):
        commands = [asyncio.create_task(redis.decide(SLOW_ECHO, [], [f"{number}-{task}"])) for task in range(6)]
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(chance.choice([0, 0, 0.0001, 0.0005]))
        victims = chance.sample(range(6), 3)
        for victim in victims:
            commands[victim].cancel()
        replies = await asyncio.gather(*commands, return_exceptions=True)
        for task, reply in enumerate(replies):
            cancelled += isinstance(reply, asyncio.CancelledError)
            assert reply == f"{number}-{task}".encode() or (task in victims and isinstance(reply, asyncio.CancelledError))
    assert cancelled > 100
    assert await asyncio.gather(*(redis.decide(ECHO, [], [f"{task}"]) for task in range(16))) == [b"%d" % task for task in range(16)]
    await redis.aclose()


async def test_commands_beyond_the_connections_wait_for_one(redis_server: RedisServer) -> None:
    redis = redis_server.client(max_connections=3)
    replies = await asyncio.gather(*(redis.decide(SLOW_ECHO, [], [f"{number}"]) for number in range(100)))
    assert replies == [b"%d" % number for number in range(100)]
    await redis.aclose()


async def test_a_mistake_of_ours_is_no_fault_of_the_server(redis: Redis) -> None:
    for _ in range(5):
        with pytest.raises(ResponseError):
            await redis.command("NO-SUCH-COMMAND")
    assert not redis.down
    assert await redis.command("PING") == b"PONG"


async def test_a_script_that_it_cannot_run_is_as_if_it_were_down_but_is_no_reason_to_leave_it_alone(redis: Redis) -> None:
    for _ in range(5):
        with pytest.raises(StoreDown, match="redis: "):
            await redis.decide(Script("return redis.call('NO-SUCH-COMMAND')"), [], [])
    assert not redis.down


async def test_frozen_it_costs_a_few_their_deadline_and_the_rest_nothing(redis_server: RedisServer) -> None:
    changes: list[bool] = []
    redis = redis_server.client(timeout_s=0.05, changed=lambda up, _: changes.append(up))
    assert await redis.command("PING") == b"PONG"
    redis_server.freeze()
    loop = asyncio.get_running_loop()
    waits = []
    for _ in range(200):
        began_s = loop.time()
        with pytest.raises(StoreDown):
            await redis.command("PING")
        waits.append(loop.time() - began_s)
    waits.sort()
    assert changes == [False]
    assert redis.down
    assert waits[100] < 0.005
    redis_server.thaw()
    await _back(redis)
    assert changes == [False, True]
    await redis.aclose()


async def test_many_at_once_do_not_storm_a_frozen_server(redis_server: RedisServer) -> None:
    redis = redis_server.client(timeout_s=0.05, max_connections=64)
    redis_server.freeze()
    for _ in range(4):
        results = await asyncio.gather(*(redis.command("PING") for _ in range(50)), return_exceptions=True)
        assert all(isinstance(result, StoreDown) for result in results)
    redis_server.thaw()
    await _back(redis)
    await redis.aclose()


async def test_killed_and_started_again_it_has_what_was_written(redis_server: RedisServer) -> None:
    redis = redis_server.client()
    await asyncio.gather(*(redis.command("SET", f"pw:{{a}}:{number}", number) for number in range(20)))
    redis_server.kill()
    for _ in range(5):
        with pytest.raises(StoreDown):
            await redis.command("GET", "pw:{a}:7")
    redis_server.start()
    await _back(redis)
    assert await redis.command("GET", "pw:{a}:7") == b"7"
    await redis.aclose()


async def test_connections_that_the_server_closed_are_not_used_again(redis_server: RedisServer) -> None:
    redis = redis_server.client()
    await asyncio.gather(*(redis.decide(SLOW_ECHO, [], ["x"]) for _ in range(20)))
    await asyncio.to_thread(redis_server.kill)  # while this loop goes on, and hears that they are closed
    await asyncio.to_thread(redis_server.start)
    assert await asyncio.gather(*(redis.command("PING") for _ in range(20))) == [b"PONG"] * 20
    assert not redis.down
    await redis.aclose()


async def test_a_full_server_is_down(redis: Redis, redis_server: RedisServer) -> None:
    redis_server.tell("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreDown, match="redis: "):
        await redis.command("SET", "pw:{a}:k", "v")


async def test_passwords_and_addresses_that_are_wrong_are_not_shown(redis_server: RedisServer) -> None:
    redis = redis_server.client()
    redis_server.tell("CONFIG", "SET", "requirepass", "hunter2")
    try:
        with pytest.raises(StoreDown) as raised:
            await redis.command("PING")
    finally:
        await _tell_with_password(redis_server, "hunter2")
    assert "hunter2" not in str(raised.value)
    await redis.aclose()


async def test_a_fresh_server_is_fit(redis: Redis, redis_server: RedisServer) -> None:
    found = await fitness(redis)
    assert found.problems(money=True) == []
    assert found.doubts(money=True) == []
    redis_server.tell("CONFIG", "SET", "appendonly", "no")
    redis_server.tell("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        lacking = (await fitness(redis)).problems(money=True)
        assert [("appendonly yes" in text, "noeviction" in text) for text in lacking] == [(True, False), (False, True)]
        assert (await fitness(redis)).problems() == []
    finally:
        redis_server.tell("CONFIG", "SET", "appendonly", "yes")
        redis_server.tell("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def _back(redis: Redis) -> None:
    """Wait until a probe has found out that the server is back."""
    async with asyncio.timeout(10):
        while True:
            try:
                await redis.command("PING")
            except StoreDown:
                await asyncio.sleep(0.01)  # the time of the next probe is nobody's event
            else:
                return


async def _tell_with_password(server: RedisServer, password: str) -> None:
    reader, writer = await asyncio.open_unix_connection(str(server.socket))
    writer.write(f"AUTH {password}\r\nCONFIG SET requirepass ''\r\n".encode())
    assert await reader.readuntil(b"+OK\r\n+OK\r\n")
    writer.close()
    await writer.wait_closed()
