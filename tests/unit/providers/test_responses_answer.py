"""What the Responses API says, as answers of the contract: whole and streamed alike."""

import copy
from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import Assembly
from promptwire_server.core.call import Call
from promptwire_server.core.errors import PromptwireError, UpstreamFailed, UpstreamInvalidRequest, UpstreamPolicy, UpstreamRateLimited
from promptwire_server.core.reply import Event
from promptwire_server.providers.json_value import JsonObject
from promptwire_server.providers.responses.answer import ResponsesAnswer
from promptwire_server.providers.sse import Parser
from tests.unit.providers.support import make_call, make_ids, sse_bytes

USAGE: JsonObject = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
Item = dict[str, Any]


def body(*items: Item, status: str = "completed", **more: Any) -> JsonObject:
    return {"id": "resp_1", "object": "response", "model": "m-1", "status": status, "output": list(items), "usage": USAGE, **more}


def whole(*items: Item, call: Call | None = None, **more: Any) -> pb.ChatResponse:
    return ResponsesAnswer(call or make_call(), "openai", make_ids()).whole(copy.deepcopy(body(*items, **more)))


def taken(call: Call, *events: JsonObject) -> tuple[list[Event], ResponsesAnswer]:
    out: list[Event] = []
    parser = Parser("openai", max_line_bytes=1 << 20, max_event_bytes=1 << 20)
    answer = ResponsesAnswer(call, "openai", make_ids())
    answer.take(parser.feed(sse_bytes(*events)), out)
    return out, answer


def event(kind: str, **fields: Any) -> JsonObject:
    return {"type": f"response.{kind}", "sequence_number": 0, **fields}


def message(*content: Item, **more: Any) -> Item:
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": list(content), **more}


def output_text(text: str, *annotations: Item, **more: Any) -> Item:
    return {"type": "output_text", "text": text, "annotations": list(annotations), **more}


def reasoning(*summary: str, **more: Any) -> Item:
    paragraphs = [{"type": "summary_text", "text": text} for text in summary]
    return {"type": "reasoning", "id": "rs_1", "summary": paragraphs, "encrypted_content": "sealed", **more}


def function_call(arguments: str = '{"a":1}', number: int = 1) -> Item:
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"c{number}",
        "name": "f",
        "arguments": arguments,
        "status": "completed",
    }


CUSTOM: Item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": "grep", "input": 'a "b"\n'}
SEARCH: Item = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "a"}}
IMAGE: Item = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "output_format": "webp", "result": "cG5n"}
CITATION: Item = {"type": "url_citation", "title": "T", "url": "https://e.x", "start_index": 0, "end_index": 5}


def halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def deltas_of(index: int, item: Item) -> list[JsonObject]:
    """How a stream tells of what is in an item."""
    at = {"output_index": index, "item_id": "any"}
    match item["type"]:
        case "message":
            kinds = {"output_text": ("output_text.delta", "text"), "refusal": ("refusal.delta", "refusal")}
            told: list[JsonObject] = []
            for number, content in enumerate(item["content"]):
                kind, words = kinds.get(content["type"], ("", ""))
                pieces = halves(content[words]) if words else ()
                told += [event(kind, **at, content_index=number, delta=piece, logprobs=[]) for piece in pieces]
                told.append(event("content_part.done", **at, content_index=number, part=content))
            return told
        case "reasoning":
            return [
                event("reasoning_summary_text.delta", **at, summary_index=number, delta=half)
                for number, paragraph in enumerate(item["summary"])
                for half in halves(paragraph["text"])
            ]
        case "function_call":
            return [event("function_call_arguments.delta", **at, delta=half) for half in halves(item["arguments"])]
        case "custom_tool_call":
            return [event("custom_tool_call_input.delta", **at, delta=half) for half in halves(item["input"])]
    return []


def begun(item: Item) -> Item:
    """The item as it is when it is added."""
    empty: Item = {"content": [], "summary": [], "arguments": "", "input": "", "result": None, "encrypted_content": "unfinished"}
    return {name: empty.get(name, value) for name, value in item.items()} | {"status": "in_progress"}


def streamed(*items: Item, call: Call | None = None, told: bool = True, **more: Any) -> pb.ChatResponse:
    """The answer from a stream; without `told`, one that says nothing of an item before it is complete."""
    events = [event("created", response={"id": "resp_1", "model": "m-1", "output": []})]
    for index, item in enumerate(items):
        if told:
            events += [event("output_item.added", output_index=index, item=begun(item)), *deltas_of(index, item)]
        events.append(event("output_item.done", output_index=index, item=item))
    final = body(*items, **more)
    events.append(event(str(final["status"]), response=final))
    out, answer = taken(call or make_call(stream=True), *events)
    assert answer.done
    assembly = Assembly([])
    for one in out:
        assembly.add(one)
    assert assembly.response is not None
    return assembly.response


