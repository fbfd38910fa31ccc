"""Calls that end in every way leave nothing behind on a real server: no slot, no task, no call at a target, no open connection."""

import pytest

from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.leases import Crowd, left_behind
from tests.faults.fake_provider.process import FakeProvider

AT_ONCE = 96  # callers; a few more than there is room for
WAYS = {"OK", "UNAVAILABLE", "DEADLINE_EXCEEDED", "INVALID_ARGUMENT", "cancelled", "cut off"}


@pytest.mark.parametrize("calls", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_calls_that_end_in_every_way_leave_nothing_behind(serve: Serve, fake: FakeProvider, marker: str, calls: int) -> None:
    server = serve(
        {
            "server": {"max_concurrent_calls": 90, "admission": {"adaptive": False, "queue_calls": 2}},
            "resilience": {"breaker": {"consecutive_failures": 0, "error_rate": 0}},
            "providers": {"fake": process.openai(fake.base_url)},
        }
    )
    tasks = server.metrics().sum("promptwire_event_loop_tasks")
    crowd = Crowd(server, marker, seed=calls)
    await crowd.ask(calls, AT_ONCE)
    print(f"\n{dict(crowd.ends)}")
    assert crowd.ends.total() == calls
    assert set(crowd.ends) == WAYS
    assert not server.log.events("rpc.bug")
    assert await left_behind(server, fake, marker, tasks) == {}
