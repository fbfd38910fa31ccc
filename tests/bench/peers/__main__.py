"""`python -m tests.bench.peers`: LiteLLM's proxy and Portkey's gateway beside ours, in one run of under four minutes."""

import argparse
import contextlib
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version

import grpc

from tests.bench import load, servers
from tests.bench.peers import gateways, install, sides, table
from tests.bench.peers.install import SkippedError
from tests.bench.peers.sides import Side
from tests.bench.peers.table import Gateway, Row
from tests.faults.fake_provider import process
from tests.faults.fake_provider.process import FakeProvider

OURS = "Promptwire"
OURS_UNJOINED = "Promptwire, not joining"
JOIN_WINDOW = "20ms"  # the default of the configuration
CHAT = "fake"
TOKENS = 100
STREAM = f"fake~tokens={TOKENS}"
PACED = "fake~tokens=3;first_event_ms=20;delay_ms=10"
ROUNDS = 5  # interleaved, medians: the machine is shared
FIRST_TOKENS = 30
AT_A_TIME = (1, 16, 64)
STREAMS_AT_A_TIME = 16
WARM_UPS = 3  # node compiles what is hot only after a thousand calls


def main() -> None:
    """Install, start, check, measure; print the table and write the JSON."""
    options = _options()
    load.require()
    found = _installed(upgrade=options.upgrade)
    # The upstream and the clients inherit this; the gateways are pinned to the other core.
    os.sched_setaffinity(0, {int(servers.UPSTREAM_CORE)})
    before, began_s = os.getloadavg()[0], time.monotonic()
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(process.running(fast=True))
        running = list(_started(stack, upstream, found))
        rows = list(_rows(upstream, running, 1 if options.quick else ROUNDS))
    print(table.written(list(found.values()), rows))
    load_average = (before, os.getloadavg()[0])
    took = f"measured in {time.monotonic() - began_s:.0f} s, load average {load_average[0]:.1f} before and {load_average[1]:.1f} after"
    print(f"{took}; written to {table.save(list(found.values()), rows, load_average)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round instead of five")
    parser.add_argument("--upgrade", action="store_true", help="install the peers' newest versions first")
    return parser.parse_args()


def _installed(*, upgrade: bool) -> dict[str, Gateway]:
    mine = f"{version('promptwire-server')} on Python {platform.python_version()}"
    setup = f"usual layers, deltas joined within {JOIN_WINDOW} when more than 8 streams run (the default), logs at info to a file"
    found = {OURS: Gateway(OURS, mine, setup)}
    wanted: list[tuple[str, Callable[..., str], str]] = [
        ("LiteLLM", install.litellm, gateways.LITELLM_SETUP),
        ("Portkey", install.portkey, gateways.PORTKEY_SETUP),
    ]
    for name, installed, setup in wanted:
        try:
            found[name] = Gateway(name, installed(upgrade=upgrade), setup)
        except SkippedError as reason:
            found[name] = Gateway(name, "", setup, str(reason))
    return found


def _started(stack: contextlib.ExitStack, upstream: FakeProvider, found: dict[str, Gateway]) -> Iterator[Side]:
    """All that start and really relay; in `found` the others get the reason."""
    yield stack.enter_context(_ours(upstream, OURS, join_window=JOIN_WINDOW))
    peers = {"LiteLLM": gateways.litellm(upstream.base_url, (CHAT, STREAM, PACED)), "Portkey": gateways.portkey(upstream.base_url)}
    for name, starting in peers.items():
        if found[name].skipped:
            continue
        try:
            peer = stack.enter_context(starting)
            _check_relays(peer, upstream)
        except (SkippedError, sides.RelayError, OSError) as reason:
            found[name] = Gateway(name, found[name].version, found[name].setup, str(reason))
        else:
            yield peer


@contextlib.contextmanager
def _ours(upstream: FakeProvider, name: str, *, join_window: str) -> Iterator[Side]:
    with servers.ours(upstream.base_url, join_window=join_window) as running, grpc.insecure_channel(running.target) as channel:
        side = sides.ours(name, running, channel)
        _check_relays(side, upstream)
        yield side


