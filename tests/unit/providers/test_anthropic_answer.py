"""What Anthropic says, as answers of the contract: whole and streamed alike."""

import copy
from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import Assembly
from promptwire_server.core.call import Call
from promptwire_server.core.errors import (
    ContextTooLong,
    OutputSchemaMismatch,
    PromptwireError,
    UpstreamAccount,
    UpstreamFailed,
    UpstreamInvalidRequest,
    UpstreamModelUnknown,
    UpstreamRateLimited,
)
from promptwire_server.core.reply import Event
from promptwire_server.providers.anthropic.answer import MessageAnswer
from promptwire_server.providers.anthropic.dialect import Anthropic
from promptwire_server.providers.dialect import Refusal, Wire
from promptwire_server.providers.json_value import JsonObject, dumped
from promptwire_server.providers.settings import HttpSettings
from tests.unit.providers.support import make_call, make_ids

NOW = 1_800_000_000.0
Block = dict[str, Any]
FIRST: JsonObject = {"input_tokens": 7, "output_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
LAST: JsonObject = {"output_tokens": 9}
PLACE = {"type": "page_location", "cited_text": "Snow", "document_index": 0, "document_title": "A", "start_page_number": 1}
PAGE = {"type": "web_search_result_location", "cited_text": "Ice", "title": "B", "url": "https://e.x/", "encrypted_index": "x"}


def answer_of(call: Call | None = None, *, json: str = "") -> MessageAnswer:
    return MessageAnswer(call or make_call(stream=True), "anthropic", make_ids(), json=json)


def whole(*blocks: Block, reason: str = "end_turn", json: str = "", call: Call | None = None, **more: Any) -> pb.ChatResponse:
    body: JsonObject = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-1", "content": list(blocks)}
    body |= {"stop_reason": reason, "stop_sequence": None, "usage": {**FIRST, **LAST}, **more}
    return answer_of(call, json=json).whole(copy.deepcopy(body))


def begun(**usage: Any) -> JsonObject:
    message: JsonObject = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-1", "content": [], "stop_reason": None}
    return {"type": "message_start", "message": {**message, "usage": {**FIRST, **usage}}}


def opened(block: Block, index: int = 0) -> JsonObject:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(kind: str, index: int = 0, **fields: Any) -> JsonObject:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def ended(reason: str | None = "end_turn", usage: JsonObject | None = None, **more: Any) -> list[JsonObject]:
    last: JsonObject = {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None, **more}, "usage": usage or LAST}
    return [last, {"type": "message_stop"}]


def closed(index: int = 0) -> JsonObject:
    return {"type": "content_block_stop", "index": index}


def taken(*events: JsonObject, answer: MessageAnswer | None = None) -> list[Event]:
    out: list[Event] = []
    (answer or answer_of()).take([(str(event.get("type")), dumped(event)) for event in copy.deepcopy(events)], out)
    return out


def assembled(events: list[Event]) -> pb.ChatResponse:
    assembly = Assembly([])
    for event in events:
        assembly.add(event)
    assert assembly.response is not None
    return assembly.response


def parts_of(response: pb.ChatResponse) -> list[pb.ContentPart]:
    return list(response.candidates[0].message.parts)


TEXT: Block = {"type": "text", "text": ""}
THOUGHT: Block = {"type": "thinking", "thinking": "", "signature": ""}
CALL: Block = {"type": "tool_use", "id": "c1", "name": "f", "input": {}}
SEARCH: Block = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
NEWER: Block = {"type": "newer", "about": "x"}

