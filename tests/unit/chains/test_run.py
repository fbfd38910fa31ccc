"""A run walks the steps in order, carries values from one to the next, and adds up what was spent."""

import asyncio
import json

import pytest

from promptwire import v1 as pb
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import ChainFailed, InvalidRequest, InvalidTemplate, OutputSchemaMismatch
from tests.unit.chains.scripted import Gateway, Log, context_of, engine_of, job_of, prompts_of, request_of, response_of, run


def transform(expression: str, **fields: object) -> dict[str, object]:
    return {"transform": {"expression": expression}, **fields}


async def test_the_short_form_hands_each_answer_on() -> None:
    gateway = Gateway()
    result = await run(prompts_of("Tell of {{ topic }}", "More: {{ output[-1] }}", "Sum: {{ output | length }}", topic="tea"), gateway)
    assert gateway.prompts == ["Tell of tea", "More: re: Tell of tea", "Sum: 2"]
    assert result.text == "re: Sum: 2"
    assert dict(result.outputs) == {"text": "re: Sum: 2"}
    assert json.loads(result.outputs_json) == {"text": "re: Sum: 2"}


async def test_tokens_and_cost_are_added_up() -> None:
    result = await run(prompts_of("a", "b"))
    assert (result.usage.input_tokens, result.usage.output_tokens, result.cost.total_nano_usd) == (6, 8, 10)
    assert [step.cost.total_nano_usd for step in result.steps] == [5, 5]


async def test_an_unknown_cost_is_absent_and_not_zero() -> None:
    response = response_of("x")
    response.ClearField("cost")
    result = await run(prompts_of("a"), Gateway([response]))
    assert not result.HasField("cost")


async def test_answers_stand_in_the_steps_without_their_text() -> None:
    (step,) = (await run(prompts_of("a"), Gateway(["hello"]))).steps
    assert (step.text, step.visit, step.state) == ("hello", 1, pb.STEP_STATE_SUCCEEDED)
    assert (step.responses[0].text, len(step.responses[0].candidates[0].message.parts)) == ("", 0)
    assert step.responses[0].candidates[0].finish_reason == pb.FINISH_REASON_STOP


async def test_tool_calls_stay_in_the_answers() -> None:
    response = response_of("wait")
    response.candidates[0].message.parts.add().tool_call.name = "f"
    (step,) = (await run(prompts_of("a"), Gateway([response]))).steps
    assert [part.WhichOneof("content") for part in step.responses[0].candidates[0].message.parts] == ["tool_call"]
    assert len(response.candidates[0].message.parts) == 2, "the answer itself may be shared, and stays as it was"


async def test_a_prompt_asks_with_all_its_settings() -> None:
    gateway = Gateway()
    request = request_of(
        {
            "prompt": {
                "system": "Be {{ tone }}",
                "user": "Hi {{ tone }}",
                "messages": [{"role": "ROLE_ASSISTANT", "parts": [{"text": "{{ tone }}!"}]}],
                "models": ["fast", "slow"],
                "generation": {"temperature": 0.5},
                "cache": {"mode": "MODE_BYPASS"},
            }
        },
        given={"tone": "kind"},
    )
    request.labels["team"] = "search"
    request.session_id = "s"
    request.priority = pb.PRIORITY_LOW
    request.request_id = "mine"
    await run(request, gateway)
    asked = gateway.calls[0].request
    assert (asked.model, list(asked.fallback_models)) == ("fast", ["slow"])
    assert (asked.system, asked.prompt, asked.messages[0].parts[0].text) == ("Be kind", "Hi kind", "kind!")
    assert (asked.generation.temperature, asked.cache.mode) == (0.5, pb.CacheSettings.MODE_BYPASS)
    assert (asked.labels["team"], asked.session_id, asked.priority) == ("search", "s", pb.PRIORITY_LOW)
    assert asked.request_id == "", "one id for several questions would make the later ones copies of the first"


