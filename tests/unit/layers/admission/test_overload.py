"""The promises of admission, in a simulated world: goodput under overload, recovery, priorities, neighbours, endings."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import UpstreamFailed
from promptwire_server.layers.admission.settings import AdmissionSettings
from tests.unit.layers.admission.overload import Elastic, Shared, Upstream, World, quantile_s, well
from tests.unit.layers.virtual import run

CAPACITY = 50.0  # calls a second: 50 at once, of a second each
SLOTS = 50
WIDE = AdmissionSettings(ceiling_calls=1024)  # far more than the upstream bears: the limit must find that out
NARROW = AdmissionSettings(ceiling_calls=SLOTS)  # the gateway itself is what is scarce
WORLDS = pytest.mark.parametrize(
    ("settings", "upstream"), [(WIDE, lambda: Shared(SLOTS)), (NARROW, Elastic)], ids=["upstream is scarce", "slots are scarce"]
)
MakeUpstream = Callable[[], Upstream]


async def overloaded(world: World, times: float) -> World:
    """Quiet until 30 s, then so many times the capacity until 60 s, then quiet again until 80 s."""
    async with asyncio.TaskGroup() as tasks:
        for rate, begin_s, end_s in ((0.7, 0, 30), (times, 30, 60), (0.7, 60, 80)):
            tasks.create_task(world.load(tasks, rate * CAPACITY, begin_s, end_s))
    return world


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("times", [2, 5])
@WORLDS
def test_overload_takes_hardly_anything_from_what_is_served_and_is_over_when_it_is_over(
    settings: AdmissionSettings, upstream: MakeUpstream, times: float, seed: int
) -> None:
    world = run(overloaded(World(settings, upstream(), seed), times))
    peak = max(world.goodput(30 + at, 40 + at) for at in range(0, 21, 5))
    assert world.goodput(35, 60) >= 0.9 * min(peak, CAPACITY)
    after = world.begun(65, 80)
    before = world.begun(10, 30)
    assert well(after) >= 0.99
    assert quantile_s(after, 0.5) <= 1.2 * quantile_s(before, 0.5)


@pytest.mark.parametrize("seed", [1, 4, 5, 6])
def test_callers_without_patience_do_not_make_a_crowd_look_like_an_outage(seed: int) -> None:
    """They leave before they are answered, and many in a moment: less is answered for a while, and more calls end without an answer."""

    async def main(world: World) -> World:
        async with asyncio.TaskGroup() as tasks:
            for rate, begin_s, end_s in ((0.7, 0, 15), (5, 15, 45)):
                tasks.create_task(world.load(tasks, rate * 62.5, begin_s, end_s, timeout_s=5.0))
        return world

    world = run(main(World(WIDE, Shared(25), seed, mean_s=0.4)))
    assert world.goodput(20, 45) >= 0.9 * 62.5


@pytest.mark.parametrize("times", [2, 5])
def test_those_who_are_sent_away_are_told_at_once(times: float) -> None:
    world = run(overloaded(World(NARROW, Elastic(), 4), times))
    refused = sorted(each.took_s for each in world.begun(30, 60) if each.how in ("OVERLOADED", "QUEUE_TOO_LONG"))
    assert len(refused) > 1000
    assert refused[int(0.9 * len(refused))] == 0.0  # the others had been let into the queue, and waited in vain


@pytest.mark.parametrize("seed", [1, 2, 3])
@WORLDS
def test_the_most_urgent_are_served_and_nobody_starves(settings: AdmissionSettings, upstream: MakeUpstream, seed: int) -> None:
    async def main(world: World) -> World:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(world.load(tasks, 0.7 * CAPACITY, 0, 20))
            for priority, part in (
                (pb.PRIORITY_CRITICAL, 0.15),
                (pb.PRIORITY_HIGH, 0.3),
                (pb.PRIORITY_NORMAL, 0.3),
                (pb.PRIORITY_LOW, 0.25),
            ):
                tasks.create_task(world.load(tasks, 4 * part * CAPACITY, 20, 80, priority=priority, timeout_s=20.0))
        return world

    crowd = run(main(World(settings, upstream(), seed))).begun(20, 80)
    served = Counter(each.priority for each in crowd if each.how == "ok")
    assert well([each for each in crowd if each.priority == pb.PRIORITY_CRITICAL]) >= 0.999
    assert served[pb.PRIORITY_LOW] >= 0.02 * served.total()
    assert served[pb.PRIORITY_HIGH] > served[pb.PRIORITY_NORMAL] > served[pb.PRIORITY_LOW]


@pytest.mark.parametrize("seed", [1, 2])
@WORLDS
def test_a_noisy_tenant_costs_its_neighbours_little(settings: AdmissionSettings, upstream: MakeUpstream, seed: int) -> None:
    async def main(world: World, noise: float) -> World:
        async with asyncio.TaskGroup() as tasks:
            for number in range(4):
                tasks.create_task(world.load(tasks, 6, 0, 100, tenant=f"quiet {number}", timeout_s=30.0))
            if noise:
                tasks.create_task(world.load(tasks, noise, 30, 100, tenant="noisy", timeout_s=30.0))
        return world

    alone, beside = (
        [each for each in run(main(World(settings, upstream(), seed), noise)).begun(40, 100) if each.tenant != "noisy"]
        for noise in (0, 5 * CAPACITY)
    )
    assert well(beside) >= 0.99
    assert quantile_s(beside, 0.99) <= 1.5 * quantile_s(alone, 0.99)


def test_a_vendor_that_gets_slow_by_itself_is_not_throttled_for_long() -> None:
    vendor = Elastic()

    async def main(world: World) -> World:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(world.load(tasks, CAPACITY, 0, 120, timeout_s=60.0))
            await asyncio.sleep(60)
            vendor.slower = 2.5
        return world

    world = run(main(World(WIDE, vendor, 1)))
    assert well(world.begun(60, 90)) >= 0.65
    assert well(world.begun(90, 120)) >= 0.99


class Ends:
    """An upstream whose answers end in each way that there is."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    async def work(self, size_s: float) -> None:
        await asyncio.sleep(size_s * self._rng.random())
        match self._rng.randrange(4):
            case 0:
                raise UpstreamFailed("gone")
            case 1:
                await asyncio.sleep(100)  # beyond every deadline


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_thousand_calls_that_end_at_random_leave_nothing_behind(seed: int) -> None:
    async def main() -> "Counter[str]":
        rng = random.Random(seed)
        world = World(AdmissionSettings(ceiling_calls=40, queue_calls=20, max_wait_s=3.0), Ends(rng), seed)
        calls = []
        async with asyncio.TaskGroup() as tasks:
            for number in range(10_000):
                priority = rng.choice((pb.PRIORITY_CRITICAL, pb.PRIORITY_HIGH, pb.PRIORITY_NORMAL, pb.PRIORITY_LOW))
                caller = world._call(f"tenant {number % 7}", priority, rng.choice((0.05, 0.5, 2.0)), rng.expovariate(2.0))
                calls.append(tasks.create_task(caller))
                if rng.random() < 0.3:
                    asyncio.get_running_loop().call_later(rng.expovariate(2.0), calls[-1].cancel)
                await asyncio.sleep(rng.expovariate(30.0))
        admission = world.admission
        assert admission.inside == 0
        assert [admission.waiting(rank) for rank in range(4)] == [0, 0, 0, 0]
        assert admission.counts.reclaimed == 0
        assert sum(admission.counts.admitted) > 3000
        return Counter(each.how for each in world.outcomes) + Counter(cancelled=sum(call.cancelled() for call in calls))

    ends = run(main())
    assert ends.total() == 10_000
    assert {"ok", "late", "cancelled", "UPSTREAM_FAILED", "OVERLOADED"} <= set(ends)