SAME: list[tuple[str, list[Block], list[JsonObject]]] = [
    (
        "text",
        [{**TEXT, "text": "hello there"}],
        [opened(TEXT), delta("text_delta", text="hello"), delta("text_delta", text=" there"), closed()],
    ),
    ("a text that is there from the start", [{**TEXT, "text": "hi"}], [opened({**TEXT, "text": "hi"}), closed()]),
    ("an empty text", [TEXT], [opened(TEXT), closed()]),
    ("nothing", [], []),
    (
        "texts with sources",
        [{**TEXT, "text": "a"}, {**TEXT, "text": "bc", "citations": [PLACE, PAGE]}],
        [
            opened(TEXT), delta("text_delta", text="a"), closed(),
            opened({**TEXT, "citations": []}, 1), delta("text_delta", 1, text="b"), delta("citations_delta", 1, citation=PLACE),
            delta("text_delta", 1, text="c"), delta("citations_delta", 1, citation=PAGE), closed(1),
        ],
    ),
    (
        "thinking",
        [{**THOUGHT, "thinking": "let me", "signature": "sig"}, {"type": "redacted_thinking", "data": "xyz"}, {**TEXT, "text": "a"}],
        [
            opened(THOUGHT), delta("thinking_delta", thinking="let "), delta("thinking_delta", thinking="me"),
            delta("signature_delta", signature="sig"), closed(),
            opened({"type": "redacted_thinking", "data": "xyz"}, 1), closed(1),
            opened(TEXT, 2), delta("text_delta", 2, text="a"), closed(2),
        ],
    ),
    (
        "thinking that is not shown",
        [{**THOUGHT, "signature": "sig"}],
        [opened(THOUGHT), delta("signature_delta", signature="sig"), closed()],
    ),
    (
        "calls",
        [{**CALL, "input": {"a": 1}, "caller": {"type": "direct"}}, {**CALL, "id": "c2", "caller": {"type": "code", "tool_id": "x"}}],
        [
            opened({**CALL, "caller": {"type": "direct"}}), delta("input_json_delta", partial_json=""),
            delta("input_json_delta", partial_json='{"a"'), delta("input_json_delta", partial_json=":1}"), closed(),
            opened({**CALL, "id": "c2", "caller": {"type": "code", "tool_id": "x"}}, 1),
            delta("input_json_delta", 1, partial_json=""), closed(1),
        ],
    ),
    (
        "a call whose input is there from the start",
        [{**CALL, "input": {"a": 1}}],
        [opened({**CALL, "input": {"a": 1}}), closed()],
    ),
    (
        "a search of the vendor's",
        [{**SEARCH, "input": {"q": "x"}}, {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}],
        [
            opened(SEARCH), delta("input_json_delta", partial_json='{"q"'), delta("input_json_delta", partial_json=':"x"}'), closed(),
            opened({"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}, 1), closed(1),
        ],
    ),
    (
        "a block of the future",
        [{**NEWER, "text": "ab", "state": {"n": 2}}],
        [opened(NEWER), delta("text_delta", text="a"), delta("text_delta", text="b"), delta("state_delta", state={"n": 2}), closed()],
    ),
    ("a block with a name of ours", [{"type": "media", "data": "?"}], [opened({"type": "media", "data": "?"}), closed()]),
]  # fmt: skip


@pytest.mark.parametrize(("blocks", "events"), [case[1:] for case in SAME], ids=[case[0] for case in SAME])
@pytest.mark.parametrize("at_once", [True, False])
def test_whole_and_streamed_say_the_same(blocks: list[Block], events: list[JsonObject], *, at_once: bool) -> None:
    answer, out = answer_of(), []
    for event in [begun(), *events, *ended()]:
        found = taken(event, answer=answer)
        out.extend(found)
    told = assembled(taken(begun(), *events, *ended()) if at_once else out)
    assert told == whole(*blocks)


def test_parts_have_what_their_blocks_had() -> None:
    thought, hidden, cited, call, search = parts_of(
        whole(
            {**THOUGHT, "thinking": "let me", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xyz"},
            {**TEXT, "text": "It snows.", "citations": [PLACE]},
            {**CALL, "input": {"a": 1}},
            {**SEARCH, "input": {"q": "x"}},
        )
    )
    assert (thought.reasoning.text, orjson.loads(thought.provider_state.data)) == ("let me", {"type": "thinking", "signature": "sig"})
    assert (hidden.reasoning.redacted, orjson.loads(hidden.provider_state.data)["data"]) == (True, "xyz")
    (citation,) = cited.citations
    assert (citation.title, citation.quoted_text, citation.start_index, citation.end_index) == ("A", "Snow", 0, 9)
    assert orjson.loads(citation.provider_json) == orjson.loads(cited.provider_state.data)["citations"][0] == PLACE
    assert (call.tool_call.name, call.tool_call.arguments_json, call.HasField("provider_state")) == ("f", '{"a":1}', False)
    assert (search.provider_part.type, orjson.loads(search.provider_part.json)["input"]) == ("server_tool_use", {"q": "x"})


def test_inputs_stay_as_they_were_written() -> None:
    written = '{"n":  9007199254740993, "x": 1e400}'
    pieces = [delta("input_json_delta", partial_json=written)]
    mine = [delta("input_json_delta", 1, partial_json='{"n":  3.0}')]
    out = taken(begun(), opened(CALL), *pieces, closed(), opened(SEARCH, 1), *mine, closed(1), *ended())
    call, search = parts_of(assembled(out))
    assert call.tool_call.arguments_json == written
    assert '"input":{"n":  3.0}' in search.provider_part.json


def test_an_input_that_was_cut_off_is_what_came() -> None:
    out = taken(begun(), opened(CALL), delta("input_json_delta", partial_json='{"a"'), closed(), *ended("max_tokens"))
    answer = assembled(out)
    assert parts_of(answer)[0].tool_call.arguments_json == '{"a"'
    assert answer.candidates[0].finish_reason == pb.FINISH_REASON_LENGTH


@pytest.mark.parametrize("identifiers", [(None, None), ("", ""), ("c1", "c1")])
def test_ids_that_are_missing_or_repeated_are_made(identifiers: tuple[Any, Any]) -> None:
    call = make_call()
    parts = parts_of(whole(*({**CALL, "id": identifier} for identifier in identifiers), call=call))
    assert len({part.tool_call.tool_call_id for part in parts} - {""}) == 2
    assert {notice.code for notice in call.trail.notices} == {pb.Notice.CODE_TOOL_CALL_ID_MADE}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("end_turn", pb.FINISH_REASON_STOP),
        ("stop_sequence", pb.FINISH_REASON_STOP),
        ("max_tokens", pb.FINISH_REASON_LENGTH),
        ("model_context_window_exceeded", pb.FINISH_REASON_LENGTH),
        ("tool_use", pb.FINISH_REASON_TOOL_CALLS),
        ("pause_turn", pb.FINISH_REASON_PAUSE),
        ("refusal", pb.FINISH_REASON_REFUSAL),
        ("something_new", pb.FINISH_REASON_UNSPECIFIED),
    ],
)
def test_the_reason_is_told_in_both_words(said: str, reason: "pb.FinishReason") -> None:
    (candidate,) = whole(TEXT, reason=said).candidates
    assert (candidate.finish_reason, candidate.provider_finish_reason) == (reason, said)


def test_a_refusal_explains_itself_once() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "I may not."}
    twice = [{**ended("refusal", stop_details=details)[0]}] * 2
    streamed = assembled(taken(begun(), *twice, {"type": "message_stop"}))
    assert streamed == whole(reason="refusal", stop_details=details)
    assert [part.refusal.text for part in parts_of(streamed)] == ["I may not."]
    assert orjson.loads(streamed.candidates[0].provider_extra_json) == {"stop_details": details}


