"""A chain is checked whole: every fault at once, each with its path in the request, and its line in a template."""

import time

import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from promptwire import v1 as pb
from promptwire_server.chains.check import check, validate
from promptwire_server.chains.plans import Plans, PlanSettings
from promptwire_server.core.errors import Disabled, InvalidRequest, InvalidTemplate
from tests.unit.chains.scripted import prompts_of, request_of

ASK = {"prompt": {"user": "hi"}}


def faults_of(request: pb.RunChainRequest) -> list[tuple[str, int]]:
    return [(fault.field, fault.line) for fault in validate(request, Plans()).faults]


def fields_of(request: pb.RunChainRequest) -> list[str]:
    return [field for field, _ in faults_of(request)]


def step(**fields: object) -> pb.RunChainRequest:
    return request_of({**ASK, **fields})


def prompt(**fields: object) -> pb.RunChainRequest:
    return request_of({"prompt": {"user": "hi", **fields}})


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (pb.RunChainRequest(), "prompts"),
        (pb.RunChainRequest(prompts=["a"], spec=pb.ChainSpec()), "spec"),
        (request_of(), "spec.steps"),
        (request_of(*[ASK] * 257), "spec.steps"),
        (request_of(ASK, name="no good"), "spec.name"),
        (request_of({}), "spec.steps[0]"),
        (request_of({"prompt": {}}), "spec.steps[0].prompt"),
        (request_of({"transform": {}}), "spec.steps[0].transform"),
        (request_of({"transform": {"object": {}}}), "spec.steps[0].transform.object"),
        (step(id="1st"), "spec.steps[0].id"),
        (step(id="end"), "spec.steps[0].id"),
        (request_of({**ASK, "id": "a"}, {**ASK, "id": "a"}), "spec.steps[1].id"),
        (request_of({**ASK, "id": "step2"}, ASK), "spec.steps[1].id"),
        (step(outputKey="a-b"), "spec.steps[0].output_key"),
        (step(outputKey="steps"), "spec.steps[0].output_key"),
        (step(next=[{}]), "spec.steps[0].next[0].to"),
        (step(next=[{"to": "stp1"}]), "spec.steps[0].next[0].to"),
        (step(policy={"attempts": 0}), "spec.steps[0].policy.attempts"),
        (step(policy={"attempts": 11}), "spec.steps[0].policy.attempts"),
        (step(policy={"timeout": "0s"}), "spec.steps[0].policy.timeout"),
        (step(policy={"onError": 9}), "spec.steps[0].policy.on_error"),
        (step(policy={"onError": "ON_ERROR_USE_DEFAULT"}), "spec.steps[0].policy.default_json"),
        (step(policy={"onError": "ON_ERROR_USE_DEFAULT", "defaultJson": "none"}), "spec.steps[0].policy.default_json"),
        (step(policy={"defaultJson": "1"}), "spec.steps[0].policy.default_json"),
        (step(policy={"onError": "ON_ERROR_GOTO", "gotoStep": "nowhere"}), "spec.steps[0].policy.goto_step"),
        (step(policy={"gotoStep": "end"}), "spec.steps[0].policy.goto_step"),
        (request_of(ASK, defaults={"policy": {"attempts": 99}}), "spec.defaults.policy.attempts"),
        (request_of(ASK, defaults={"models": [""]}), "spec.defaults.models[0]"),
        (request_of(ASK, defaults={"generation": {"topK": 0}}), "spec.defaults.generation.top_k"),
        (prompt(generation={"temperature": 3}), "spec.steps[0].prompt.generation.temperature"),
        (prompt(models=["fast", ""]), "spec.steps[0].prompt.models[1]"),
        (prompt(models=["m" * 257]), "spec.steps[0].prompt.models[0]"),
        (request_of(ASK, defaults={"models": ["fast", "a\0b"]}), "spec.defaults.models[1]"),
        (pb.RunChainRequest(prompts=["a"], model="m" * 257), "model"),
        (prompt(messages=[{"role": 9, "parts": [{"text": "x"}]}]), "spec.steps[0].prompt.messages[0].role"),
        (prompt(cache={"mode": 9}), "spec.steps[0].prompt.cache.mode"),
        (request_of(ASK, limits={"timeout": "-1s"}), "spec.limits.timeout"),
        (request_of(ASK, limits={"maxSteps": 0}), "spec.limits.max_steps"),
        (pb.RunChainRequest(prompts=["a"], limits=pb.ChainLimits(max_steps=0)), "limits.max_steps"),
        (request_of(ASK, limits={"maxSteps": 10_001}), "spec.limits.max_steps"),
        (request_of(ASK, limits={"maxCostNanoUsd": "-1"}), "spec.limits.max_cost_nano_usd"),
        (pb.RunChainRequest(prompts=["a"], request_id="x" * 65), "request_id"),
        (pb.RunChainRequest(prompts=["a"], labels={"a": "x" * 65}), "labels.a"),
    ],
)
def test_names_the_field_at_fault(request_: pb.RunChainRequest, path: str) -> None:
    assert fields_of(request_) == [path]


