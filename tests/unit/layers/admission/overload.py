"""A world for admission in virtual time: tenants that call at random, and what is behind the gateway and bears only so much."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Protocol

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Principal
from promptwire_server.core.clock import Chance
from promptwire_server.core.errors import PromptwireError
from promptwire_server.layers.admission.admission import Admission
from promptwire_server.layers.admission.settings import AdmissionSettings
from tests.unit.layers.virtual import VirtualClock

SPREAD = 0.7  # of the logarithm of how long answers take: the longest of a hundred takes five times the median


class Upstream(Protocol):
    """What answers."""

    async def work(self, size_s: float) -> None:
        """Answer something that takes that long when nothing else is to be done."""
        ...


class Shared:
    """A machine that does `capacity` answers at full speed; more share what it can do, and all get slower."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.slower = 1.0
        self._jobs: list[tuple[float, int, asyncio.Future[None]]] = []
        self._done_s = 0.0  # how far a job has come that was there from the beginning
        self._at_s = 0.0
        self._numbers = 0
        self._timer: asyncio.TimerHandle | None = None

    async def work(self, size_s: float) -> None:
        self._advance()
        self._numbers += 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        job = (self._done_s + size_s, self._numbers, done)
        heappush(self._jobs, job)
        self._arm()
        try:
            await done
        finally:
            if job in self._jobs:
                self._advance()
                self._jobs.remove(job)
                heapify(self._jobs)
                self._arm()

    def _speed(self) -> float:
        return min(1.0, self.capacity / max(1, len(self._jobs))) / self.slower

    def _advance(self) -> None:
        now_s = asyncio.get_running_loop().time()
        self._done_s += (now_s - self._at_s) * self._speed()
        self._at_s = now_s

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._jobs:
            left_s = max(0.0, self._jobs[0][0] - self._done_s)
            self._timer = asyncio.get_running_loop().call_later(left_s / self._speed(), self._finish)

    def _finish(self) -> None:
        self._advance()
        while self._jobs and self._jobs[0][0] <= self._done_s + 1e-9:
            done = heappop(self._jobs)[2]
            if not done.done():
                done.set_result(None)
        self._arm()


class Elastic:
    """A vendor that bears any number."""

    def __init__(self) -> None:
        self.slower = 1.0

    async def work(self, size_s: float) -> None:
        await asyncio.sleep(size_s * self.slower)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one call ended."""

    tenant: str
    priority: int
    begun_s: float
    took_s: float
    how: str  # "ok", "late", or the reason of the refusal

    @property
    def ended_s(self) -> float:
        return self.begun_s + self.took_s


@dataclass
class World:
    """Callers, an admission, an upstream."""

    settings: AdmissionSettings
    upstream: Upstream
    seed: int
    mean_s: float = 1.0
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        self.admission = Admission(self.settings, clock=self.clock, chance=Chance(random.Random(self.seed)))

    async def load(
        self,
        tasks: asyncio.TaskGroup,
        rate: float,
        begin_s: float,
        end_s: float,
        *,
        tenant: str = "t",
        priority: int = pb.PRIORITY_NORMAL,
        timeout_s: float = 10.0,
    ) -> None:
        """Call so many times a second, at random."""
        rng = random.Random(f"{self.seed} {tenant} {priority} {begin_s} {rate}")
        await asyncio.sleep(begin_s)
        while self.clock.monotonic() < end_s:
            await asyncio.sleep(rng.expovariate(rate))
            size_s = rng.lognormvariate(math.log(self.mean_s) - SPREAD**2 / 2, SPREAD)
            tasks.create_task(self._call(tenant, priority, timeout_s, size_s))

    async def _call(self, tenant: str, priority: int, timeout_s: float, size_s: float) -> None:
        begun_s = self.clock.monotonic()
        request = pb.ChatRequest(model="m", priority=pb.Priority.Name(priority))
        who = Principal(tenant, "x", max_priority=pb.PRIORITY_CRITICAL)
        how = "ok"
        try:
            async with asyncio.timeout(timeout_s):
                with await self.admission.enter(Call(request, who, "r", "t", begun_s + timeout_s, begun_s)) as lease:
                    await self.upstream.work(size_s)
                    lease.answered()
        except TimeoutError:
            how = "late"
        except PromptwireError as error:
            how = error.reason_name
        self.outcomes.append(Outcome(tenant, priority, begun_s, self.clock.monotonic() - begun_s, how))

    def goodput(self, begin_s: float, end_s: float) -> float:
        """Calls a second that ended well in that time."""
        return sum(each.how == "ok" and begin_s <= each.ended_s < end_s for each in self.outcomes) / (end_s - begin_s)

    def begun(self, begin_s: float, end_s: float) -> list[Outcome]:
        """Calls that began in that time."""
        return [each for each in self.outcomes if begin_s <= each.begun_s < end_s]


def well(outcomes: Sequence[Outcome]) -> float:
    """The part that ended well."""
    return Counter(each.how for each in outcomes)["ok"] / len(outcomes)


def quantile_s(outcomes: Iterable[Outcome], share: float) -> float:
    """How long that share of the calls that ended well took at most."""
    took_s = sorted(each.took_s for each in outcomes if each.how == "ok")
    return took_s[min(len(took_s) - 1, int(share * len(took_s)))]
