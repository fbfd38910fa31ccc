"""The echo, and what it can be asked for."""

import asyncio
from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.clock import ManualClock, SystemClock
from promptwire_server.core.errors import (
    CapabilityMissing,
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    PromptwireError,
    StreamInterrupted,
    UpstreamFailed,
    UpstreamRateLimited,
)
from promptwire_server.providers.echo import Echo
from tests.unit.providers.support import ask, events_of, make_call

Generation = pb.GenerationSettings
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
TOOLS = [
    pb.Tool(function=pb.FunctionTool(name="now")),
    pb.Tool(function=pb.FunctionTool(name="add", parameters_json='{"properties":{"a":{"type":"integer"},"b":{"enum":[7,8]}}}')),
]


class Slept:
    """Sleeps by moving a clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.pauses: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(seconds)
        await asyncio.sleep(0)


def echo() -> Echo:
    return Echo(SystemClock())


async def answer(request: pb.ChatRequest | str, model: str = "echo", *, stream: bool = False) -> pb.ChatResponse:
    return await ask(echo(), make_call(request, model=model, stream=stream))


def conversation(*said: tuple["pb.Role", str]) -> pb.ChatRequest:
    return pb.ChatRequest(messages=[pb.ChatMessage(role=role, parts=[pb.ContentPart(text=text)]) for role, text in said])


@BOTH
@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (pb.ChatRequest(prompt="  hi   there\n"), "  hi   there\n"),
        (pb.ChatRequest(system="be nice", prompt="hi"), "hi"),
        (conversation((pb.ROLE_USER, "one"), (pb.ROLE_ASSISTANT, "two"), (pb.ROLE_SYSTEM, "three")), "one"),
        (conversation((pb.ROLE_USER, "one"), (pb.ROLE_UNSPECIFIED, "two")), "two"),
        (conversation((pb.ROLE_ASSISTANT, "one")), ""),
        (pb.ChatRequest(), ""),
        (pb.ChatRequest(prompt="日本 é"), "日本 é"),
        (pb.ChatRequest(prompt=" \n "), " \n "),
    ],
)
async def test_it_says_what_the_user_said_last(request_: pb.ChatRequest, text: str, *, stream: bool) -> None:
    assert (await answer(request_, stream=stream)).text == text


@BOTH
async def test_tokens_are_words(*, stream: bool) -> None:
    request = conversation(
        (pb.ROLE_SYSTEM, "be very nice"), (pb.ROLE_USER, "one two"), (pb.ROLE_ASSISTANT, "three"), (pb.ROLE_USER, "four five")
    )
    assert (await answer(request, stream=stream)).usage == pb.Usage(input_tokens=8, output_tokens=2)


async def test_the_short_way_and_the_long_way_give_the_same() -> None:
    for request in (
        pb.ChatRequest(prompt="a b"),
        pb.ChatRequest(system="s", prompt="a b"),
        conversation((pb.ROLE_USER, "a b")),
        pb.ChatRequest(),
    ):
        longer = pb.ChatRequest()
        longer.CopyFrom(request)
        longer.generation.temperature = 1
        assert await answer(request) == await answer(longer) == await answer(request, stream=True)


async def test_a_stream_has_a_delta_for_each_word_with_the_blank_behind_it() -> None:
    events = await events_of(echo(), make_call("one  two three", stream=True, model="echo"))
    assert [event.part_delta.text for event in events if event.HasField("part_delta")] == ["one  ", "two ", "three"]


@BOTH
@pytest.mark.parametrize(
    ("generation", "text", "reason"),
    [
        (Generation(max_output_tokens=2), "one two", pb.FINISH_REASON_LENGTH),
        (Generation(max_output_tokens=3), "one two three", pb.FINISH_REASON_STOP),
        (Generation(stop_sequences=["x", " three", "two"]), "one ", pb.FINISH_REASON_STOP),
        (
            Generation(response_format=pb.ResponseFormat(json_object=pb.JsonObjectFormat())),
            '{"echo":"one two three"}',
            pb.FINISH_REASON_STOP,
        ),
        (Generation(response_format=pb.ResponseFormat(choices=pb.ChoicesFormat(choices=["yes", "no"]))), "yes", pb.FINISH_REASON_STOP),
        (Generation(response_format=pb.ResponseFormat(text=pb.TextFormat())), "one two three", pb.FINISH_REASON_STOP),
    ],
)
async def test_it_keeps_to_the_settings(generation: Generation, text: str, reason: "pb.FinishReason", *, stream: bool) -> None:
    said = await answer(pb.ChatRequest(prompt="one two three", generation=generation), stream=stream)
    assert (said.text, said.candidates[0].finish_reason) == (text, reason)


async def test_it_answers_in_the_shape_of_a_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "array", "items": {"$ref": "#/$defs/b"}}, "c": {"anyOf": [{"const": "x"}]}},
        "$defs": {"b": {"type": "string"}},
    }
    shape = pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(schema_json=orjson.dumps(schema).decode()))
    said = await answer(pb.ChatRequest(prompt="hi", generation=Generation(response_format=shape)))
    assert orjson.loads(said.text) == {"a": 1, "b": ["text"], "c": "x"}


async def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = '{"type":"object","properties":{"me":{"$ref":"#"}}}'
    shape = pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(schema_json=schema))
    assert (await answer(pb.ChatRequest(prompt="hi", generation=Generation(response_format=shape)))).text.startswith('{"me":')


@pytest.mark.parametrize("shape", [pb.ResponseFormat(regex=pb.RegexFormat(pattern="a")), pb.ResponseFormat(grammar=pb.GrammarFormat())])
async def test_it_does_not_pretend(shape: pb.ResponseFormat) -> None:
    with pytest.raises(CapabilityMissing):
        await answer(pb.ChatRequest(prompt="hi", generation=Generation(response_format=shape)))


@BOTH
@pytest.mark.parametrize(("words", "text"), [(1, "one"), (2, "one two"), (5, "one two one two one")])
async def test_it_says_as_many_words_as_it_is_asked_for(words: int, text: str, *, stream: bool) -> None:
    assert (await answer("one two", f"echo?words={words}", stream=stream)).text == text


@BOTH
async def test_options_in_the_request_win_over_those_in_the_name(*, stream: bool) -> None:
    generation = Generation(provider_options_json={"echo": '{"words": 3}', "other": "{"})
    said = await answer(pb.ChatRequest(prompt="a", generation=generation), "echo?words=9&reasoning=hm", stream=stream)
    assert (said.text, said.candidates[0].message.parts[0].reasoning.text, said.model) == ("a a a", "hm", "echo")


@BOTH
@pytest.mark.parametrize(
    ("query", "calls"),
    [
        ("tool=", [("now", {})]),
        ("tool=add", [("add", {"a": 1, "b": 7})]),
        ("tool=add&arguments=%7B%22a%22%3A5%7D", [("add", {"a": 5})]),
        ("tool=now&calls=2", [("now", {}), ("now", {})]),
    ],
)
async def test_it_calls_tools_when_asked(query: str, calls: list[Any], *, stream: bool) -> None:
    said = await answer(pb.ChatRequest(prompt="hi", generation=Generation(tools=TOOLS)), f"echo?{query}", stream=stream)
    parts = said.candidates[0].message.parts
    assert [(part.tool_call.name, orjson.loads(part.tool_call.arguments_json)) for part in parts] == calls
    assert len({part.tool_call.tool_call_id for part in parts}) == len(calls)
    assert said.candidates[0].finish_reason == pb.FINISH_REASON_TOOL_CALLS


async def test_it_answers_once_the_tool_has() -> None:
    result = pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id="c", parts=[pb.ContentPart(text="5")]))
    request = conversation((pb.ROLE_USER, "hi"))
    request.messages.append(pb.ChatMessage(role=pb.ROLE_TOOL, parts=[result]))
    request.generation.tools.extend(TOOLS)
    assert (await answer(request, "echo?tool=now")).text == "hi"


@BOTH
@pytest.mark.parametrize(
    ("error", "kind"),
    [("429", UpstreamRateLimited), ("503", UpstreamFailed), ("OVERLOADED", Overloaded), ("UPSTREAM_FAILED", UpstreamFailed)],
)
async def test_it_fails_when_asked(error: str, kind: type[PromptwireError], *, stream: bool) -> None:
    with pytest.raises(kind) as caught:
        await answer("hi", f"echo?error={error}&retry_after_ms=1500", stream=stream)
    assert caught.value.retry_after_s == 1.5


@pytest.mark.parametrize(("after", "heard"), [(1, ["a "]), (2, ["a ", "b "]), (9, ["a ", "b ", "c"])])
async def test_it_breaks_off_after_so_many_words(after: int, heard: list[str]) -> None:
    said: list[str] = []
    async with await echo()(make_call("a b c", model=f"echo?error=503&error_after_words={after}", stream=True)) as reply:
        with pytest.raises(StreamInterrupted):
            said.extend([event.part_delta.text async for event in noted(reply, said)])
    assert said == heard


async def noted(reply: Any, said: list[str]) -> Any:
    async for event in reply:
        if event.HasField("part_delta"):
            said.append(event.part_delta.text)
        if event.HasField("finished"):
            yield event


@pytest.mark.parametrize(
    ("stream", "pauses"),
    [(False, [0.05, pytest.approx(0.02)]), (True, [0.05, pytest.approx(0.01), pytest.approx(0.01)])],
    ids=["whole", "streamed"],
)
async def test_it_takes_its_time_when_asked(pauses: list[float], *, stream: bool) -> None:
    slept = Slept()
    call = make_call("one two three", model="echo?delay_ms=50&word_delay_ms=10", stream=stream, clock=slept.clock)
    await ask(Echo(slept.clock, sleep=slept), call)
    assert slept.pauses == pauses


@BOTH
async def test_it_takes_no_more_time_than_there_is(*, stream: bool) -> None:
    slept = Slept()
    call = make_call("one two three", model="echo?delay_ms=5000", stream=stream, clock=slept.clock, within_s=2)
    with pytest.raises(DeadlineExceeded):
        await ask(Echo(slept.clock, sleep=slept), call)
    assert slept.pauses == [2.0]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("nonsense=1", "it has delay_ms, word_delay_ms, words"),
        ("words=x", "words"),
        ("words=-1", "words"),
        ("delay_ms=1e99", "delay_ms"),
        ("delay_ms=nan", "delay_ms"),
        ("error=NO_SUCH", "RATE_LIMITED"),
        ("error=99", "no error is called"),
        ("tool=absent", "declared: add, now"),
    ],
)
async def test_what_it_does_not_know_is_refused_with_what_it_knows(query: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        await answer(pb.ChatRequest(prompt="hi", generation=Generation(tools=TOOLS)), f"echo?{query}")


@pytest.mark.parametrize("options", ["[]", "{", '{"nonsense":1}', '{"words":[]}', '{"words":true}', '{"tool":{}}'])
async def test_options_of_the_wrong_shape_are_refused_by_their_path(options: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await answer(pb.ChatRequest(prompt="hi", generation=Generation(provider_options_json={"echo": options})))
    assert caught.value.violations[0].field == 'generation.provider_options_json["echo"]'
