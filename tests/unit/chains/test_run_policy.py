"""What follows a failure: attempts, pauses, deadlines, and the policy of the step."""

from collections.abc import Mapping

import pytest

from promptwire import v1 as pb
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import (
    ContextTooLong,
    DeadlineExceeded,
    OutputSchemaMismatch,
    PolicyDenied,
    PromptwireError,
    StreamInterrupted,
    UpstreamFailed,
    UpstreamRateLimited,
)
from tests.unit.chains.scripted import (
    Break,
    Gateway,
    Hang,
    Line,
    Log,
    Tried,
    attempt,
    context_of,
    engine_of,
    job_of,
    request_of,
    response_of,
    run,
)


def chain(policy: Mapping[str, object], *more: Mapping[str, object], **prompt: object) -> pb.RunChainRequest:
    return request_of({"id": "a", "prompt": {"user": "x", **prompt}, "policy": policy}, *more)


async def failure_of(request: pb.RunChainRequest, gateway: Gateway, log: Log | None = None, seconds: float = 60.0) -> PromptwireError:
    with pytest.raises(PromptwireError) as caught:
        await run(request, gateway, log, seconds)
    return caught.value


@pytest.mark.parametrize(
    "error", [UpstreamFailed("x"), UpstreamRateLimited("x"), StreamInterrupted("x"), ContextTooLong("x"), OutputSchemaMismatch("x")]
)
async def test_another_attempt_is_made_when_it_may_help(error: PromptwireError) -> None:
    gateway = Gateway([error, "fine"])
    assert (await run(chain({"attempts": 2}), gateway)).text == "fine"
    assert len(gateway.calls) == 2


async def test_no_other_attempt_is_made_when_it_cannot_help() -> None:
    gateway = Gateway([PolicyDenied("no"), "fine"])
    assert type(await failure_of(chain({"attempts": 3}), gateway)) is PolicyDenied
    assert len(gateway.calls) == 1


async def test_the_last_failure_is_the_error() -> None:
    gateway = Gateway([UpstreamFailed("first"), UpstreamRateLimited("second")])
    assert (await failure_of(chain({"attempts": 2}), gateway)).message == "second"


async def test_an_answer_that_is_no_json_is_asked_for_again_and_paid_twice() -> None:
    gateway = Gateway(["oops", "{}"])
    result = await run(chain({"attempts": 2}, generation={"responseFormat": {"jsonObject": {}}}), gateway)
    assert result.text == "{}"
    assert (result.usage.output_tokens, result.cost.total_nano_usd, len(result.steps[0].responses)) == (8, 10, 2)


async def test_pauses_grow_and_heed_what_the_provider_says() -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    failed = UpstreamFailed("x")
    engine = engine_of(
        Gateway([failed, failed, UpstreamRateLimited("x", retry_after_s=7), failed, "fine"]), sleep=sleep, longest_pause_s=0.5
    )
    await engine.run(job_of(chain({"attempts": 5})), context_of(engine.clock)).finish()
    assert pauses == [0.1, 0.2, 7, 0.5]


async def test_a_pause_that_outlasts_the_deadline_is_not_begun() -> None:
    gateway = Gateway([UpstreamRateLimited("x", retry_after_s=100)])
    assert type(await failure_of(chain({"attempts": 2}), gateway)) is UpstreamRateLimited
    assert len(gateway.calls) == 1


async def test_a_failed_attempt_tells_to_drop_what_was_delivered() -> None:
    log = Log()
    result = await run(chain({"attempts": 3}), Gateway([Break(2, StreamInterrupted("gone")), UpstreamFailed("x"), "fine"]), log)
    first, second = [event.attempt_failed for event in log.of("attempt_failed")]
    assert (first.discard_partial_output, second.discard_partial_output) == (True, False)
    assert first.next_action == pb.AttemptFailed.NEXT_ACTION_RETRY
    assert first.attempt.failure.reason == pb.ERROR_REASON_STREAM_INTERRUPTED
    assert first.delay.nanos == 100_000_000
    assert result.text == "fine"
    assert len(result.steps) == 1


SEEN = {"transform": {"template": "{{ steps.a.state }} {{ steps.a.text | default('nothing') }} {{ output | length }}"}}