async def test_a_call_knows_its_run_and_step() -> None:
    gateway = Gateway()
    engine = engine_of(gateway)
    response = await engine.run(job_of(prompts_of("a")), context_of(engine.clock)).finish()
    (call,) = gateway.calls
    assert (call.run_id, call.step_id, call.request_id) == (response.run_id, "step1", "req-1")
    assert not call.stream


async def test_a_plan_is_not_changed_by_its_runs() -> None:
    gateway, job = Gateway(), job_of(request_of({"prompt": {"user": "{{ x }}", "models": ["fast"]}}, given={"x": "1"}))
    engine = engine_of(gateway)
    for _ in range(2):
        await engine.run(job, context_of(engine.clock)).finish()
    assert [list(call.request.fallback_models) for call in gateway.calls] == [[], []]
    assert gateway.prompts == ["1", "1"]


async def test_steps_are_seen_by_name_key_and_state() -> None:
    request = request_of(
        {"id": "a", "prompt": {"user": "x"}, "outputKey": "draft"},
        {"id": "b", "when": "false", "prompt": {"user": "y"}},
        {"transform": {"template": "{{ draft }} {{ steps.a.text }} {{ steps.a.state }} {{ steps.a.visit }} {{ steps.b.state }}"}},
    )
    assert (await run(request, Gateway(["one"]))).text == "one one succeeded 1 skipped"


async def test_a_step_whose_condition_fails_is_passed_over_with_its_transitions() -> None:
    gateway = Gateway()
    request = request_of(
        {"id": "a", "when": "go == 'yes'", "prompt": {"user": "a"}, "next": [{"to": "end"}]},
        {"id": "b", "prompt": {"user": "b"}},
        given={"go": "no"},
    )
    result = await run(request, gateway)
    assert gateway.prompts == ["b"]
    assert [(step.step_id, step.state) for step in result.steps] == [("a", pb.STEP_STATE_SKIPPED), ("b", pb.STEP_STATE_SUCCEEDED)]


async def test_when_nothing_ran_nothing_is_given() -> None:
    result = await run(request_of({"when": "false", "prompt": {"user": "a"}}))
    assert (result.text, dict(result.outputs), result.outputs_json) == ("", {}, "{}")


@pytest.mark.parametrize(("kind", "asked"), [("refund", ["classify", "c"]), ("other", ["classify", "b", "c"]), ("stop", ["classify"])])
async def test_the_first_transition_that_holds_is_taken(kind: str, asked: list[str]) -> None:
    gateway = Gateway([kind])
    transitions = [{"to": "c", "when": "'refund' in steps.a.text"}, {"to": "end", "when": "steps.a.text == 'stop'"}]
    request = request_of(
        {"id": "a", "prompt": {"user": "classify"}, "next": transitions},
        {"id": "b", "prompt": {"user": "b"}},
        {"id": "c", "prompt": {"user": "c"}},
    )
    await run(request, gateway)
    assert gateway.prompts == asked


async def test_a_loop_runs_until_its_condition_fails() -> None:
    gateway = Gateway(["bad", "bad", "good"])
    request = request_of(
        {"id": "draft", "prompt": {"user": "try {{ output | length }}"}, "next": [{"to": "draft", "when": "steps.draft.text != 'good'"}]}
    )
    result = await run(request, gateway)
    assert gateway.prompts == ["try 0", "try 1", "try 2"]
    assert [step.visit for step in result.steps] == [1, 2, 3]
    assert result.text == "good"


async def test_a_loop_is_stopped_by_max_steps() -> None:
    gateway = Gateway()
    request = request_of({"id": "again", "prompt": {"user": "x"}, "next": [{"to": "again"}]}, limits={"maxSteps": 3})
    with pytest.raises(ChainFailed, match=r"'again'.*max_steps") as caught:
        await run(request, gateway)
    assert len(gateway.calls) == 3
    assert caught.value.metadata["step_id"] == "again"
    assert caught.value.metadata["billed_nano_usd"] == "15"


