"""Errors as Google's APIs have them: a status in words, and details of several types."""

import re

import orjson

from promptwire_server.core.errors import PromptwireError
from promptwire_server.providers.classify import Said, error_of
from promptwire_server.providers.dialect import Refusal
from promptwire_server.providers.json_value import Json, JsonObject, list_in, object_in, text_in
from promptwire_server.providers.retry_after import retry_after_s

_LIMITED = 429
_POLICY = "content_filter"
_USED_UP = "quota_exceeded"
_NO_QUOTA = re.compile(r"\blimit: 0\b")  # an account that may not use the model at all, e.g. without billing


def error_of_answer(refusal: Refusal, provider: str) -> PromptwireError:
    """The error of an answer that is none: its status first, then what stands in the body, if it is JSON."""
    try:
        parsed: Json = orjson.loads(refusal.body)
    except orjson.JSONDecodeError:
        parsed = None
    error = _error(parsed)
    delay = retry_after_s(refusal.headers, refusal.now_epoch_s, limited=refusal.status == _LIMITED)
    return error_of(_said(error, status=refusal.status, retry_after=delay), provider, refusal.model)


def error_in(chunk: JsonObject, *, provider: str, model: str) -> PromptwireError:
    """The error that stands in a body or an event of an answer whose status was 200."""
    return error_of(_said(_error(chunk)), provider, model)


def blocked(feedback: JsonObject, *, provider: str, model: str) -> PromptwireError:
    """The prompt was refused: there is no candidate, and the reason stands in its place."""
    return error_of(Said(code=text_in(feedback.get("blockReason")), kind=_POLICY), provider, model)


def _error(parsed: Json) -> JsonObject:
    """From {"error": {…}} and [{"error": {…}}]."""
    if isinstance(parsed, list):
        parsed = parsed[0] if parsed else None
    return object_in(object_in(parsed).get("error"))


def _said(error: JsonObject, *, status: int | None = None, retry_after: float | None = None) -> Said:
    details = {text_in(detail.get("@type")).rpartition(".")[2]: detail for detail in map(object_in, list_in(error.get("details")))}
    message = text_in(error.get("message"))
    name = text_in(error.get("status"))
    number = error.get("code")
    delay = text_in(object_in(details.get("RetryInfo")).get("retryDelay"))
    if retry_after is None and delay:
        retry_after = retry_after_s({"retry-after": delay}, 0.0, limited=False)
    return Said(
        status=status,
        code=text_in(object_in(details.get("ErrorInfo")).get("reason")) or name or (str(number) if type(number) is int else ""),
        kind=_USED_UP if _used_up(object_in(details.get("QuotaFailure")), message) else name,
        message=message,
        param=_field_of(object_in(details.get("BadRequest"))),
        retry_after_s=retry_after,
    )


def _field_of(detail: JsonObject) -> str:
    violations = list_in(detail.get("fieldViolations"))
    return text_in(object_in(violations[0]).get("field")) if violations else ""


def _used_up(quota: JsonObject, message: str) -> bool:
    """Whether waiting for a minute is of no use: the quota of the day is gone, or there is none."""
    violations = map(object_in, list_in(quota.get("violations")))
    return any("PerDay" in text_in(violation.get("quotaId")) for violation in violations) or bool(_NO_QUOTA.search(message))
