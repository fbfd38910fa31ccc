"""What is counted, filled in and logged, however a call ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import NotFound, PromptwireError, UpstreamFailed, failure_of
from promptwire_server.core.reply import Reply
from promptwire_server.layers.metrics import Metrics
from promptwire_server.layers.observe import CURRENT, Observe
from promptwire_server.layers.tally import Field, Line, Tally
from tests.unit.layers.conftest import MakeCall, answer, streamed


class Bench:
    """An Observe around an inner handler, and what came of it."""

    def __init__(self, inner: Callable[[Call], Awaitable[Reply]], clock: ManualClock) -> None:
        self.lines: list[Line] = []
        self.metrics = Metrics([("echo", "echo")], ["echo", "openai"])
        self.observe = Observe(inner, tally=Tally(self.metrics, self.lines.extend), clock=clock)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    @property
    def line(self) -> dict[str, Field]:
        ((_, _, fields),) = self.lines
        return fields


def inner_of(clock: ManualClock, *, stream: bool, **more: Any) -> Callable[[Call], Awaitable[Reply]]:
    async def inner(call: Call) -> Reply:
        call.trail.attempts.append(pb.Attempt(provider="echo", model="echo"))
        call.notice(pb.Notice.CODE_SETTING_DROPPED, "top_k", "generation.top_k")
        call.trail.upstream_s += 0.5
        clock.advance(0.5)
        response = answer(**more)
        return streamed(response, clock=clock, pause_s=0.25) if stream else Reply.whole(response)

    return inner


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("read_as_stream", [False, True])
async def test_the_answer_says_what_happened(clock: ManualClock, make_call: MakeCall, *, stream: bool, read_as_stream: bool) -> None:
    bench = Bench(inner_of(clock, stream=stream), clock)
    async with await bench.observe(make_call(stream=read_as_stream)) as reply:
        if read_as_stream:
            events = [event async for event in reply]
            assert (events[0].started.request_id, events[0].started.trace_id) == ("req-1", "f" * 32)
            response = events[-1].finished.response
        else:
            response = await reply.read()
            assert response.text == "hello"
    assert (response.request_id, response.trace_id) == ("req-1", "f" * 32)
    assert [attempt.provider for attempt in response.attempts] == ["echo"]
    assert [notice.field for notice in response.notices] == ["generation.top_k"]
    assert response.served_from == pb.SERVED_FROM_PROVIDER
    assert response.timing.upstream.ToMilliseconds() == 500
    assert response.timing.total.ToMilliseconds() == (1750 if stream else 500)
    assert response.timing.HasField("time_to_first_token") is (stream or read_as_stream)
    assert not response.HasField("cost")


async def test_an_answer_from_the_cache_keeps_saying_so(clock: ManualClock, make_call: MakeCall) -> None:
    bench = Bench(inner_of(clock, stream=False, served_from=pb.SERVED_FROM_CACHE), clock)
    async with await bench.observe(make_call()) as reply:
        assert (await reply.read()).served_from == pb.SERVED_FROM_CACHE
    assert bench.value("promptwire_chats_total", provider="echo", model="echo", outcome="OK", served_from="CACHE") == 1


async def test_reading_twice_fills_in_once(clock: ManualClock, make_call: MakeCall) -> None:
    bench = Bench(inner_of(clock, stream=False), clock)
    async with await bench.observe(make_call()) as reply:
        await reply.read()
        assert len((await reply.read()).notices) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_is_counted_and_logged_once(clock: ManualClock, make_call: MakeCall, *, stream: bool) -> None:
    bench = Bench(inner_of(clock, stream=stream, cost=pb.Cost(total_nano_usd=70)), clock)
    async with await bench.observe(make_call()) as reply:
        assert bench.metrics.in_flight == 1
        await reply.read()
    assert bench.metrics.in_flight == 0
    model = {"provider": "echo", "model": "echo"}
    assert bench.value("promptwire_chats_total", **model, outcome="OK", served_from="PROVIDER") == 1
    assert bench.value("promptwire_tokens_total", **model, direction="input") == 3
    assert bench.value("promptwire_tokens_total", **model, direction="output") == 2
    assert bench.value("promptwire_cost_nano_usd_total", **model) == 70
    assert bench.value("promptwire_chat_duration_seconds_count", **model) == 1
    assert bench.value("promptwire_upstream_attempts_total", provider="echo", outcome="OK") == 1
    ((level, event, fields),) = bench.lines
    assert (level, event) == ("info", "chat.finished")
    assert fields == {
        "request_id": "req-1",
        "trace_id": "f" * 32,
        "tenant": "default",
        "principal": "anonymous",
        "model_asked": "fast",
        "provider": "echo",
        "model": "echo",
        "outcome": "OK",
        "stream": False,
        "duration_ms": 1750.0 if stream else 500.0,
        "attempts": 1,
        "input_tokens": 3,
        "output_tokens": 2,
        "cost_nano_usd": 70,
        **({"first_token_ms": 1250.0} if stream else {}),
    }


@pytest.mark.parametrize(
    ("error", "outcome", "level"),
    [
        (UpstreamFailed("gone"), "UPSTREAM_FAILED", "warning"),
        (NotFound("no such model"), "NOT_FOUND", "info"),
        (ValueError("a bug"), "INTERNAL", "error"),
    ],
)
async def test_a_failure_before_the_answer_is_counted(
    clock: ManualClock, make_call: MakeCall, error: Exception, outcome: str, level: str
) -> None:
    async def inner(call: Call) -> Reply:
        if isinstance(error, PromptwireError):
            call.trail.attempts.append(pb.Attempt(provider="openai", model="invented", failure=failure_of(error)))
        raise error

    bench = Bench(inner, clock)
    with pytest.raises(type(error)):
        await bench.observe(make_call())
    assert bench.metrics.in_flight == 0
    assert (bench.lines[0][0], bench.line["outcome"]) == (level, outcome)
    if isinstance(error, PromptwireError):
        assert bench.value("promptwire_upstream_attempts_total", provider="openai", outcome=outcome) == 1
        assert (bench.line["provider"], bench.line["model"]) == ("openai", "invented")
        labels = {"provider": "openai", "model": "other", "outcome": outcome, "served_from": "UNSPECIFIED"}
        assert bench.value("promptwire_chats_total", **labels) == 1


async def test_a_stream_that_stops_before_its_end_is_counted_as_a_failure(clock: ManualClock, make_call: MakeCall) -> None:
    async def inner(_: Call) -> Reply:
        return streamed(answer(), clock=clock, stop_after=3)

    bench = Bench(inner, clock)
    with pytest.raises(PromptwireError):
        async with await bench.observe(make_call()) as reply:
            await reply.read()
    assert str(bench.line["outcome"]) in ("UPSTREAM_FAILED", "STREAM_INTERRUPTED")
    assert bench.metrics.in_flight == 0


async def test_a_reader_who_leaves_is_a_cancellation(clock: ManualClock, make_call: MakeCall) -> None:
    bench = Bench(inner_of(clock, stream=True), clock)
    async with await bench.observe(make_call()) as reply:
        async for _ in reply:
            break
    assert bench.line["outcome"] == "CANCELLED"


@pytest.mark.parametrize(("late", "outcome"), [(False, "CANCELLED"), (True, "DEADLINE")])
async def test_a_call_cancelled_while_the_upstream_waits_is_counted(
    clock: ManualClock, make_call: MakeCall, *, late: bool, outcome: str
) -> None:
    waiting = asyncio.Event()

    async def slow(_: Call) -> Reply:
        waiting.set()
        await asyncio.Event().wait()
        raise AssertionError

    bench = Bench(slow, clock)
    task = asyncio.ensure_future(bench.observe(make_call(timeout_s=1.0)))
    await waiting.wait()
    clock.advance(2.0 if late else 0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.line["outcome"] == outcome
    assert bench.metrics.in_flight == 0


async def test_a_step_names_its_run(clock: ManualClock, make_call: MakeCall) -> None:
    bench = Bench(inner_of(clock, stream=False), clock)
    async with await bench.observe(make_call(run_id="run-1", step_id="draft")) as reply:
        await reply.read()
    assert (bench.line["run_id"], bench.line["step_id"]) == ("run-1", "draft")


async def test_a_long_model_name_is_cut_in_the_line(clock: ManualClock, make_call: MakeCall) -> None:
    bench = Bench(inner_of(clock, stream=False), clock)
    async with await bench.observe(make_call(model="m" * 100_000)):
        pass
    assert len(str(bench.line["model_asked"])) == 128


async def test_who_works_within_a_call_can_name_it(clock: ManualClock, make_call: MakeCall) -> None:
    seen: list[Call | None] = []

    async def inner(_: Call) -> Reply:
        seen.append(CURRENT.get())
        return Reply.whole(answer())

    call = make_call()
    await Bench(inner, clock).observe(call)
    assert seen == [call]


async def test_calls_that_end_together_are_counted_and_logged_together(clock: ManualClock, make_call: MakeCall) -> None:
    batches: list[int] = []
    waiting: list[Callable[[], None]] = []
    tally = Tally(Metrics(), lambda lines: batches.append(len(lines)), waiting.append)
    observe = Observe(inner_of(clock, stream=False), tally=tally, clock=clock)
    for _ in range(3):
        async with await observe(make_call()) as reply:
            await reply.read()
    assert (batches, len(waiting), tally.metrics.in_flight) == ([], 1, 0)
    waiting[0]()
    tally.settle()
    assert batches == [3]