ANSWERS: list[tuple[str, list[Item]]] = [
    ("nothing", []),
    ("text", [message(output_text("hello there"))]),
    ("an empty text", [message(output_text(""))]),
    ("a refusal", [message({"type": "refusal", "refusal": "I would not."})]),
    ("text that ends in a refusal", [message(output_text("well"), {"type": "refusal", "refusal": "no"})]),
    ("a cited text", [message(output_text("hello", CITATION))]),
    ("commentary, then the answer", [message(output_text("hm"), phase="commentary"), message(output_text("hi"), id="msg_2")]),
    ("thoughts", [reasoning("first", "second"), message(output_text("hi"))]),
    ("hidden thoughts", [reasoning(), message(output_text("hi"))]),
    ("a call", [function_call()]),
    ("calls after thoughts", [reasoning("hm"), function_call(number=1), function_call("{}", number=2)]),
    ("a call with text", [CUSTOM]),
    ("a search", [reasoning(), SEARCH, message(output_text("found", CITATION))]),
    ("an image", [IMAGE, message(output_text("there"))]),
    ("content of a kind that nobody knows", [message({"type": "new", "x": 1}, output_text("hi"))]),
]


@pytest.mark.parametrize("told", [True, False], ids=["in deltas", "when complete"])
@pytest.mark.parametrize("items", [items for _, items in ANSWERS], ids=[name for name, _ in ANSWERS])
def test_a_stream_gives_what_a_whole_answer_gives(items: list[Item], *, told: bool) -> None:
    assert streamed(*items, told=told) == whole(*items)


def test_items_that_only_the_end_tells_are_not_lost() -> None:
    items = [reasoning("hm"), message(output_text("hi"))]
    out, answer = taken(make_call(stream=True), event("completed", response=body(*items)))
    assert answer.done
    assert [one.part_finished.part.WhichOneof("content") for one in out if one.HasField("part_finished")] == ["reasoning", "text"]


def test_text_is_said_while_it_comes() -> None:
    out, _ = taken(make_call(stream=True), *deltas_of(0, message(output_text("hello!"))))
    assert [one.WhichOneof("event") for one in out] == ["started", "part_started", "part_delta", "part_delta"]
    assert "".join(one.part_delta.text for one in out) == "hello!"


def test_a_message_keeps_its_id_and_phase_for_the_next_turn() -> None:
    (part,) = whole(message(output_text("hi"), phase="final_answer")).candidates[0].message.parts
    state = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "phase": "final_answer"}
    assert (part.provider_state.provider, orjson.loads(part.provider_state.data)) == ("openai", {"item": state})


def test_reasoning_is_kept_whole_and_as_it_was_when_complete() -> None:
    item = reasoning("hm", status="completed")
    part = streamed(item, message(output_text("hi"))).candidates[0].message.parts[0]
    assert (part.reasoning.text, orjson.loads(part.provider_state.data)) == ("hm", {"item": item})


def test_paragraphs_of_a_summary_are_parted() -> None:
    assert whole(reasoning("one", "two")).candidates[0].message.parts[0].reasoning.text == "one\n\ntwo"


def test_reasoning_itself_is_shown_where_a_server_tells_it() -> None:
    item = reasoning(content=[{"type": "reasoning_text", "text": "let me see"}])
    out, _ = taken(make_call(stream=True), event("reasoning_text.delta", output_index=0, content_index=0, delta="let me see"))
    assert whole(item).candidates[0].message.parts[0].reasoning.text == "let me see"
    assert out[-1].part_delta.reasoning == "let me see"


def test_the_text_of_a_custom_tool_stands_in_an_object() -> None:
    (part,) = streamed(CUSTOM).candidates[0].message.parts
    assert (part.tool_call.tool_call_id, part.tool_call.name) == ("c1", "grep")
    assert orjson.loads(part.tool_call.arguments_json) == {"input": 'a "b"\n'}
    assert orjson.loads(part.provider_state.data) == {"item": {"type": "custom_tool_call", "id": "ctc_1"}}


def test_an_image_is_a_medium_and_goes_back_as_its_item() -> None:
    part = whole(IMAGE).candidates[0].message.parts[0]
    assert (part.media.mime_type, part.media.data) == ("image/webp", b"png")
    assert "result" not in orjson.loads(part.provider_state.data)["item"]


def test_items_that_the_contract_does_not_know_are_carried_as_they_came() -> None:
    part = whole(SEARCH, message(output_text("hi"))).candidates[0].message.parts[0].provider_part
    assert (part.provider, part.type, orjson.loads(part.json)) == ("openai", "web_search_call", SEARCH)


