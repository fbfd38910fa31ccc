"""Waiting for a turn: in order, in time, cancelled, refused. In virtual time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Principal
from promptwire_server.core.clock import Chance
from promptwire_server.core.errors import DeadlineExceeded, Draining, Overloaded, PromptwireError, QueueTooLong
from promptwire_server.layers.admission.admission import Admission
from promptwire_server.layers.admission.counts import AdmissionMetrics, Shed
from promptwire_server.layers.admission.lease import Lease
from promptwire_server.layers.admission.settings import AdmissionSettings
from promptwire_server.layers.exposition import render
from tests.unit.layers.virtual import VirtualClock, run

CRITICAL, HIGH, NORMAL, LOW = pb.PRIORITY_CRITICAL, pb.PRIORITY_HIGH, pb.PRIORITY_NORMAL, pb.PRIORITY_LOW
OPERATOR = Principal("", "op", operator=True)


def admission(**settings: Any) -> Admission:
    chosen = {"ceiling_calls": 1, "adaptive": False, **settings}
    meter = chosen.pop("meter", None)
    return Admission(AdmissionSettings(**chosen), clock=VirtualClock(), chance=Chance(Random(1)), meter=meter)


def call(
    priority: "pb.Priority" = pb.PRIORITY_UNSPECIFIED,
    *,
    tenant: str = "t",
    timeout_s: float = 60.0,
    principal: Principal | None = None,
    run_id: str = "",
) -> Call:
    now_s = asyncio.get_running_loop().time()
    who = principal or Principal(tenant, "x", max_priority=CRITICAL)
    return Call(pb.ChatRequest(model="m", priority=priority), who, "r", "t", now_s + timeout_s, now_s, run_id=run_id)


class Served:
    """Who was let in, in which order and when."""

    def __init__(self, doors: Admission) -> None:
        self.doors = doors
        self.order: list[str] = []
        self.times_s: list[float] = []

    async def work(self, name: str, which: Call, stay_s: float = 1.0) -> None:
        with await self.doors.enter(which):
            self.order.append(name)
            self.times_s.append(asyncio.get_running_loop().time())
            await asyncio.sleep(stay_s)


async def settle() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


@asynccontextmanager
async def busy(doors: Admission, stay_s: float = 1.0) -> AsyncIterator[None]:
    """Every slot is taken by calls that stay that long, and it is known how long calls stay."""
    for _ in range(5):
        with await doors.enter(call()):
            await asyncio.sleep(stay_s)
    leases = [await doors.enter(call()) for _ in range(doors.room)]
    yield
    await asyncio.sleep(stay_s)
    for lease in leases:
        lease.release()


def test_calls_are_let_in_in_the_order_of_their_priority() -> None:
    async def main() -> Sequence[str]:
        served = Served(admission())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(served.work("first", call()))
            await settle()
            for name, priority in (("low", LOW), ("normal", NORMAL), ("unspecified", pb.PRIORITY_UNSPECIFIED), ("critical", CRITICAL)):
                tasks.create_task(served.work(name, call(priority)))
            tasks.create_task(served.work("high", call(HIGH)))
        return served.order

    assert run(main()) == ["first", "critical", "high", "normal", "unspecified", "low"]


def test_tenants_take_turns() -> None:
    async def main() -> str:
        served = Served(admission())
        async with asyncio.TaskGroup() as tasks:
            for name in "xaaaab":
                tasks.create_task(served.work(name, call(tenant=name)))
        return "".join(served.order)

    assert run(main()) == "xabaaa"


def test_weights_can_be_changed_while_calls_come() -> None:
    async def main() -> str:
        doors = admission()
        doors.reweigh({"b": 3.0})
        served = Served(doors)
        async with asyncio.TaskGroup() as tasks:
            for name in "xaaabbb":
                tasks.create_task(served.work(name, call(tenant=name)))
        return "".join(served.order)

    assert sorted(run(main())[1:5]) == ["a", "b", "b", "b"]


def test_a_slot_that_gets_free_is_given_on_at_once() -> None:
    async def main() -> list[float]:
        served = Served(admission(ceiling_calls=2))
        async with asyncio.TaskGroup() as tasks:
            for number in range(6):
                tasks.create_task(served.work(str(number), call(), 2.0))
        return served.times_s

    assert run(main()) == [0, 0, 2, 2, 4, 4]


def test_a_call_whose_deadline_comes_first_is_sent_away_at_once() -> None:
    async def main() -> tuple[PromptwireError, float]:
        doors = admission()
        async with busy(doors):
            before_s = asyncio.get_running_loop().time()
            with pytest.raises(QueueTooLong) as caught:
                await doors.enter(call(timeout_s=0.5))
            assert doors.counts.sheds[2][Shed.DEADLINE] == 1
            return caught.value, asyncio.get_running_loop().time() - before_s

    error, took_s = run(main())
    assert took_s == 0
    assert "too long for its deadline" in error.message
    assert error.retry_after_s


def test_a_call_that_would_wait_longer_than_anybody_may_is_sent_away_at_once() -> None:
    async def main() -> Overloaded:
        doors = admission(max_wait_s=2.5)
        served = Served(doors)
        async with asyncio.TaskGroup() as tasks, busy(doors):
            for name in "ab":
                tasks.create_task(served.work(name, call()))
            await settle()
            with pytest.raises(Overloaded) as caught:
                await doors.enter(call())
            assert doors.waiting(2) == 2
        assert served.order == ["a", "b"]
        return caught.value

    error = run(main())
    assert error.retry_after_s is not None
    assert 1.5 <= error.retry_after_s <= 4.5  # 3 s, jittered
    assert "would wait about 3.0 s" in error.message


def test_those_who_are_sent_away_together_are_told_different_delays() -> None:
    async def main() -> set[float | None]:
        doors = admission(max_wait_s=0.1)
        delays = set()
        async with busy(doors):
            for _ in range(10):
                with pytest.raises(Overloaded) as caught:
                    await doors.enter(call())
                delays.add(caught.value.retry_after_s)
        return delays

    assert len(run(main())) == 10


def test_a_call_leaves_the_queue_at_its_deadline() -> None:
    async def main() -> tuple[float, str]:
        doors = admission()
        lease = await doors.enter(call())
        with pytest.raises(DeadlineExceeded) as caught:
            await doors.enter(call(timeout_s=3.0))
        assert doors.waiting(2) == 0
        lease.release()
        assert doors.inside == 0
        return asyncio.get_running_loop().time(), caught.value.metadata["phase"]

    assert run(main()) == (3.0, "queue")


def test_a_call_leaves_the_queue_when_it_has_waited_as_long_as_anybody_may() -> None:
    async def main() -> float:
        doors = admission(max_wait_s=2.0)
        lease = await doors.enter(call())
        with pytest.raises(Overloaded, match="did not come within 2 s"):
            await doors.enter(call())
        lease.release()
        return asyncio.get_running_loop().time()

    assert run(main()) == 2.0


def test_a_queue_that_stands_takes_in_only_as_many_as_keep_every_slot_busy() -> None:
    async def main() -> tuple[int, int]:
        doors = admission(ceiling_calls=10, max_wait_s=60.0)
        served = Served(doors)
        shed = 0

        async def caller(name: str) -> None:
            nonlocal shed
            try:
                await served.work(name, call())
            except Overloaded:
                shed += 1

        async with asyncio.TaskGroup() as tasks:
            for number in range(1000):
                tasks.create_task(caller(str(number)))
                await asyncio.sleep(0.05)  # twice as many as can be served
                if number == 999:
                    depth = doors.waiting(2)
        return depth, shed

    depth, shed = run(main())
    assert depth <= 6  # half a second's worth
    assert shed >= 400


def test_in_a_queue_that_stands_the_tenant_that_makes_it_long_gives_way() -> None:
    async def main() -> Counter[str]:
        doors = admission(ceiling_calls=10, max_wait_s=60.0)
        served, shed = Served(doors), Counter[str]()

        async def caller(name: str) -> None:
            try:
                await served.work(name, call(tenant=name))
            except Overloaded:
                shed[name] += 1

        async with asyncio.TaskGroup() as tasks:
            for number in range(1000):
                tasks.create_task(caller("noisy"))
                if number % 20 == 0:  # a third of what can be served, three at a time
                    for _ in range(3):
                        tasks.create_task(caller("quiet"))
                await asyncio.sleep(0.05)
        return shed

    shed = run(main())
    assert shed["noisy"] >= 500
    assert shed["quiet"] <= 5  # of 150


def test_when_the_queue_is_full_the_largest_tenant_gives_way() -> None:
    async def main() -> tuple[list[str], list[str]]:
        doors = admission(queue_calls=3)
        served, refused = Served(doors), []

        async def caller(name: str) -> None:
            try:
                await served.work(name, call(tenant=name[0]))
            except Overloaded:
                refused.append(name)

        async with asyncio.TaskGroup() as tasks:
            for name in ("x", "a1", "a2", "a3", "a4", "b1", "b2", "b3"):
                tasks.create_task(caller(name))
        return served.order, refused

    order, refused = run(main())
    assert refused == ["a4", "b2", "b3", "a3"]
    assert order == ["x", "a1", "b1", "a2"]


def test_a_queue_without_room_sends_everybody_away() -> None:
    async def main() -> None:
        doors = admission(queue_calls=0)
        with await doors.enter(call()):
            with pytest.raises(Overloaded, match="too many calls wait"):
                await doors.enter(call())
            assert doors.counts.sheds[2][Shed.QUEUE] == 1

    run(main())


def test_who_is_cancelled_while_waiting_leaves_the_queue() -> None:
    async def main() -> None:
        doors = admission()
        lease = await doors.enter(call())
        task = asyncio.create_task(doors.enter(call()))
        await settle()
        assert doors.waiting(2) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert doors.waiting(2) == 0
        lease.release()
        assert doors.inside == 0

    run(main())


@pytest.mark.parametrize("cancelled_first", [True, False])
def test_who_is_cancelled_in_the_moment_of_being_let_in_gives_the_slot_on(cancelled_first: bool) -> None:  # noqa: FBT001 - a parameter
    async def main() -> None:
        doors = admission()
        lease = await doors.enter(call())
        leaving, staying = asyncio.create_task(doors.enter(call())), asyncio.create_task(doors.enter(call()))
        await settle()
        for act in (leaving.cancel, lease.release) if cancelled_first else (lease.release, leaving.cancel):
            act()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        (await staying).release()
        assert (doors.inside, doors.waiting(2)) == (0, 0)

    run(main())


def test_who_is_cancelled_in_the_moment_of_its_deadline_is_counted_once() -> None:
    async def main() -> None:
        doors = admission()
        with await doors.enter(call()):
            task = asyncio.create_task(doors.enter(call(timeout_s=1.0)))
            await settle()
            asyncio.get_running_loop().call_at(1.0, task.cancel)
            with pytest.raises((asyncio.CancelledError, DeadlineExceeded)):
                await task
        assert (doors.inside, doors.waiting(2)) == (0, 0)

    run(main())


def test_those_who_wait_when_draining_begins_are_still_served_and_runs_go_on() -> None:
    async def main() -> list[str]:
        doors = admission()
        served = Served(doors)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(served.work("first", call()))
            tasks.create_task(served.work("waits", call()))
            await settle()
            doors.drain()
            with pytest.raises(Draining):
                await doors.enter(call())
            tasks.create_task(served.work("step", call(run_id="run-1")))
        return served.order

    assert run(main()) == ["first", "waits", "step"]


@pytest.mark.parametrize(
    ("principal", "asked", "rank", "notices"),
    [
        (Principal("t", "x"), CRITICAL, 1, ["priority"]),
        (Principal("t", "x"), HIGH, 1, []),
        (Principal("t", "x", max_priority=CRITICAL), CRITICAL, 0, []),
        (Principal("t", "x", max_priority=LOW), HIGH, 3, ["priority"]),
        (Principal("t", "x", max_priority=LOW), pb.PRIORITY_UNSPECIFIED, 3, []),
        (OPERATOR, CRITICAL, 0, []),
    ],
)
def test_a_priority_needs_permission(principal: Principal, asked: "pb.Priority", rank: int, notices: list[str]) -> None:
    async def main() -> tuple[int, list[str]]:
        asking = call(asked, principal=principal)
        with await admission().enter(asking) as lease:
            return lease.rank, [notice.field for notice in asking.trail.notices]

    assert run(main()) == (rank, notices)


class Gauge:
    """Memory that is as full as the test says; counts how often it is looked at."""

    def __init__(self) -> None:
        self.share = 0.0
        self.looks = 0

    def __call__(self) -> int:
        self.looks += 1
        return int(self.share * 1000)


async def fill(doors: Admission) -> list[Lease]:
    """As many leases as are given at once."""
    return [await doors.enter(call()) for _ in range(doors.room)]


def test_full_memory_lets_in_the_floor_only_and_nobody_waits() -> None:
    async def main() -> None:
        gauge = Gauge()
        doors = admission(ceiling_calls=100, floor_calls=4, memory_limit_bytes=1000, meter=gauge)
        (await doors.enter(call())).release()
        assert doors.room == 100
        gauge.share = 0.97
        await asyncio.sleep(0.3)
        leases = [await doors.enter(call()) for _ in range(4)]
        with pytest.raises(Overloaded, match="memory is full"):
            await doors.enter(call())
        assert doors.counts.sheds[2][Shed.MEMORY] == 1
        gauge.share = 0.5
        await asyncio.sleep(0.3)
        (await doors.enter(call())).release()
        assert doors.room == 100
        for lease in leases:
            lease.release()

    run(main())


def test_nearly_full_memory_lets_in_fewer() -> None:
    async def main() -> int:
        gauge = Gauge()
        gauge.share = 0.875
        doors = admission(ceiling_calls=100, floor_calls=4, memory_limit_bytes=1000, meter=gauge)
        (await doors.enter(call())).release()
        return doors.room

    assert run(main()) == 52


def test_memory_that_gets_free_lets_in_those_who_wait() -> None:
    async def main() -> list[str]:
        gauge = Gauge()
        gauge.share = 0.94
        doors = admission(ceiling_calls=100, floor_calls=1, memory_limit_bytes=1000, meter=gauge)
        (await doors.enter(call())).release()
        leases = await fill(doors)
        served = Served(doors)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(served.work("waits", call()))
            await asyncio.sleep(0.3)
            gauge.share = 0.1
            leases.pop().release()
        for lease in leases:
            lease.release()
        return served.order

    assert run(main()) == ["waits"]


def test_memory_is_looked_at_four_times_a_second_at_most() -> None:
    async def main() -> int:
        gauge = Gauge()
        doors = admission(ceiling_calls=100, memory_limit_bytes=1000, meter=gauge)
        for _ in range(1000):
            (await doors.enter(call())).release()
            await asyncio.sleep(0.01)
        return gauge.looks

    assert 35 <= run(main()) <= 41


def test_nothing_is_predicted_while_nothing_is_known() -> None:
    async def main() -> list[str]:
        served = Served(admission(max_wait_s=30.0))
        async with asyncio.TaskGroup() as tasks:
            for name in "abcde":
                tasks.create_task(served.work(name, call()))
        return served.order

    assert run(main()) == list("abcde")


def test_calls_that_never_end_make_the_predicted_wait_longer() -> None:
    async def main() -> None:
        doors = admission(max_wait_s=10.0)
        with await doors.enter(call()):
            await asyncio.sleep(11)
            with pytest.raises(Overloaded):
                await doors.enter(call())

    run(main())


def test_metrics_tell_depth_waits_and_sheds() -> None:
    async def main() -> str:
        doors = admission(queue_calls=1)
        served = Served(doors)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(served.work("a", call()))
            tasks.create_task(served.work("b", call(LOW)))
            await settle()
            with pytest.raises(Overloaded):
                await doors.enter(call(LOW))
            text = render(AdmissionMetrics(doors).collect())
        return text + render(AdmissionMetrics(doors).collect())

    text = run(main())
    for line in (
        "promptwire_admission_limit 1",
        "promptwire_admission_in_use 1",
        'promptwire_queue_depth{priority="low"} 1',
        'promptwire_admission_sheds_total{priority="low",reason="queue"} 1',
        'promptwire_admission_admitted_total{priority="low"} 1',
        'promptwire_queue_wait_seconds_count{priority="low"} 1',
        'promptwire_queue_wait_seconds_sum{priority="low"} 1.0',
        "promptwire_admission_leases_reclaimed_total 0",
    ):
        assert f"{line}\n" in text
