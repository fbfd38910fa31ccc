"""Virtual time passes at once, in order, and tells of what would hang."""

import asyncio
import time

import pytest

from promptwire_server.core.clock import Clock
from tests.unit.layers.virtual import Stalled, Untidy, VirtualClock, run


def test_an_hour_passes_at_once() -> None:
    began_s = time.perf_counter()

    async def main() -> float:
        clock: Clock = VirtualClock()
        await asyncio.sleep(3600)
        return clock.monotonic()

    assert run(main()) == 3600
    assert time.perf_counter() - began_s < 1


def test_what_is_due_earlier_happens_earlier_and_at_its_time() -> None:
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        seen.append((name, VirtualClock().monotonic()))

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            for name, delay_s in (("late", 0.3), ("early", 0.1), ("later", 1e6)):
                tasks.create_task(sleeper(name, delay_s))

    run(main())
    assert seen == [("early", 0.1), ("late", 0.3), ("later", 1e6)]


def test_a_date_goes_with_the_seconds() -> None:
    async def main() -> float:
        clock = VirtualClock(epoch_s=1000.0)
        await asyncio.sleep(5)
        return clock.time()

    assert run(main()) == 1005


def test_timeouts_are_in_virtual_time() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await asyncio.Event().wait()
        return VirtualClock().monotonic()

    assert run(main()) == 60


def test_each_run_begins_at_zero() -> None:
    async def main() -> float:
        await asyncio.sleep(1)
        return VirtualClock().monotonic()

    assert [run(main()), run(main())] == [1, 1]


def test_what_would_wait_for_ever_is_told() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stalled, match="nothing would ever happen again"):
        run(main())


def test_a_task_left_behind_is_told() -> None:
    async def main() -> "asyncio.Task[None]":
        return asyncio.create_task(asyncio.sleep(5), name="forgotten")

    with pytest.raises(Untidy, match="forgotten"):
        run(main())


def test_an_exception_in_a_callback_is_told() -> None:
    table: dict[str, int] = {}

    async def main() -> None:
        asyncio.get_running_loop().call_later(1, lambda: table["missing"])
        await asyncio.sleep(2)

    with pytest.raises(Untidy, match="missing"):
        run(main())


def test_an_exception_goes_through() -> None:
    async def main() -> None:
        await asyncio.sleep(1)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run(main())


def test_threads_are_refused() -> None:
    async def main() -> None:
        await asyncio.to_thread(time.time)

    with pytest.raises(NotImplementedError, match="thread"):
        run(main())
