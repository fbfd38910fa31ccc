"""What a vendor's failure means: by status first, by the vendor's code second, by its words only where both leave it open."""

from dataclasses import dataclass

from promptwire_server.core.errors import (
    ContextTooLong,
    Origin,
    PromptwireError,
    UpstreamAccount,
    UpstreamFailed,
    UpstreamInvalidRequest,
    UpstreamMisdirected,
    UpstreamModelUnknown,
    UpstreamPolicy,
    UpstreamRateLimited,
)

LONGEST_CODE = 64  # longer is no code but prose, which does not leave
_ACCOUNT_CODES = frozenset(
    {
        "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "invalid_api_key", "account_deactivated",
        "access_terminated", "quota_exceeded", "credit_balance_too_low", "authentication_error", "permission_error", "billing_error",
        "insufficient_credits", "insufficient_balance", "payment_required", "organization_deactivated", "organization_on_hold",
        "contract_spend_limit_reached", "enforced_spend_limit_reached", "linked_organization_spend_limit_reached",
        "linked_organization_billing_unavailable",
        "api_key_invalid", "api_key_service_blocked", "billing_disabled", "consumer_suspended", "service_disabled",
        "unauthenticated", "permission_denied", "failed_precondition",
    }
)  # fmt: skip
_CONTEXT_CODES = frozenset(
    {"context_length_exceeded", "string_above_max_length", "context_window_exceeded", "prompt_too_long", "request_too_large"}
)
_POLICY_CODES = frozenset(
    {
        "content_policy_violation", "content_filter", "moderation_blocked", "safety", "responsible_ai_policy_violation",
        "responsibleaipolicyviolation", "invalid_prompt", "bio_policy", "misalignment_policy_violation", "image_content_policy_violation",
    }
)  # fmt: skip
_MODEL_CODES = frozenset({"model_not_found", "model_not_available", "model_decommissioned", "deploymentnotfound", "unknown_model"})
_RATE_CODES = frozenset(
    {"rate_limit_exceeded", "rate_limit_error", "too_many_requests", "rate_limited", "tokens", "requests", "resource_exhausted"}
)
_OVERLOAD_CODES = frozenset(
    {"overloaded_error", "engine_overloaded", "engine_overloaded_error", "overloaded", "server_overloaded", "unavailable"}
)
_INVALID_CODES = frozenset(
    {
        "invalid_request_error", "invalid_request", "bad_request", "unsupported_parameter", "unsupported_value", "invalid_argument",
        "invalid_image", "invalid_image_format", "invalid_base64_image", "invalid_image_url", "image_too_large", "image_too_small",
        "image_parse_error", "invalid_image_mode", "image_file_too_large", "unsupported_image_media_type", "empty_image_file",
        "failed_to_download_image", "image_file_not_found",
    }
)  # fmt: skip
# The vendors that say it in words only (vLLM, TGI, llama.cpp, Mistral and others of OpenAI's shape), lower case.
_CONTEXT_WORDS = (
    "context length",
    "context window",
    "context size",
    "context limit",
    "maximum context",
    "too many tokens",
    "prompt is too long",
    "input is too long",
    "input token count",
    "`inputs` tokens + `max_new_tokens`",
    "`inputs` must have less than",
)
_INVALID_WORDS = ("input validation error",)  # TGI's, which refuses some requests after it has begun to stream
_ACCOUNT_WORDS = ("credit balance is too low",)  # Anthropic's, under invalid_request_error
_MODEL_WORDS = ("model", "deployment")
_NO_PATH = frozenset({"not found", "404 not found", "404 page not found", "resource not found", "file not found", "no route found"})
_NO_PATH_WORDS = ("invalid url", "unknown request url", "unrecognized request url", "no route for", "no handler for")
_OVERLOADED = (503, 529)


@dataclass(frozen=True, slots=True)
class Said:
    """What a vendor said of a failure. The message is read here and goes no further: it may quote the prompt or the key."""

    status: int | None = None  # of HTTP; None when the failure came within an answer
    code: str = ""
    kind: str = ""  # the vendor's `type`
    message: str = ""
    retry_after_s: float | None = None
    request_id: str = ""
    param: str = ""  # the field of its own that it calls wrong