@pytest.mark.parametrize(
    ("request_", "path", "line"),
    [
        (prompts_of("fine", "one\ntwo {{ three"), "prompts[1]", 2),
        (prompt(user="a\n\n{{ x | nofilter }}"), "spec.steps[0].prompt.user", 3),
        (prompt(system="{% set a = 1 %}"), "spec.steps[0].prompt.system", 1),
        (prompt(messages=[{"parts": [{"text": "ok"}, {"text": "\n{{"}]}]), "spec.steps[0].prompt.messages[0].parts[1].text", 2),
        (step(when="a =="), "spec.steps[0].when", 1),
        (step(next=[{"to": "end", "when": "1 +"}]), "spec.steps[0].next[0].when", 1),
        (request_of({"transform": {"expression": "1 +"}}), "spec.steps[0].transform.expression", 1),
        (request_of({"transform": {"object": {"fields": {"a": ")"}}}}), "spec.steps[0].transform.object.fields.a", 1),
        (request_of(ASK, outputs={"a": "nothing("}), "spec.outputs.a", 1),
    ],
)
def test_names_the_line_of_a_template(request_: pb.RunChainRequest, path: str, line: int) -> None:
    assert faults_of(request_) == [(path, line)]


DECLARED = [{"name": "topic"}]


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("{{ topc }}", "did you mean 'topic'?"),
        ("{{ inputs.topc }}", "did you mean 'topic'?"),
        ("{{ steps.frst.text }}", "did you mean 'first'?"),
        ("{{ steps.first.txt }}", "did you mean 'text'?"),
        ("{{ summry }}", "did you mean 'summary'?"),
        ("{{ outpt[-1] }}", "did you mean 'output'?"),
    ],
)
def test_unknown_names_are_faults_with_a_suggestion(source: str, hint: str) -> None:
    request = request_of({**ASK, "id": "first", "outputKey": "summary"}, {"prompt": {"user": f"\n{source}"}}, inputs=DECLARED)
    (fault,) = validate(request, Plans()).faults
    assert (fault.field, fault.line, fault.reason) == ("spec.steps[1].prompt.user", 2, pb.ERROR_REASON_INVALID_TEMPLATE)
    assert hint in fault.message


@pytest.mark.parametrize("source", ["{{ steps.later.text }}", "{{ found }}", "{{ steps.first.text }}"])
def test_what_can_never_have_run_before_is_a_fault(source: str) -> None:
    request = request_of({"id": "first", "prompt": {"user": source}}, {**ASK, "id": "later", "outputKey": "found"}, inputs=DECLARED)
    assert faults_of(request) == [("spec.steps[0].prompt.user", 1)]


@pytest.mark.parametrize(
    "source",
    [
        "{{ steps.later.text | default('none yet') }}",
        "{% if steps.later is defined %}{{ steps.later.text }}{% endif %}",
        "{{ found | default('') }}",
    ],
)
def test_what_may_be_absent_can_be_guarded(source: str) -> None:
    request = request_of({"id": "first", "prompt": {"user": source}}, {**ASK, "id": "later", "outputKey": "found"}, inputs=DECLARED)
    assert faults_of(request) == []


def test_a_loop_lets_an_early_step_refer_to_a_late_one() -> None:
    loop = {"next": [{"to": "first", "when": "steps.later.visit < 3"}]}
    request = request_of({"id": "first", "prompt": {"user": "{{ steps.later.text }}"}}, {**ASK, **loop, "id": "later"})
    assert faults_of(request) == []