async def test_the_stricter_limit_of_request_and_chain_holds() -> None:
    gateway = Gateway()
    request = request_of({"id": "again", "prompt": {"user": "x"}, "next": [{"to": "again"}]}, limits={"maxSteps": 9})
    request.limits.max_steps = 2
    with pytest.raises(ChainFailed):
        await run(request, gateway)
    assert len(gateway.calls) == 2


async def test_a_loop_of_transforms_lets_others_have_their_turn() -> None:
    request = request_of(transform("1", next=[{"to": "step1"}]), limits={"maxSteps": 1_000})
    engine = engine_of(Gateway(), longest_slice_s=0.0)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    with pytest.raises(ChainFailed):
        await engine.run(job_of(request), context_of(engine.clock)).finish()
    task.cancel()
    assert turns >= 1_000


async def test_a_dear_run_stops_before_its_next_question() -> None:
    gateway = Gateway()
    request = prompts_of("a", "b", "c")
    request.limits.max_cost_nano_usd = 10
    with pytest.raises(ChainFailed, match="max_cost_nano_usd") as caught:
        await run(request, gateway)
    assert len(gateway.calls) == 2
    assert caught.value.metadata["billed_nano_usd"] == "10"


async def test_what_was_spent_by_the_last_question_does_not_fail_the_run() -> None:
    request = request_of({"prompt": {"user": "a"}}, transform("output[-1] | upper"), limits={"maxCostNanoUsd": "1"})
    assert (await run(request, Gateway(["x"]))).text == "X"


async def test_outputs_are_bounded_together() -> None:
    engine = engine_of(Gateway(["x" * 200, "x" * 200]), max_size_bytes=300)
    with pytest.raises(ChainFailed, match="larger than 300 bytes"):
        await engine.run(job_of(prompts_of("a", "b", "c")), context_of(engine.clock)).finish()


async def test_whole_numbers_stay_exact_from_input_to_output() -> None:
    request = request_of(
        transform("inputs.n + 1", id="sum", outputKey="total"),
        inputs=[{"name": "n", "jsonSchema": '{"type": "integer"}'}],
        outputs={"total": "total", "list": "[total, 'x']"},
    )
    request.inputs_json = '{"n": 9007199254740993}'
    result = await run(request)
    assert result.outputs_json == '{"list":[9007199254740994,"x"],"total":9007199254740994}'
    assert dict(result.outputs) == {"total": "9007199254740994", "list": '[9007199254740994,"x"]'}
    assert (result.steps[0].text, result.steps[0].output_json) == ("9007199254740994", "9007199254740994")


async def test_a_transform_makes_an_object() -> None:
    request = request_of({"transform": {"object": {"fields": {"b": "1 + 1", "a": "'x'"}}}, "id": "t"}, transform("steps.t.json.b"))
    result = await run(request)
    assert result.steps[0].output_json == '{"a":"x","b":2}'
    assert result.text == "2"


async def test_a_value_taken_from_the_run_does_not_change_with_it() -> None:
    request = request_of(transform("output", id="early"), transform("'x'"), transform("steps.early.json | length"))
    assert (await run(request)).text == "0"


async def test_values_that_share_parts_cannot_grow_without_bound() -> None:
    steps = [transform("'0123456789'", id="s0")]
    steps += [transform(f"[steps.s{n}.json, steps.s{n}.json]" if n else "[output[-1], output[-1]]", id=f"s{n + 1}") for n in range(40)]
    with pytest.raises(InvalidTemplate):
        await run(request_of(*steps))


async def test_an_answer_in_json_is_a_value() -> None:
    request = request_of(
        {"id": "a", "outputKey": "facts", "prompt": {"user": "x", "generation": {"responseFormat": {"jsonObject": {}}}}},
        {"transform": {"template": "{{ facts.n + 1 }} {{ steps.a.json.n }} {{ steps.a.text }}"}},
    )
    result = await run(request, Gateway(['{"n": 9007199254740993}\n']))
    assert result.text == '9007199254740994 9007199254740993 {"n": 9007199254740993}\n'
    assert result.steps[0].output_json == '{"n": 9007199254740993}'


