"""What is kept of an answer is bounded: words, media, and what nobody sees; short pieces are joined on the way."""

import sys
from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import UpstreamFailed
from promptwire_server.core.reply import Event
from promptwire_server.providers.growing import Growing
from promptwire_server.providers.json_value import JsonObject
from promptwire_server.providers.openai.answer import ChatAnswer
from promptwire_server.providers.upstream import Bounds
from tests.unit.providers.support import make_call, make_ids

KIB = 1 << 10
BOUNDS = Bounds(text_bytes=64 * KIB, body_bytes=128 * KIB, large_bytes=1024 * KIB)
PICTURE: JsonObject = {"images": [{"image_url": {"url": "data:image/png;base64," + "AAAA" * 4 * KIB}}]}


def heard(*deltas: Any, request: pb.ChatRequest | None = None) -> ChatAnswer:
    answer = ChatAnswer(make_call(request or "hi", stream=True), "openai", make_ids())
    for delta in deltas:
        answer.take([("", orjson.dumps({"choices": [{"index": 0, "delta": delta}]}).decode())], list[Event]())
    return answer


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "a" * KIB},
        {"reasoning_content": "a" * KIB},
        {"refusal": "a" * KIB},
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "a" * KIB}}]},
        {"reasoning_details": [{"index": 0, "type": "reasoning.text", "signature": "a" * KIB}]},
    ],
    ids=["text", "reasoning", "refusal", "arguments", "details"],
)
def test_words_are_bounded_whatever_they_are(delta: JsonObject) -> None:
    heard(*[delta] * 40).check_size(BOUNDS)
    with pytest.raises(UpstreamFailed, match="its text is longer than 65536 bytes"):
        heard(*[delta] * 70).check_size(BOUNDS)


def test_what_nobody_has_asked_for_counts_as_words() -> None:
    heard(*[{f"field{number}": "a" * KIB} for number in range(40)]).check_size(BOUNDS)
    with pytest.raises(UpstreamFailed, match="its text is longer"):
        heard(*[{f"field{number}": "a" * KIB} for number in range(70)]).check_size(BOUNDS)


def test_each_candidate_that_was_asked_for_may_be_as_long() -> None:
    request = pb.ChatRequest(prompt="hi", generation=pb.GenerationSettings(candidate_count=2))
    heard(*[{"content": "a" * KIB}] * 100, request=request).check_size(BOUNDS)


def test_pictures_that_were_not_asked_for_are_bounded_as_an_answer_is() -> None:
    heard(*[PICTURE] * 6).check_size(BOUNDS)
    with pytest.raises(UpstreamFailed, match="its answer is longer than 131072 bytes"):
        heard(*[PICTURE] * 10).check_size(BOUNDS)


def test_pictures_that_were_asked_for_may_be_large() -> None:
    request = pb.ChatRequest(prompt="hi", generation=pb.GenerationSettings(output_modalities=[pb.MODALITY_TEXT, pb.MODALITY_IMAGE]))
    heard(*[PICTURE] * 10, request=request).check_size(BOUNDS)
    with pytest.raises(UpstreamFailed, match="longer than 1048576 bytes"):
        heard(*[PICTURE] * 70, request=request).check_size(BOUNDS)


def test_probabilities_that_were_not_asked_for_are_bounded() -> None:
    logprobs = {"content": [{"token": "a", "logprob": -1.0, "bytes": [97]}] * 1000}
    answer = ChatAnswer(make_call(stream=True), "openai", make_ids())
    answer.take([("", orjson.dumps({"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": logprobs}]}).decode())], [])
    with pytest.raises(UpstreamFailed, match="its answer is longer"):
        answer.check_size(BOUNDS)


def test_looking_joins_short_pieces_and_changes_nothing_else() -> None:
    part = Growing("text", 0, 0)
    for number in range(1000):
        part.pieces.append(f"{number} ")
        if number % 100 == 0:
            part.settled_bytes()
    text = "".join(f"{number} " for number in range(1000))
    kept_bytes = part.settled_bytes()
    assert part.part("p").text == text
    assert len(part.pieces) < 20
    assert len(part.pieces) + part.heard == 1000
    assert sys.getsizeof(text) < kept_bytes < sys.getsizeof(text) + 4 * KIB
    assert part.settled_bytes() == kept_bytes


def test_pieces_of_media_stay_apart_since_each_is_base64_by_itself() -> None:
    part = Growing("media", 0, 0)
    part.pieces += ["YQ=="] * 10
    part.settled_bytes()
    assert part.part("p").media.data == b"a" * 10
