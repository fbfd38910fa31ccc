"""What goes wrong at Gemini: refusals, errors within answers, errors that stand bare between events."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from promptwire_server.core.errors import (
    ContextTooLong,
    PromptwireError,
    UpstreamAccount,
    UpstreamFailed,
    UpstreamInvalidRequest,
    UpstreamModelUnknown,
    UpstreamPolicy,
    UpstreamRateLimited,
)
from promptwire_server.core.reply import Event
from promptwire_server.providers.dialect import Refusal
from promptwire_server.providers.gemini.dialect import Gemini
from promptwire_server.providers.gemini.errors import error_of_answer
from promptwire_server.providers.gemini.parser import Parser
from promptwire_server.providers.json_value import JsonObject
from tests.unit.providers.gemini_answers import USAGE, answered, begun, chunk, heard, tell
from tests.unit.providers.support import make_ids, sse_bytes

BLOCKED: JsonObject = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": USAGE, "modelVersion": "m-1"}
BROKEN: JsonObject = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
FAILURES: list[tuple[Any, type[PromptwireError], str]] = [
    (BLOCKED, UpstreamPolicy, "PROHIBITED_CONTENT"),
    (BROKEN, UpstreamFailed, "UNAVAILABLE"),
    ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, UpstreamRateLimited, "RESOURCE_EXHAUSTED"),
    ({"error": {"code": 403, "status": "PERMISSION_DENIED"}}, UpstreamAccount, "PERMISSION_DENIED"),
    ({"error": {"code": 500, "status": "INTERNAL"}}, UpstreamFailed, "INTERNAL"),
    ({"error": {"code": 503}}, UpstreamFailed, "503"),
    ({"error": "words"}, UpstreamFailed, ""),
    ({"candidates": [{"index": -1}]}, UpstreamFailed, ""),
    ({"candidates": [{"index": "x"}]}, UpstreamFailed, ""),
    (chunk({"inlineData": {"mimeType": "image/png", "data": "?"}}, finish="STOP"), UpstreamFailed, ""),
]


@pytest.mark.parametrize(("body", "kind", "code"), FAILURES)
def test_failures_within_an_answer(body: JsonObject, kind: type[PromptwireError], code: str) -> None:
    for ask in (answered, heard):
        with pytest.raises(kind) as caught:
            ask(body)
        assert type(caught.value) is kind
        assert caught.value.origin.provider_code == code


def test_a_whole_answer_without_candidates_is_none() -> None:
    with pytest.raises(UpstreamFailed, match="no candidates"):
        answered({"usageMetadata": USAGE})


def test_what_came_before_a_failure_is_not_lost() -> None:
    answer = begun()
    out: list[Event] = []
    tell(answer, chunk({"text": "a"}), out)
    with pytest.raises(UpstreamFailed):
        tell(answer, BROKEN, out)
    assert [event.part_delta.text for event in out if event.HasField("part_delta")] == ["a"]
    assert answer.partial().usage.output_tokens


PRETTY = orjson.dumps(BROKEN, option=orjson.OPT_INDENT_2).replace(b"\n", b"\r\n")
STREAM = sse_bytes({"a": 1}, {"b": {"c": ["{", "\n["]}}).replace(b"\n", b"\r\n")


def parsed(stream: bytes, size: int) -> tuple[list[Any], str]:
    parser = Parser("gemini", max_line_bytes=1 << 20, max_event_bytes=1 << 20)
    events = [event for start in range(0, len(stream), size) for event in parser.feed(stream[start : start + size])]
    return [(name, orjson.loads(data)) for name, data in events], parser.rest()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize("error", [PRETTY + b"\r\n", b"[" + PRETTY + b"]", orjson.dumps(BROKEN)])
def test_errors_that_stand_bare_between_events_are_heard(error: bytes, size: int) -> None:
    events = [("", {"a": 1}), ("", {"b": {"c": ["{", "\n["]}})]
    assert parsed(STREAM, size) == (events, "")
    assert parsed(STREAM + error, size) == ([*events, ("error", BROKEN)], "")
    assert parsed(error, size) == ([("error", BROKEN)], "")
    assert parsed(STREAM + error[:40], size)[1].startswith(("{", "["))


def test_the_field_that_it_calls_wrong_is_told() -> None:
    violation = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "generation_config.top_k"}]}
    body = orjson.dumps({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "no", "details": [violation]}})
    error = error_of_answer(Refusal(400, {}, body, "m", 0.0), "gemini")
    assert error.metadata == {"provider_param": "generation_config.top_k"}


def test_what_is_bare_and_never_ends_is_refused() -> None:
    with pytest.raises(UpstreamFailed):
        parsed(b"{" + b" " * (1 << 17), 1 << 12)


def refused(status: int, error: Any, headers: Mapping[str, str] | None = None) -> PromptwireError:
    body = error if isinstance(error, bytes) else orjson.dumps({"error": error})
    return Gemini("gemini", make_ids()).refused(Refusal(status, headers or {}, body, "m", 0.0))


def detail(kind: str, **fields: Any) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **fields}


def quota(name: str) -> dict[str, Any]:
    return detail("QuotaFailure", violations=[{"quotaId": f"GenerateRequests{name}PerProjectPerModel-FreeTier"}])


KEY = [detail("ErrorInfo", reason="API_KEY_INVALID", domain="googleapis.com")]
LONG = "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576)."
NO_MODEL = "models/m is not found for API version v1beta"
REFUSED: list[tuple[int, Any, type[PromptwireError], str]] = [
    (400, {"status": "INVALID_ARGUMENT", "message": "no"}, UpstreamInvalidRequest, "INVALID_ARGUMENT"),
    (400, {"status": "INVALID_ARGUMENT", "message": "API key not valid.", "details": KEY}, UpstreamAccount, "API_KEY_INVALID"),
    (400, {"status": "FAILED_PRECONDITION", "message": "Please enable billing"}, UpstreamAccount, "FAILED_PRECONDITION"),
    (400, {"status": "INVALID_ARGUMENT", "message": LONG}, ContextTooLong, "INVALID_ARGUMENT"),
    (401, {"status": "UNAUTHENTICATED"}, UpstreamAccount, "UNAUTHENTICATED"),
    (403, {"status": "PERMISSION_DENIED"}, UpstreamAccount, "PERMISSION_DENIED"),
    (404, {"status": "NOT_FOUND", "message": NO_MODEL}, UpstreamModelUnknown, "NOT_FOUND"),
    (429, {"status": "RESOURCE_EXHAUSTED", "details": [quota("PerMinute")]}, UpstreamRateLimited, "RESOURCE_EXHAUSTED"),
    (429, {"status": "RESOURCE_EXHAUSTED", "details": [quota("PerDay")]}, UpstreamAccount, "RESOURCE_EXHAUSTED"),
    (429, {"status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded, limit: 0, model: m"}, UpstreamAccount, "RESOURCE_EXHAUSTED"),
    (500, {"status": "INTERNAL"}, UpstreamFailed, "INTERNAL"),
    (503, {"status": "UNAVAILABLE"}, UpstreamFailed, "UNAVAILABLE"),
    (504, {"status": "DEADLINE_EXCEEDED"}, UpstreamFailed, "DEADLINE_EXCEEDED"),
    (502, b"<!DOCTYPE html><title>Error 502</title>", UpstreamFailed, ""),
    (400, b'[{"error": {"code": 400, "status": "INVALID_ARGUMENT"}}]', UpstreamInvalidRequest, "INVALID_ARGUMENT"),
    (429, b"[]", UpstreamRateLimited, ""),
    (400, {"details": 5, "code": True, "message": []}, UpstreamInvalidRequest, ""),
]


@pytest.mark.parametrize(("status", "error", "kind", "code"), REFUSED)
def test_refusals_by_meaning(status: int, error: Any, kind: type[PromptwireError], code: str) -> None:
    found = refused(status, error)
    assert type(found) is kind
    assert (found.origin.http_status, found.origin.provider_code) == (status, code)


@pytest.mark.parametrize(
    ("delay", "headers", "seconds"),
    [("13s", {}, 13.0), ("20.04466179s", {}, 20.04466179), ("13s", {"retry-after": "2"}, 2.0), ("soon", {}, None), (5, {}, None)],
)
def test_when_to_come_back_stands_in_the_details(delay: Any, headers: Mapping[str, str], seconds: float | None) -> None:
    error = {"status": "RESOURCE_EXHAUSTED", "details": [quota("PerMinute"), detail("RetryInfo", retryDelay=delay)]}
    assert refused(429, error, headers).retry_after_s == seconds
