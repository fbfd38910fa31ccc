"""The loader of chain files: what people write, what it means, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from promptwire import chainfile
from promptwire import v1 as pb
from promptwire.errors import InvalidRequest, PromptwireError

STEP = "steps: [{prompt: x}]\n"


def faults_of(text: str) -> list[tuple[str, str, int]]:
    with pytest.raises(chainfile.ChainFileError) as caught:
        chainfile.parse(text)
    return [(fault.path, fault.message, fault.line) for fault in caught.value.faults]


def policy(text: str) -> pb.StepPolicy:
    return chainfile.parse(f"steps: [{{policy: {text}}}]").steps[0].policy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("steps: [{prompt: hi}]", {"steps": [{"prompt": {"user": "hi"}}]}),
        ("steps: [{prompt: {user: hi, models: [fast]}}]", {"steps": [{"prompt": {"user": "hi", "models": ["fast"]}}]}),
        ("steps: [{prompt: {user: no}}]", {"steps": [{"prompt": {"user": "no"}}]}),
        ("steps: [{prompt: {user: 1.0}}]", {"steps": [{"prompt": {"user": "1.0"}}]}),
        ("steps: [{outputKey: summary}]", {"steps": [{"output_key": "summary"}]}),
        ("inputs: [topic, tone]", {"inputs": [{"name": "topic"}, {"name": "tone"}]}),
        ("inputs: {topic: , tone: {required: false}}", {"inputs": [{"name": "topic"}, {"name": "tone", "required": False}]}),
        ("inputs: [{name: topic, description: d}]", {"inputs": [{"name": "topic", "description": "d"}]}),
        (
            "steps: [{prompt: {messages: [{role: user, text: hi}]}}]",
            {"steps": [{"prompt": {"messages": [{"role": "ROLE_USER", "parts": [{"text": "hi"}]}]}}]},
        ),
        (
            "steps: [{prompt: {messages: [{parts: [hi, {media: {uri: 'https://x', mime_type: image/png}}]}]}}]",
            {"steps": [{"prompt": {"messages": [{"parts": [{"text": "hi"}, {"media": {"uri": "https://x", "mime_type": "image/png"}}]}]}}]},
        ),
        ("steps: [{next: [{to: end}]}]", {"steps": [{"next": [{"to": "end"}]}]}),
        ("outputs: {a: x, b: y}", {"outputs": {"a": "x", "b": "y"}}),
        ("limits: {max_cost_nano_usd: 9007199254740993}", {"limits": {"max_cost_nano_usd": "9007199254740993"}}),
        ("defaults: {generation: {temperature: 0}}", {"defaults": {"generation": {"temperature": 0}}}),
        ("defaults: {generation: {logit_bias: {'50256': -100}}}", {"defaults": {"generation": {"logit_bias": {"50256": -100}}}}),
        (
            "defaults: {generation: {response_format: {json_object: }}}",
            {"defaults": {"generation": {"response_format": {"json_object": {}}}}},
        ),
        ("defaults: {generation: {output_modalities: [text, Audio]}}", {"defaults": {"generation": {"output_modalities": [1, 3]}}}),
        ("name: ~\ndescription:\nsteps: null", {}),
        ("steps:\n- &a {prompt: hi}\n- *a", {"steps": [{"prompt": {"user": "hi"}}] * 2}),
        (
            '{"name": "written as JSON", "steps": [{"prompt": {"user": "hi"}}]}',
            {"name": "written as JSON", "steps": [{"prompt": {"user": "hi"}}]},
        ),
    ],
)
def test_a_file_means_this_message(text: str, expected: dict[str, object]) -> None:
    assert chainfile.parse(text) == json_format.ParseDict(expected, pb.ChainSpec())


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("30s", 30), ("250ms", 0.25), ("1.5m", 90), ("2h", 7200), ("1h30m", 5400), ("0s", 0), ('"3s"', 3)],
)
def test_durations_have_units(written: str, seconds: float) -> None:
    assert policy(f"{{timeout: {written}}}").timeout.ToTimedelta().total_seconds() == seconds


@pytest.mark.parametrize("written", ["SKIP", "skip", "Skip", "ON_ERROR_SKIP", "on_error_skip"])
def test_enums_are_written_short_or_whole(written: str) -> None:
    assert policy(f"{{on_error: {written}}}").on_error == pb.StepPolicy.ON_ERROR_SKIP


def test_enum_words_may_have_hyphens() -> None:
    assert policy("{on_error: use-default}").on_error == pb.StepPolicy.ON_ERROR_USE_DEFAULT


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("tea", '"tea"'),
        ("3", "3"),
        ("1.10", "1.10"),
        ("9007199254740993", "9007199254740993"),
        ("1e400", "1e400"),
        ("007", '"007"'),
        ("0x1F", '"0x1F"'),
        ("12:30", '"12:30"'),
        ("2024-01-01", '"2024-01-01"'),
        ("yes", '"yes"'),
        ("true", "true"),
        ("False", "false"),
        ("[1, 'two', null, {b: 1, a: 2}]", '[1,"two",null,{"b":1,"a":2}]'),
        ("'{\"a\": 1}'", '{"a": 1}'),
        ("'[1, 2]'", "[1, 2]"),
        ("'\"quoted\"'", '"quoted"'),
        ('"3"', "3"),
        ("'tea'", '"tea"'),
        ("'naïve 雪'", '"naïve 雪"'),
        ("['3', 3]", '["3",3]'),
    ],
)
def test_json_text_may_be_written_as_yaml(written: str, expected: str) -> None:
    assert policy(f"{{default_json: {written}}}").default_json == expected


def test_a_json_schema_keeps_the_order_of_its_properties() -> None:
    spec = chainfile.parse("inputs: {topic: {json_schema: {type: object, properties: {z: {type: string}, a: {minimum: 0}}}}}")
    assert spec.inputs[0].json_schema == '{"type":"object","properties":{"z":{"type":"string"},"a":{"minimum":0}}}'


def test_values_of_a_map_of_json_texts_are_json() -> None:
    spec = chainfile.parse("defaults: {generation: {provider_options_json: {openai: {service_tier: flex}}}}")
    assert spec.defaults.generation.provider_options_json["openai"] == '{"service_tier":"flex"}'


@pytest.mark.parametrize(
    ("text", "path", "says", "line"),
    [
        (STEP + "nam: x", "nam", "did you mean name?", 2),
        ("steps:\n- prompt: x\n- promt: y", "steps[1].promt", "did you mean prompt?", 3),
        ("steps: [{qqqq: y}]", "steps[0].qqqq", "known here: id, when", 1),
        ("name: a\nname: b", "name", "given twice", 2),
        ("steps: [{output_key: a, outputKey: b}]", "steps[0].output_key", "given twice", 1),
        ("outputs: {a: x, a: y}", "outputs.a", "given twice", 1),
        ("inputs: [{name: a, default_json: {k: 1, k: 2}}]", "inputs[0].default_json", "'k' is given twice", 1),
        ("steps: [{prompt: x, transform: {template: y}}]", "steps[0]", "prompt and transform exclude each other", 1),
        ("steps: {prompt: x}", "steps", "a list is wanted, not a mapping", 1),
        ("steps: [x]", "steps[0]", "a mapping is wanted, not a single value", 1),
        ("defaults: {models: fast}", "defaults.models", "write [ ] around it", 1),
        ("name: [a]", "name", "a single value is wanted, not a list", 1),
        ("name: {{ topic }}", "name", "must stand in quotes", 1),
        ("steps:\n- prompt: {{ topic }}", "steps[0].prompt", "must stand in quotes", 2),
        ("steps:\n- prompt: {{ topic }} and more", "", "must stand in quotes", 2),
        ("inputs: {topic: tea}", "inputs[0]", "an input is a mapping such as", 1),
        ("inputs: [{required: yes}]", "inputs[0].required", "'yes' is neither true nor false", 1),
        ("steps: [{policy: {timeout: 30}}]", "steps[0].policy.timeout", "such as 30s", 1),
        ("steps: [{policy: {timeout: -1s}}]", "steps[0].policy.timeout", "no duration", 1),
        ("steps: [{policy: {attempts: many}}]", "steps[0].policy.attempts", "no whole number", 1),
        ("steps: [{policy: {attempts: 4294967296}}]", "steps[0].policy.attempts", "beyond the range", 1),
        ("steps: [{policy: {on_error: skp}}]", "steps[0].policy.on_error", "did you mean skip?", 1),
        ("steps: [{policy: {default_json: '{\"a\":'}}]", "steps[0].policy.default_json", "not valid JSON", 1),
        ("steps: [{policy: {default_json: '[NaN]'}}]", "steps[0].policy.default_json", "NaN is not JSON", 1),
        ("defaults: {generation: {temperature: .inf}}", "defaults.generation.temperature", "no number", 1),
        ("defaults: {generation: {stop_sequences: [[a]]}}", "defaults.generation.stop_sequences[0]", "a single value is wanted", 1),
        (
            "steps: [{prompt: {messages: [{parts: [{media: {data: '%'}}]}]}}]",
            "steps[0].prompt.messages[0].parts[0].media.data",
            "base64",
            1,
        ),
        ("a: &a {name: x}\n<<: *a", "", "merge keys", 2),
        ("name: !!python/object:os.system x", "", "tag", 1),
        ("name: !secret x", "", "tag !secret", 1),
        ("name: a\n---\nname: b", "", "second document", 2),
        ("steps: &a [*a]", "", "before or inside its anchor", 1),
        ("name: [", "", "not valid YAML", 1),
        ("name: \x07", "", "control characters", 1),
        ("", "", "a mapping is wanted", 1),
        ("- a", "", "a mapping is wanted, not a list", 1),
        ("prompts: [a]\nname: x", "name", "does not go with `prompts`", 1),
        ("prompts: [a]\nmodel: [x]", "model", "a single value is wanted", 2),
    ],
)
def test_a_fault_says_what_where_and_what_to_do(text: str, path: str, says: str, line: int) -> None:
    at = [(fault_path, fault_line) for fault_path, message, fault_line in faults_of(text) if says in message]
    assert at == [(path, line)]


def test_all_faults_are_told_at_once_in_order_of_lines() -> None:
    faults = faults_of("inputs: {a: 1, b: 2}\nsteps:\n- {promt: x, policy: {timeout: 1, attempts: x}}\nlimts: {}")
    assert [line for _, _, line in faults] == [1, 1, 3, 3, 3, 4]


def test_a_fault_list_reads_like_a_compilers() -> None:
    with pytest.raises(chainfile.ChainFileError) as caught:
        chainfile.read("nam: x\nsteps: 3", source="tea.yaml")
    assert str(caught.value).splitlines()[0] == "tea.yaml:1: nam: unknown key; did you mean name?"
    assert len(str(caught.value).splitlines()) == 2


def test_a_faulty_file_is_caught_like_any_invalid_request() -> None:
    with pytest.raises(PromptwireError) as caught:
        chainfile.parse("nam: x")
    assert isinstance(caught.value, InvalidRequest)
    assert [(each.field, each.line) for each in caught.value.violations] == [("nam", 1)]


LAUGHS = "a0: &a0 [{}]\n".format(",".join(["lol"] * 10)) + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LAUGHS, "once its aliases are expanded"),
        ("name: &a " + "x" * 500_000 + "\nx: [" + "*a," * 100 + "]", "once its aliases are expanded"),
        ("steps: " + "[" * 10_000, "nested deeper"),
        ("steps: " + "{a: " * 10_000, "nested deeper"),
        ("- " * 10_000, "nested deeper"),
        ("name: " + "x" * (1 << 20), "characters"),
        ("inputs: [{name: a, default_json: '" + "[" * 100_000 + "'}]", "not valid JSON"),
    ],
    ids=["laughs", "one large alias", "lists", "mappings", "dashes", "long", "deep JSON"],
)
def test_bombs_are_refused(text: str, says: str) -> None:
    assert says in faults_of(text)[0][1]


@given(st.text(alphabet="ab:{}[]-&*!|>'\"\n #,?%~<0.", max_size=60))
def test_any_text_is_a_chain_or_a_chain_file_error(text: str) -> None:
    faults: tuple[chainfile.Fault, ...] | None = None
    try:
        chainfile.read(text)
    except chainfile.ChainFileError as error:
        faults = error.faults
    assert faults is None or (faults and all(fault.line >= 1 for fault in faults))


# YAML folds U+2028 and U+2029 and takes no control characters and no halves of surrogates.
_TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"]))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS, lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner), max_leaves=10
)


@given(_JSON)
def test_json_written_into_a_file_comes_out_equal(value: object) -> None:
    spec = chainfile.parse(json.dumps({"inputs": [{"name": "a", "default_json": [value]}]}, ensure_ascii=False))
    assert json.loads(spec.inputs[0].default_json) == [value]


def test_the_short_form_is_kept_as_prompts_and_spelled_out_as_steps() -> None:
    file = chainfile.read("prompts: ['about {{ topic }}', 'shorter: {{ output[-1] }}']\nmodel: fast")
    assert file.request == pb.RunChainRequest(prompts=["about {{ topic }}", "shorter: {{ output[-1] }}"], model="fast")
    assert [step.prompt.user for step in file.spec.steps] == list(file.request.prompts)
    assert file.spec.defaults.models == ["fast"]


def test_a_servers_path_leads_back_to_a_line() -> None:
    file = chainfile.read("name: x\nsteps:\n- prompt: a\n- id: b\n  prompt:\n    user: c\noutputs:\n  o: p\n")
    assert file.line_of("spec.steps[1].prompt.user") == 6
    assert file.line_of("spec.steps[0].prompt.user") == 3
    assert file.line_of("run.spec.steps[1].policy.timeout") == 4
    assert file.line_of('spec.outputs["o"]') == 7
    assert file.line_of("spec.limits.timeout") == 0


def test_a_file_is_loaded_from_disk_whatever_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "chain.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: tea\n")
    assert chainfile.load(path).name == "tea"


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "chain.yaml"
    path.write_bytes(b"name: tea\ndescription: \xff\n")
    with pytest.raises(chainfile.ChainFileError, match=r"chain\.yaml:2: not UTF-8"):
        chainfile.load(path)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        chainfile.load(tmp_path / "absent.yaml")


def test_every_type_that_a_chain_can_hold_is_read() -> None:
    """A well-known type added to the contract needs a rule in the loader."""
    seen: set[str] = set()

    def visit(message: Any) -> None:  # pure Python's and upb's descriptors share no base
        if message.full_name in seen:
            return
        seen.add(message.full_name)
        for field in message.fields:
            if field.message_type is not None:
                visit(field.message_type)

    visit(pb.RunChainRequest.DESCRIPTOR)
    assert {name for name in seen if name.startswith("google.")} == {"google.protobuf.Duration"}