async def test_skip_goes_on_as_if_the_step_had_not_been_there() -> None:
    log = Log()
    broken: list[Line] = [Break(3, StreamInterrupted("gone"))]
    result = await run(chain({"onError": "ON_ERROR_SKIP"}, SEEN), Gateway(broken), log)
    assert result.text == "skipped nothing 0", "what had been delivered leaks nowhere"
    (skipped,) = log.of("step_skipped")
    assert skipped.step_skipped.failure.reason == pb.ERROR_REASON_STREAM_INTERRUPTED
    assert [event.step_id for event in log.of("step_finished")] == ["step2"]
    assert result.steps[0].failure.reason == pb.ERROR_REASON_STREAM_INTERRUPTED


@pytest.mark.parametrize(
    ("default_json", "text"), [('"none"', "defaulted none 1"), ('{"n": 9007199254740993}', 'defaulted {"n":9007199254740993} 1')]
)
async def test_a_default_stands_in(default_json: str, text: str) -> None:
    log = Log()
    result = await run(
        chain({"onError": "ON_ERROR_USE_DEFAULT", "defaultJson": default_json}, SEEN), Gateway([Break(3, StreamInterrupted("gone"))]), log
    )
    assert result.text == text
    finished = log.of("step_finished")[0].step_finished.result
    assert (finished.state, finished.text) == (pb.STEP_STATE_DEFAULTED, result.steps[0].text)
    assert finished.failure.reason == pb.ERROR_REASON_STREAM_INTERRUPTED


async def test_a_step_with_a_default_takes_its_transitions() -> None:
    gateway = Gateway([PolicyDenied("no")])
    step = {
        "id": "a",
        "prompt": {"user": "x"},
        "policy": {"onError": "ON_ERROR_USE_DEFAULT", "defaultJson": '"d"'},
        "next": [{"to": "end"}],
    }
    assert (await run(request_of(step, {"prompt": {"user": "y"}}), gateway)).text == "d"
    assert len(gateway.calls) == 1


async def test_goto_goes_on_elsewhere() -> None:
    gateway = Gateway([PolicyDenied("no")])
    rescue = {"id": "rescue", "prompt": {"user": "{{ steps.a.state }}"}}
    result = await run(chain({"onError": "ON_ERROR_GOTO", "gotoStep": "rescue"}, {"id": "b", "prompt": {"user": "b"}}, rescue), gateway)
    assert gateway.prompts == ["x", "failed"]
    assert [step.state for step in result.steps] == [pb.STEP_STATE_FAILED, pb.STEP_STATE_SUCCEEDED]


async def test_goto_end_ends_the_run_well() -> None:
    result = await run(chain({"onError": "ON_ERROR_GOTO", "gotoStep": "end"}), Gateway([PolicyDenied("no")]))
    assert (result.text, len(result.steps)) == ("", 1)


async def test_a_template_that_fails_is_a_failure_like_any_other() -> None:
    request = request_of({"prompt": {"user": "{{ output[5] }}"}, "policy": {"onError": "ON_ERROR_SKIP"}}, {"transform": {"template": "on"}})
    assert (await run(request)).text == "on"


async def test_the_policy_of_the_chain_holds_where_a_step_has_none() -> None:
    request = request_of({"prompt": {"user": "x"}}, {"transform": {"template": "on"}}, defaults={"policy": {"onError": "ON_ERROR_SKIP"}})
    assert (await run(request, Gateway([PolicyDenied("no")]))).text == "on"


async def test_the_nearest_deadline_goes_down_with_the_call() -> None:
    clock = ManualClock()
    gateway = Gateway()
    request = chain({"timeout": "5s"}, {"prompt": {"user": "y"}})
    request.spec.limits.timeout.FromSeconds(30)
    engine = engine_of(gateway, clock)
    await engine.run(job_of(request), context_of(clock, 60)).finish()
    assert [call.deadline_s for call in gateway.calls] == [5, 30]
    request.limits.timeout.FromSeconds(3)
    await engine.run(job_of(request), context_of(clock, 2)).finish()
    assert [call.deadline_s for call in gateway.calls[2:]] == [2, 2]


@pytest.mark.parametrize("line", [Hang(), Hang(2)])
@pytest.mark.parametrize("streamed", [True, False])
async def test_the_time_of_a_step_ends_a_hanging_call(line: Line, *, streamed: bool) -> None:
    gateway = Gateway([line])
    error = await failure_of(chain({"timeout": "0.02s"}), gateway, Log() if streamed else None)
    assert isinstance(error, DeadlineExceeded)
    assert (error.metadata["phase"], error.metadata["step_id"]) == ("step", "a")
    assert "policy.timeout" in error.message
    assert gateway.left_while_asked == 1
    assert gateway.released == (0 if line == Hang() else 1)


