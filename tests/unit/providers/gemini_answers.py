"""Answers of Gemini's in a line, and what they mean."""

import copy
from typing import Any

import orjson

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.reply import Event
from promptwire_server.providers.gemini.answer import GeminiAnswer
from promptwire_server.providers.json_value import JsonObject
from tests.unit.providers.support import make_call, make_ids

Part = dict[str, Any]
USAGE: JsonObject = {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}


def chunk(*parts: Part, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    """One body or one chunk; `more` stands in the candidate."""
    candidate: dict[str, Any] = {"content": {"parts": [*parts], "role": "model"}, "index": index, **more}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": "m-1", "responseId": "r1"}


def answered(body: JsonObject, call: Call | None = None) -> pb.ChatResponse:
    return GeminiAnswer(call or make_call(), "gemini", make_ids()).whole(copy.deepcopy(body))


def begun(call: Call | None = None) -> GeminiAnswer:
    """A stream of which nothing has come."""
    return GeminiAnswer(call or make_call(stream=True), "gemini", make_ids())


def tell(answer: GeminiAnswer, chunk: JsonObject, out: list[Event]) -> None:
    """One more chunk."""
    answer.take([("", orjson.dumps(chunk).decode())], out)


def heard(*chunks: JsonObject, call: Call | None = None) -> list[Event]:
    """The events of a stream that ends after these chunks."""
    answer = begun(call)
    out: list[Event] = []
    for one in chunks:
        tell(answer, one, out)
    answer.closed("", out)
    return out
