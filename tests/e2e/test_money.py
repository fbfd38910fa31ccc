"""Budgets against the provider's own bill: hundreds of calls at once, processes killed at every point, streams left at any word."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.doomed import POINTS
from tests.e2e.money import Scene, moments
from tests.faults.fake_provider.process import FakeProvider

CALLS = 37  # that there is money for
AT_ONCE = 8
Staged = Callable[..., Scene]


@pytest.fixture
def staged(fake: FakeProvider, marker: str, tmp_path: Path) -> Staged:
    """Makes the scene of this test."""

    def stage(calls: int, script: str = "") -> Scene:
        return Scene(fake, marker, tmp_path / "kept", calls, script)

    return stage


@pytest.mark.parametrize("workers", [1, 3])
async def test_300_calls_at_once_spend_what_there_is_and_no_more(serve: Serve, staged: Staged, workers: int) -> None:
    scene = staged(CALLS)
    await scene.put()
    server = serve(scene.config(), arguments=["--workers", str(workers)])
    ended = await scene.load(server, 300, 300, connections=6)
    await scene.settled()
    audit = scene.audit()
    audit.check()
    assert ended["OK"] >= CALLS - 1
    assert ended["OK"] + ended["BUDGET_EXHAUSTED"] == 300


LIVES = [list(POINTS)[start : start + 5] for start in range(0, len(POINTS), 5)]


@pytest.mark.parametrize("points", LIVES, ids=lambda points: points[0].replace(" ", "-"))
async def test_a_server_that_dies_at_a_point_overspends_nothing_and_forgets_no_attempt(serve: Serve, staged: Staged, points: list[str]) -> None:
    scene = staged(100, ";head_ms=150")
    await scene.put()
    for point in points:
        number = 3 if POINTS[point].name in ("reconfigure", "drain") else 11
        number = 1 if POINTS[point].name in ("reconfigure", "drain") else number
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
    free_s = await scene.settled()
    scene.audit().check()
    assert ended["BUDGET_EXHAUSTED"] > 0
    assert free_s < 30


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_server_killed_at_any_moment_overspends_nothing_and_forgets_no_attempt(serve: Serve, staged: Staged, seed: int) -> None:
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
    for moment_s in moments(3, 3, 1.0):
        load = asyncio.create_task(scene.load(server, 40, AT_ONCE, connections=6))
        await asyncio.sleep(moment_s)  # any moment will do
        newest = {line["worker"]: line["pid"] for line in server.log.events("worker.state", state="ready")}
        os.kill(newest[0], signal.SIGKILL)
        await load
        deaths = len(server.log.events("worker.died"))
        await asyncio.to_thread(server.log.wait, "worker.state", state="ready", count=3 + deaths)
    ended = await scene.load(server, 150, 30, connections=6)
    await scene.settled()
    scene.audit().check()
    assert ended["BUDGET_EXHAUSTED"] > 0
