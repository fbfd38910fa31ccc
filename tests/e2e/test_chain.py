"""The main job: a chain file with a loop, conditions, output keys, outputs and checked inputs, on a provider over a real socket."""

import json
from pathlib import Path
from typing import Any

import pytest

from promptwire import ChainFileError, Promptwire, SyncPromptwire, errors
from promptwire import v1 as pb
from tests.e2e.process import Server
from tests.faults.fake_provider.answer import expected_text
from tests.faults.fake_provider.process import FakeProvider

CHAIN = """
name: article
description: Drafts, revises until it was revised twice, translates on demand.
inputs:
  topic: {json_schema: {type: string, minLength: 2, maxLength: 40}}
  languages: {json_schema: {type: array, items: {type: string}, maxItems: 3}, default_json: "[]"}
  strict: {json_schema: {type: boolean}, required: false}
defaults:
  models: [fake/MARKER~ok]
  generation: {max_output_tokens: 60}
limits: {max_steps: 20, timeout: 20s}
steps:
  - id: draft
    prompt:
      system: "You write about {{ topic }}."
      user: "Draft {{ topic | upper }}."
    output_key: text
  - id: count
    transform:
      object: {fields: {words: "output[-1] | wordcount", drafts: "output | length"}}
  - id: revise
    prompt: "Revise: {{ text }}"
    output_key: text
    next:
      - {when: "steps.revise.visit < 2", to: revise}
  - id: translate
    when: "languages | length > 0"
    prompt: "Translate {{ text }} to {{ languages | join(', ') }}{% if strict | default(false) %}, strictly{% endif %}"
    output_key: translation
  - id: unused
    when: "topic == 'nothing at all'"
    prompt: never asked
outputs:
  article: text
  draft: steps.draft.text
  languages: languages
  translated: "steps.translate.state == 'succeeded'"
"""


@pytest.fixture
def chain(tmp_path: Path, marker: str) -> Path:
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN.replace("MARKER", marker))
    return path


def _expected(topic: str) -> tuple[str, str, str]:
    draft = expected_text(f"Draft {topic.upper()}.")
    once = expected_text(f"Revise: {draft}")
    return draft, once, expected_text(f"Revise: {once}")


def _asked(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["body"]["messages"][-1]["content"] for entry in entries]


async def test_a_chain_file_runs_its_loop_its_conditions_and_its_outputs(
    client: Promptwire, fake: FakeProvider, chain: Path, marker: str
) -> None:
    response = await client.run_chain(str(chain), topic="green tea")
    draft, once, twice = _expected("green tea")
    result = response.result
    assert dict(result.outputs) == {"article": twice, "draft": draft, "languages": "[]", "translated": "false"}
    assert json.loads(result.outputs_json) == {"article": twice, "draft": draft, "languages": [], "translated": False}
    assert [(step.step_id, step.visit) for step in result.steps] == [
        ("draft", 1),
        ("count", 1),
        ("revise", 1),
        ("revise", 2),
        ("translate", 1),
        ("unused", 1),
    ]
    assert [step.state for step in result.steps[-2:]] == [pb.STEP_STATE_SKIPPED] * 2
    assert json.loads(result.steps[1].output_json)["words"] == len(draft.split())
    entries = await fake.aledger(model=marker, ended=3)
    assert _asked(entries) == ["Draft GREEN TEA.", f"Revise: {draft}", f"Revise: {once}"]
    assert entries[0]["body"]["messages"][0] == {"role": "system", "content": "You write about green tea."}


async def test_the_usage_of_a_run_adds_up_to_what_the_provider_sent(
    client: Promptwire, fake: FakeProvider, chain: Path, marker: str
) -> None:
    response = await client.run_chain(chain, topic="oolong", languages=["fr", "de"], strict=True)
    entries = await fake.aledger(model=marker, ended=4)
    sent = sum(entry["tokens_sent"] for entry in entries)
    assert response.result.usage.output_tokens == sent == sum(step.usage.output_tokens for step in response.result.steps)
    assert response.result.usage.input_tokens == sum(step.usage.input_tokens for step in response.result.steps) > 0
    assert not response.result.usage.estimated
    assert _asked(entries)[-1].endswith("to fr, de, strictly")
    assert json.loads(response.result.outputs_json)["languages"] == ["fr", "de"]
    assert {entry["ended"] for entry in entries} == {"complete"}


