"""Errors and headers as generativelanguage.googleapis.com sends them."""

import json
from dataclasses import dataclass, field, replace

from tests.faults.fake_provider.reply import Event, Headers, Identity, JsonObject, Reply
from tests.faults.fake_provider.script import Head

JSON = "application/json; charset=UTF-8"
HTML = "text/html; charset=UTF-8"
FIRST_ERROR_STATUS = 400
# Written by the front end before the API: a page, no error object.
FRONT_STATUSES = frozenset({405, 413, 502})
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
MESSAGES = {
    400: "Request contains an invalid argument.",
    401: "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
    403: "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form "
    "of API consumer identity to call this API.",
    404: "models/fake is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see "
    "the list of available models and their supported methods.",
    429: "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "head to: https://ai.google.dev/gemini-api/docs/rate-limits.",
    500: "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
    503: "The model is overloaded. Please try again later.",
    504: "Deadline expired before operation could complete.",
}
RPC = "type.googleapis.com/google.rpc."
RETRY_DELAY = "13s"
KEY_INVALID = "API_KEY_INVALID"
BAD_KEY_MESSAGE = "API key not valid. Please pass a valid API key."
SERVICE = "generativelanguage.googleapis.com"
LIMITS = "https://ai.google.dev/gemini-api/docs/rate-limits"


@dataclass(frozen=True, slots=True)
class ApiError:
    """An error object; `code` is the HTTP status in it."""

    code: int
    message: str
    status: str
    details: tuple[JsonObject, ...] = field(default=())

    def to_json(self) -> JsonObject:
        body: JsonObject = {"code": self.code, "message": self.message, "status": self.status}
        if self.details:
            body["details"] = list(self.details)
        return {"error": body}


def usual(status: int, message: str | None = None) -> ApiError:
    """Return an error of this status without details."""
    name = STATUSES.get(status) or ("INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    text = MESSAGES.get(status) or MESSAGES[500 if status >= 500 else 400]
    return ApiError(status, text if message is None else message, name)


def invalid(message: str, field_path: str | None = None) -> ApiError:
    """Return the refusal of a request, with the field at fault in its details."""
    error = usual(400, message)
    return error if field_path is None else replace(error, details=(_bad_request(field_path, message),))


def scripted_error(head: Head) -> ApiError:
    """Return the usual error of a status with the script's own words put in; 503 within an answer."""
    error = usual(head.status if head.status >= FIRST_ERROR_STATUS else 503)
    message = BAD_KEY_MESSAGE if head.code == KEY_INVALID else error.message
    message = message if head.message is None else head.message
    return replace(
        error,
        message=message,
        status=head.error_type or error.status,
        details=tuple(_details(error.code, message, head)),
    )


def error_reply(error: ApiError, identity: Identity, *, listed: bool = False) -> Reply:
    """Return an answer that is an error; `listed` in an array, as a stream without `alt=sse` has it."""
    value = error.to_json()
    if error.code in FRONT_STATUSES:
        content_type, body = HTML, _page(error.code)
    else:
        content_type, body = JSON, json.dumps([value] if listed else value, indent=2) + "\n"
    return Reply(
        status=error.code,
        headers=headers(identity),
        content_type=content_type,
        events=(Event(body.encode("utf-8", "replace")),),
        said=value,
    )


def no_such_page(identity: Identity) -> Reply:
    """Return what the front end answers to a path that no method has."""
    return Reply(404, headers(identity), HTML, (Event(_page(404).encode()),))


def headers(identity: Identity) -> Headers:
    return (
        ("vary", "Origin"),
        ("vary", "X-Origin"),
        ("vary", "Referer"),
        ("server", "scaffolding on HTTPServer2"),
        ("x-xss-protection", "0"),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-content-type-options", "nosniff"),
        ("server-timing", f"gfet4t7; dur={100 + identity.number % 900}"),
        ("alt-svc", 'h3=":443"; ma=2592000,h3-29=":443"; ma=2592000'),
    )


def _details(status: int, message: str, head: Head) -> list[JsonObject]:
    found: list[JsonObject] = []
    if status == 429:
        found += [_quota_failure(), _help()]
    if head.code is not None:
        found += [_error_info(head.code), {"@type": f"{RPC}LocalizedMessage", "locale": "en-US", "message": message}]
    if head.param is not None:
        found.append(_bad_request(head.param, message))
    delay = RETRY_DELAY if status == 429 and head.retry_delay is None else head.retry_delay
    return [*found, {"@type": f"{RPC}RetryInfo", "retryDelay": delay}] if delay else found


def _quota_failure() -> JsonObject:
    violation = {
        "quotaMetric": f"{SERVICE}/generate_content_free_tier_requests",
        "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
        "quotaDimensions": {"location": "global", "model": "fake"},
        "quotaValue": "10",
    }
    return {"@type": f"{RPC}QuotaFailure", "violations": [violation]}


def _help() -> JsonObject:
    return {"@type": f"{RPC}Help", "links": [{"description": "Learn more about Gemini API quotas", "url": LIMITS}]}


def _error_info(reason: str) -> JsonObject:
    return {"@type": f"{RPC}ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": {"service": SERVICE}}


def _bad_request(field_path: str, message: str) -> JsonObject:
    return {"@type": f"{RPC}BadRequest", "fieldViolations": [{"field": field_path, "description": message}]}


def _page(status: int) -> str:
    return (
        "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n"
        f"  <title>Error {status}!!1</title>\n  <p><b>{status}.</b> <ins>It is an error.</ins>\n"
    )
