"""A new configuration at run time: on SIGHUP, when the file changes, and never at the cost of a call."""

import asyncio
import os
import signal
from typing import Any

import pytest

from promptwire import Promptwire, errors
from tests.e2e.conftest import Serve
from tests.e2e.process import Server, openai
from tests.faults.fake_provider.process import FakeProvider

BASE: dict[str, Any] = {"models": {"fast": "echo/echo"}}


async def heard(server: Server, event: str) -> dict[str, Any]:
    """The log line of an event, once it is there."""
    (line, *_) = await asyncio.to_thread(server.log.wait, event)
    return line


async def test_a_changed_file_is_read_anew_and_calls_under_way_end_as_they_began(serve: Serve, fake: FakeProvider, marker: str) -> None:
    server = serve({"providers": {"fake": openai(fake.base_url)}, "models": {"fast": f"fake/{marker}~tokens=100;delay_ms=40"}})
    async with Promptwire(server.target) as client:
        deltas = 0
        async for _ in client.stream_chat("slow", model="fast"):
            deltas += 1
            if deltas == 2:
                server.rewrite(BASE)
                await heard(server, "config.reloaded")
                assert (await client.chat("now", model="fast")).provider == "echo"
        assert deltas == 100
        with pytest.raises(errors.NotFound):
            await client.chat("gone", model="fake/x")


async def test_a_hangup_reads_it_anew_and_says_what_needs_a_restart(serve: Serve) -> None:
    server = serve(BASE)
    server.rewrite({"models": {"fast": "echo/other"}, "usage": {"journal": False}, "cache": {"ttl": "5m", "max_bytes": "1MiB"}})
    os.kill(server.pid, signal.SIGHUP)
    assert (await heard(server, "config.reloaded"))["restart_needed_for"] == "usage, cache.max_bytes"
    async with Promptwire(server.target) as client:
        assert (await client.chat("hi", model="fast")).model == "other"


async def test_a_faulty_file_changes_nothing_and_says_why(serve: Serve) -> None:
    server = serve(BASE)
    server.rewrite({"models": {"fast": "nobody/x"}})
    assert "nobody" in (await heard(server, "config.refused"))["error"]
    async with Promptwire(server.target) as client:
        assert (await client.chat("hi", model="fast")).provider == "echo"


async def test_every_worker_reads_it_anew(serve: Serve) -> None:
    server = serve({**BASE, "server": {"workers": 2}})
    server.rewrite({"models": {"fast": "echo/other"}, "server": {"workers": 2}})
    os.kill(server.pid, signal.SIGHUP)
    await asyncio.to_thread(server.log.wait, "config.reloaded", count=2)
