"""Callers: load from a process of its own, so many calls a second whether they are answered or not; how each ended, as JSON.

python -m tests.bench.callers < plan.json > ended.json
"""

import asyncio
import dataclasses
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import uvloop

from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub

_CONNECTIONS = 8  # each takes a hundred calls at once
_OPTIONS = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
_MOST_LATE_S = 0.02
_LATEST_S = 60.0  # beyond the plan's end, for a process to give its results


@dataclass(frozen=True, slots=True)
class Crowd:
    """Callers of one kind."""

    name: str
    model: str
    seconds: float
    rate: float = 0.0  # calls a second, at random; 0: as many as can be, each after the one before
    at_once: int = 0  # where the rate is 0
    key: str = ""
    priority: str = "PRIORITY_NORMAL"
    timeout_s: float = 5.0
    after_s: float = 0.0  # begins so late


@dataclass(frozen=True, slots=True)
class Ended:
    """One call. Times in seconds."""

    crowd: str
    begun_s: float  # since the beginning of the plan
    took_s: float
    code: str


def call(target: str, crowds: Sequence[Crowd], core: str) -> list[Ended]:
    """Let these crowds call from another process on that core. Ends when the last of their calls has ended."""
    plan = json.dumps({"target": target, "crowds": [dataclasses.asdict(crowd) for crowd in crowds]})
    longest_s = max(crowd.after_s + crowd.seconds + crowd.timeout_s for crowd in crowds)
    command = ["taskset", "-c", core, sys.executable, "-m", "tests.bench.callers"]
    done = subprocess.run(command, input=plan, stdout=subprocess.PIPE, text=True, check=True, timeout=longest_s + _LATEST_S)
    return [Ended(*each) for each in json.loads(done.stdout)]


class _Callers:
    def __init__(self, channels: Sequence[grpc.aio.Channel]) -> None:
        self.ended: list[tuple[str, float, float, str]] = []
        self._stubs = [ChatServiceStub(channel) for channel in channels]
        self._began_s = time.perf_counter()
        self._calls = 0
        self._late_s: list[float] = []

    @property
    def late_s(self) -> float:
        """How much later than they should these callers themselves came, but for one in a hundred: the machine was busy otherwise."""
        return sorted(self._late_s)[int(0.99 * len(self._late_s))] if self._late_s else 0.0

    async def come(self, crowd: Crowd, tasks: asyncio.TaskGroup) -> None:
        """All calls of a crowd."""
        await asyncio.sleep(crowd.after_s)
        if not crowd.rate:
            for _ in range(crowd.at_once):
                tasks.create_task(self._stay(crowd))
            return
        chance = random.Random(crowd.name)
        next_s = crowd.after_s
        while next_s < crowd.after_s + crowd.seconds:
            next_s += chance.expovariate(crowd.rate)
            await asyncio.sleep(self._began_s + next_s - time.perf_counter())
            self._late_s.append(time.perf_counter() - self._began_s - next_s)
            tasks.create_task(self._ask(crowd))

    async def _stay(self, crowd: Crowd) -> None:
        until_s = self._began_s + crowd.after_s + crowd.seconds
        while time.perf_counter() < until_s:
            await self._ask(crowd)

    async def _ask(self, crowd: Crowd) -> None:
        self._calls += 1
        stub = self._stubs[self._calls % len(self._stubs)]
        request = pb.ChatRequest(prompt="x", model=crowd.model, priority=crowd.priority)
        metadata = (("authorization", f"Bearer {crowd.key}"),) if crowd.key else None
        began_s = time.perf_counter()
        code = await stub.Chat(request, timeout=crowd.timeout_s, metadata=metadata).code()
        self.ended.append((crowd.name, began_s - self._began_s, time.perf_counter() - began_s, code.name))


async def _run(plan: Any) -> list[tuple[str, float, float, str]]:
    channels = [grpc.aio.insecure_channel(plan["target"], options=_OPTIONS) for _ in range(_CONNECTIONS)]
    await asyncio.gather(*(channel.channel_ready() for channel in channels))
    callers = _Callers(channels)
    async with asyncio.TaskGroup() as tasks:
        for crowd in plan["crowds"]:
            tasks.create_task(callers.come(Crowd(**crowd), tasks))
    for channel in channels:
        await channel.close()
    if callers.late_s > _MOST_LATE_S:
        print(f"  the machine is busy: callers came {callers.late_s * 1000:.0f} ms late themselves, p99", file=sys.stderr)
    return callers.ended


if __name__ == "__main__":
    json.dump(uvloop.run(_run(json.load(sys.stdin))), sys.stdout)
