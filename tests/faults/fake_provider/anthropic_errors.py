"""Errors and headers as api.anthropic.com sends them."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tests.faults.fake_provider.reply import Event, Headers, Identity, JsonObject, Reply
from tests.faults.fake_provider.script import Head

JSON = "application/json"
HTML = "text/html; charset=UTF-8"
FIRST_ERROR_STATUS = 400
# Written by the proxy before the API: a page, no error object.
PROXY_STATUSES = frozenset({502, 520, 521, 522, 523, 524})
RETRIED = frozenset({408, 409, 429})
OVERLOADED = 529
LIMITED = 429
# A short wait, so that a test that follows it does not take long.
RETRY_AFTER_S = "1"


@dataclass(frozen=True, slots=True)
class ApiError:
    message: str
    type: str = "invalid_request_error"
    code: str | None = None

    def to_json(self, identity: Identity) -> JsonObject:
        details = None if self.code is None else {"error_code": self.code}
        return {
            "type": "error",
            "error": {"details": details, "type": self.type, "message": self.message},
            "request_id": request_id(identity),
        }


ERRORS = {
    400: ApiError("The request was not valid."),
    401: ApiError("invalid x-api-key", "authentication_error"),
    402: ApiError("Your credit balance is too low to access the API. Please go to Plans & Billing.", "billing_error"),
    403: ApiError("Your API key does not have permission to use the specified resource.", "permission_error"),
    404: ApiError("model: fake", "not_found_error"),
    408: ApiError("The request took too long to arrive.", "timeout_error"),
    409: ApiError("The resource was changed by another request.", "conflict_error"),
    413: ApiError("Request exceeds the maximum size", "request_too_large"),
    429: ApiError("This request would exceed your organization's rate limit of 50 requests per minute.", "rate_limit_error"),
    500: ApiError("Internal server error", "api_error"),
    503: ApiError("Service temporarily unavailable", "api_error"),
    504: ApiError("The request timed out while processing.", "timeout_error"),
    529: ApiError("Overloaded", "overloaded_error"),
}
NO_KEY = ApiError("x-api-key header is required", "authentication_error")
NO_VERSION = ApiError("anthropic-version: header is required")
BAD_JSON = ApiError("The request body is not valid JSON")


def scripted_error(head: Head, usual_status: int = 500) -> ApiError:
    """Return the usual error of a status with the script's own words put in."""
    status = head.status if head.status >= FIRST_ERROR_STATUS else usual_status
    usual = ERRORS.get(status) or ERRORS[500 if status >= 500 else 400]
    return replace(
        usual,
        message=usual.message if head.message is None else head.message,
        type=usual.type if head.error_type is None else head.error_type,
        code=usual.code if head.code is None else head.code,
    )


def error_reply(status: int, error: ApiError, identity: Identity, head: Head) -> Reply:
    value = error.to_json(identity)
    content_type, body = JSON, compact(value)
    if status in PROXY_STATUSES:
        content_type, body = HTML, _page(status)
    added: Headers = (("x-should-retry", "true" if status >= 500 or status in RETRIED else "false"),)
    if status == LIMITED and head.retry_after is None:
        added = (*added, ("retry-after", RETRY_AFTER_S))
    return Reply(
        status=status,
        headers=(*headers(identity, limited=status == LIMITED), *added),
        content_type=content_type,
        events=(Event(body.encode("utf-8", "replace")),),
        said=value,
    )


def compact(value: JsonObject) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def request_id(identity: Identity) -> str:
    return f"req_011{identity.hexes('request', 21)}"


def headers(identity: Identity, *, limited: bool = False) -> Headers:
    remaining = "0" if limited else "49"
    reset = datetime.fromtimestamp(identity.created + int(RETRY_AFTER_S), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    limits = (
        ("requests", "50", remaining),
        ("input-tokens", "50000", "49000"),
        ("output-tokens", "10000", "9000"),
        ("tokens", "60000", "58000"),
    )
    return (
        ("server", "cloudflare"),
        *(pair for limit in limits for pair in _limit(*limit, reset)),
        ("request-id", request_id(identity)),
        ("anthropic-organization-id", "00000000-0000-4000-8000-00000000fa4e"),
        ("via", "1.1 google"),
        ("cf-cache-status", "DYNAMIC"),
        ("x-robots-tag", "none"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("cf-ray", f"{identity.hexes('ray', 16)}-FRA"),
    )


def _limit(name: str, most: str, remaining: str, reset: str) -> Headers:
    prefix = f"anthropic-ratelimit-{name}"
    return (f"{prefix}-limit", most), (f"{prefix}-remaining", remaining), (f"{prefix}-reset", reset)


def _page(status: int) -> str:
    return (
        f"<html>\r\n<head><title>{status} Bad Gateway</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} Bad Gateway</h1></center>\r\n"
        "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    )
