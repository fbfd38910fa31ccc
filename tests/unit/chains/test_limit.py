"""TimeLimit cuts what it guards, and nothing else."""

import asyncio

import pytest

from promptwire_server.chains.limit import TimeLimit


async def test_a_wait_inside_is_cut() -> None:
    limit = TimeLimit(0.005)
    with pytest.raises(TimeoutError), limit:
        await asyncio.Event().wait()
    assert limit.expired
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "the task is not being cancelled any more"


async def test_a_wait_outside_is_not_cut_and_the_next_inside_does_not_begin() -> None:
    limit = TimeLimit(0.001)
    with limit:
        pass
    await asyncio.sleep(0.01)
    with pytest.raises(TimeoutError), limit:
        pytest.fail("the time was up")


async def test_no_time_at_all_cuts_the_first_wait() -> None:
    with pytest.raises(TimeoutError), TimeLimit(-1.0):
        await asyncio.Event().wait()


async def test_after_close_nothing_is_cut() -> None:
    limit = TimeLimit(0.001)
    with limit:
        limit.close()
        await asyncio.sleep(0.003)
    assert not limit.expired


async def test_a_cancellation_from_outside_stays_one() -> None:
    inside = asyncio.Event()

    async def work() -> None:
        with TimeLimit(10):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_from_outside_wins_over_one_of_ours() -> None:
    async def work() -> None:
        limit = TimeLimit(10)
        with limit:
            limit._expire()
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work())


async def test_it_nests_in_a_timeout_of_asyncio() -> None:
    async def work() -> None:
        limit = TimeLimit(10)
        async with asyncio.timeout(0.005):
            with limit:
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await work()


async def test_an_error_inside_stays_as_it_is() -> None:
    with pytest.raises(KeyError), TimeLimit(10):
        raise KeyError