def test_a_transition_may_refer_to_its_own_step_and_its_when_may_not() -> None:
    assert faults_of(step(next=[{"to": "end", "when": "'x' in steps.step1.text"}])) == []
    assert fields_of(step(when="'x' in steps.step1.text")) == ["spec.steps[0].when"]


@pytest.mark.parametrize("kind", ["parallel", "compare", "map", "chain", "embed", "retrieve", "image", "evaluate"])
def test_steps_of_a_later_version_are_refused_at_their_place(kind: str) -> None:
    request = request_of(ASK, {kind: {}})
    with pytest.raises(Disabled, match=f"{kind} steps are not available in this server version") as caught:
        check(request, Plans())
    assert [violation.field for violation in caught.value.violations] == [f"spec.steps[1].{kind}"]


def test_registered_chains_and_conversations_are_refused_at_their_place() -> None:
    with pytest.raises(Disabled) as caught:
        check(pb.RunChainRequest(chain=pb.ChainRef(name="a")), Plans())
    assert caught.value.violations[0].field == "chain"
    assert fields_of(prompt(conversationId="c-1")) == ["spec.steps[0].prompt.conversation_id"]


def test_finds_everything_at_once() -> None:
    request = request_of({"id": "1", "prompt": {"user": "{{"}}, {"map": {}}, {**ASK, "next": [{"to": "x"}]})
    assert fields_of(request) == ["spec.steps[0].id", "spec.steps[0].prompt.user", "spec.steps[1].map", "spec.steps[2].next[0].to"]


def test_the_class_of_the_error_follows_the_faults() -> None:
    with pytest.raises(InvalidTemplate):
        check(prompts_of("{{"), Plans())
    with pytest.raises(InvalidRequest) as caught:
        check(request_of({"prompt": {"user": "{{"}}, {}), Plans())
    assert type(caught.value) is InvalidRequest


def test_paths_can_be_put_inside_another_message() -> None:
    with pytest.raises(InvalidTemplate) as caught:
        check(prompts_of("{{"), Plans(), "run")
    assert caught.value.violations[0].field == "run.prompts[0]"
    assert caught.value.message.startswith("run.prompts[0]: ")


def test_the_settings_of_a_step_win_field_by_field() -> None:
    defaults = {"generation": {"temperature": 1, "stopSequences": ["a"], "maxOutputTokens": 5}}
    job = check(request_of({"prompt": {"user": "x", "generation": {"temperature": 0, "stopSequences": ["b"]}}}, defaults=defaults), Plans())
    draft = job.plan.steps[0].action.draft  # type: ignore[attr-defined]  # a prompt has one
    assert json_format.MessageToDict(draft.generation) == {"temperature": 0.0, "stopSequences": ["b"], "maxOutputTokens": 5}


def test_a_fault_of_the_defaults_is_told_once() -> None:
    request = request_of({"prompt": {"user": "x", "generation": {"topP": 0.5}}}, defaults={"generation": {"topK": 0}})
    assert fields_of(request) == ["spec.defaults.generation.top_k"]


def test_the_plan_says_what_would_run() -> None:
    request = request_of(
        {"id": "a", "when": "go", "prompt": {"user": "x", "models": ["fast", "slow"]}},
        {"id": "b", "transform": {"template": "x"}, "next": [{"to": "d", "when": "go == 'far'"}]},
        {"id": "c", "prompt": {"user": "x"}, "policy": {"attempts": 3, "onError": "ON_ERROR_GOTO", "gotoStep": "end"}},
        {"id": "d", "prompt": {"user": "x"}},
        defaults={"models": ["usual"]},
    )
    response = validate(request, Plans())
    assert response.valid
    assert [(one.step_id, one.action, list(one.models), one.conditional, list(one.next)) for one in response.plan] == [
        ("a", "prompt", ["fast", "slow"], True, ["b"]),
        ("b", "transform", [], False, ["d", "c"]),
        ("c", "prompt", ["usual"], True, ["d", "end"]),
        ("d", "prompt", ["usual"], True, ["end"]),
    ]
    assert response.max_model_calls == 1 + 3 + 1


def test_a_loop_is_bounded_by_max_steps() -> None:
    loop = {"next": [{"to": "step1", "when": "true"}]}
    request = request_of({"prompt": {"user": "x"}, "policy": {"attempts": 2}, **loop}, limits={"maxSteps": 7})
    assert validate(request, Plans()).max_model_calls == 14