@pytest.mark.parametrize(
    ("annotation", "citation"),
    [
        (CITATION, {"title": "T", "uri": "https://e.x", "start_index": 0, "end_index": 5}),
        ({"type": "file_citation", "file_id": "file-1", "filename": "a.pdf", "index": 7}, {"title": "a.pdf", "end_index": 7}),
        (
            {"type": "container_file_citation", "filename": "a.csv", "container_id": "c", "start_index": 1, "end_index": 2},
            {"title": "a.csv", "start_index": 1, "end_index": 2},
        ),
        ({"type": "file_path", "file_id": "file-1", "index": 0}, {}),
    ],
)
def test_citations(annotation: Item, citation: dict[str, Any]) -> None:
    (found,) = whole(message(output_text("hello", annotation))).candidates[0].message.parts[0].citations
    assert orjson.loads(found.provider_json) == annotation
    found.provider_json = ""
    assert found == pb.Citation(**citation)


@pytest.mark.parametrize(
    ("items", "more", "reason", "said"),
    [
        ([message(output_text("hi"))], {}, pb.FINISH_REASON_STOP, "completed"),
        ([function_call()], {}, pb.FINISH_REASON_TOOL_CALLS, "completed"),
        ([CUSTOM], {}, pb.FINISH_REASON_TOOL_CALLS, "completed"),
        ([{"type": "computer_call", "id": "cu_1"}], {}, pb.FINISH_REASON_TOOL_CALLS, "completed"),
        ([{"type": "shell_call", "id": "sh_1"}], {}, pb.FINISH_REASON_TOOL_CALLS, "completed"),
        ([{"type": "shell_call", "id": "sh_1"}, {"type": "shell_call_output", "id": "so_1"}], {}, pb.FINISH_REASON_STOP, "completed"),
        ([message({"type": "refusal", "refusal": "no"})], {}, pb.FINISH_REASON_REFUSAL, "completed"),
        ([], {"reason": "max_output_tokens"}, pb.FINISH_REASON_LENGTH, "max_output_tokens"),
        ([], {"reason": "content_filter"}, pb.FINISH_REASON_CONTENT_FILTER, "content_filter"),
        ([function_call("{")], {"reason": "max_output_tokens"}, pb.FINISH_REASON_LENGTH, "max_output_tokens"),
        ([], {"reason": "steered"}, pb.FINISH_REASON_UNSPECIFIED, "steered"),
        ([], {}, pb.FINISH_REASON_STOP, "completed"),
    ],
)
def test_why_it_ended(items: list[Item], more: dict[str, str], reason: "pb.FinishReason", said: str) -> None:
    how: dict[str, Any] = {"status": "incomplete", "incomplete_details": more} if more else {}
    for answer in (whole(*items, **how), streamed(*items, **how)):
        assert (answer.candidates[0].finish_reason, answer.candidates[0].provider_finish_reason) == (reason, said)


def test_usage_with_caches_and_reasoning() -> None:
    details = {"cached_tokens": 10, "cache_write_tokens": 30, "cache_write_tokens_details": {"ttl_12h_tokens": 20, "ttl_30m_tokens": 10}}
    counts = {"input_tokens": 50, "input_tokens_details": details, "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 8}}
    usage = whole(message(output_text("hi")), usage=counts).usage
    assert usage == pb.Usage(
        input_tokens=50,
        cached_input_tokens=10,
        cache_write_5m_tokens=10,
        cache_write_1h_tokens=20,
        output_tokens=9,
        reasoning_tokens=8,
    )


@pytest.mark.parametrize(
    ("tool_usage", "units"),
    [(None, {"web_search": 2}), ({"web_search": {"num_requests": 1}}, {"web_search": 1}), ({"web_search": {"num_requests": 0}}, {})],
)
def test_charged_calls_are_counted_by_the_vendor_or_by_the_items(tool_usage: Item | None, units: dict[str, int]) -> None:
    answer = whole(SEARCH, {**SEARCH, "id": "ws_2"}, tool_usage=tool_usage)
    assert dict(answer.usage.provider_units) == units


def test_what_the_contract_has_no_field_for_is_kept_and_the_request_is_not_repeated() -> None:
    answer = whole(message(output_text("hi")), service_tier="flex", instructions="secret", tools=[{"type": "x"}], metadata={"a": "b"})
    assert orjson.loads(answer.provider_extra_json) == {"service_tier": "flex"}


def test_unknown_counts_are_kept_under_their_own_names() -> None:
    counts = {**USAGE, "cost": 5, "output_tokens_details": {"reasoning_tokens": 0, "dreaming_tokens": 2}}
    extra = orjson.loads(whole(message(output_text("hi")), usage=counts).provider_extra_json)
    assert extra == {"usage": {"cost": 5, "output_tokens_details": {"dreaming_tokens": 2}}}


def test_logprobs_come_with_the_text_once() -> None:
    probable: Item = {"token": "hi", "logprob": -0.5, "bytes": [104, 105], "top_logprobs": [{"token": "ho", "logprob": -2.0, "bytes": []}]}
    item = message(output_text("hi", logprobs=[probable]))
    delta = event("output_text.delta", output_index=0, content_index=0, delta="hi", logprobs=[probable])
    done = event("output_item.done", output_index=0, item=item)
    out, _ = taken(make_call(stream=True), delta, done, event("completed", response=body(item)))
    told = [logprob for one in out for logprob in one.part_delta.logprobs]
    assert told == list(whole(item).candidates[0].logprobs)
    assert (told[0].token, told[0].logprob, told[0].bytes, told[0].top[0].token) == ("hi", -0.5, b"hi", "ho")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "server_error", "message": "oops"}, UpstreamFailed),
        ({"code": "rate_limit_exceeded", "message": "slow down"}, UpstreamRateLimited),
        ({"code": "invalid_prompt", "message": "flagged"}, UpstreamPolicy),
        ({"code": "image_content_policy_violation", "message": "no"}, UpstreamPolicy),
        ({"code": "invalid_base64_image", "message": "no image"}, UpstreamInvalidRequest),
        (None, UpstreamFailed),
    ],
)
def test_an_answer_that_failed_is_an_error(error: Item | None, kind: type[PromptwireError]) -> None:
    failed = body(status="failed", error=error)
    with pytest.raises(kind):
        ResponsesAnswer(make_call(), "openai", make_ids()).whole(failed)
    with pytest.raises(kind):
        taken(make_call(stream=True), event("failed", response=failed))


