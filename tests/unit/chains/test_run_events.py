"""Events of a run: numbered without gaps, told in order, ended exactly once."""

import pytest

from promptwire import v1 as pb
from promptwire_server.chains.run import Watcher
from promptwire_server.core.call import Call
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import Overloaded, PolicyDenied, PromptwireError, StreamInterrupted, UpstreamFailed
from promptwire_server.core.reply import Reply
from tests.unit.chains.scripted import Break, Gateway, Line, Log, Tried, attempt, context_of, engine_of, job_of, prompts_of, request_of, run


async def test_everything_is_told_in_order() -> None:
    log = Log()
    result = await run(request_of({"prompt": {"user": "a"}}, {"transform": {"template": "b"}}), Gateway(["one two"]), log)
    assert log.kinds == [
        "run_started",
        *["step_started", "part_started", "part_delta", "part_delta", "part_finished", "step_finished", "usage_updated"],
        *["step_started", "step_finished"],
        "run_finished",
    ]
    assert log.events[-1].run_finished.result == result
    assert log.events[-1].run_finished.state == pb.RUN_STATE_SUCCEEDED


async def test_events_are_numbered_without_gaps_and_know_their_place() -> None:
    log = Log()
    await run(prompts_of("a", "b"), Gateway(), log)
    assert [event.sequence for event in log.events] == list(range(1, len(log.events) + 1))
    assert {event.run_id for event in log.events} == {log.events[0].run_id}
    assert {(event.step_id, event.step_path, event.visit) for event in log.events} == {
        ("", "", 0),
        ("step1", "step1", 1),
        ("step2", "step2", 1),
    }


async def test_events_are_dated_by_the_clock_given() -> None:
    log, clock = Log(), ManualClock(epoch_s=1_000.5)
    engine = engine_of(Gateway(), clock)
    await engine.run(job_of(prompts_of("a")), context_of(clock), log.watcher).finish()
    assert {(event.emit_time.seconds, event.emit_time.nanos) for event in log.events} == {(1_000, 500_000_000)}


async def test_the_start_names_the_chain() -> None:
    log = Log()
    job = job_of(request_of({"prompt": {"user": "x", "models": ["fast"]}}, name="greet"))
    engine = engine_of(Gateway())
    await engine.run(job, context_of(engine.clock), log.watcher).finish()
    started = log.events[0].run_started
    assert (started.chain_name, started.chain_hash, started.request_id) == ("greet", job.plan.hash, "req-1")
    assert (log.events[1].step_started.action, log.events[1].step_started.model) == ("prompt", "fast")


async def test_text_that_was_delivered_is_not_told_again_when_its_step_ends() -> None:
    log = Log()
    result = await run(prompts_of("a"), Gateway(["one two"]), log)
    assert "".join(event.part_delta.text for event in log.of("part_delta")) == "one two"
    (finished,) = log.of("step_finished")
    assert finished.step_finished.result.text == ""
    assert finished.step_finished.result.usage.output_tokens == 4
    assert result.steps[0].text == "one two"


async def test_without_parts_the_step_has_its_text_and_the_model_is_not_streamed() -> None:
    log, gateway = Log(parts=False), Gateway(["one two"])
    await run(prompts_of("a"), gateway, log)
    assert log.kinds == ["run_started", "step_started", "step_finished", "usage_updated", "run_finished"]
    assert log.of("step_finished")[0].step_finished.result.text == "one two"
    assert not gateway.calls[0].stream


async def test_a_transform_tells_its_text() -> None:
    log = Log()
    await run(request_of({"transform": {"template": "x"}}), None, log)
    assert log.kinds == ["run_started", "step_started", "step_finished", "run_finished"]
    assert log.of("step_finished")[0].step_finished.result.text == "x"


async def test_a_step_passed_over_says_why() -> None:
    log = Log()
    await run(request_of({"id": "a", "when": "false", "prompt": {"user": "x"}}), None, log)
    assert log.kinds == ["run_started", "step_skipped", "run_finished"]
    assert "`when`" in log.of("step_skipped")[0].step_skipped.reason


async def test_usage_is_told_as_it_adds_up() -> None:
    log = Log()
    await run(prompts_of("a", "b"), None, log)
    assert [event.usage_updated.usage.output_tokens for event in log.of("usage_updated")] == [4, 8]
    assert [event.usage_updated.cost.total_nano_usd for event in log.of("usage_updated")] == [5, 10]


async def failing(log: Log, *script: Line) -> PromptwireError:
    with pytest.raises(PromptwireError) as caught:
        await run(prompts_of("a", "b"), Gateway(script), log)
    return caught.value


async def test_nothing_is_told_when_the_first_question_is_refused() -> None:
    """Admission is over before the first message: until then clients retry by themselves."""
    log = Log()
    error = await failing(log, Overloaded("full", retry_after_s=3))
    assert log.events == []
    assert (type(error), error.retry_after_s, error.metadata["last_sequence"]) == (Overloaded, 3, "0")


