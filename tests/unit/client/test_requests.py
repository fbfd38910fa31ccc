"""What people give, and the requests that become of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from promptwire import _requests as requests
from promptwire import v1 as pb
from promptwire.chainfile import ChainFileError


def chat(prompt: Any, **options: Any) -> dict[str, Any]:
    """The request as JSON, without its request_id."""
    request = requests.chat(prompt, options)  # type: ignore[arg-type]  # wrong options are among what is tested
    request.request_id = ""
    made: dict[str, Any] = json_format.MessageToDict(request, preserving_proto_field_name=True)
    return made


def user(text: str) -> dict[str, Any]:
    return {"role": "ROLE_USER", "parts": [{"text": text}]}


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("hi", {"prompt": "hi"}),
        (["hi"], {"messages": [user("hi")]}),
        ([{"role": "user", "content": "hi"}], {"messages": [user("hi")]}),
        ([{"text": "hi"}], {"messages": [user("hi")]}),
        (
            [{"role": "ROLE_USER", "content": ["hi", pb.ContentPart(text="!")]}],
            {"messages": [{**user("hi"), "parts": [{"text": "hi"}, {"text": "!"}]}]},
        ),
        ([{"role": "assistant", "content": None}], {"messages": [{"role": "ROLE_ASSISTANT"}]}),
        ([{"role": "user", "content": "hi", "name": "ann"}], {"messages": [{**user("hi"), "name": "ann"}]}),
        ((pb.ChatMessage(parts=[pb.ContentPart(text="hi")]),), {"messages": [{"parts": [{"text": "hi"}]}]}),
        (pb.ChatRequest(prompt="hi", model="m"), {"prompt": "hi", "model": "m"}),
    ],
)
def test_a_prompt_is_a_text_messages_or_a_request(prompt: Any, expected: dict[str, Any]) -> None:
    assert chat(prompt) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"temperature": 0.0}, {"generation": {"temperature": 0.0}}),
        ({"temperature": None, "model": None}, {}),
        ({"stop_sequences": ["a", "b"]}, {"generation": {"stop_sequences": ["a", "b"]}}),
        ({"logit_bias": {"7": -1}}, {"generation": {"logit_bias": {"7": -1.0}}}),
        ({"system": "be brief", "labels": {"team": "x"}}, {"system": "be brief", "labels": {"team": "x"}}),
        ({"priority": "high"}, {"priority": "PRIORITY_HIGH"}),
        ({"priority": pb.PRIORITY_LOW}, {"priority": "PRIORITY_LOW"}),
        ({"reasoning": "low"}, {"generation": {"reasoning": {"effort": "EFFORT_LOW"}}}),
        ({"reasoning": pb.ReasoningSettings(budget_tokens=9)}, {"generation": {"reasoning": {"budget_tokens": 9}}}),
        ({"cache": "bypass"}, {"cache": {"mode": "MODE_BYPASS"}}),
        ({"cache": pb.CacheSettings(min_similarity=0.5)}, {"cache": {"min_similarity": 0.5}}),
        ({"dedup": False, "max_cost_nano_usd": 0}, {"dedup": False, "max_cost_nano_usd": "0"}),
        ({"output_modalities": ["text", pb.MODALITY_AUDIO]}, {"generation": {"output_modalities": ["MODALITY_TEXT", "MODALITY_AUDIO"]}}),
        ({"tool_choice": "required"}, {"generation": {"tool_choice": {"mode": "MODE_REQUIRED"}}}),
        ({"tool_choice": "find"}, {"generation": {"tool_choice": {"mode": "MODE_FUNCTION", "name": "find"}}}),
        ({"tool_choice": pb.ToolChoice(allowed_names=["f"])}, {"generation": {"tool_choice": {"allowed_names": ["f"]}}}),
        (
            {"provider_options_json": {"openai": {"service_tier": "flex"}, "x": '{"a": 1}'}},
            {"generation": {"provider_options_json": {"openai": '{"service_tier":"flex"}', "x": '{"a": 1}'}}},
        ),
    ],
)
def test_options_are_fields_of_the_contract(options: dict[str, Any], expected: dict[str, Any]) -> None:
    assert chat("hi", **options) == {"prompt": "hi", **expected}


PARAMETERS = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "integer"}}}


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "find", "description": "d", "parameters": PARAMETERS, "strict": False},
        {"type": "function", "function": {"name": "find", "description": "d", "parameters": PARAMETERS, "strict": False}},
        pb.FunctionTool(name="find", description="d", parameters_json=json.dumps(PARAMETERS, separators=(",", ":")), strict=False),
    ],
)
def test_a_tool_is_a_dict_or_a_message(tool: Any) -> None:
    made = chat("hi", tools=[tool])["generation"]["tools"]
    assert made == [
        {
            "function": {
                "name": "find",
                "description": "d",
                "parameters_json": json.dumps(PARAMETERS, separators=(",", ":")),
                "strict": False,
            }
        }
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("text", {"text": {}}),
        ("json", {"json_object": {}}),
        ({"type": "json_object"}, {"json_object": {}}),
        (PARAMETERS, {"json_schema": {"schema_json": json.dumps(PARAMETERS, separators=(",", ":"))}}),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
            {"json_schema": {"schema_json": "{}", "name": "n", "strict": True}},
        ),
        (pb.ResponseFormat(regex=pb.RegexFormat(pattern="a+")), {"regex": {"pattern": "a+"}}),
    ],
)
def test_a_response_format_is_a_word_a_schema_or_a_message(given: Any, expected: dict[str, Any]) -> None:
    assert chat("hi", response_format=given)["generation"]["response_format"] == expected


@pytest.mark.parametrize(
    ("prompt", "options", "says"),
    [
        ("hi", {"temprature": 1}, "did you mean temperature"),
        ("hi", {"messages": []}, "unknown option messages"),
        ("hi", {"priority": "urgent"}, "write one of critical, high"),
        ("hi", {"reasoning": "lots"}, "write one of none"),
        ("hi", {"response_format": "xml"}, "text.*json"),
        ("hi", {"response_format": {"type": "json_schema"}}, "needs json_schema"),
        ("hi", {"tools": [{"nam": "f"}]}, "a tool has no nam"),
        ([{"role": "robot", "content": "x"}], {}, "write one of system"),
        ([{"rol": "user"}], {}, "a message has no rol"),
        ([{"content": 3}], {}, "content is a text or a list"),
        ([{"content": [3]}], {}, "a part is a text"),
        ({"role": "user"}, {}, "a prompt is a text, a list of messages"),
        (3, {}, "a prompt is a text, a list of messages"),
        ("hi", {"temperature": "hot"}, "temperature|must be"),
    ],
)
def test_what_is_meant_by_nothing_is_refused_with_a_hint(prompt: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        chat(prompt, **options)


def test_options_win_over_a_given_request_which_stays_as_it_was() -> None:
    given = pb.ChatRequest(prompt="hi", model="a", fallback_models=["x"], generation=pb.GenerationSettings(seed=1, stop_sequences=["s"]))
    before = given.SerializeToString()
    made = chat(given, model="b", fallback_models=["y"], seed=0)
    assert made == {"prompt": "hi", "model": "b", "fallback_models": ["y"], "generation": {"seed": "0", "stop_sequences": ["s"]}}
    assert given.SerializeToString() == before


def test_the_clients_model_is_for_questions_that_name_none() -> None:
    assert requests.chat("hi", {}, "fast").model == "fast"
    assert requests.chat("hi", {"model": "slow"}, "fast").model == "slow"
    assert requests.chat(pb.ChatRequest(model="own"), {}, "fast").model == "own"


def test_options_and_contract_agree() -> None:
    """A field added to the contract is to be an option."""
    assert sorted(requests.ChatOptions.__annotations__) == requests._OPTIONS


def run(chain: Any, inputs: dict[str, object] | None = None, **named: object) -> pb.RunChainRequest:
    request = requests.run(chain, inputs or {}, named)
    request.request_id = ""
    return request


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        (["a", "b"], pb.RunChainRequest(prompts=["a", "b"])),
        ("tea", pb.RunChainRequest(chain=pb.ChainRef(name="tea"))),
        (pb.ChainRef(name="tea", label="prod"), pb.RunChainRequest(chain=pb.ChainRef(name="tea", label="prod"))),
        (pb.ChainSpec(name="tea"), pb.RunChainRequest(spec=pb.ChainSpec(name="tea"))),
        (pb.RunChainRequest(prompts=["a"], model="m"), pb.RunChainRequest(prompts=["a"], model="m")),
    ],
)
def test_a_chain_is_prompts_a_name_or_a_message(chain: Any, expected: pb.RunChainRequest) -> None:
    assert run(chain) == expected


def test_a_chain_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "chain.txt"
    path.write_text("prompts: [a]")
    assert run(path) == run(str(path)) == pb.RunChainRequest(prompts=["a"])


def test_a_faulty_file_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "chain.yaml"
    path.write_text("stps: []")
    with pytest.raises(ChainFileError, match=r"chain\.yaml:1: stps: unknown key; did you mean steps\?"):
        run(path)


@pytest.mark.parametrize("name", ["absent.yaml", "absent.yml", "./absent", "absent.json"])
def test_what_looks_like_a_file_is_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        run(name)


def test_texts_are_inputs_as_they_are_and_other_values_are_json() -> None:
    made = run(["a"], {"model": "an input", "n": 2**60}, topic="tea", items=[1, "é"], model="fast", labels={"a": "b"})
    assert (dict(made.inputs), made.inputs_json) == ({"topic": "tea", "model": "an input"}, '{"items":[1,"é"],"n":1152921504606846976}')
    assert (made.model, dict(made.labels)) == ("fast", {"a": "b"})


def test_inputs_are_added_to_those_of_a_given_request() -> None:
    made = run(pb.RunChainRequest(prompts=["a"], inputs={"a": "1"}, inputs_json='{"b":2}'), c="3", d=4)
    assert (dict(made.inputs), json.loads(made.inputs_json)) == ({"a": "1", "c": "3"}, {"b": 2, "d": 4})
