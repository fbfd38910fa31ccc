"""Answers from a file, and the faults of one."""

from pathlib import Path

import pytest
import yaml

from promptwire import v1 as pb
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.errors import InvalidRequest, PromptwireError, StreamInterrupted, UpstreamFailed
from promptwire_server.providers import script as script_module
from promptwire_server.providers.script import Scripted, Settings
from promptwire_server.providers.script_file import BadScript, load, parse
from tests.unit.providers.support import ask, make_call

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
SCRIPT = r"""
answers:
  - {when: {exact: "hi"}, say: exact}
  - {when: {contains: "Weather", model: forecaster}, say: both}
  - {when: {contains: "Weather"}, tools: [{name: get_weather, arguments: {city: Berlin}}]}
  - {when: {contains: "Weather"}, say: rain, reasoning: the tool said so}
  - {when: {regex: '^order \d+$'}, say: regex}
  - when: {contains: flaky}
    sequence: [{error: 503}, {error: OVERLOADED}, {say: well}]
  - {when: {contains: bomb}, refusal: "no"}
  - {when: {contains: breaks}, say: one two three, error: 500, error_after_words: 2}
default: {say: default}
"""


def provider(text: str = SCRIPT) -> Scripted:
    return Scripted("script", parse(yaml.safe_load(text), "test"), SystemClock())


@BOTH
@pytest.mark.parametrize(
    ("prompt", "model", "text"),
    [
        ("hi", "m", "exact"),
        (" hi\n", "m", "exact"),
        ("hi!", "m", "default"),
        ("Hi", "m", "default"),
        ("WEATHER?", "forecaster", "both"),
        ("order 17", "m", "regex"),
        ("my order 17", "m", "default"),
    ],
)
async def test_the_first_rule_that_fits_answers(prompt: str, model: str, text: str, *, stream: bool) -> None:
    assert (await ask(provider(), make_call(prompt, model=model, stream=stream))).text == text


@BOTH
async def test_a_tool_is_called_and_then_its_result_told(*, stream: bool) -> None:
    scripted = provider()
    first = await ask(scripted, make_call("the weather?", stream=stream))
    (call,) = (part.tool_call for part in first.candidates[0].message.parts)
    assert (call.name, call.arguments_json) == ("get_weather", '{"city":"Berlin"}')
    result = pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id=call.tool_call_id))
    request = pb.ChatRequest(
        messages=[
            pb.ChatMessage(parts=[pb.ContentPart(text="the weather?")]),
            first.candidates[0].message,
            pb.ChatMessage(role=pb.ROLE_TOOL, parts=[result]),
        ]
    )
    second = await ask(scripted, make_call(request, stream=stream))
    assert [part.WhichOneof("content") for part in second.candidates[0].message.parts] == ["reasoning", "text"]


async def test_a_sequence_is_told_in_order_and_its_last_again_and_again() -> None:
    scripted, heard = provider(), []
    for _ in range(4):
        try:
            heard.append((await ask(scripted, make_call("flaky"))).text)
        except PromptwireError as error:
            heard.append(error.reason_name)
    assert heard == ["UPSTREAM_FAILED", "OVERLOADED", "well", "well"]


async def test_an_error_after_some_words_breaks_a_stream_and_replaces_a_whole_answer() -> None:
    with pytest.raises(StreamInterrupted):
        await ask(provider(), make_call("it breaks", stream=True))
    with pytest.raises(UpstreamFailed):
        await ask(provider(), make_call("it breaks"))


async def test_a_question_that_nothing_fits_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no answer to this question"):
        await ask(provider("answers: [{when: {exact: a}, say: b}]"), make_call("hi"))


def test_all_faults_of_a_file_come_in_one_message_with_their_paths() -> None:
    wrong = r"""
answers:
  - {when: {exakt: hi}, say: a}
  - {when: {regex: "(a"}, say: a}
  - {say: [1]}
  - {}
  - {when: {exact: x}, sequence: []}
  - {sequence: [{say: a, error: 999999}], say: b}
  - {tools: [{arguments: {}}]}
  - {say: a, delay_ms: -1}
  - {error: NO_SUCH}
  - 5
default: {when: {}, say: a}
more: 1
"""
    with pytest.raises(BadScript) as caught:
        parse(yaml.safe_load(wrong), "demo.yaml")
    first, *faults = str(caught.value).splitlines()
    assert first.startswith("demo.yaml: ")
    assert [fault.strip().split(":")[0] for fault in faults] == [
        "more",
        "answers[0].when.exakt",
        "answers[1].when.regex",
        "answers[2].say",
        "answers[3]",
        "answers[4].sequence",
        "answers[5].say",
        "answers[5].sequence[0].error",
        "answers[6].tools[0].name",
        "answers[7].delay_ms",
        "answers[8].error",
        "answers[9]",
        "answers[9]",
        "default.when",
    ]


@pytest.mark.parametrize(
    ("text", "says"), [("a: [", "is not YAML"), ("[]", "must be a mapping"), ("", "must be a mapping"), ("{}", "says nothing")]
)
def test_a_file_that_is_no_script_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(text)
    with pytest.raises(BadScript, match=says):
        load(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadScript, match="cannot be read"):
        Scripted.from_file("script", Settings(tmp_path / "absent.yaml"), SystemClock())


async def test_the_file_of_the_documentation_works(tmp_path: Path) -> None:
    documentation = script_module.__doc__ or ""
    file = tmp_path / "s.yaml"
    file.write_text(documentation.partition("\n\n")[2])
    scripted = Scripted.from_file("script", Settings(file), SystemClock())
    assert (await ask(scripted, make_call("hi"))).text == "Hello!"
    assert (await ask(scripted, make_call("something else"))).text == "I do not know."
    with pytest.raises(UpstreamFailed):
        await ask(scripted, make_call("order 12"))
