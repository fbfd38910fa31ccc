"""Random chains on a random gateway: whatever happens, events have no gaps and one end, and what was spent is what was answered."""

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from promptwire import v1 as pb
from promptwire_server.chains.run import Watcher
from promptwire_server.core.errors import PolicyDenied, PromptwireError, StreamInterrupted, UpstreamFailed
from tests.unit.chains.scripted import Break, Gateway, Line, Log, context_of, engine_of, job_of, request_of

CONDITIONS = [
    "true",
    "false",
    "output | length < 3",
    "steps.s0.state is defined and steps.s0.state == 'failed'",
    "'x' in (output | join(''))",
]


@st.composite
def policies(draw: st.DrawFn, targets: list[str]) -> dict[str, object]:
    policy: dict[str, object] = {"attempts": draw(st.integers(1, 3))}
    on_error = draw(st.sampled_from(["FAIL", "SKIP", "USE_DEFAULT", "GOTO"]))
    policy["onError"] = f"ON_ERROR_{on_error}"
    if on_error == "USE_DEFAULT":
        policy["defaultJson"] = draw(st.sampled_from(['"x"', "1", '{"a": [1]}']))
    if on_error == "GOTO":
        policy["gotoStep"] = draw(st.sampled_from(targets))
    return policy


@st.composite
def chains(draw: st.DrawFn) -> pb.RunChainRequest:
    count = draw(st.integers(1, 5))
    targets = [*(f"s{number}" for number in range(count)), "end"]
    steps = []
    for number in range(count):
        step: dict[str, object] = {"id": f"s{number}"}
        if draw(st.booleans()):
            step["prompt"] = {"user": "{{ output | join(' ') }} go"}
        else:
            step["transform"] = draw(st.sampled_from([{"template": "x"}, {"expression": "output | length"}, {"expression": "output[7]"}]))
        if draw(st.booleans()):
            step["when"] = draw(st.sampled_from(CONDITIONS))
        if draw(st.booleans()):
            step["policy"] = draw(policies(targets))
        transition = st.builds(lambda to, when: {"to": to, "when": when}, st.sampled_from(targets), st.sampled_from(CONDITIONS))
        step["next"] = draw(st.lists(transition, max_size=2))
        steps.append(step)
    return request_of(*steps, limits={"maxSteps": draw(st.integers(1, 12))})


def lines() -> st.SearchStrategy[Line]:
    return st.one_of(
        st.sampled_from(["x", "two words", ""]),
        st.sampled_from([UpstreamFailed("x"), PolicyDenied("x")]),
        st.builds(lambda words: Break(words, StreamInterrupted("x")), st.integers(0, 5)),
    )


@settings(max_examples=150, deadline=None)
@given(chains(), st.lists(lines(), max_size=12), st.booleans())
def test_events_have_no_gaps_and_one_end(request: pb.RunChainRequest, script: list[Line], parts: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    asyncio.run(_check_run(request, Gateway(script), Log(parts=parts)))


async def _check_run(request: pb.RunChainRequest, gateway: Gateway, log: Log) -> None:
    engine = engine_of(gateway)
    failure: PromptwireError | None = None
    result = pb.RunResult()
    try:
        result = (await engine.run(job_of(request), context_of(engine.clock), log.watcher).finish()).result
    except PromptwireError as error:
        failure = error
    _check_events(log, failure)
    if failure is None:
        _check_result(log, result, gateway)


def _check_events(log: Log, failure: PromptwireError | None) -> None:
    assert [event.sequence for event in log.events] == list(range(1, len(log.events) + 1))
    assert log.kinds.count("run_finished") == (failure is None)
    assert not log.events or log.kinds[0] == "run_started"
    if failure is None:
        assert log.kinds[-1] == "run_finished"
    else:
        assert failure.metadata["last_sequence"] == str(len(log.events))
    begun = Counter((event.step_id, event.visit) for event in log.of("step_started"))
    ended = Counter((event.step_id, event.visit) for event in log.of("step_finished"))
    skipped = Counter((event.step_id, event.visit) for event in log.of("step_skipped"))
    assert max(begun.values(), default=1) == 1
    assert begun.keys() <= (ended | skipped).keys(), "each step that begins ends"
    assert not ended.keys() & skipped.keys()


def _check_result(log: Log, result: pb.RunResult, gateway: Gateway) -> None:
    answered = [ending for ending in gateway.endings if ending.response is not None]
    assert len(gateway.endings) == len(gateway.calls) - _refused(gateway)
    assert result.usage.output_tokens == 4 * len(answered)
    assert result.cost.total_nano_usd == 5 * len(answered)
    assert len(result.steps) == len(log.of("step_finished")) + len(log.of("step_skipped"))


def _refused(gateway: Gateway) -> int:
    script = gateway.script
    assert not callable(script)
    return sum(isinstance(line, PromptwireError) for line in script[: len(gateway.calls)])


@settings(max_examples=80, deadline=None)
@given(chains(), st.lists(lines(), max_size=8), st.integers(0, 40))
def test_a_run_cancelled_at_any_event_leaves_no_answer_open(request: pb.RunChainRequest, script: list[Line], at: int) -> None:
    asyncio.run(_cancel(request, Gateway(script), at))


async def _cancel(request: pb.RunChainRequest, gateway: Gateway, at: int) -> None:
    log = Log()
    reached = asyncio.Event()

    async def send(event: pb.RunEvent) -> None:
        await log.send(event)
        if event.sequence > at:
            reached.set()
            await asyncio.Event().wait()

    engine = engine_of(gateway)
    task = asyncio.create_task(engine.run(job_of(request), context_of(engine.clock), Watcher(send)).finish())
    waiter = asyncio.create_task(reached.wait())
    await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    waiter.cancel()
    await asyncio.wait([task, waiter])
    assert task.cancelled() or not reached.is_set()
    if not task.cancelled():
        task.exception()
    assert len(gateway.endings) == len(gateway.calls) - _refused(gateway)