def test_what_the_contract_has_no_field_for_is_kept() -> None:
    answer = whole(
        {**TEXT, "text": "a", "x": 1}, container={"id": "c"}, stop_sequence="###", usage={**FIRST, **LAST, "service_tier": "batch"}
    )
    assert orjson.loads(answer.provider_extra_json) == {"container": {"id": "c"}, "usage": {"service_tier": "batch"}}
    assert orjson.loads(answer.candidates[0].provider_extra_json) == {"stop_sequence": "###"}
    assert orjson.loads(parts_of(answer)[0].provider_state.data) == {"x": 1}


def test_pings_and_events_of_the_future_are_nothing() -> None:
    answer = answer_of()
    assert taken({"type": "ping"}, {"type": "newer", "index": 0, "delta": {}}, begun(), answer=answer) == []
    assert not answer.begun


def test_texts_that_arrive_together_are_one_event_where_they_may_be() -> None:
    call = make_call(stream=True)
    call.join = True
    answer = answer_of(call)
    taken(begun(), opened(TEXT), answer=answer)
    out = taken(*(delta("text_delta", text=piece) for piece in "abc"), closed(), answer=answer)
    assert [event.part_delta.text for event in out if event.HasField("part_delta")] == ["abc"]


@pytest.mark.parametrize(
    "events",
    [
        [begun(), delta("text_delta", text="a")],
        [begun(), opened(TEXT), closed(), delta("text_delta", text="a")],
        [begun(), opened(TEXT), closed(), closed()],
        [begun(), opened(TEXT), opened(TEXT)],
        [begun(), {"type": "content_block_start", "content_block": TEXT}],
        [begun(), opened(TEXT), {"type": "content_block_delta", "index": [0], "delta": {}}],
        [begun(), {"type": "message_stop"}],
        [begun(), *ended(None)],
    ],
)
def test_a_stream_that_makes_no_sense_fails(events: list[JsonObject]) -> None:
    with pytest.raises(UpstreamFailed):
        taken(*events)


@pytest.mark.parametrize("body", [{}, {"content": "hi"}, {"type": "message"}])
def test_a_body_that_makes_no_sense_fails(body: JsonObject) -> None:
    with pytest.raises(UpstreamFailed):
        answer_of().whole(body)


