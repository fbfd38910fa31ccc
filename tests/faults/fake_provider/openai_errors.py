"""Errors and headers as api.openai.com and the proxy before it send them."""

import json
from dataclasses import dataclass, replace

from tests.faults.fake_provider.reply import Event, Headers, Identity, JsonObject, Reply
from tests.faults.fake_provider.script import Head

JSON = "application/json"
HTML = "text/html; charset=UTF-8"
FIRST_ERROR_STATUS = 400
# Written by the proxy, not by the API: a page, no error object.
PROXY_STATUSES = frozenset({502, 504, 520, 521, 522, 523, 524})


@dataclass(frozen=True, slots=True)
class ApiError:
    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None

    def to_json(self) -> JsonObject:
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


SERVER_ERROR = ApiError(
    "The server had an error while processing your request. Sorry about that!",
    "server_error",
)
ERRORS = {
    400: ApiError("We could not process your request: the value is not allowed."),
    401: ApiError(
        "Incorrect API key provided: sk-fake****. You can find your API key at https://platform.openai.com/account/api-keys.",
        code="invalid_api_key",
    ),
    403: ApiError(
        "Country, region, or territory not supported",
        "request_forbidden",
        code="unsupported_country_region_territory",
    ),
    404: ApiError(
        "The model `fake` does not exist or you do not have access to it.",
        code="model_not_found",
    ),
    408: ApiError("Request timed out.", "timeout"),
    409: ApiError("The resource was changed by another request.", "conflict_error"),
    413: ApiError("The request body is too large.", code="request_too_large"),
    429: ApiError(
        "Rate limit reached for fake in organization org-fake on requests per min "
        "(RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.",
        "requests",
        code="rate_limit_exceeded",
    ),
    500: SERVER_ERROR,
    503: ApiError(
        "The engine is currently overloaded, please try again later",
        "engine_overloaded_error",
        code="engine_overloaded",
    ),
}
NO_KEY = ApiError(
    "You didn't provide an API key. You need to provide your API key in an "
    "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
)
BAD_JSON = ApiError(
    "We could not parse the JSON body of your request. (HINT: This likely means you "
    "aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, "
    "but what was sent was not valid JSON.)"
)


def scripted_error(head: Head) -> ApiError:
    """Return the usual error of a status with the script's own words put in."""
    status = head.status if head.status >= FIRST_ERROR_STATUS else 500
    usual = ERRORS.get(status) or (SERVER_ERROR if status >= 500 else ERRORS[400])
    return replace(
        usual,
        message=usual.message if head.message is None else head.message,
        type=usual.type if head.error_type is None else head.error_type,
        param=usual.param if head.param is None else head.param,
        code=usual.code if head.code is None else head.code,
    )


def error_reply(status: int, error: ApiError, identity: Identity) -> Reply:
    content_type, body = JSON, json.dumps(error.to_json(), indent=4)
    if status in PROXY_STATUSES:
        content_type, body = HTML, _page(status)
    return Reply(
        status=status,
        headers=headers(identity, limited=status == 429),
        content_type=content_type,
        events=(Event(body.encode()),),
        said=error.to_json(),
    )


def headers(identity: Identity, *, limited: bool = False) -> Headers:
    remaining = "0" if limited else "9999"
    ray = identity.hexes("ray", 16)
    return (
        ("server", "cloudflare"),
        ("access-control-expose-headers", "X-Request-ID"),
        ("openai-organization", "org-fake"),
        ("openai-processing-ms", str(100 + identity.number % 900)),
        ("openai-version", "2020-10-01"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-limit-tokens", "2000000"),
        ("x-ratelimit-remaining-requests", remaining),
        ("x-ratelimit-remaining-tokens", "1999900"),
        ("x-ratelimit-reset-requests", "20s" if limited else "6ms"),
        ("x-ratelimit-reset-tokens", "3ms"),
        ("x-request-id", f"req_{identity.hexes('request', 32)}"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("x-content-type-options", "nosniff"),
        ("cf-cache-status", "DYNAMIC"),
        ("cf-ray", f"{ray}-FRA"),
        ("alt-svc", 'h3=":443"; ma=86400'),
    )


def _page(status: int) -> str:
    return (
        f"<html>\r\n<head><title>{status} Bad Gateway</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} Bad Gateway</h1></center>\r\n"
        "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    )
