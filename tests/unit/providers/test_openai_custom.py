"""Calls of custom tools, whose argument is text: as the contract has them, and back."""

from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import Assembly
from promptwire_server.core.call import Call
from promptwire_server.providers.json_value import JsonObject
from promptwire_server.providers.openai.answer import ChatAnswer
from promptwire_server.providers.openai.custom import input_of
from promptwire_server.providers.openai.facts import OPENAI
from promptwire_server.providers.openai.request import body_of, to_wire
from tests.unit.providers.support import make_call, make_ids, taken

TEXT = 'a "b"\n\\ü'
DECLARED = pb.Tool(provider_tool=pb.ProviderTool(provider="openai", json='{"type":"custom","custom":{"name":"grep"}}'))


def chunk(finish: str | None = None, **call: Any) -> JsonObject:
    delta: JsonObject = {"tool_calls": [{"index": 0, **call}]} if call else {}
    return {"id": "r1", "model": "m-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def streamed() -> pb.ContentPart:
    first = chunk(id="c1", type="custom", custom={"name": "grep", "input": ""})
    pieces = [chunk(custom={"input": letter}) for letter in TEXT]
    assembly = Assembly([])
    for event in taken(make_call(stream=True), first, *pieces, chunk("tool_calls"), "[DONE]"):
        assembly.add(event)
    assert assembly.response is not None
    (part,) = assembly.response.candidates[0].message.parts
    return part


def whole() -> pb.ContentPart:
    call: JsonObject = {"id": "c1", "type": "custom", "custom": {"name": "grep", "input": TEXT}}
    choice: JsonObject = {"index": 0, "message": {"role": "assistant", "tool_calls": [call]}, "finish_reason": "tool_calls"}
    (part,) = ChatAnswer(make_call(), "openai", make_ids()).whole({"choices": [choice]}).candidates[0].message.parts
    return part


def sent_back(part: pb.ContentPart, *tools: pb.Tool) -> JsonObject:
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[part])
    call = make_call(pb.ChatRequest(messages=[message], generation=pb.GenerationSettings(tools=tools)))
    wire: JsonObject = orjson.loads(body_of(to_wire(call, "openai", OPENAI)))["messages"][0]["tool_calls"][0]
    return wire


def test_fragments_of_one_call_become_one_part() -> None:
    part = streamed()
    assert part == whole()
    assert (part.tool_call.tool_call_id, part.tool_call.name) == ("c1", "grep")
    assert orjson.loads(part.tool_call.arguments_json) == {"input": TEXT}


def test_the_pieces_of_the_stream_are_the_arguments() -> None:
    events = taken(make_call(stream=True), chunk(id="c1", type="custom", custom={"name": "grep", "input": "a"}), chunk("stop"), "[DONE]")
    pieces = [event.part_delta.arguments_json for event in events if event.HasField("part_delta")]
    assert "".join(pieces) == '{"input":"a"}'


def test_the_call_goes_back_as_text() -> None:
    assert sent_back(whole()) == {"id": "c1", "type": "custom", "custom": {"name": "grep", "input": TEXT}}


def test_a_call_of_a_tool_that_is_declared_as_custom_goes_back_as_text_without_its_state() -> None:
    part = whole()
    part.ClearField("provider_state")
    assert sent_back(part, DECLARED)["type"] == "custom"
    assert sent_back(part)["type"] == "function"


@pytest.mark.parametrize(
    ("arguments", "text"), [('{"input":"a"}', "a"), ('{"input":7}', '{"input":7}'), ("plain", "plain"), ('{"x":1}', '{"x":1}')]
)
def test_arguments_that_hold_no_text_go_back_as_they_are(arguments: str, text: str) -> None:
    assert input_of(arguments) == text


def test_a_call_that_broke_off_is_not_closed() -> None:
    call: Call = make_call(stream=True)
    answer = ChatAnswer(call, "openai", make_ids())
    data = orjson.dumps(chunk(id="c1", type="custom", custom={"name": "grep", "input": "a"})).decode()
    answer.take([("", data)], [])
    assert answer.response(with_parts=True, note=False).candidates[0].message.parts[0].tool_call.arguments_json == '{"input":"a'
