"""Faulty chains: every fault with its path, the same from ValidateChain and RunChain, and nothing asked of a model."""

import pytest

from promptwire import Promptwire, errors
from promptwire import v1 as pb
from tests.e2e import hostile
from tests.e2e.process import Server

TEMPLATES = [
    "{{ nothing }}",
    "{{ topic",
    "{% for x in topic %}",
    "{% if %}{% endif %}",
    "{{ topic.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ topic | nosuchfilter }}",
    "{% macro m() %}{% endmacro %}",
    "{% import 'os' as os %}",
    "{% include '/etc/passwd' %}",
    "{% set x = 1 %}{{ x }}",
    "{{ 'a' * 1000000000 }}",
    "{{ range(1000000000) }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ lipsum() }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ steps.later.text }}",
    "{{ " + "(" * 2000 + ")" * 2000 + " }}",
    "{{ " + "not " * 3000 + "true }}",
    "{{ topic" + "|upper" * 5000 + " }}",
    "{% if 1 %}" * 300 + "{% endif %}" * 300,
]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template[:24])
async def test_a_bad_template_is_refused_with_its_path(client: Promptwire, template: str) -> None:
    spec = pb.ChainSpec(inputs=[pb.ChainInput(name="topic")], steps=[pb.Step(id="ask", prompt=pb.PromptAction(user=template))])
    checked = await client.validate_chain(spec)
    with pytest.raises(errors.InvalidRequest) as caught:
        await client.run_chain(spec, topic="tea")
    assert not checked.valid
    assert {fault.field for fault in checked.faults} == {"spec.steps[0].prompt.user"}
    assert {violation.field for violation in caught.value.violations} == {"spec.steps[0].prompt.user"}
    said = str(caught.value) + "".join(fault.message for fault in checked.faults)
    assert not [word for word in hostile.TRACES if word in said]


@pytest.mark.parametrize(
    ("step", "field"),
    [
        (pb.Step(id="a", when="1 +", prompt=pb.PromptAction(user="x")), "steps[0].when"),
        (pb.Step(id="9", prompt=pb.PromptAction(user="x")), "steps[0].id"),
        (pb.Step(id="a", next=[pb.Transition(to="nowhere")], prompt=pb.PromptAction(user="x")), "steps[0].next[0].to"),
        (pb.Step(id="a", policy=pb.StepPolicy(attempts=99), prompt=pb.PromptAction(user="x")), "steps[0].policy.attempts"),
        (
            pb.Step(id="a", policy=pb.StepPolicy(on_error="ON_ERROR_GOTO", goto_step="no"), prompt=pb.PromptAction(user="x")),
            "steps[0].policy.goto_step",
        ),
        (pb.Step(id="a", transform=pb.TransformAction(expression="unknown + 1")), "steps[0].transform.expression"),
        (pb.Step(id="a", output_key="inputs", prompt=pb.PromptAction(user="x")), "steps[0].output_key"),
    ],
)
async def test_a_bad_step_is_refused_with_its_path(client: Promptwire, step: pb.Step, field: str) -> None:
    spec = pb.ChainSpec(inputs=[pb.ChainInput(name="topic", required=False)], steps=[step])
    assert field in "".join(fault.field for fault in (await client.validate_chain(spec)).faults)
    with pytest.raises(errors.InvalidRequest) as caught:
        await client.run_chain(spec)
    assert f"spec.{field}" in [violation.field for violation in caught.value.violations]


async def test_all_faults_are_told_at_once(client: Promptwire) -> None:
    steps = [pb.Step(prompt=pb.PromptAction(user="{{ unknown }}")) for _ in range(50)]
    spec = pb.ChainSpec(inputs=[pb.ChainInput(name="topic", required=False)], steps=steps)
    checked = await client.validate_chain(spec)
    assert [fault.field for fault in checked.faults] == [f"spec.steps[{at}].prompt.user" for at in range(50)]
    with pytest.raises(errors.InvalidRequest) as caught:
        await client.run_chain(spec)
    assert caught.value.reason == "INVALID_TEMPLATE"
    assert "more" in caught.value.violations[-1].message


async def test_a_stream_of_a_bad_chain_ends_before_its_first_event(client: Promptwire) -> None:
    stream = client.stream_chain(["{{ nothing }}"])
    with pytest.raises(errors.InvalidRequest) as caught:
        await anext(stream)
    assert stream.last_sequence == 0
    assert [violation.field for violation in caught.value.violations] == ["run.prompts[0]"]


@pytest.mark.parametrize(
    "prompts",
    [
        ["{{ x }}", *["{{ output[-1] }}{{ output[-1] }}"] * 60],
        ["{% for a in xs %}{% for b in xs %}{{ a }}{{ b }}{{ x }}{% endfor %}{% endfor %}"],
    ],
    ids=["doubling", "nested loops"],
)
async def test_text_that_grows_without_end_is_stopped(client: Promptwire, server: Server, prompts: list[str]) -> None:
    before = server.rss_bytes()
    with pytest.raises(errors.PromptwireError) as caught:
        await client.run_chain(prompts, x="y" * 10_000, xs=list(range(1000)) if "xs" in prompts[0] else "z", timeout_s=30)
    assert caught.value.reason not in ("", "INTERNAL", "DEADLINE")
    assert server.rss_bytes() - before < 200 << 20
    assert (await client.chat("fine")).text == "fine"
