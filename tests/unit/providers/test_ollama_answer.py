"""What the lines of an answer of Ollama's mean."""

import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import Assembly
from promptwire_server.core.errors import UpstreamFailed
from promptwire_server.core.reply import Event
from promptwire_server.providers.json_value import Json, JsonObject, dumped
from promptwire_server.providers.lines import Parser
from promptwire_server.providers.ollama.answer import OllamaAnswer
from tests.unit.providers.support import make_call, make_ids

END: JsonObject = {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
COUNTS: JsonObject = {"prompt_eval_count": 7, "eval_count": 3, "total_duration": 99}


def say(content: str = "", **message: Json) -> JsonObject:
    return {"model": "m", "created_at": "2026", "message": {"role": "assistant", "content": content, **message}, "done": False}


def streamed(*lines: JsonObject, join: bool = False) -> tuple[list[Event], pb.ChatResponse]:
    call = make_call(stream=True)
    call.join = join
    answer = OllamaAnswer(call, "ollama", make_ids())
    out: list[Event] = []
    parser = Parser("ollama", max_line_bytes=1 << 20)
    answer.take(parser.feed("".join(f"{dumped(line)}\n" for line in lines).encode()), out)
    if not answer.done:
        answer.closed(parser.rest(), out)
    assembly = Assembly()
    for event in out:
        assembly.add(event)
    assert assembly.response is not None
    assembly.response.notices.extend(call.trail.notices)
    return out, assembly.response


def whole(body: JsonObject) -> pb.ChatResponse:
    return OllamaAnswer(make_call(), "ollama", make_ids()).whole(body)


def test_pieces_of_text_become_deltas_and_the_last_line_the_end() -> None:
    events, response = streamed(say("Hel"), say("lo"), {**END, **COUNTS})
    assert [event.part_delta.text for event in events if event.HasField("part_delta")] == ["Hel", "lo"]
    assert response.text == "Hello"
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.estimated) == (7, 3, False)
    assert response.provider_extra_json == '{"total_duration":99}'


def test_pieces_that_arrive_together_are_joined_when_wished() -> None:
    events, response = streamed(say("a"), say("b"), say("c"), {**END, **COUNTS}, join=True)
    assert [event.part_delta.text for event in events if event.HasField("part_delta")] == ["a", "bc"]
    assert response.text == "abc"


def test_thoughts_are_a_part_of_their_own() -> None:
    _, response = streamed(say(thinking="hm "), say(thinking="so"), say("Yes"), {**END, **COUNTS})
    first, second = response.candidates[0].message.parts
    assert (first.reasoning.text, second.text) == ("hm so", "Yes")


def test_a_tool_call_without_an_id_gets_one_and_says_so() -> None:
    call: Json = {"function": {"name": "look_up", "arguments": {"n": 1, "a": [2]}}}
    _, response = streamed(say(tool_calls=[call, call]), {**END, **COUNTS})
    first, second = (part.tool_call for part in response.candidates[0].message.parts)
    assert first.arguments_json == '{"n":1,"a":[2]}'
    assert first.tool_call_id != second.tool_call_id
    assert [notice.code for notice in response.notices] == [pb.Notice.CODE_TOOL_CALL_ID_MADE] * 2
    assert response.candidates[0].finish_reason == pb.FINISH_REASON_TOOL_CALLS


def test_a_tool_calls_own_id_is_kept() -> None:
    response = whole({**END, **COUNTS, "message": {"tool_calls": [{"id": "c9", "function": {"name": "f", "arguments": {}}}]}})
    assert response.candidates[0].message.parts[0].tool_call.tool_call_id == "c9"


@pytest.mark.parametrize(
    ("said", "reason"),
    [("stop", pb.FINISH_REASON_STOP), ("length", pb.FINISH_REASON_LENGTH), ("strange", pb.FINISH_REASON_UNSPECIFIED)],
)
def test_why_it_ended_is_kept_in_both_words(said: str, reason: "pb.FinishReason") -> None:
    candidate = whole({**END, **COUNTS, "done_reason": said}).candidates[0]
    assert (candidate.finish_reason, candidate.provider_finish_reason) == (reason, said)


def test_a_prompt_that_was_not_counted_is_estimated() -> None:
    _, response = streamed(say("Hello you"), {**END, "eval_count": 2})
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.estimated) == (2, 2, True)
    assert [notice.field for notice in response.notices] == ["usage"]


def test_logprobs_come_with_their_piece() -> None:
    logprob: Json = {"token": "Yes", "logprob": -0.5, "top_logprobs": [{"token": "No", "logprob": -2}]}
    events, response = streamed({**say("Yes"), "logprobs": [logprob]}, {**END, **COUNTS})
    (delta,) = (event.part_delta for event in events if event.HasField("part_delta"))
    assert [(one.token, one.logprob, one.top[0].token) for one in delta.logprobs] == [("Yes", -0.5, "No")]
    assert response.candidates[0].logprobs == delta.logprobs


def test_an_error_in_a_line_is_the_end() -> None:
    with pytest.raises(UpstreamFailed):
        streamed(say("a"), {"error": "model runner has unexpectedly stopped"})


def test_a_stream_without_its_last_line_is_cut_off() -> None:
    with pytest.raises(UpstreamFailed, match="stopped before its end"):
        streamed(say("a"))


def test_the_last_line_counts_without_its_line_feed() -> None:
    answer = OllamaAnswer(make_call(stream=True), "ollama", make_ids())
    out: list[Event] = []
    answer.take([("", dumped(say("a")))], out)
    answer.closed(dumped({**END, **COUNTS}), out)
    assert answer.done


def test_a_whole_answer_that_is_not_done_is_none() -> None:
    with pytest.raises(UpstreamFailed):
        whole(say("a"))


@pytest.mark.parametrize("line", ["[]", "1", "nope", '{"message":1,"done":false}', '{"message":{"content":7,"tool_calls":"x"},"done":0}'])
def test_lines_of_no_meaning_never_end_well(line: str) -> None:
    answer = OllamaAnswer(make_call(stream=True), "ollama", make_ids())

    def read() -> None:
        answer.take([("", line)], [])
        answer.closed("", [])

    with pytest.raises(UpstreamFailed):
        read()
