"""Limits that several processes share in a real Redis, by its clock: never too generous, and not much too strict."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from promptwire_server.core.clock import Chance
from promptwire_server.core.rate import Ask, Refusal, Slot
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.redis.rates import Rates
from tests.contract.stores.redis_server import RedisServer
from tests.e2e.process import ROOT, environment

Process = subprocess.Popen[str]
Times = list[tuple[float, float]]


@contextmanager
def processes(server: RedisServer, count: int, **options: float) -> Iterator[list[Process]]:
    """So many of tests/contract/stores/rates_process, ready to begin."""
    every = {"size": 0, "per_minute": 1, "slots": 0, "deciders": 64, "for_s": 1.5, "lease_s": 30.0, **options}
    command = [sys.executable, "-m", "tests.contract.stores.rates_process", server.url, json.dumps(every)]
    path = f"{ROOT}:{ROOT / 'server'}:{ROOT / 'clients' / 'python'}"
    running = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(server.folder, {"PYTHONPATH": path}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    try:
        for process in running:
            assert "ready" in told(process)
        yield running
    finally:
        for process in running:
            process.kill()
            process.communicate()


def told(process: Process) -> dict[str, Times]:
    assert process.stdout is not None
    found: dict[str, Times] = json.loads(process.stdout.readline())
    return found


def begin(running: Sequence[Process]) -> None:
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def test_three_processes_with_64_askers_each_never_get_more_than_the_limit_in_any_window(redis_server: RedisServer) -> None:
    size, per_s = 20, 100
    with processes(redis_server, 3, size=size, per_minute=per_s * 60) as running:
        began_s = time.monotonic()
        begin(running)
        admitted = [times for process in running for times in told(process)["admitted"]]
    ended_s = max(received for _, received in admitted)
    for first_sent, _ in admitted:
        inside = sorted(received for sent, received in admitted if sent >= first_sent)
        for number, received in enumerate(inside, 1):
            assert number <= size + per_s * (received - first_sent) + 1e-3
    assert len(admitted) >= 0.5 * (size + per_s * (ended_s - began_s))  # so many keep a busy machine from asking at the right moment


@pytest.mark.slow
def test_three_processes_get_the_limit_within_two_percent(redis_server: RedisServer) -> None:
    size, per_s = 10, 100
    with processes(redis_server, 3, size=size, per_minute=per_s * 60, deciders=8, for_s=10.0) as running:
        begin(running)
        admitted = sorted(times for process in running for times in told(process)["admitted"])
    expected = size + per_s * (max(received for _, received in admitted) - admitted[0][0])
    print(f"\n{len(admitted)} of {expected:.0f}")
    assert 0.98 * expected <= len(admitted) <= expected + 1


def test_three_processes_never_hold_more_slots_than_there_are(redis_server: RedisServer) -> None:
    with processes(redis_server, 3, slots=10) as running:
        begin(running)
        held = [times for process in running for times in told(process)["held"]]
    assert len(held) > 100
    steps = sorted([(begun, 1) for begun, _ in held] + [(ended, -1) for _, ended in held])
    at_once = most = 0
    for _, step in steps:
        at_once += step
        most = max(most, at_once)
    assert 5 <= most <= 10


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "alive"])
async def test_a_slot_is_kept_while_its_process_lives_and_free_soon_after_it_was_killed(redis_server: RedisServer, *, killed: bool) -> None:
    redis = redis_server.client()
    rates = Rates(redis, Chance())
    ask = Ask((), [Slot(("shared", "concurrency"), 1)], 60.0)
    with processes(redis_server, 1, slots=1, deciders=0, for_s=30.0, lease_s=0.6) as running:
        begin(running)
        told(running[0])
        if killed:
            running[0].kill()
        until_s = time.monotonic() + 2.0  # three leases
        free = False
        while not free and time.monotonic() < until_s:
            free = not isinstance(await rates.take(ask), Refusal)
        assert free is killed
    await rates.aclose()
    await redis.aclose()


async def test_what_was_taken_survives_a_restart_of_redis_and_is_out_of_reach_meanwhile(redis_server: RedisServer) -> None:
    redis = redis_server.client()
    rates = Rates(redis, Chance())
    ask = Ask((), [Slot(("shared", "concurrency"), 1)], 60.0)
    assert not isinstance(await rates.take(ask), Refusal)
    redis_server.kill()
    with pytest.raises(StoreDown):
        await rates.take(ask)
    redis_server.start()
    assert isinstance(await rates.take(ask), Refusal)
    await rates.aclose()
    await redis.aclose()
