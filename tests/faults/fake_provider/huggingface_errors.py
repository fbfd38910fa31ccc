"""Errors of Hugging Face's servers: TGI's, TEI's, and those of the router before all of them."""

import json

from tests.faults.fake_provider.reply import Event, JsonObject, Reply
from tests.faults.fake_provider.script import Head

JSON = "application/json"
FIRST_ERROR_STATUS = 400
# What stands in the body for each status: the sentence, and its kind.
TGI = {
    400: ("Template error: invalid operation", "template_error"),
    404: ("Not Found", "not_found"),
    422: ("Input validation error: `temperature` must be strictly positive", "validation"),
    424: ("Request failed during generation: Server error: CUDA out of memory", "generation"),
    429: ("Model is overloaded", "overloaded"),
    500: ("Incomplete generation", "incomplete_generation"),
    503: ("unhealthy", "healthcheck"),
}
TEI = {
    400: ("Batch is empty", "empty"),
    422: ("Input validation error: `inputs` cannot be empty", "validation"),
    424: ("Backend error: Inference failed", "backend"),
    429: ("Model is overloaded", "overloaded"),
    503: ("unhealthy", "unhealthy"),
}
ROUTER = {
    400: "Unknown inference provider",
    401: "Invalid username or password.",
    402: "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to get 20x more.",
    403: "This authentication method does not have sufficient permissions to call Inference Providers on behalf of user fake",
    404: "Not Found",
    429: "Too Many Requests",
    503: "Service Unavailable",
}
NO_KEY = ROUTER[401]
_Usual = dict[int, tuple[str, str]]


def plain(status: int, message: str, kind: str = "") -> Reply:
    """Return the error as a sentence, with its kind beside it where the server tells kinds."""
    return _reply(status, {"error": message} | ({"error_type": kind} if kind else {}))


def compatible(status: int, message: str, kind: str) -> Reply:
    """Return the error as TEI words it for clients of OpenAI's."""
    return _reply(status, {"message": message, "code": status, "type": kind})


def scripted(head: Head, usual: _Usual) -> tuple[str, str]:
    """Return sentence and kind of a status with the script's own words put in."""
    message, kind = usual.get(head.status) or usual[424 if head.status >= 500 else 422]
    return message if head.message is None else head.message, kind if head.error_type is None else head.error_type


def late(head: Head) -> JsonObject:
    """Return what TGI puts into a stream when it fails in the middle."""
    return event(TGI[424][0] if head.message is None else head.message)


def event(message: str) -> JsonObject:
    """Return the error as TGI puts it into a stream."""
    return {"error": {"message": message, "http_status_code": 422}}


def _reply(status: int, value: JsonObject) -> Reply:
    return Reply(status, (), JSON, (Event(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()),), said=value)