def _check_relays(side: Side, upstream: FakeProvider) -> None:
    """Whole and streamed, the answer must be the upstream's."""
    straight = sides.straight(upstream.port)
    for told, said in ((side.text(CHAT), straight.text(CHAT)), (side.streamed_text(STREAM), straight.text(STREAM))):
        if told != said:
            raise sides.RelayError(f"{side.name} does not relay: {told[:80]!r} is not {said[:80]!r}")


def _rows(upstream: FakeProvider, running: Sequence[Side], rounds: int) -> Iterator[Row]:
    yield Row("resident memory, idle", "MiB", {side.name: load.rss_mib(side.pid) for side in running})
    _interleaved(running, WARM_UPS, lambda side: _counted(upstream, side.calls, lambda: side.chat(CHAT, 16)))
    for at in AT_A_TIME:
        yield from _chat_rows(upstream, running, at, rounds)
    yield from _stream_rows(upstream, running, rounds)
    yield _first_token_row(upstream, running)
    yield Row("resident memory, afterwards", "MiB", {side.name: load.rss_mib(side.pid) for side in running})


def _chat_rows(upstream: FakeProvider, running: Sequence[Side], at: int, rounds: int) -> Iterator[Row]:
    results = _interleaved(running, rounds, lambda side: _counted(upstream, side.calls, lambda: side.chat(CHAT, at)))
    yield _row(f"Chat at {at}", "calls/s", results, lambda result: result.calls_per_s)
    yield _row(f"Chat at {at}, p50", "ms", results, lambda result: result.p50_ms)
    yield _row(f"Chat at {at}, p99", "ms", results, lambda result: result.p99_ms)
    yield _row(f"Chat at {at}, CPU", "us/call", results, lambda result: result.cpu_us_per_call)


def _stream_rows(upstream: FakeProvider, running: Sequence[Side], rounds: int) -> Iterator[Row]:
    """As ours is by default, and with one message a token, as the peers relay."""
    with _ours(upstream, OURS_UNJOINED, join_window="0s") as unjoined:
        every = [*running, unjoined]
        results = _interleaved(every, rounds, lambda side: _counted(upstream, side.streams, lambda: side.stream(STREAM, STREAMS_AT_A_TIME)))
    one_a_token = results.pop(OURS_UNJOINED)
    one_each = {**results, OURS: one_a_token}
    for name, found in ((f"streams of {TOKENS} at {STREAMS_AT_A_TIME}", results), ("the same, ours not joining", one_each)):
        yield _row(name, "tokens/s", found, lambda result: result.calls_per_s * TOKENS)
        yield _row(f"{name}, CPU", "us/token", found, lambda result: result.cpu_us_per_call / TOKENS)


def _first_token_row(upstream: FakeProvider, running: Sequence[Side]) -> Row:
    """Medians through each less the median straight from the upstream, in turns, one at a time."""
    every: list[Side] = [sides.straight(upstream.port), *running]
    turns = [[side.first_token_ms(PACED) for side in every] for _ in range(FIRST_TOKENS)]
    direct_ms, *through_ms = (statistics.median(each) for each in zip(*turns, strict=True))
    added = {side.name: through - direct_ms for side, through in zip(running, through_ms, strict=True)}
    return Row("added time to first token, p50", "ms", added)


def _interleaved(running: Sequence[Side], rounds: int, run: Callable[[Side], load.Result]) -> dict[str, list[load.Result]]:
    """Each side once a round, so that whatever else the machine does hits all of them."""
    turns = [{side.name: run(side) for side in running} for _ in range(rounds)]
    return {side.name: [turn[side.name] for turn in turns] for side in running}


def _counted(upstream: FakeProvider, calls: int, run: Callable[[], load.Result]) -> load.Result:
    """One run, whose calls must all have succeeded and have reached the upstream."""
    before = _requests(upstream)
    result = run()
    reached = _requests(upstream) - before
    if result.failed or reached < calls:
        raise SystemExit(f"of {calls} calls {result.failed} failed and {reached} reached the upstream: the figures would mean nothing")
    return result


def _requests(upstream: FakeProvider) -> int:
    return int(json.loads(upstream.control("GET", "/_ledger"))["requests"])


def _row(name: str, unit: str, results: dict[str, list[load.Result]], figure: Callable[[load.Result], float]) -> Row:
    return Row(name, unit, {side: statistics.median(map(figure, found)) for side, found in results.items()})


if __name__ == "__main__":
    main()
