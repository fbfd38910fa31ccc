"""`python -m tests.bench`: the whole comparison in one run; --quick for a look."""

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from functools import partial

from promptwire import v1 as pb
from tests.bench import first_token, layers, load, servers
from tests.bench.report import Row, compared, limited, save, table
from tests.faults.fake_provider import process

STREAM_TOKENS = (100, 400)  # a paragraph, and a page: the bars hold for the page
ROUNDS = 5  # interleaved, medians: the machine is shared
SHAPES = ((1, 1), (4, 4), (8, 8))  # (connections, streams each): 1, 16 and 64 at a time
DIALECTS = ("fast", "responses", "anthropic", "gemini", "ollama")  # "fast" is chat completions
PACED = "fake~tokens=3"


def main() -> None:
    """Run everything, print the table, write the JSON; exit code 1 when a bar was missed."""
    options = _options()
    load.require()
    rows = list(_rows(quick=options.quick))
    print(table(rows))
    print(f"\nwritten to {save(rows)}")
    sys.exit(any(row.met is False for row in rows) if options.strict else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the calls")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a bar is missed")
    return parser.parse_args()


def _rows(*, quick: bool) -> Iterator[Row]:
    scale = 1 if quick else 5
    yield from layers.rows()  # before anything else runs
    with process.running(fast=True) as upstream, servers.bare() as bare:
        os.sched_setaffinity(upstream.pid, {int(servers.UPSTREAM_CORE)})
        with servers.ours(upstream.base_url) as ours:
            yield limited("idle resident memory", load.rss_mib(ours.pid), "MiB", at_most=80)
            yield from _unary(bare, ours, 600 * scale)
            yield from _relayed(bare, ours, scale, "one message a token", 0.65)
            yield from _dialects(bare, ours, scale, "one message a token")
            first = first_token.measure(ours.target, bare.target, upstream.port, PACED, 40 * scale)
            note = f"(through {first.through:.2f}, direct {first.direct:.2f}, bare gRPC {first.bare:.2f})"
            yield limited("added time to first token, p50", first.through - first.direct, "ms", at_most=1.0, note=note)
            yield Row("the same beyond bare gRPC's own first message", None, first.through - first.direct - first.bare, "ms")
        with servers.ours(upstream.base_url, join_window="20ms") as joining:
            yield from _relayed(bare, joining, scale, "deltas joined under load", 0.65 * 3)
            yield from _dialects(bare, joining, scale, "as by default")


def _unary(bare: servers.Running, ours: servers.Running, calls: int) -> Iterator[Row]:
    echo = pb.ChatRequest(prompt="Which tea goes with a rainy day?", model="echo/echo")
    through = pb.ChatRequest(prompt="Which tea goes with a rainy day?", model="fast/fake")
    for connections, streams in SHAPES:
        at = f"at {connections * streams}"
        shape = {"connections": connections, "streams": streams}
        sides = _interleaved(
            partial(load.run, bare.url("Chat"), echo, calls=calls, pid=bare.pid, **shape),
            partial(load.run, ours.url("Chat"), echo, calls=calls, pid=ours.pid, **shape),
            partial(load.run, ours.url("Chat"), through, calls=calls // 2, pid=ours.pid, **shape),
        )
        plain, echoed, relayed = (_median(side) for side in sides)
        bar = 16 if connections * streams == 16 else None
        yield compared(f"echo Chat {at}", plain.calls_per_s, echoed.calls_per_s, "calls/s", at_least=0.90 if bar else None)
        yield Row(f"echo Chat {at}, p50", plain.p50_ms, echoed.p50_ms, "ms")
        yield Row(f"echo Chat {at}, p99", plain.p99_ms, echoed.p99_ms, "ms")
        yield Row(f"echo Chat {at}, CPU", plain.cpu_us_per_call, echoed.cpu_us_per_call, "us/call")
        yield compared(f"upstream Chat {at}", plain.calls_per_s, relayed.calls_per_s, "calls/s", at_least=0.45 if bar else None)
        yield Row(f"upstream Chat {at}, CPU", plain.cpu_us_per_call, relayed.cpu_us_per_call, "us/call")


def _relayed(bare: servers.Running, ours: servers.Running, scale: int, how: str, bar: float) -> Iterator[Row]:
    for tokens in STREAM_TOKENS:
        plain, relayed = _streams(bare, ours, scale, tokens)
        at_least = bar if tokens == STREAM_TOKENS[-1] else None
        yield compared(f"StreamChat relay of {tokens} tokens, {how}", plain, relayed, "tokens/s", at_least=at_least)


def _streams(bare: servers.Running, ours: servers.Running, scale: int, tokens: int) -> tuple[float, float]:
    """(bare messages a second, ours in tokens a second) with 64 streams at a time."""
    calls = 64 + 6000 * scale // tokens
    generation = pb.GenerationSettings(max_output_tokens=tokens)
    plain = pb.StreamChatRequest(chat=pb.ChatRequest(prompt="go", generation=generation))
    relay = pb.StreamChatRequest(chat=pb.ChatRequest(prompt="go", model=f"fast/fake~tokens={tokens}"))
    sides = _interleaved(
        partial(load.run, bare.url("StreamChat"), plain, calls=calls, connections=8, streams=8, pid=bare.pid),
        partial(load.run, ours.url("StreamChat"), relay, calls=calls, connections=8, streams=8, pid=ours.pid),
    )
    one, other = (_median(side).calls_per_s * tokens for side in sides)
    return one, other


def _dialects(bare: servers.Running, ours: servers.Running, scale: int, how: str) -> Iterator[Row]:
    """What a relayed token costs beyond a message of the bare server's, dialect by dialect."""
    tokens, calls = STREAM_TOKENS[0], 64 + 60 * scale
    generation = pb.GenerationSettings(max_output_tokens=tokens)
    plain = pb.StreamChatRequest(chat=pb.ChatRequest(prompt="go", generation=generation))
    for provider in DIALECTS:
        relay = pb.StreamChatRequest(chat=pb.ChatRequest(prompt="go", model=f"{provider}/fake~tokens={tokens}"))
        one, other = _interleaved(
            partial(load.run, bare.url("StreamChat"), plain, calls=calls, connections=8, streams=8, pid=bare.pid),
            partial(load.run, ours.url("StreamChat"), relay, calls=calls, connections=8, streams=8, pid=ours.pid),
        )
        bare_us, ours_us = (statistics.median(result.cpu_us_per_call for result in side) / tokens for side in (one, other))
        yield Row(f"CPU of a relayed token, {provider}, {how}", bare_us, ours_us, "us")
        yield limited("the same beyond a bare message", ours_us - bare_us, "us", at_most=20.0)


def _interleaved(*runs: Callable[[], load.Result]) -> list[list[load.Result]]:
    """Each run once a round, so that whatever else the machine does hits all of them."""
    rounds = [[run() for run in runs] for _ in range(ROUNDS)]
    return [list(side) for side in zip(*rounds, strict=True)]


def _median(results: list[load.Result]) -> load.Result:
    """The run with the median rate; a failed call spoils the benchmark."""
    failed = sum(result.failed for result in results)
    if failed:
        raise SystemExit(f"{failed} calls failed: the figures would mean nothing")
    middle = statistics.median_low(result.calls_per_s for result in results)
    return next(result for result in results if result.calls_per_s == middle)


if __name__ == "__main__":
    main()