def test_only_the_last_event_ends_a_stream() -> None:
    answer = answer_of()
    taken(begun(), opened(TEXT), closed(), ended()[0], answer=answer)
    with pytest.raises(UpstreamFailed):
        answer.closed('{"type":"message_st', [])
    out: list[Event] = []
    answer.closed('{"type":"message_stop"}', out)
    assert (answer.done, out[-1].WhichOneof("event")) == (True, "finished")


def counted(first: JsonObject, last: JsonObject, call: Call | None = None) -> pb.Usage:
    return assembled(taken(begun(**first), opened(TEXT), closed(), *ended(usage=last), answer=answer_of(call))).usage


def test_input_has_the_cache_in_it() -> None:
    by_age: JsonObject = {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10}
    cache: JsonObject = {"cache_creation_input_tokens": 30, "cache_read_input_tokens": 5, "cache_creation": by_age}
    usage = counted(cache, {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}})
    assert usage == pb.Usage(
        input_tokens=42, output_tokens=9, cached_input_tokens=5, cache_write_5m_tokens=20, cache_write_1h_tokens=10, reasoning_tokens=4
    )


@pytest.mark.parametrize(
    ("cache", "five_minutes", "hour", "total"),
    [
        ({"cache_creation_input_tokens": 30}, 30, 0, 37),
        ({"cache_creation_input_tokens": None, "cache_creation": {"ephemeral_1h_input_tokens": 10}}, 0, 10, 17),
        ({"cache_creation_input_tokens": 8, "cache_creation": {"ephemeral_1h_input_tokens": 10}}, 0, 8, 15),
    ],
)
def test_writes_to_the_cache_add_up(cache: JsonObject, five_minutes: int, hour: int, total: int) -> None:
    usage = whole(TEXT, usage={**LAST, "input_tokens": 7, **cache}).usage
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens, usage.input_tokens) == (five_minutes, hour, total)


def test_counts_at_the_end_replace_those_at_the_beginning_and_absent_ones_do_not() -> None:
    usage = counted({"cache_read_input_tokens": 5}, {"input_tokens": 11, "output_tokens": 9, "cache_read_input_tokens": None})
    assert (usage.input_tokens, usage.cached_input_tokens) == (16, 5)


