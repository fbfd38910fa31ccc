"""What Gemini says, as answers of the contract: whole and streamed alike."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import Assembly
from promptwire_server.core.call import Call
from promptwire_server.core.errors import UpstreamFailed
from promptwire_server.core.reply import Event
from promptwire_server.providers.json_value import JsonObject
from tests.unit.providers.gemini_answers import USAGE, Part, answered, begun, chunk, heard, tell
from tests.unit.providers.support import make_call

STOP = pb.FINISH_REASON_STOP


def whole(*parts: Part, finish: str | None = "STOP", call: Call | None = None, **more: Any) -> pb.ChatResponse:
    return answered(chunk(*parts, finish=finish, **more), call)


def streamed(*chunks: JsonObject, call: Call | None = None) -> pb.ChatResponse:
    assembly = Assembly([])
    for event in heard(*chunks, call=call):
        assembly.add(event)
    assert assembly.response is not None
    return assembly.response


def parts_of(response: pb.ChatResponse) -> Sequence[pb.ContentPart]:
    return response.candidates[0].message.parts


THOUGHT: Part = {"text": "let me", "thought": True}
CALL: Part = {"functionCall": {"name": "f", "args": {"a": 1, "b": 2.0}}}
IMAGE: Part = {"inlineData": {"mimeType": "image/png", "data": "cG5n"}}
SOUND: Part = {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": "cG5n"}}
CODE: Part = {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "c2ln"}
NEWS: Part = {"somethingNew": {"a": [1]}}


def signed(part: Part) -> Part:
    return {**part, "thoughtSignature": "c2ln"}


SAME: list[tuple[str, list[Part], list[Part]]] = [
    ("text", [{"text": "hello there"}], [{"text": "hello"}, {"text": " there"}]),
    ("nothing", [], []),
    ("empty text", [{"text": ""}], [{"text": ""}]),
    ("thoughts, then text", [THOUGHT, {"text": "a"}], [{"text": "let ", "thought": True}, {"text": "me", "thought": True}, {"text": "a"}]),
    ("a call", [signed(CALL)], [signed(CALL)]),
    (
        "text around calls",
        [{"text": "ab"}, signed(CALL), CALL, {"text": "c"}],
        [{"text": "a"}, {"text": "b"}, signed(CALL), CALL, {"text": "c"}],
    ),
    ("a signed thought", [signed(THOUGHT), {"text": "a"}], [signed(THOUGHT), {"text": "a"}]),
    ("text and its signature", [{"text": "ab"}, signed({"text": ""})], [{"text": "a"}, {"text": "b"}, signed({"text": ""})]),
    ("a signature alone", [{"text": "ab"}, signed({})], [{"text": "a"}, {"text": "b"}, signed({})]),
    (
        "signed in the middle",
        [{"text": "a"}, signed({"text": "b"}), {"text": "cd"}],
        [{"text": "a"}, signed({"text": "b"}), {"text": "c"}, {"text": "d"}],
    ),
    ("images", [IMAGE, signed(IMAGE)], [IMAGE, signed(IMAGE)]),
    (
        "code that ran",
        [CODE, {"codeExecutionResult": {"outcome": "OUTCOME_OK"}}, {"text": "a"}],
        [CODE, {"codeExecutionResult": {"outcome": "OUTCOME_OK"}}, {"text": "a"}],
    ),
]


@pytest.mark.parametrize(("parts", "pieces"), [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_streamed_or_whole_the_answer_is_the_same(parts: list[Part], pieces: list[Part]) -> None:
    chunks = [*map(chunk, pieces), chunk(finish="STOP")]
    assert streamed(*chunks) == whole(*parts)


def state_of(part: pb.ContentPart) -> Any:
    assert part.provider_state.provider == "gemini"
    return orjson.loads(part.provider_state.data)


def test_text() -> None:
    response = whole({"text": "hello"})
    assert (response.text, response.model, response.provider, response.provider_response_id) == ("hello", "m-1", "gemini", "r1")
    assert response.candidates[0].finish_reason == STOP
    assert response.candidates[0].provider_finish_reason == "STOP"
    assert not parts_of(response)[0].HasField("provider_state")


def test_thoughts_are_reasoning_and_known_again() -> None:
    thought, text = parts_of(whole(THOUGHT, signed({"text": "a"})))
    assert (thought.reasoning.text, state_of(thought)) == ("let me", {"thought": True})
    assert (text.text, state_of(text)) == ("a", {"thoughtSignature": "c2ln"})


def test_a_signature_stays_with_the_text_that_it_came_on() -> None:
    chunks = [chunk(signed({"text": "a"})), chunk({"text": "b"}), chunk({"text": "c"}), chunk(signed({"text": ""})), chunk(finish="STOP")]
    parts = parts_of(streamed(*chunks))
    assert [(part.text, part.HasField("provider_state")) for part in parts] == [("a", True), ("bc", False), ("", True)]


def test_calls_get_ids_where_they_have_none() -> None:
    call = make_call()
    response = whole({"functionCall": {"id": "own", "name": "f"}}, CALL, {"functionCall": {"id": "own", "name": "g"}}, call=call)
    first, second, third = (part.tool_call for part in parts_of(response))
    assert (first.tool_call_id, first.arguments_json) == ("own", "{}")
    assert (second.name, second.arguments_json) == ("f", '{"a":1,"b":2.0}')
    assert len({first.tool_call_id, second.tool_call_id, third.tool_call_id}) == 3
    assert [notice.code for notice in call.trail.notices] == [pb.Notice.CODE_TOOL_CALL_ID_MADE] * 2
    assert response.candidates[0].finish_reason == pb.FINISH_REASON_TOOL_CALLS


def test_media() -> None:
    image, file = parts_of(whole(signed(IMAGE), {"fileData": {"mimeType": "video/mp4", "fileUri": "https://e.x/v"}}))
    assert (image.media.mime_type, image.media.data, state_of(image)) == ("image/png", b"png", {"thoughtSignature": "c2ln"})
    assert (file.media.mime_type, file.media.uri) == ("video/mp4", "https://e.x/v")


def test_sound_that_comes_in_pieces_is_one_part() -> None:
    (sound,) = parts_of(streamed(chunk(SOUND), chunk(SOUND), chunk(finish="STOP")))
    assert (sound.media.data, sound.media.mime_type) == (b"pngpng", "audio/L16;codec=pcm;rate=24000")
    deltas = [event.part_delta.data for event in heard(chunk(SOUND), chunk(SOUND, finish="STOP")) if event.HasField("part_delta")]
    assert deltas == [b"png", b"png"]


@pytest.mark.parametrize(("part", "kind"), [(CODE, "executableCode"), (NEWS, "somethingNew"), ({**IMAGE, "thought": True}, "inlineData")])
def test_what_has_no_shape_is_carried_as_it_came(part: Part, kind: str) -> None:
    (found,) = parts_of(whole(part))
    assert (found.provider_part.provider, found.provider_part.type) == ("gemini", kind)
    assert orjson.loads(found.provider_part.json) == part


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("STOP", STOP),
        ("MAX_TOKENS", pb.FINISH_REASON_LENGTH),
        *(
            (name, pb.FINISH_REASON_CONTENT_FILTER)
            for name in ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY")
        ),
        *((name, pb.FINISH_REASON_UNSPECIFIED) for name in ("OTHER", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "A_NEW_ONE")),
    ],
)
def test_why_it_ended(said: str, reason: "pb.FinishReason") -> None:
    candidate = whole({"text": "a"}, finish=said).candidates[0]
    assert (candidate.finish_reason, candidate.provider_finish_reason) == (reason, said)


@pytest.mark.parametrize(("said", "told"), [("MALFORMED_FUNCTION_CALL", True), ("A_NEW_ONE", True), ("STOP", False), ("SAFETY", False)])
@pytest.mark.parametrize("stream", [False, True])
def test_an_end_without_a_word_of_the_contract_is_noted_once(said: str, *, told: bool, stream: bool) -> None:
    call = make_call(stream=stream)
    body = chunk(finish=said)
    if stream:
        heard(body, call=call)
    else:
        answered(body, call)
    notices = call.trail.notices
    assert [notice.field for notice in notices] == ["candidates[0].finish_reason"] * told
    assert all(said in notice.message for notice in notices)


def test_a_candidate_without_content_is_an_answer() -> None:
    response = answered({"candidates": [{"finishReason": "SAFETY", "index": 0, "safetyRatings": [{"blocked": True}]}]})
    assert response.candidates[0].finish_reason == pb.FINISH_REASON_CONTENT_FILTER
    assert orjson.loads(response.candidates[0].provider_extra_json) == {"safetyRatings": [{"blocked": True}]}
    assert not response.text


def test_candidates_are_told_apart() -> None:
    chunks = [
        chunk({"text": "a"}),
        chunk({"text": "x"}, index=1),
        chunk({"text": "b"}, finish="STOP"),
        chunk({"text": "y"}, index=1, finish="MAX_TOKENS"),
    ]
    response = streamed(*chunks)
    assert [parts[0].text for parts in (candidate.message.parts for candidate in response.candidates)] == ["ab", "xy"]
    assert [candidate.provider_finish_reason for candidate in response.candidates] == ["STOP", "MAX_TOKENS"]


def test_pieces_that_arrive_together_may_be_one_event() -> None:
    call = make_call(stream=True)
    call.join = True
    answer = begun(call)
    out: list[Event] = []
    answer.take([("", orjson.dumps(chunk({"text": text})).decode()) for text in "abcd"], out)
    assert [event.part_delta.text for event in out if event.HasField("part_delta")] == ["a", "bcd"]


def used(**counts: Any) -> pb.Usage:
    return answered({**chunk({"text": "0123456789ab"}, finish="STOP"), "usageMetadata": counts}).usage


def test_thoughts_belong_to_the_output_and_what_tools_read_to_the_input() -> None:
    usage = used(
        promptTokenCount=100,
        cachedContentTokenCount=60,
        toolUsePromptTokenCount=10,
        candidatesTokenCount=20,
        thoughtsTokenCount=5,
        promptTokensDetails=[
            {"modality": "TEXT", "tokenCount": 50},
            {"modality": "AUDIO", "tokenCount": 20},
            {"modality": "IMAGE", "tokenCount": 30},
        ],
        candidatesTokensDetails=[{"modality": "IMAGE", "tokenCount": 7}, {"modality": "AUDIO", "tokenCount": 8}],
    )
    assert usage == pb.Usage(
        input_tokens=110,
        output_tokens=25,
        cached_input_tokens=60,
        reasoning_tokens=5,
        input_audio_tokens=20,
        input_image_tokens=30,
        output_image_tokens=7,
        output_audio_tokens=8,
    )


def test_a_count_of_zero_is_left_out() -> None:
    body = chunk(finish="MAX_TOKENS")
    usage = answered({**body, "usageMetadata": {"promptTokenCount": 9, "thoughtsTokenCount": 50}}).usage
    assert usage == pb.Usage(input_tokens=9, output_tokens=50, reasoning_tokens=50)


@pytest.mark.parametrize("count", [-5, 10**18, "many", 1.5, True, [1]])
def test_impossible_counts_are_estimated(count: Any) -> None:
    call = make_call("four score")
    body = {
        **chunk(THOUGHT, {"text": "0123456789ab"}, finish="STOP"),
        "usageMetadata": {"promptTokenCount": count, "candidatesTokenCount": count},
    }
    usage = answered(body, call).usage
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (3, 5, True)
    assert [notice.code for notice in call.trail.notices] == [pb.Notice.CODE_USAGE_CORRECTED]


def test_missing_counts_are_estimated_and_media_are_no_text() -> None:
    call = make_call("four score")
    body = chunk({"text": "0123456789ab"}, IMAGE, finish="STOP")
    del body["usageMetadata"]
    usage = answered(body, call).usage
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (3, 3, True)
    assert [notice.code for notice in call.trail.notices] == [pb.Notice.CODE_USAGE_ESTIMATED]


def test_parts_are_never_more_than_the_whole() -> None:
    usage = used(
        promptTokenCount=5,
        cachedContentTokenCount=9,
        candidatesTokenCount=1,
        candidatesTokensDetails=[{"modality": "IMAGE", "tokenCount": 3}],
    )
    assert (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.output_image_tokens) == (5, 5, 1, 1)


def test_the_last_counts_of_a_stream_hold() -> None:
    last = {**chunk(finish="STOP"), "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 9, "thoughtsTokenCount": 1}}
    assert streamed(chunk({"text": "a"}), last).usage == pb.Usage(input_tokens=3, output_tokens=10, reasoning_tokens=1)
    assert streamed(chunk({"text": "a"}, finish="STOP"), {"usageMetadata": last["usageMetadata"]}).usage.output_tokens == 10


def test_logprobs() -> None:
    chosen = [{"token": "a", "logProbability": -0.5}, {"token": "é"}]
    top = [{"candidates": [{"token": "a", "logProbability": -0.5}, {"token": "b", "logProbability": -1}]}, {}]
    response = whole({"text": "aé"}, logprobsResult={"chosenCandidates": chosen, "topCandidates": top})
    first, second = response.candidates[0].logprobs
    assert (first.token, first.logprob, [other.token for other in first.top]) == ("a", -0.5, ["a", "b"])
    assert (second.token, second.logprob, second.bytes) == ("é", 0.0, "é".encode())
    streams = streamed(chunk({"text": "aé"}, logprobsResult={"chosenCandidates": chosen, "topCandidates": top}), chunk(finish="STOP"))
    assert streams == response


SOURCE: dict[str, Any] = {"startIndex": 4, "endIndex": 8, "uri": "https://e.x/s", "license": "mit"}


def cited(response: pb.ChatResponse) -> list[tuple[int, str, str]]:
    """What each citation covers: the number of its part, the characters, the link."""
    return [
        (number, part.text[citation.start_index : citation.end_index] if citation.HasField("end_index") else "-", citation.uri)
        for number, part in enumerate(parts_of(response))
        for citation in part.citations
    ]


@pytest.mark.parametrize("name", ["citationSources", "citations"])
def test_citations_are_counted_in_characters(name: str) -> None:
    response = whole(
        {"text": "äöü! and"}, citationMetadata={name: [SOURCE, {"endIndex": 2, "uri": "u"}, {"uri": "v"}, {"endIndex": 99, "uri": "w"}]}
    )
    assert cited(response) == [(0, "ü! ", "https://e.x/s"), (0, "ä", "u"), (0, "-", "v"), (0, "-", "w")]
    assert orjson.loads(parts_of(response)[0].citations[0].provider_json) == SOURCE


GROUNDED: dict[str, Any] = {
    "groundingChunks": [
        {"web": {"uri": "u0", "title": "t0"}},
        {"retrievedContext": {"uri": "u1", "text": "words"}},
        {"web": {"uri": "u2"}},
    ],
    "groundingSupports": [
        {"segment": {"startIndex": 3, "endIndex": 6, "text": "two"}, "groundingChunkIndices": [0, 1, 7]},
        {"segment": {"startIndex": 90, "endIndex": 95, "text": "three"}, "groundingChunkIndices": [0]},
    ],
    "webSearchQueries": ["a", "b"],
}


def test_grounding_is_citations_and_kept_whole() -> None:
    response = whole({"text": "é two"}, CALL, {"text": " and three"}, groundingMetadata=GROUNDED)
    assert cited(response) == [(0, "two", "u0"), (0, "two", "u1"), (2, "three", "u0"), (2, "-", "u2")]
    citation = parts_of(response)[0].citations[1]
    assert citation.quoted_text == "words"
    assert orjson.loads(citation.provider_json)["groundingSupport"]["groundingChunkIndices"] == [0, 1, 7]
    assert orjson.loads(response.candidates[0].provider_extra_json) == {"groundingMetadata": GROUNDED}
    assert response.usage.provider_units == {"google_search": 2}


def test_grounding_of_a_stream_comes_with_the_finished_part() -> None:
    response = streamed(chunk({"text": "é "}), chunk({"text": "two"}), chunk(finish="STOP", groundingMetadata=GROUNDED))
    assert cited(response)[:2] == [(0, "two", "u0"), (0, "two", "u1")]


def test_what_the_contract_does_not_name_is_kept() -> None:
    call: Part = {"functionCall": {"name": "f", "willContinue": True}}
    body = {
        **chunk({"text": "a", "mood": 1}, call, finish="STOP", avgLogprobs=-1.5),
        "createTime": "now",
        "promptFeedback": {"safetyRatings": []},
    }
    body["usageMetadata"] = {**USAGE, "trafficType": "ON_DEMAND"}
    response = answered(body)
    assert orjson.loads(response.candidates[0].provider_extra_json) == {"avgLogprobs": -1.5, "mood": 1, "willContinue": True}
    extras = {"createTime": "now", "promptFeedback": {"safetyRatings": []}, "usageMetadata": {"trafficType": "ON_DEMAND"}}
    assert orjson.loads(response.provider_extra_json) == extras


def test_a_stream_that_ends_before_all_have_finished_is_cut_off() -> None:
    for chunks in ([], [chunk({"text": "a"})], [chunk({"text": "a"}, finish="STOP"), chunk({"text": "b"}, index=1)]):
        with pytest.raises(UpstreamFailed, match="without a finish reason"):
            heard(*chunks)


@pytest.mark.parametrize(
    ("rest", "complete"), [("", True), ('{"usageMetadata": {"promptTokenCount": 8}}', True), ('{"usageMetadata": {', False)]
)
def test_the_last_event_counts_without_its_blank_line_when_it_is_complete(rest: str, complete: bool) -> None:  # noqa: FBT001 - a table
    answer = begun()
    out: list[Event] = []
    tell(answer, chunk({"text": "a"}, finish="STOP"), out)
    assert not answer.done
    if not complete:
        with pytest.raises(UpstreamFailed):
            answer.closed(rest, out)
        return
    answer.closed(rest, out)
    assert answer.done
    assert out[-1].finished.response.usage.input_tokens == (8 if rest else 3)
