"""What vendors say, as answers of the contract: whole and streamed alike."""

import copy
from dataclasses import replace
from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import Assembly
from promptwire_server.core.call import Call
from promptwire_server.core.errors import (
    ContextTooLong,
    PromptwireError,
    UpstreamAccount,
    UpstreamFailed,
    UpstreamRateLimited,
)
from promptwire_server.core.reply import Event
from promptwire_server.providers.json_value import JsonObject
from promptwire_server.providers.openai.answer import ChatAnswer
from tests.unit.providers.support import make_call, make_ids, taken

USAGE: JsonObject = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
Message = dict[str, Any]


def whole(message: Message, *, finish: str | None = "stop", call: Call | None = None, **more: Any) -> pb.ChatResponse:
    """The answer of one message; `more` stands in the choice."""
    choice: JsonObject = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, **more}
    body: JsonObject = {"id": "r1", "object": "chat.completion", "created": 5, "model": "m-1", "choices": [choice], "usage": USAGE}
    return ChatAnswer(call or make_call(), "openai", make_ids()).whole(copy.deepcopy(body))


def chunk(delta: Message, *, finish: str | None = None, index: int = 0, **more: Any) -> JsonObject:
    choice = {"index": index, "delta": delta, "finish_reason": finish, **more}
    return {"id": "r1", "object": "chat.completion.chunk", "created": 5, "model": "m-1", "choices": [choice], "usage": None}


END: JsonObject = {"id": "r1", "object": "chat.completion.chunk", "created": 5, "model": "m-1", "choices": [], "usage": USAGE}


def streamed(*deltas: Message, finish: str = "stop", call: Call | None = None) -> list[Event]:
    chunks: list[JsonObject | str] = [
        chunk({"role": "assistant", "content": ""}),
        *map(chunk, deltas),
        chunk({}, finish=finish),
        END,
        "[DONE]",
    ]
    return taken(call or make_call(stream=True), *chunks)


def assembled(events: list[Event]) -> pb.ChatResponse:
    assembly = Assembly([])
    for event in events:
        assembly.add(event)
    assert assembly.response is not None
    return assembly.response


def call_of(index: int | None, arguments: str, *, name: str | None = None, id_: str | None = None) -> Message:
    fields: Message = {"function": {"arguments": arguments} | ({"name": name} if name is not None else {})}
    fields |= {"id": id_} if id_ is not None else {}
    return {"tool_calls": [({"index": index} if index is not None else {}) | fields]}


SAME: list[tuple[str, Message, list[Message], str]] = [
    ("text", {"content": "hello there"}, [{"content": "hello"}, {"content": " there"}], "stop"),
    ("nothing", {"content": ""}, [], "stop"),
    ("refusal", {"content": None, "refusal": "no way"}, [{"refusal": "no "}, {"refusal": "way"}], "stop"),
    (
        "reasoning_content",
        {"content": "a", "reasoning_content": "let me"},
        [{"reasoning_content": "let "}, {"reasoning_content": "me"}, {"content": "a"}],
        "stop",
    ),
    ("reasoning", {"content": "a", "reasoning": "let me"}, [{"reasoning": "let "}, {"reasoning": "me"}, {"content": "a"}], "stop"),
    (
        "reasoning under both names",
        {"content": "a", "reasoning": "hm", "reasoning_content": "hm"},
        [{"reasoning": "hm", "reasoning_content": "hm"}, {"content": "a"}],
        "stop",
    ),
    (
        "reasoning details",
        {
            "content": "a",
            "reasoning": "let me",
            "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "let me", "signature": "s"}],
        },
        [
            {"reasoning": "let ", "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "let "}]},
            {"reasoning": "me", "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "me"}]},
            {"reasoning_details": [{"type": "reasoning.text", "index": 0, "signature": "s"}]},
            {"content": "a"},
        ],
        "stop",
    ),
    (
        "hidden reasoning",
        {"content": "a", "reasoning_details": [{"type": "reasoning.encrypted", "index": 0, "data": "xyz"}]},
        [{"reasoning_details": [{"type": "reasoning.encrypted", "index": 0, "data": "xyz"}]}, {"content": "a"}],
        "stop",
    ),
    (
        "parallel tools",
        {
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
        },
        [
            call_of(0, "", name="f", id_="c1"),
            call_of(0, '{"a"'),
            call_of(1, "", name="g", id_="c2"),
            call_of(0, ":1}"),
            call_of(1, "{}"),
        ],
        "tool_calls",
    ),
    (
        "text, then a tool that ends in stop",
        {"content": "wait", "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]},
        [{"content": "wait"}, call_of(0, "{}", name="f", id_="c1")],
        "stop",
    ),
    (
        "tools that all have number 0",
        {
            "tool_calls": [
                {"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}},
                {"index": 0, "id": "c2", "function": {"name": "f", "arguments": "[]"}},
            ]
        },
        [call_of(0, "{}", name="f", id_="c1"), call_of(0, "[]", name="f", id_="c2")],
        "tool_calls",
    ),
    (
        "tools without numbers",
        {
            "tool_calls": [
                {"id": "c1", "function": {"name": "f", "arguments": "{}"}},
                {"id": "c2", "function": {"name": "g", "arguments": "{}"}},
            ]
        },
        [call_of(None, "{}", name="f", id_="c1"), call_of(None, "{", name="g", id_="c2"), call_of(None, "}")],
        "tool_calls",
    ),
    (
        "citations",
        {
            "content": "see",
            "annotations": [
                {"type": "url_citation", "url_citation": {"title": "T", "url": "https://e.x", "start_index": 0, "end_index": 3}}
            ],
        },
        [
            {"content": "see"},
            {
                "annotations": [
                    {"type": "url_citation", "url_citation": {"title": "T", "url": "https://e.x", "start_index": 0, "end_index": 3}}
                ]
            },
        ],
        "stop",
    ),
    (
        "sound",
        {"content": None, "audio": {"id": "a1", "data": "YWJjZGVm", "transcript": "abc def", "expires_at": 1}},
        [
            {"audio": {"id": "a1", "transcript": "abc "}},
            {"audio": {"data": "YWJj", "transcript": "def"}},
            {"audio": {"data": "ZGVm"}},
            {"audio": {"expires_at": 1}},
        ],
        "stop",
    ),
    (
        "an image",
        {"content": "here", "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}}]},
        [{"content": "here"}, {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}}]}],
        "stop",
    ),
    (
        "content in blocks",
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": "a"},
                {"type": "odd", "x": 1},
            ]
        },
        [
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
            {"content": [{"type": "text", "text": "a"}]},
            {"content": [{"type": "odd", "x": 1}]},
        ],
        "stop",
    ),
    ("unknown fields", {"content": "ab", "x_new": {"n": [1]}}, [{"content": "a", "x_new": {"n": [1]}}, {"content": "b"}], "length"),
]


