"""`python -m tests.bench.layers`: what routing and each layer of an attempt take of the event loop, without servers.

Time is that of the processor, since the machine is shared: who else runs is seen in its caches only.
"""

import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import uvloop

from promptwire_server.core.call import Call
from promptwire_server.core.handler import Handler
from promptwire_server.core.limits import Cost, Scope, TargetLimits
from promptwire_server.layers.admission.admission import Admission
from promptwire_server.layers.admission.settings import AdmissionSettings
from promptwire_server.layers.breakers import Shielded
from promptwire_server.layers.limits import Limits, LimitStore, ProviderLimits
from promptwire_server.layers.pulse import Pulse
from promptwire_server.stores import memory_limits
from tests.bench.report import Row, limited, save, table
from tests.bench.scene import MANY, STRATEGIES, TARGET, Scene, allowances, answering

ROUNDS = 15  # interleaved, so that whatever else the machine does hits all of them
CALLS = 1000  # of each subject a round
GC_OBJECTS = 20_000  # as the server has it
_WIDE = TargetLimits(max_in_flight=10**6, requests_per_minute=10**9, tokens_per_minute=10**12)
_CHOICE_US = 5.0
_ADMISSION_US = 5.0
_BREAKER_US = 1.0
Run = Callable[[], Awaitable[float]]  # seconds for CALLS of them


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to time."""

    name: str
    run: Run
    at_most_us: float | None = None  # the bar
    beyond: "Run | None" = None  # what it is timed around, and is taken off


def main() -> None:
    """Time everything, print the table, write the JSON; exit code 1 with --strict when a bar was missed."""
    found = rows()
    print(table(found))
    print(f"\nwritten to {save(found, 'layers.json')}")
    sys.exit(any(row.met is False for row in found) if "--strict" in sys.argv[1:] else 0)


def rows() -> list[Row]:
    """What was found, in microseconds; the note has the best round beside the median one."""
    return uvloop.run(_timed())


async def _timed() -> list[Row]:
    subjects = [*await _choices(), *_guards(), *await _layers()]
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_OBJECTS)
    taken: list[list[float]] = [[] for _ in subjects]
    for _ in range(ROUNDS):
        for subject, times in zip(subjects, taken, strict=True):
            off_s = 0.0 if subject.beyond is None else await subject.beyond()
            times.append((await subject.run() - off_s) / CALLS * 1e6)
    return [_row(subject, times) for subject, times in zip(subjects, taken, strict=True)]


def _row(subject: Subject, times_us: list[float]) -> Row:
    median_us, note = statistics.median(times_us), f"(best {min(times_us):.2f})"
    if subject.at_most_us is None:
        return Row(subject.name, None, median_us, "us", note=note)
    return limited(subject.name, median_us, "us", at_most=subject.at_most_us, note=note)


async def _choices() -> list[Subject]:
    """Every strategy: of three targets, the same with two of them broken, and of many."""
    calm, broken = await Scene().used(), (await Scene().used()).broken(*(TARGET._replace(provider=name) for name in ("p1", "p2")))
    found = [Subject(f"route choice, {strategy} of 3", _planning(calm, f"{strategy}3"), _CHOICE_US) for strategy in STRATEGIES]
    found.append(Subject("route choice, a model by its own name", _planning(calm, "p0/m"), _CHOICE_US))
    found += [Subject(f"the same, {strategy} of 3, 2 open", _planning(broken, f"{strategy}3"), _CHOICE_US) for strategy in STRATEGIES]
    found += [Subject(f"the same, {strategy} of {MANY}", _planning(calm, f"{strategy}{MANY}")) for strategy in STRATEGIES]
    return found


def _guards() -> Iterator[Subject]:
    scene = Scene()
    call = scene.call()
    admission = Admission(AdmissionSettings(), clock=scene.clock, chance=scene.chance)

    async def entered() -> float:
        began_s = time.thread_time()
        for _ in range(CALLS):
            (await admission.enter(call)).release()
        return time.thread_time() - began_s

    async def checked() -> float:
        enter = scene.breakers.enter
        began_s = time.thread_time()
        for _ in range(CALLS):
            enter(TARGET, 1e12)
        return time.thread_time() - began_s

    async def looked() -> float:
        is_open = scene.breakers.open
        began_s = time.thread_time()
        for _ in range(CALLS):
            is_open(TARGET)
        return time.thread_time() - began_s

    yield Subject("admission, uncontended, in and out", entered, _ADMISSION_US)
    yield Subject("breaker, leave for a call", checked, _BREAKER_US)
    yield Subject("breaker, whether it is open", looked, _BREAKER_US)


async def _layers() -> list[Subject]:
    """What stands before each provider: from the question to the end of its answer."""
    scene, found = Scene(), []
    for stream in (False, True):
        how, call = "of a stream" if stream else "of a whole answer", scene.call(stream=stream)
        nothing = _asking(answering, call)
        found.append(Subject(f"Pulse {how}", _asking(Pulse(answering, roster=scene.roster, clock=scene.clock), call), 2.5, nothing))
        found.append(Subject(f"Shielded {how}", _asking(Shielded(answering, breakers=scene.breakers), call), 2.0, nothing))
    call, told = scene.call(), memory_limits.Limits(scene.clock)
    nothing = _asking(answering, call)
    await _hear(told, call)
    found.append(Subject("Limits without any", _asking(_limits(memory_limits.Limits(scene.clock)), call), 3.0, nothing))
    found.append(Subject("Limits of the operator's", _asking(_limits(memory_limits.Limits(scene.clock), _WIDE), call), None, nothing))
    found.append(Subject("Limits told by the vendor", _asking(_limits(told), call), None, nothing))
    return found


def _limits(store: LimitStore, allowed: TargetLimits | None = None) -> Handler:
    models = {} if allowed is None else {TARGET.model: allowed}
    return Limits(answering, provider=TARGET.provider, limits=ProviderLimits(models=models), store=store)


async def _hear(store: LimitStore, call: Call) -> None:
    lease = await store.take((Scope(str(TARGET)),), Cost(call.request), call.deadline_s)
    if isinstance(lease, memory_limits.Lease):
        lease.heard(allowances())
        lease.settle(None)


def _planning(scene: Scene, name: str) -> Run:
    call = scene.call(name)

    async def run() -> float:
        plan = scene.planner.plan
        began_s = time.thread_time()
        for _ in range(CALLS):
            plan(call)
        return time.thread_time() - began_s

    return run


def _asking(handler: Handler, call: Call) -> Run:
    async def run() -> float:
        began_s = time.thread_time()
        for _ in range(CALLS):
            async with await handler(call) as reply:
                if reply.flowing:
                    await reply.read()
        return time.thread_time() - began_s

    return run


if __name__ == "__main__":
    main()