async def test_time_that_is_up_for_a_step_is_made_good_by_its_policy() -> None:
    result = await run(chain({"timeout": "0.02s", "onError": "ON_ERROR_SKIP", "attempts": 3}, SEEN), Gateway([Hang()]))
    assert result.text == "skipped nothing 0"
    assert result.steps[0].failure.reason == pb.ERROR_REASON_DEADLINE


async def test_time_that_is_up_for_the_run_is_not() -> None:
    request = chain({"onError": "ON_ERROR_SKIP"}, SEEN)
    request.limits.timeout.FromMilliseconds(20)
    error = await failure_of(request, Gateway([Hang()]))
    assert isinstance(error, DeadlineExceeded)
    assert "limits.timeout" in error.message


async def test_the_callers_deadline_ends_the_run() -> None:
    error = await failure_of(chain({"timeout": "10s"}), Gateway([Hang()]), seconds=0.02)
    assert isinstance(error, DeadlineExceeded)
    assert "caller" in error.message


async def test_a_deadline_met_below_is_named_by_whose_it_was() -> None:
    below = DeadlineExceeded.during("upstream")
    assert (await failure_of(chain({"timeout": "10s"}), Gateway([below]))).metadata["phase"] == "step"
    assert (await failure_of(chain({}), Gateway([below]))).metadata["phase"] == "upstream"


async def test_a_run_whose_time_is_up_takes_no_further_step() -> None:
    clock = ManualClock()

    def answer(_: pb.ChatRequest) -> pb.ChatResponse:
        clock.advance(61)
        return response_of("x")

    gateway = Gateway(answer)
    engine = engine_of(gateway, clock)
    with pytest.raises(DeadlineExceeded) as caught:
        await engine.run(job_of(chain({}, {"prompt": {"user": "y"}})), context_of(clock, 60)).finish()
    assert (len(gateway.calls), caught.value.metadata["step_id"], caught.value.metadata["phase"]) == (1, "step2", "step")


async def test_a_timeout_that_is_not_ours_is_a_bug_and_stays_one() -> None:
    async def handler(_: object) -> None:
        raise TimeoutError

    engine = engine_of(handler)  # type: ignore[arg-type]  # a handler with a fault
    with pytest.raises(TimeoutError):
        await engine.run(job_of(chain({"attempts": 3, "onError": "ON_ERROR_SKIP"})), context_of(engine.clock)).finish()


async def test_what_failed_attempts_took_counts() -> None:
    broken = Tried([attempt("a", cost=7)], StreamInterrupted("gone"))
    result = await run(chain({"attempts": 2}), Gateway([broken, "fine"]))
    assert (result.cost.total_nano_usd, result.usage.input_tokens) == (12, 5)
    assert result.steps[0].usage == result.usage
    error = await failure_of(chain({}), Gateway([broken]))
    assert error.metadata["billed_nano_usd"] == "7"


async def test_what_failed_before_an_answer_counts() -> None:
    result = await run(chain({}), Gateway([Tried([attempt("a", cost=7)], "fine")]))
    assert (result.cost.total_nano_usd, result.usage.input_tokens) == (12, 5)


async def test_the_run_knows_what_was_tried_for_the_step_that_ended_it() -> None:
    gateway = Gateway([Tried([attempt("before")], "fine"), Tried([attempt("a"), attempt("b")], UpstreamFailed("down"))])
    engine = engine_of(gateway)
    context = context_of(engine.clock)
    with pytest.raises(UpstreamFailed):
        await engine.run(job_of(chain({}, {"prompt": {"user": "y"}})), context).finish()
    assert [each.provider for each in context.trail.attempts] == ["a", "b"]


async def test_a_step_that_could_fail_leaves_nothing_in_the_trail_of_the_run() -> None:
    engine = engine_of(Gateway([Tried([attempt("a")], UpstreamFailed("down")), "fine"]))
    context = context_of(engine.clock)
    await engine.run(job_of(chain({"onError": "ON_ERROR_SKIP"}, {"prompt": {"user": "y"}})), context).finish()
    assert not context.trail.attempts