@pytest.mark.parametrize(("message", "deltas", "finish"), [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_a_stream_gives_the_same_answer_as_one_message(message: Message, deltas: list[Message], finish: str) -> None:
    assert assembled(streamed(*deltas, finish=finish)) == whole(message, finish=finish)


@pytest.mark.parametrize(("message", "deltas", "finish"), [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_joining_what_arrives_together_changes_no_answer(message: Message, deltas: list[Message], finish: str) -> None:
    events = streamed(*deltas, finish=finish, call=replace(make_call(stream=True), join=True))
    assert assembled(events) == whole(message, finish=finish)


def test_pieces_that_arrive_together_are_one_event_under_load() -> None:
    events = streamed({"content": "a"}, {"content": "b"}, {"content": "c"}, call=replace(make_call(stream=True), join=True))
    assert [event.part_delta.text for event in events if event.HasField("part_delta")] == ["a", "bc"]


def test_pieces_before_an_error_are_not_lost_by_joining() -> None:
    answer, out = ChatAnswer(replace(make_call(stream=True), join=True), "openai", make_ids()), list[Event]()
    chunks = [orjson.dumps(chunk({"content": text})).decode() for text in "abc"]
    with pytest.raises(PromptwireError):
        answer.take([("", data) for data in [*chunks, "garbage"]], out)
    assert "".join(event.part_delta.text for event in out) == "abc"


@pytest.mark.parametrize(("message", "deltas", "finish"), [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_deltas_joined_are_the_parts(message: Message, deltas: list[Message], finish: str) -> None:
    joined: dict[int, dict[str, Any]] = {}
    for event in streamed(*deltas, finish=finish):
        kind = event.part_delta.WhichOneof("delta")
        if kind:
            fields = joined.setdefault(event.part_delta.part_index, {})
            piece = getattr(event.part_delta, kind)
            fields[kind] = fields[kind] + piece if kind in fields else piece
        elif event.HasField("part_finished") and not event.part_finished.part.HasField("provider_part"):
            part = event.part_finished.part
            said = {
                "text": part.text,
                "reasoning": part.reasoning.text,
                "refusal": part.refusal.text,
                "arguments_json": part.tool_call.arguments_json,
                "data": part.media.data,
                "transcript": part.media.transcript,
            }
            assert joined.get(event.part_finished.part_index, {}) == {name: value for name, value in said.items() if value}


def kinds(events: list[Event]) -> list[str]:
    return [event.WhichOneof("event") or "" for event in events]


def test_events_come_in_the_order_of_the_contract() -> None:
    events = streamed({"content": "a"}, {"content": "b"})
    assert kinds(events) == ["started", "part_started", "part_delta", "part_delta", "part_finished", "finished"]
    assert events[0].started == pb.ChatStarted(provider="openai", model="m-1")
    assert not events[-1].finished.response.text
    assert not events[-1].finished.response.candidates[0].message.parts


def test_a_tool_call_begins_with_its_id_and_name() -> None:
    events = streamed(call_of(0, "", id_="c1"), call_of(0, "{", name="f"), call_of(0, "}", name="f"), finish="tool_calls")
    begun = next(event.part_started.part for event in events if event.HasField("part_started"))
    assert begun == pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id="c1", name="f"))
    assert assembled(events).candidates[0].message.parts[0].tool_call.arguments_json == "{}"


def test_the_rest_of_the_answer_is_filled_in() -> None:
    answer = whole({"content": "a"})
    assert (answer.model, answer.provider, answer.provider_response_id, answer.text) == ("m-1", "openai", "r1", "a")
    assert answer.usage == pb.Usage(input_tokens=3, output_tokens=4)
    assert orjson.loads(answer.provider_extra_json) == {"created": 5}
    candidate = answer.candidates[0]
    assert (candidate.message.role, candidate.finish_reason, candidate.provider_finish_reason) == (
        pb.ROLE_ASSISTANT,
        pb.FINISH_REASON_STOP,
        "stop",
    )


@pytest.mark.parametrize(
    ("said", "message", "reason"),
    [
        ("stop", {"content": "a"}, pb.FINISH_REASON_STOP),
        ("length", {"content": "a"}, pb.FINISH_REASON_LENGTH),
        ("content_filter", {"content": "a"}, pb.FINISH_REASON_CONTENT_FILTER),
        ("stop", {"refusal": "no"}, pb.FINISH_REASON_REFUSAL),
        ("stop", {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}, pb.FINISH_REASON_TOOL_CALLS),
        ("length", {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{"}}]}, pb.FINISH_REASON_LENGTH),
        ("abandoned_ship", {"content": "a"}, pb.FINISH_REASON_UNSPECIFIED),
        (None, {"content": "a"}, pb.FINISH_REASON_UNSPECIFIED),
    ],
)
def test_finish_reasons(said: str | None, message: Message, reason: "pb.FinishReason") -> None:
    candidate = whole(message, finish=said).candidates[0]
    assert (candidate.finish_reason, candidate.provider_finish_reason) == (reason, said or "")


def test_candidates_may_interleave() -> None:
    chunks = [chunk({"content": text}, index=index) for index, text in ((1, "b"), (0, "a"), (1, "B"), (0, "A"))]
    ends = [chunk({}, finish="stop", index=1), chunk({}, finish="length", index=0)]
    answer = assembled(taken(make_call(stream=True), *chunks, *ends, "[DONE]"))
    assert [(c.index, c.message.parts[0].text) for c in answer.candidates] == [(0, "aA"), (1, "bB")]
    assert answer.text == "aA"


def token(text: str) -> JsonObject:
    return {"token": text, "logprob": -0.5, "bytes": list(text.encode()), "top_logprobs": [{"token": "x", "logprob": -1, "bytes": None}]}


def test_logprobs_come_with_their_text_and_once() -> None:
    deltas = [chunk({"content": text}, logprobs={"content": [token(text)], "refusal": None}) for text in ("a", "b")]
    late = chunk({}, finish="stop", logprobs={"content": [token("c")]})
    events = taken(make_call(stream=True), *deltas, late, "[DONE]")
    assert [[p.token for p in e.part_delta.logprobs] for e in events if e.HasField("part_delta")] == [["a"], ["b"], ["c"]]
    tokens: list[Any] = [token("a"), token("b"), token("c")]
    expected = whole({"content": "ab"}, logprobs={"content": tokens}).candidates[0].logprobs
    assert list(assembled(events).candidates[0].logprobs) == list(expected)
    assert expected[0] == pb.TokenLogprob(token="a", logprob=-0.5, bytes=b"a", top=[pb.TokenLogprob(token="x", logprob=-1)])


@pytest.mark.parametrize("ids", [("c1", "c1"), ("", ""), (None, None), ("  ", "c1")])
def test_ids_of_tool_calls_that_are_no_use_are_made(ids: tuple[str | None, str | None]) -> None:
    call = make_call()
    message = {"tool_calls": [{"id": id_, "function": {"name": "f", "arguments": "{}"}} for id_ in ids]}
    made = [part.tool_call.tool_call_id for part in whole(message, call=call, finish="tool_calls").candidates[0].message.parts]
    assert len(set(made)) == 2
    assert all(made)
    bad = 2 - len({id_.strip() for id_ in ids if id_ and id_.strip()})
    assert [notice.code for notice in call.trail.notices] == [pb.Notice.CODE_TOOL_CALL_ID_MADE] * bad


def test_unknown_fields_are_kept_where_they_stood() -> None:
    body: JsonObject = {
        "choices": [{"message": {"content": "a", "in_message": 1}, "finish_reason": "stop", "in_choice": {"b": 2}}],
        "usage": {**USAGE, "cost": 0.5},
        "in_body": [3],
    }
    answer = ChatAnswer(make_call(), "openai", make_ids()).whole(body)
    assert orjson.loads(answer.candidates[0].provider_extra_json) == {"in_message": 1, "in_choice": {"b": 2}}
    assert orjson.loads(answer.provider_extra_json) == {"in_body": [3], "usage": {"cost": 0.5}}


def test_missing_usage_of_a_stream_is_estimated_with_one_notice() -> None:
    call = make_call("four characters a token, or so", stream=True)
    answer = assembled(taken(call, chunk({"content": "12345678"}), chunk({}, finish="stop"), "[DONE]"))
    assert answer.usage == pb.Usage(input_tokens=8, output_tokens=2, estimated=True)
    assert [notice.code for notice in call.trail.notices] == [pb.Notice.CODE_USAGE_ESTIMATED]


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        ([{"error": {"message": "boom", "type": "server_error", "code": None}}], UpstreamFailed),
        ([{"error": {"message": "slow", "code": "rate_limit_exceeded"}}], UpstreamRateLimited),
        ([{"error": {"message": "pay", "code": 402}}], UpstreamAccount),
        ([{"error": {"code": "context_length_exceeded"}}], ContextTooLong),
        ([{"error": "it broke"}], UpstreamFailed),
        ([chunk({"content": "a"}), {"error": {"message": "boom"}, "choices": []}], UpstreamFailed),
        ([chunk({"content": "a"}), chunk({"content": ""}, finish="error")], UpstreamFailed),
        (["{"], UpstreamFailed),
        (["null"], UpstreamFailed),
        (["[1]"], UpstreamFailed),
        (["[DONE]"], UpstreamFailed),
        ([chunk({"content": "a"}), "[DONE]"], UpstreamFailed),
        ([chunk({"content": "a"}, finish="stop"), chunk({"content": "b"}, index=1), "[DONE]"], UpstreamFailed),
        ([chunk({"content": "a"}, index=-1)], UpstreamFailed),
        ([chunk({"content": "a"}, index=10**9)], UpstreamFailed),
        ([chunk({"audio": {"data": "%%%"}})], UpstreamFailed),
        ([chunk({"images": [{"image_url": {"url": "data:image/png;base64,%%%"}}]})], UpstreamFailed),
        ([chunk({"tool_calls": [{"index": n, "id": f"c{n}", "function": {"name": "f"}} for n in range(1100)]})], UpstreamFailed),
    ],
)
def test_streams_that_cannot_be_believed_are_errors(chunks: list[JsonObject | str], kind: type[PromptwireError]) -> None:
    with pytest.raises(PromptwireError) as caught:
        taken(make_call(stream=True), *chunks)
    assert type(caught.value) is kind
    assert caught.value.origin.provider == "openai"
    assert "boom" not in str(caught.value)


@pytest.mark.parametrize(
    "chunks",
    [
        [{"choices": None}],
        [{"choices": "x"}],
        [{"choices": [None, 5]}],
        [{"choices": [{"delta": "x"}]}],
        [
            {
                "choices": [
                    {"delta": {"content": 5, "tool_calls": "x", "audio": [], "images": {}, "annotations": 3, "reasoning_details": "x"}}
                ]
            }
        ],
        [{"choices": [{"delta": {"tool_calls": [None, {"function": "x"}, {"function": {"name": 5, "arguments": 5}}]}}]}],
        [{"choices": [{"delta": {"content": "a"}, "logprobs": "x"}]}],
        [{"choices": [{"delta": {"content": "a"}, "logprobs": {"content": [None, {"logprob": "x", "bytes": [300, "a"]}]}}]}],
    ],
)
def test_garbage_in_the_shape_of_json_is_no_crash(chunks: list[JsonObject]) -> None:
    events = taken(make_call(stream=True), *chunks, chunk({"content": "end"}, finish="stop"), "[DONE]")
    assert assembled(events).text.endswith("end")


def test_a_body_without_choices_is_no_answer() -> None:
    with pytest.raises(UpstreamFailed, match="no choices"):
        ChatAnswer(make_call(), "openai", make_ids()).whole({"id": "x"})


def test_what_had_come_of_a_broken_stream_can_be_settled() -> None:
    call = make_call(stream=True)
    answer, out = ChatAnswer(call, "openai", make_ids()), list[Event]()
    answer.take([("", orjson.dumps(chunk({"content": "12345678"})).decode())], out)
    partial = answer.partial()
    assert (partial.provider, partial.usage.output_tokens, partial.usage.estimated) == ("openai", 2, True)
    assert not call.trail.notices