async def test_an_answer_that_is_no_json_fails_its_step() -> None:
    request = request_of({"prompt": {"user": "x", "generation": {"responseFormat": {"jsonObject": {}}}}})
    with pytest.raises(OutputSchemaMismatch, match="line 1, column 1") as caught:
        await run(request, Gateway(["Sure! s3cr3t"]))
    assert "s3cr3t" not in caught.value.message
    assert caught.value.metadata["billed_nano_usd"] == "5"


async def test_any_text_can_be_read_as_json() -> None:
    request = request_of({"id": "a", "prompt": {"user": "x"}}, transform("steps.a.json[1]"))
    assert (await run(request, Gateway(["[1, 2]"]))).text == "2"
    with pytest.raises(InvalidTemplate, match=r"steps\.a\.json: the text of this step is not JSON") as caught:
        await run(request, Gateway(["no"]))
    assert caught.value.violations[0].field == "spec.steps[1].transform.expression"


async def test_a_template_that_fails_on_its_values_names_field_and_line() -> None:
    request = request_of({"prompt": {"user": "one\n{{ x.y }}"}}, inputs=[{"name": "x", "jsonSchema": "{}"}])
    request.inputs_json = '{"x": {}}'
    with pytest.raises(InvalidTemplate) as caught:
        await run(request)
    (violation,) = caught.value.violations
    assert (violation.field, violation.line) == ("spec.steps[0].prompt.user", 2)


async def test_a_prompt_that_renders_to_nothing_is_not_asked() -> None:
    gateway = Gateway()
    with pytest.raises(InvalidRequest, match="empty prompt") as caught:
        await run(prompts_of("{{ x }}", x=""), gateway)
    assert caught.value.violations[0].field == "prompts[0]"
    assert gateway.calls == []


async def test_an_output_that_fails_names_itself() -> None:
    request = request_of({"id": "a", "when": "false", "prompt": {"user": "x"}}, outputs={"best": "steps.a.text"})
    with pytest.raises(InvalidTemplate) as caught:
        await run(request)
    assert caught.value.violations[0].field == "spec.outputs.best"


async def test_timing_is_measured_by_the_clock_given() -> None:
    clock = ManualClock()

    def answer(_: pb.ChatRequest) -> pb.ChatResponse:
        clock.advance(2)
        return response_of("x", timing={"upstream": "1.5s"})

    engine = engine_of(Gateway(answer), clock)
    response = await engine.run(job_of(prompts_of("a", "b")), context_of(clock)).finish()
    assert (response.result.timing.total.seconds, response.result.timing.upstream.seconds) == (4, 3)
    assert [step.duration.seconds for step in response.result.steps] == [2, 2]


async def test_the_answer_names_run_chain_and_trace() -> None:
    engine = engine_of(Gateway())
    job = job_of(request_of({"prompt": {"user": "x"}}, name="greet"))
    response = await engine.run(job, context_of(engine.clock)).finish()
    assert response.run_id.startswith("run-")
    assert (response.chain_name, response.chain_hash, response.request_id) == ("greet", job.plan.hash, "req-1")
    assert response.trace_id.endswith("1")


async def test_notices_of_the_answers_are_kept() -> None:
    notice = {"code": "CODE_SETTING_DROPPED", "message": "no top_k here"}
    log = Log()
    result = await run(prompts_of("a"), Gateway([response_of("x", notices=[notice])]), log)
    assert [one.message for one in result.notices] == ["no top_k here"]
    assert [event.notice.message for event in log.of("notice")] == ["no top_k here"]


async def test_steps_can_be_looked_at_as_a_whole() -> None:
    request = request_of({"id": "a", "prompt": {"user": "x"}}, transform("steps"))
    assert json.loads((await run(request, Gateway(["no json"]))).text) == {"a": {"state": "succeeded", "visit": 1, "text": "no json"}}