def test_calls_of_the_vendors_tools_are_counted_apart() -> None:
    usage = counted({}, {"output_tokens": 9, "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0}})
    assert dict(usage.provider_units) == {"web_search": 2}


@pytest.mark.parametrize(
    ("counts", "code"),
    [(None, pb.Notice.CODE_USAGE_ESTIMATED), ({"input_tokens": -1, "output_tokens": 10**12}, pb.Notice.CODE_USAGE_CORRECTED)],
)
def test_counts_that_cannot_be_are_estimated(counts: Any, code: "pb.Notice.Code") -> None:
    call = make_call("hi there, how are you?")
    usage = whole({**TEXT, "text": "four" * 10}, usage=counts, call=call).usage
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (6, 10, True)
    assert [notice.code for notice in call.trail.notices] == [code]


def test_more_thoughts_than_tokens_are_corrected() -> None:
    call = make_call()
    usage = whole(TEXT, usage={**FIRST, "output_tokens": 3, "output_tokens_details": {"thinking_tokens": 5}}, call=call).usage
    assert (usage.output_tokens, usage.reasoning_tokens) == (3, 3)
    assert [notice.field for notice in call.trail.notices] == ["usage.reasoning_tokens"]


def test_of_an_answer_that_breaks_off_the_beginning_is_no_count() -> None:
    answer = answer_of()
    taken(begun(), opened(TEXT), delta("text_delta", text="four" * 10), answer=answer)
    usage = answer.partial().usage
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (7, 10, True)


def test_json_that_was_asked_for_in_words_is_checked() -> None:
    assert whole({**TEXT, "text": ' {"a": 1}\n'}, json="object").text
    assert whole({**TEXT, "text": "[1]"}, json="value").text
    assert whole({**TEXT, "text": "Sure! {"}, reason="max_tokens", json="object").text
    assert whole({**TEXT, "text": "I look."}, CALL, json="object").text
    for text, kind in (("Sure! {}", "object"), ("[1]", "object"), ("1, 2", "value"), ("", "value")):
        with pytest.raises(OutputSchemaMismatch):
            whole({**TEXT, "text": text}, json=kind)
        with pytest.raises(OutputSchemaMismatch):
            taken(begun(), opened({**TEXT, "text": text}), closed(), *ended(), answer=answer_of(json=kind))


@pytest.mark.parametrize(
    ("kind", "message", "error"),
    [
        ("overloaded_error", "Overloaded", UpstreamFailed),
        ("api_error", "Internal server error", UpstreamFailed),
        ("rate_limit_error", "slow down", UpstreamRateLimited),
        ("billing_error", "pay", UpstreamAccount),
        ("authentication_error", "who?", UpstreamAccount),
        ("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", ContextTooLong),
        ("invalid_request_error", "no", UpstreamInvalidRequest),
    ],
)
def test_an_error_after_200_is_what_its_type_says(kind: str, message: str, error: type[PromptwireError]) -> None:
    said: JsonObject = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    with pytest.raises(error) as caught:
        taken(begun(), opened(TEXT), said)
    assert (caught.value.origin.provider_code, caught.value.origin.provider_request_id) == (kind, "req_1")
    assert type(caught.value) is error
    with pytest.raises(error):
        answer_of().whole(said)


@pytest.mark.parametrize(
    ("status", "kind", "message", "error"),
    [
        (400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", ContextTooLong),
        (400, "invalid_request_error", "input length and `max_tokens` exceed context limit: 9 + 9 > 8", ContextTooLong),
        (400, "invalid_request_error", "Your credit balance is too low to access the API.", UpstreamAccount),
        (400, "invalid_request_error", "messages: Field required", UpstreamInvalidRequest),
        (402, "billing_error", "pay", UpstreamAccount),
        (403, "permission_error", "no", UpstreamAccount),
        (404, "not_found_error", "model: x", UpstreamModelUnknown),
        (413, "request_too_large", "Request exceeds the maximum size", ContextTooLong),
        (429, "rate_limit_error", "slow down", UpstreamRateLimited),
        (529, "overloaded_error", "Overloaded", UpstreamFailed),
    ],
)
def test_a_refusal_is_what_its_status_says(status: int, kind: str, message: str, error: type[PromptwireError]) -> None:
    body = dumped({"type": "error", "error": {"type": kind, "message": message, "details": None}}).encode()
    found = dialect().refused(Refusal(status, {"request-id": "req_1"}, body, "m", NOW))
    assert type(found) is error
    assert (found.origin.http_status, found.origin.provider_code, found.origin.provider_request_id) == (status, kind, "req_1")


def test_a_code_among_the_details_is_the_vendors_word() -> None:
    error: JsonObject = {"type": "permission_error", "message": "no", "details": {"error_code": "organization_on_hold"}}
    found = dialect().refused(Refusal(400, {}, dumped({"error": error}).encode(), "m", NOW))
    assert (type(found), found.origin.provider_code) == (UpstreamAccount, "organization_on_hold")


def test_a_limit_says_when_it_ends() -> None:
    limits = {"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2027-01-15T08:00:30Z"}
    limits["anthropic-ratelimit-tokens-reset"] = "2027-01-15T09:00:00Z"
    assert dialect().refused(Refusal(429, limits, b"", "m", NOW)).retry_after_s == 30.0


def dialect() -> Anthropic:
    return Anthropic("anthropic", HttpSettings(dialect="anthropic"), make_ids())


async def test_models_come_page_by_page() -> None:
    asked: list[str] = []

    async def fetch(wire: Wire) -> JsonObject:
        asked.append(wire.path)
        return {"data": [{"id": f"m{len(asked)}"}, {"no": "id"}], "has_more": len(asked) < 3, "last_id": f"m/{len(asked)}"}

    assert [model.provider_model for model in await dialect().models(fetch)] == ["m1", "m2", "m3"]
    assert asked == ["/v1/models?limit=1000", "/v1/models?limit=1000&after_id=m%2F1", "/v1/models?limit=1000&after_id=m%2F2"]


async def test_a_server_that_says_that_there_is_always_more_is_left_in_peace() -> None:
    asked: list[str] = []

    async def fetch(wire: Wire) -> JsonObject:
        asked.append(wire.path)
        return {"data": [], "has_more": True, "last_id": "same"}

    assert await dialect().models(fetch) == []
    assert len(asked) <= 20


@pytest.mark.parametrize(("status", "message", "counts"), [(404, "Not Found", True), (404, "model: x", False), (400, "bad", False)])
async def test_a_server_that_cannot_count_leaves_it_to_us(status: int, message: str, *, counts: bool) -> None:
    body = dumped({"error": {"type": "not_found_error", "message": message}}).encode()

    async def fetch(wire: Wire) -> JsonObject:
        raise dialect().refused(Refusal(status, {}, body, "m", NOW))

    if counts:
        assert await dialect().count(make_call(), fetch) is None
    else:
        with pytest.raises(PromptwireError):
            await dialect().count(make_call(), fetch)
