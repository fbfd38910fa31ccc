"""`python -m tests.bench.overload`: what becomes of everybody when more calls come than can be worked on. About three minutes.

Capacity is measured first, in the same run; all loads are multiples of it, sent by processes of their own at a fixed rate.
"""

import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.bench import servers
from tests.bench.callers import Crowd, Ended, call
from tests.bench.report import Row, save

AT_ONCE = 25
ANSWER_S = 0.4
TENANTS = ("quiet 0", "quiet 1", "quiet 2", "quiet 3", "noisy")
CLASSES = (("CRITICAL", 0.15), ("HIGH", 0.3), ("NORMAL", 0.3), ("LOW", 0.25))
_WARM_S = 2.0  # until a load has come up
_SETTLED_S = 5.0  # until the limit of an upstream that nobody has told us of is found
_AFTER_S, _WELL_S, _WELL = 10.0, 2.0, 0.95
_KEY = "sk-overload-{}-{}"
_CONFIG = {
    "health_listen": None,
    "metrics_listen": None,
    "drain": {"pre_drain": "0s", "grace": "1s"},
}


@dataclass(frozen=True, slots=True)
class World:
    """A server, and what is scarce there."""

    name: str
    model: str
    target: str
    seconds: float

    def load(self, *crowds: Crowd) -> list[Ended]:
        """What becomes of these crowds; the loudest has a process to itself."""
        *quiet, loud = sorted(crowds, key=lambda crowd: crowd.rate)
        groups = [group for group in (quiet, [loud]) if group]
        with ThreadPoolExecutor(len(groups)) as threads:
            results = threads.map(lambda group: call(self.target, group, servers.UPSTREAM_CORE), groups)
            return [ended for result in results for ended in result]

    def crowd(
        self, name: str, rate: float, seconds: float = 0.0, *, tenant: int = 0, priority: str = "NORMAL", after_s: float = 0.0
    ) -> Crowd:
        """Callers of this server."""
        seconds = seconds or self.seconds
        key = _KEY.format(tenant, "x" * 20)
        return Crowd(name, self.model, seconds, rate, key=key, priority=f"PRIORITY_{priority}", after_s=after_s)