def test_the_model_of_the_request_stands_in_for_the_default() -> None:
    request = request_of(ASK, {"prompt": {"user": "x", "models": ["own"]}}, defaults={"models": ["usual"]})
    request.model = "wanted"
    assert [list(one.models) for one in validate(request, Plans()).plan] == [["wanted"], ["own"]]


def test_an_equal_chain_has_an_equal_hash_and_is_compiled_once() -> None:
    plans = Plans()
    first, second = check(step(id="a"), plans), check(step(id="a"), plans)
    assert first.plan is second.plan
    assert check(step(id="b"), plans).plan.hash != first.plan.hash


def test_the_short_form_has_the_hash_of_the_chain_that_it_means() -> None:
    plans = Plans()
    assert check(prompts_of("hi"), plans).plan.hash == check(request_of(ASK), plans).plan.hash


def test_plans_are_bounded_by_number_and_size() -> None:
    plans = Plans(PlanSettings(max_plans=2))
    first = check(step(id="a"), plans).plan
    for name in "bc":
        check(step(id=name), plans)
    assert check(step(id="a"), plans).plan is not first
    small = Plans(PlanSettings(max_size_bytes=10))
    assert check(step(id="a"), small).plan is not check(step(id="a"), small).plan


def test_the_templates_of_a_chain_are_bounded_together() -> None:
    request = request_of(*[{"prompt": {"user": "x" * 50_000}} for _ in range(12)])
    assert fields_of(request) == ["spec.steps[10].prompt.user", "spec.steps[11].prompt.user"]


def plain(**fields: object) -> dict[str, object]:
    return {"prompt": {"user": "x"}, **fields}


@pytest.mark.parametrize(
    "steps",
    [
        [{"prompt": {"user": "{{ a | b }}{{ c | d }}"}}] * 256,
        [{"prompt": {"user": "{{a}}" * 700}}] * 146,
        [{"prompt": {"user": "".join(f"{{{{a{row * 300 + name}}}}}" for name in range(300))}} for row in range(200)],
        [{"prompt": {"user": "".join(f"{{{{steps.x{name}.text}}}}" for name in range(100))}}] * 250,
        [{"transform": {"expression": "+".join("1" * 2_000)}}] * 256,
        [plain(next=[{"to": f"nowhere{number}"} for number in range(2_000)])] * 100,
        [plain(next=[{"to": f"step{number + 1}", "when": "true"} for number in range(64)])] * 256,
        [{"prompt": {"messages": [{"parts": [{"text": "x"}] * 400}] * 20}}] * 2,
        [{"transform": {"object": {"fields": {f"a{number}": "1" for number in range(5_000)}}}}] * 10,
    ],
)
def test_a_hostile_chain_is_answered_soon_and_in_bounds(steps: list[dict[str, object]]) -> None:
    request = request_of(*steps)
    began = time.process_time()
    response = validate(request, Plans())
    assert time.process_time() - began < 3, "a fifth of it on a quiet machine"
    assert 0 < len(response.faults) <= 100


def test_defaults_that_every_step_copies_are_bounded() -> None:
    tools = [{"function": {"name": "f", "description": "x" * 70_000}}]
    assert fields_of(request_of(ASK, defaults={"generation": {"tools": tools}})) == ["spec.defaults.generation"]


SOUND = request_of(
    {
        "id": "a",
        "prompt": {"user": "{{ topic }}", "generation": {"responseFormat": {"jsonObject": {}}}},
        "next": [{"to": "b", "when": "a"}],
    },
    {"id": "b", "transform": {"object": {"fields": {"x": "output[-1]"}}}, "policy": {"timeout": "5s", "attempts": 2}},
    inputs=[{"name": "topic", "jsonSchema": '{"type": "string"}', "defaultJson": '"tea"'}, {"name": "a", "required": False}],
    outputs={"best": "steps.a.json"},
).SerializeToString()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SOUND) - 1), st.binary(max_size=12), st.integers(0, 6))
def test_whatever_arrives_is_answered(at: int, garbage: bytes, removed: int) -> None:
    request = pb.RunChainRequest()
    try:
        request.ParseFromString(SOUND[:at] + garbage + SOUND[at + removed :])
    except DecodeError:
        return
    response = validate(request, Plans())
    assert response.valid is not bool(response.faults)