async def test_transforms_alone_do_not_open_the_stream() -> None:
    log = Log()
    with pytest.raises(PolicyDenied):
        await run(request_of({"transform": {"template": "x"}}, {"prompt": {"user": "y"}}), Gateway([PolicyDenied("no")]), log)
    assert log.events == []


async def test_a_long_way_to_the_first_question_is_not_held_back() -> None:
    log = Log()
    request = request_of(*[{"transform": {"template": "x"}}] * 60, {"prompt": {"user": "y"}})
    with pytest.raises(PolicyDenied):
        await run(request, Gateway([PolicyDenied("no")]), log)
    assert len(log.events) >= 64


async def test_a_run_that_fails_later_has_no_end_event_and_names_the_last_one() -> None:
    log = Log()
    error = await failing(log, "fine", PolicyDenied("no"))
    assert "run_finished" not in log.kinds
    assert error.metadata["last_sequence"] == str(log.events[-1].sequence)
    assert (error.metadata["step_id"], error.metadata["billed_nano_usd"]) == ("step2", "5")
    assert error.metadata["run_id"] == log.events[0].run_id
    (_, failed) = log.of("step_finished")
    assert failed.step_finished.result.state == pb.STEP_STATE_FAILED
    assert failed.step_finished.result.failure.reason == pb.ERROR_REASON_POLICY_DENIED


async def test_a_stream_that_breaks_keeps_its_error() -> None:
    log = Log()
    error = await failing(log, Break(2, StreamInterrupted("gone", metadata={"provider_hint": "x"})))
    assert (type(error), error.metadata["provider_hint"]) == (StreamInterrupted, "x")
    assert log.kinds.count("part_delta") == 2


async def test_the_error_that_was_raised_below_is_left_as_it_was() -> None:
    shared = PolicyDenied("no")
    error = await failing(Log(), shared)
    assert error is not shared
    assert shared.metadata == {}


async def test_deltas_of_one_read_can_be_joined_and_numbers_stay_without_gaps() -> None:
    log = Log()
    seen: list[int] = []

    def join(batch: object) -> list[pb.StreamChatResponse]:
        seen.append(1)
        return [event for event in batch if not event.HasField("part_delta")]  # type: ignore[attr-defined]  # a batch

    engine = engine_of(Gateway())
    await engine.run(job_of(prompts_of("a")), context_of(engine.clock), Watcher(log.send, join=join)).finish()
    assert seen
    assert "part_delta" not in log.kinds
    assert [event.sequence for event in log.events] == list(range(1, len(log.events) + 1))


def told_failures(log: Log) -> list[tuple[str, int, str, bool]]:
    """Each attempt that failed: whose, what next, at whom, and whether what was delivered is void."""
    failed = [event.attempt_failed for event in log.of("attempt_failed")]
    return [(each.attempt.provider, each.next_action, each.next_provider, each.discard_partial_output) for each in failed]


RETRY, FALLBACK = pb.AttemptFailed.NEXT_ACTION_RETRY, pb.AttemptFailed.NEXT_ACTION_FALLBACK


@pytest.mark.parametrize("parts", [True, False], ids=["with parts", "without parts"])
async def test_attempts_that_failed_before_an_answer_are_told_of_their_step(*, parts: bool) -> None:
    log = Log(parts=parts)
    answered = pb.Attempt(provider="scripted", model="model-1")
    await run(prompts_of("a"), Gateway([Tried([attempt("p"), attempt("q"), answered], "one two")]), log)
    assert told_failures(log) == [("p", FALLBACK, "q", False), ("q", FALLBACK, "scripted", False)]
    assert {event.step_id for event in log.of("attempt_failed")} == {"step1"}
    assert log.kinds[1:4] == ["step_started", "attempt_failed", "attempt_failed"]
    assert [event.sequence for event in log.events] == list(range(1, len(log.events) + 1))


async def test_every_attempt_of_a_question_that_failed_is_told_once() -> None:
    log = Log()
    chain = request_of({"prompt": {"user": "x"}, "policy": {"attempts": 2}})
    await run(chain, Gateway([Tried([attempt("p"), attempt("q")], UpstreamFailed("down")), "fine"]), log)
    assert told_failures(log) == [("p", FALLBACK, "q", False), ("q", RETRY, "", False)]


async def test_what_a_stream_has_told_before_it_broke_is_not_told_again() -> None:
    class Breaking(Gateway):
        """Its streams leave an attempt when they break."""

        async def __call__(self, call: Call) -> Reply:
            reply = await super().__call__(call)
            reply.on_done(lambda ending: call.trail.attempts.append(attempt("broken")) if ending.response is None else None)
            return reply

    log = Log()
    chain = request_of({"prompt": {"user": "x"}, "policy": {"attempts": 2}})
    await run(chain, Breaking([Tried([attempt("p")], Break(1, StreamInterrupted("gone"))), "fine"]), log)
    assert told_failures(log) == [("p", FALLBACK, "scripted", False), ("broken", RETRY, "", True)]