async def test_a_streamed_run_tells_all_and_gives_the_same(client: Promptwire, fake: FakeProvider, chain: Path, marker: str) -> None:
    stream = client.stream_chain(chain, topic="matcha", languages=["es"])
    events = [event async for event in stream]
    whole = await client.run_chain(chain, topic="matcha", languages=["es"])
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert dict(stream.result.outputs) == dict(whole.result.outputs)
    assert stream.result.usage == whole.result.usage
    kinds = [event.WhichOneof("event") for event in events]
    assert (kinds[0], kinds[-1], kinds.count("run_finished")) == ("run_started", "run_finished", 1)
    entries = await fake.aledger(model=marker, ended=8)
    for entry, (step, visit) in zip(entries, [("draft", 1), ("revise", 1), ("revise", 2), ("translate", 1)], strict=False):
        told = "".join(event.part_delta.text for event in events if (event.step_id, event.visit) == (step, visit))
        assert told == entry["text_sent"]
    spent = [event.usage_updated.usage.output_tokens for event in events if event.HasField("usage_updated")]
    assert spent == sorted(spent)
    assert spent[-1] == stream.result.usage.output_tokens


async def test_a_streamed_run_may_leave_out_the_parts(client: Promptwire, chain: Path) -> None:
    kinds = {event.WhichOneof("event") async for event in client.stream_chain(chain, topic="sencha", omit_parts=True)}
    assert kinds == {"run_started", "step_started", "step_finished", "step_skipped", "usage_updated", "run_finished"}


def test_the_sync_client_runs_a_chain_file(server: Server, chain: Path) -> None:
    with SyncPromptwire(server.target) as client:
        assert client.run_chain(chain, topic="assam").result.outputs["article"] == _expected("assam")[2]


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({}, "inputs"),
        ({"topic": "x"}, "inputs.topic"),
        ({"topic": "tea", "languages": ["a", "b", "c", "d"]}, "inputs_json.languages"),
        ({"topic": "tea", "strict": "yes"}, "inputs.strict"),
        ({"topic": "tea", "colour": "green"}, "inputs.colour"),
    ],
)
async def test_inputs_that_do_not_fit_are_refused_with_their_path(
    client: Promptwire, fake: FakeProvider, chain: Path, marker: str, inputs: dict[str, object], field: str
) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        await client.run_chain(chain, inputs=inputs)
    assert field in [violation.field for violation in caught.value.violations]
    assert not await fake.aledger(model=marker)


async def test_a_file_with_unknown_keys_is_refused_before_anything_is_sent(client: Promptwire, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("steps:\n  - promt: hi\n")
    with pytest.raises(ChainFileError, match=r"bad\.yaml:2"):
        await client.run_chain(path)


async def test_an_endless_loop_ends_at_max_steps(client: Promptwire, fake: FakeProvider, tmp_path: Path, marker: str) -> None:
    path = tmp_path / "loop.yaml"
    path.write_text(
        f"limits: {{max_steps: 5}}\n"
        f"steps:\n  - id: again\n    prompt: {{user: more, models: [fake/{marker}~ok]}}\n    next: [{{to: again}}]\n"
    )
    with pytest.raises(errors.ChainFailed, match="max_steps") as caught:
        await client.run_chain(path)
    assert caught.value.metadata["step_id"] == "again"
    assert len(await fake.aledger(model=marker, ended=5)) == 5


async def test_a_failing_step_is_tried_again_then_defaulted_then_skipped(
    client: Promptwire, fake: FakeProvider, tmp_path: Path, marker: str
) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(f"""
steps:
  - id: twice
    policy: {{attempts: 2}}
    prompt: {{user: a, models: ["fake/{marker}~status=503;retry_after=0/ok"]}}
  - id: fallback
    policy: {{on_error: USE_DEFAULT, default_json: '"instead"'}}
    prompt: {{user: b, models: ["fake/{marker}~status=500"]}}
  - id: missing
    policy: {{on_error: SKIP}}
    prompt: {{user: c, models: ["fake/{marker}~rst=start"]}}
  - id: last
    transform: {{template: "{{{{ steps.fallback.text }}}} {{{{ output | length }}}}"}}
""")
    result = (await client.run_chain(path)).result
    assert [step.state for step in result.steps] == [
        pb.STEP_STATE_SUCCEEDED,
        pb.STEP_STATE_DEFAULTED,
        pb.STEP_STATE_SKIPPED,
        pb.STEP_STATE_SUCCEEDED,
    ]
    assert result.text == "instead 2"
    assert result.steps[1].failure.reason == pb.ERROR_REASON_UPSTREAM_FAILED
    assert [entry["status"] for entry in await fake.aledger(model=marker, ended=4)][:3] == [503, 200, 500]


async def test_a_step_that_fails_for_good_names_itself_and_its_cause(client: Promptwire, marker: str) -> None:
    prompts = pb.RunChainRequest(prompts=["fine", "then {{ output[-1] }}"], model=f"fake/{marker}~status=401")
    with pytest.raises(errors.UpstreamAccount) as caught:
        await client.run_chain(prompts)
    assert caught.value.metadata["step_id"] == "step1"
    assert caught.value.metadata["run_id"]
