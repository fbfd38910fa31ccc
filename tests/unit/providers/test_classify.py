"""What a vendor's failure means."""

import pytest

from promptwire_server.core.errors import (
    ContextTooLong,
    PromptwireError,
    UpstreamAccount,
    UpstreamFailed,
    UpstreamInvalidRequest,
    UpstreamMisdirected,
    UpstreamModelUnknown,
    UpstreamPolicy,
    UpstreamRateLimited,
)
from promptwire_server.providers.classify import Said, error_of
from promptwire_server.providers.dialect import Refusal
from promptwire_server.providers.openai.errors import error_of_answer

SECRET = "the prompt was: hunter2"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Said(400), UpstreamInvalidRequest),
        (Said(400, code="context_length_exceeded"), ContextTooLong),
        (Said(400, message="This model's maximum context length is 8192 tokens"), ContextTooLong),
        (Said(422, message="prompt is too long"), ContextTooLong),
        (Said(400, code="content_policy_violation"), UpstreamPolicy),
        (Said(400, code="content_filter"), UpstreamPolicy),
        (Said(400, code="invalid_api_key"), UpstreamAccount),
        (Said(400, code="model_not_found"), UpstreamModelUnknown),
        (Said(401), UpstreamAccount),
        (Said(402), UpstreamAccount),
        (Said(403), UpstreamAccount),
        (Said(403, kind="moderation_blocked"), UpstreamPolicy),
        (Said(404), UpstreamMisdirected),
        (Said(404, message="Not Found"), UpstreamMisdirected),
        (Said(404, kind="not_found_error", message="Not Found"), UpstreamMisdirected),
        (Said(404, kind="invalid_request_error", message="Invalid URL (POST /v1/v1/chat/completions)"), UpstreamMisdirected),
        (Said(404, kind="invalid_request_error", message="No such file: f-1"), UpstreamInvalidRequest),
        (Said(404, kind="not_found_error"), UpstreamInvalidRequest),
        (Said(404, code="model_not_found"), UpstreamModelUnknown),
        (Said(404, message="The model `x` does not exist"), UpstreamModelUnknown),
        (Said(408), UpstreamFailed),
        (Said(409), UpstreamFailed),
        (Said(424, kind="generation"), UpstreamFailed),
        (Said(413), UpstreamInvalidRequest),
        (Said(413, kind="request_too_large"), ContextTooLong),
        (Said(400, kind="invalid_request_error", message="Your credit balance is too low to access the API."), UpstreamAccount),
        (Said(400, code="enforced_spend_limit_reached"), UpstreamAccount),
        (Said(422), UpstreamInvalidRequest),
        (Said(429), UpstreamRateLimited),
        (Said(429, kind="overloaded"), UpstreamFailed),
        (Said(429, code="insufficient_quota"), UpstreamAccount),
        (Said(429, kind="insufficient_quota"), UpstreamAccount),
        (Said(500), UpstreamFailed),
        (Said(503), UpstreamFailed),
        (Said(529, kind="overloaded_error"), UpstreamFailed),
        (Said(302), UpstreamMisdirected),
        (Said(999), UpstreamFailed),
        (Said(code="server_error"), UpstreamFailed),
        (Said(code="rate_limit_exceeded"), UpstreamRateLimited),
        (Said(code="insufficient_quota"), UpstreamAccount),
        (Said(code="429"), UpstreamRateLimited),
        (Said(code="502"), UpstreamFailed),
        (Said(kind="overloaded_error"), UpstreamFailed),
        (Said(kind="invalid_request_error"), UpstreamInvalidRequest),
        (Said(code="context_length_exceeded"), ContextTooLong),
        (Said(message="Input validation error: `top_p` must be > 0.0 and < 1.0"), UpstreamInvalidRequest),
        (Said(message="Input validation error: `inputs` must have less than 4096 tokens. Given: 5000"), ContextTooLong),
        (Said(message="Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096."), ContextTooLong),
        (Said(), UpstreamFailed),
    ],
)
def test_status_first_then_code_then_words(said: Said, kind: type[PromptwireError]) -> None:
    assert type(error_of(said, "v", "m")) is kind


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 429, 500, 503])
def test_the_vendors_words_never_leave_and_its_code_does(status: int) -> None:
    error = error_of(Said(status, code="some_code", message=SECRET, retry_after_s=3.0, request_id="req_1"), "v", "m")
    assert "hunter2" not in f"{error} {error.origin} {error.metadata} {error.violations}"
    assert error.message.startswith("v/m: ")
    assert (error.origin.provider, error.origin.http_status, error.origin.provider_code) == ("v", status, "some_code")
    assert (error.retry_after_s, error.origin.provider_request_id) == (3.0, "req_1")


@pytest.mark.parametrize("code", [SECRET, "x" * 65, "a\nb"])
def test_prose_in_place_of_a_code_does_not_leave_either(code: str) -> None:
    assert error_of(Said(400, code=code), "v", "m").origin.provider_code == ""


def test_the_field_that_the_vendor_calls_wrong_is_told() -> None:
    assert error_of(Said(400, param="messages[0].content"), "v", "m").metadata == {"provider_param": "messages[0].content"}


def test_a_field_of_openais_is_told_beside_its_code() -> None:
    body = b'{"error": {"message": "no", "type": "invalid_request_error", "code": "unsupported_value", "param": "temperature"}}'
    error = error_of_answer(Refusal(400, {}, body, "m", 0.0), "v")
    assert (error.origin.provider_code, error.metadata) == ("unsupported_value", {"provider_param": "temperature"})


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b'{"detail": "Not Found"}', b'{"error": "Not Found"}'])
def test_a_404_of_a_server_that_is_no_vendor_is_a_wrong_address(body: bytes) -> None:
    assert type(error_of_answer(Refusal(404, {}, body, "m", 0.0), "v")) is UpstreamMisdirected


@pytest.mark.parametrize("param", [SECRET, "x" * 65, "a\nb", ""])
def test_prose_in_place_of_a_field_is_not_told(param: str) -> None:
    assert error_of(Said(400, param=param), "v", "m").metadata == {}


def test_a_wrong_address_is_the_operators_and_not_asked_again() -> None:
    error = error_of(Said(404), "v", "m")
    assert (error.elsewhere, error.retryable) == (True, False)
    assert "providers.v.base_url" in error.message


def test_an_unknown_model_may_be_known_elsewhere_and_is_not_asked_for_again() -> None:
    error = error_of(Said(404, code="model_not_found"), "v", "m")
    assert (error.elsewhere, error.retryable) == (True, False)


def test_a_redirect_comes_with_advice() -> None:
    assert "base_url" in error_of(Said(307), "v", "m").message