@pytest.mark.parametrize(
    "said",
    [
        {"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None},
        {"type": "error", "error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "slow down"}},
    ],
)
def test_an_error_within_the_stream_is_classified(said: JsonObject) -> None:
    with pytest.raises(UpstreamRateLimited):
        taken(make_call(stream=True), event("created", response={"id": "resp_1"}), said)


def test_only_the_apis_own_end_is_success() -> None:
    out, answer = taken(make_call(stream=True), *deltas_of(0, message(output_text("hello"))))
    assert not answer.done
    with pytest.raises(UpstreamFailed, match="stopped before its end"):
        answer.closed('{"type":"response.completed"', out)


def test_a_marker_of_chat_completions_is_no_end_here() -> None:
    with pytest.raises(UpstreamFailed):
        ResponsesAnswer(make_call(stream=True), "openai", make_ids()).take([("", "[DONE]")], [])


@pytest.mark.parametrize("status", ["in_progress", "queued", "cancelled"])
def test_an_answer_that_is_not_complete_is_none(status: str) -> None:
    with pytest.raises(UpstreamFailed, match="not complete"):
        whole(message(output_text("hi")), status=status)


def test_an_answer_without_output_is_none() -> None:
    with pytest.raises(UpstreamFailed, match="no output"):
        ResponsesAnswer(make_call(), "openai", make_ids()).whole({"id": "r", "status": "completed"})


@pytest.mark.parametrize("index", [None, -1, True, "0", 1 << 20])
def test_items_with_impossible_numbers_are_refused(index: Any) -> None:
    with pytest.raises(UpstreamFailed, match="number is none"):
        taken(make_call(stream=True), event("output_text.delta", output_index=index, content_index=0, delta="hi"))


def test_servers_that_number_every_item_alike_are_understood() -> None:
    events: list[JsonObject] = []
    items = [reasoning("hm"), message(output_text("hi"))]
    for item in items:
        events += [event("output_item.added", output_index=0, item=begun(item)), *deltas_of(0, item)]
        events.append(event("output_item.done", output_index=0, item=item))
    out, _ = taken(make_call(stream=True), *events, event("completed", response=body(*items)))
    finished = [one.part_finished.part for one in out if one.HasField("part_finished")]
    assert [part.reasoning.text or part.text for part in finished] == ["hm", "hi"]


def test_pieces_that_arrive_together_are_joined_when_many_streams_are_open() -> None:
    call = make_call(stream=True)
    call.join = True
    events = [event("output_text.delta", output_index=0, content_index=0, delta=piece, logprobs=[]) for piece in "abcd"]
    out, _ = taken(call, *events)
    assert [one.part_delta.text for one in out if one.HasField("part_delta")] == ["a", "bcd"]


def test_a_call_without_an_id_gets_one_and_a_notice() -> None:
    call = make_call()
    (part,) = whole({**function_call(), "call_id": ""}, call=call).candidates[0].message.parts
    assert part.tool_call.tool_call_id
    assert [notice.code for notice in call.trail.notices] == [pb.Notice.CODE_TOOL_CALL_ID_MADE]
