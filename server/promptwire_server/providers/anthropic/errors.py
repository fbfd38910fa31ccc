"""Errors as Anthropic has them: an object under `error`, with a type, and sometimes a code among its details."""

from promptwire_server.core.errors import PromptwireError
from promptwire_server.providers.anthropic.headers import REQUEST_ID
from promptwire_server.providers.classify import Said, error_of
from promptwire_server.providers.dialect import Refusal
from promptwire_server.providers.json_value import JsonObject, object_in, parsed_object, text_in
from promptwire_server.providers.retry_after import retry_after_s

_LIMITED = 429


def error_of_answer(refusal: Refusal, provider: str) -> PromptwireError:
    """The error of an answer that is none: its status first, then what stands in the body, if it is JSON and no proxy's page."""
    said = _said(parsed_object(refusal.body) or {})
    return error_of(
        Said(
            status=refusal.status,
            code=said.code,
            kind=said.kind,
            message=said.message,
            retry_after_s=retry_after_s(refusal.headers, refusal.now_epoch_s, limited=refusal.status == _LIMITED),
            request_id=refusal.headers.get(REQUEST_ID, "")[:128],
        ),
        provider,
        refusal.model,
    )


def error_in(event: JsonObject, *, provider: str, model: str) -> PromptwireError:
    """The error that stands in a body or an event of an answer whose status was 200."""
    return error_of(_said(event), provider, model)


def _said(body: JsonObject) -> Said:
    error = object_in(body.get("error"))
    return Said(
        code=text_in(object_in(error.get("details")).get("error_code")),
        kind=text_in(error.get("type")),
        message=text_in(error.get("message")),
        request_id=text_in(body.get("request_id"))[:128],
    )