def main() -> None:
    """Run everything, print the table, write the JSON; exit code 1 when a bar was missed."""
    parser = argparse.ArgumentParser(prog="make overload", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a third of the time")
    options = parser.parse_args()
    seconds = 4.0 if options.quick else 12.0
    rows: list[Row] = []
    for world in (_slots, _upstream):
        with world(seconds) as running:
            for row in _rows(running):
                print(_shown(row), flush=True)
                rows.append(row)
    print(f"\nwritten to {save(rows, 'overload.json')}")
    sys.exit(any(row.met is False for row in rows))


def _rows(world: World) -> Iterator[Row]:
    capacity = _capacity(world)
    yield Row(f"{world.name}: capacity C", None, capacity, "calls/s")
    yield from _overloads(world, capacity)
    yield from _classes(world, capacity)
    yield from _neighbours(world, capacity)


def _capacity(world: World) -> float:
    """Answers a second with as many callers as there is room for, each asking again at once."""
    crowd = Crowd("closed", world.model, _WARM_S + world.seconds / 2, at_once=AT_ONCE, key=_KEY.format(0, "x" * 20))
    return _goodput(world.load(crowd), _WARM_S, _WARM_S + world.seconds / 2)


def _overloads(world: World, capacity: float) -> Iterator[Row]:
    before = _took(world.load(world.crowd("before", 0.7 * capacity, world.seconds)), "OK")
    for times in (2, 5):
        loud = world.crowd("loud", times * capacity, world.seconds + _WARM_S)
        after = world.crowd("after", 0.7 * capacity, _AFTER_S, after_s=loud.seconds)
        ended = world.load(loud, after)
        crowd = [each for each in ended if each.crowd == "loud"]
        served = _goodput(crowd, _WARM_S, loud.seconds) / capacity
        yield _at_least(f"{world.name}: goodput at {times}C", served, "of C", 0.9, _ends(crowd))
        shed = _took(crowd, "UNAVAILABLE")
        yield _at_most(f"{world.name}: shed replies at {times}C, p99", _quantile(shed, 0.99) * 1000, "ms", 50, f"{len(shed)} of them")
        well_s = _well_after(ended, loud.seconds, _quantile(before, 0.99))
        yield _at_most(f"{world.name}: all well again after {times}C", well_s, "s", 5)


def _classes(world: World, capacity: float) -> Iterator[Row]:
    seconds = 1.5 * world.seconds
    crowds = [world.crowd(name, 4 * part * capacity, seconds, priority=name) for name, part in CLASSES]
    ended = world.load(*crowds)
    served = Counter(each.crowd for each in ended if each.code == "OK")
    critical = [each for each in ended if each.crowd == "CRITICAL"]
    yield _at_least(f"{world.name}: CRITICAL at 4C", served["CRITICAL"] / len(critical), "OK", 0.999, _ends(critical))
    yield _at_least(
        f"{world.name}: LOW at 4C",
        served["LOW"] / served.total(),
        "of served",
        0.02,
        ", ".join(f"{count} {name}" for name, count in served.most_common()),
    )


def _neighbours(world: World, capacity: float) -> Iterator[Row]:
    quiet = [world.crowd(TENANTS[number], 0.12 * capacity, tenant=number, after_s=_SETTLED_S) for number in range(4)]
    noisy = world.crowd("noisy", 5 * capacity, world.seconds + _SETTLED_S, tenant=4)
    alone = _took(world.load(*quiet), "OK")
    beside = [each for each in world.load(*quiet, noisy) if each.crowd != "noisy"]
    p99_s = [_quantile(took, 0.99) for took in (alone, _took(beside, "OK"))]
    note = f"{p99_s[0] * 1000:.0f} ms alone, {p99_s[1] * 1000:.0f} ms beside; {_ends(beside)}"
    yield _at_most(f"{world.name}: p99 of a noisy tenant's neighbours", p99_s[1] / p99_s[0], "times", 1.5, note)


def _goodput(ended: Sequence[Ended], begin_s: float, end_s: float) -> float:
    """Answers a second in that time."""
    return sum(each.code == "OK" and begin_s <= each.begun_s + each.took_s < end_s for each in ended) / (end_s - begin_s)


def _well_after(ended: Sequence[Ended], end_s: float, usual_s: float) -> float:
    """After the overload has ended: from which half second on 95 of 100 calls are answered within their usual p99, for two seconds."""
    after = [each for each in ended if each.crowd == "after"]
    for halves in range(int(2 * (_AFTER_S - _WELL_S))):
        begin_s = end_s + halves / 2
        window = [each for each in after if begin_s <= each.begun_s < begin_s + _WELL_S]
        if sum(each.code == "OK" and each.took_s <= usual_s for each in window) >= _WELL * len(window):
            return halves / 2
    return _AFTER_S


def _took(ended: Sequence[Ended], code: str) -> list[float]:
    return sorted(each.took_s for each in ended if each.code == code)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _ends(ended: Sequence[Ended]) -> str:
    return ", ".join(f"{count} {code}" for code, count in Counter(each.code for each in ended).most_common())


def _at_least(name: str, value: float, unit: str, bar: float, note: str = "") -> Row:
    return Row(name, None, value, unit, None, f">= {bar:g}", value >= bar, note)


def _at_most(name: str, value: float, unit: str, bar: float, note: str = "") -> Row:
    return Row(name, None, value, unit, None, f"<= {bar:g}", value <= bar, note)


def _shown(row: Row) -> str:
    verdict = "" if row.met is None else "met" if row.met else "MISSED"
    return f"{row.name:58} {row.ours:9,.3f} {row.unit:9} {row.bar:9} {verdict:7} {row.note}"


@contextlib.contextmanager
def _slots(seconds: float) -> Iterator[World]:
    """The gateway's own slots are scarce."""
    with _answering(10_000) as upstream, _server(upstream, max_concurrent_calls=AT_ONCE) as target:
        yield World("slots scarce", "scarce/m", target, seconds)


@contextlib.contextmanager
def _upstream(seconds: float) -> Iterator[World]:
    """The upstream is scarce, and nobody has told the gateway how much it bears."""
    with _answering(AT_ONCE) as upstream, _server(upstream, max_concurrent_calls=1024) as target:
        yield World("upstream scarce", "scarce/m", target, seconds)


@contextlib.contextmanager
def _answering(at_once: int) -> Iterator[str]:
    """The base URL of an upstream that works on so many answers at once."""
    port = servers.free_port()
    command = ["taskset", "-c", servers.UPSTREAM_CORE, sys.executable, "-m", "tests.bench.scarce", str(port), str(at_once), str(ANSWER_S)]
    upstream = subprocess.Popen(command)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        upstream.terminate()
        upstream.wait()


@contextlib.contextmanager
def _server(upstream: str, *, max_concurrent_calls: int) -> Iterator[str]:
    """A server with a key for each tenant."""
    keys = [
        {"name": name.replace(" ", "-"), "tenant": name.replace(" ", "-"), "key": _KEY.format(number, "x" * 20), "max_priority": "critical"}
        for number, name in enumerate(TENANTS)
    ]
    with tempfile.TemporaryDirectory() as folder:
        port = servers.free_port()
        config = {
            "server": {"listen": f"127.0.0.1:{port}", "max_concurrent_calls": max_concurrent_calls, **_CONFIG},
            "state_dir": folder,
            "auth": {"api_keys": keys},
            "providers": {"scarce": {"kind": "openai", "base_url": upstream, "api_key": "sk-x" * 5, "max_connections": 1024}},
        }
        path = pathlib.Path(folder, "promptwire.yaml")
        path.write_text(json.dumps(config))
        command = [sys.executable, "-m", "promptwire_server", "serve", "--config", str(path)]
        with servers.process(command, port, servers.SERVER_CORE, log=pathlib.Path(folder, "log")):
            yield f"127.0.0.1:{port}"


if __name__ == "__main__":
    main()