def error_of(said: Said, provider: str, model: str) -> PromptwireError:
    """The failure as one of ours."""
    words = {said.code.lower(), said.kind.lower()}
    status = said.status if said.status is not None and said.status >= 300 else _status_in(said)  # noqa: PLR2004 - the first non-success
    origin = Origin(provider, said.status, _short(said.code or said.kind), said.request_id)
    param = _short(said.param)
    kind, text = _of_status(status, words, said.message.lower()) if status else _of_words(words, said.message.lower())
    return kind(
        f"{provider}/{model}: {text.replace('<name>', provider)}",
        retry_after_s=said.retry_after_s,
        origin=origin,
        metadata={"provider_param": param} if param else None,
    )


_Verdict = tuple[type[PromptwireError], str]
_ACCOUNT: _Verdict = (
    UpstreamAccount,
    "the provider does not accept the operator's account; check its key, its permissions and its balance",
)
_RATE: _Verdict = (UpstreamRateLimited, "the provider limits the rate of this account; try again later, or raise the account's limits")
_CONTEXT: _Verdict = (ContextTooLong, "the prompt is longer than the model takes; shorten it, or use a model with a larger context")
_POLICY: _Verdict = (UpstreamPolicy, "the provider refuses the prompt by its own policy")
_MODEL: _Verdict = (UpstreamModelUnknown, "the provider has no such model, or this account may not use it")
_INVALID: _Verdict = (UpstreamInvalidRequest, "the provider calls the request wrong; its code says more, its words are not passed on")
_OVERLOAD: _Verdict = (UpstreamFailed, "the provider is overloaded")
_FAILED: _Verdict = (UpstreamFailed, "the provider failed")
_REDIRECT: _Verdict = (
    UpstreamMisdirected,
    "the provider answers with a redirect, which is not followed since it would take the key along; set base_url to where it leads",
)

_NOTHING: _Verdict = (
    UpstreamMisdirected,
    "nothing is served at this path (404); check providers.<name>.base_url, and whether this provider offers what was asked for",
)


def _of_status(status: int, words: set[str], message: str) -> _Verdict:  # noqa: PLR0911 - one row a case
    match status:
        case 300 | 301 | 302 | 303 | 304 | 307 | 308:
            return _REDIRECT
        case 402:
            return _ACCOUNT
        case 401 | 403:
            return _POLICY if words & _POLICY_CODES else _ACCOUNT
        case 429:
            if words & _OVERLOAD_CODES:  # of a server of one's own: it is busy with everybody's calls
                return _OVERLOAD
            return _ACCOUNT if words & _ACCOUNT_CODES else _RATE
        case 404:
            return _of_absence(words, message)
        case 408 | 409 | 424:  # of which the last is TGI's and TEI's for a failure of their model
            return _FAILED
        case _ if status in _OVERLOADED:
            return _OVERLOAD
        case _ if status >= 500 or status < 400:  # noqa: PLR2004 - server errors, and what is no status of an answer
            return _FAILED
    return _of_bad_request(words, message)


def _of_absence(words: set[str], message: str) -> _Verdict:
    """A 404 of the vendor's own says what is absent; one without such words is of a server that has no such path."""
    if words & _MODEL_CODES or any(word in message for word in _MODEL_WORDS):
        return _MODEL
    said = message.strip().rstrip(".")
    nowhere = said in _NO_PATH or any(word in said for word in _NO_PATH_WORDS) or not (said or any(words))
    return _NOTHING if nowhere else _INVALID


def _of_bad_request(words: set[str], message: str) -> _Verdict:
    if words & _CONTEXT_CODES or any(word in message for word in _CONTEXT_WORDS):
        return _CONTEXT
    if words & _POLICY_CODES:
        return _POLICY
    if words & _ACCOUNT_CODES or any(word in message for word in _ACCOUNT_WORDS):
        return _ACCOUNT
    return _MODEL if words & _MODEL_CODES else _INVALID


def _of_words(words: set[str], message: str) -> _Verdict:
    """An error without a status: within a stream, or in the body of a 200."""
    if words & _RATE_CODES and not words & _ACCOUNT_CODES:
        return _RATE
    if words & _OVERLOAD_CODES:
        return _OVERLOAD
    verdict = _of_bad_request(words, message)
    said = words & _INVALID_CODES or any(word in message for word in _INVALID_WORDS)
    return _FAILED if verdict is _INVALID and not said else verdict


def _status_in(said: Said) -> int:
    """Some vendors write the status where the code belongs; 0 when there is none."""
    return int(said.code) if len(said.code) == 3 and said.code.isascii() and said.code.isdigit() else 0  # noqa: PLR2004 - digits of a status


def _short(code: str) -> str:
    return code if len(code) <= LONGEST_CODE and code.isprintable() and " " not in code else ""
