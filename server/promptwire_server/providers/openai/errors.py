"""Errors as chat completions has them: an object under `error`, in one of several shapes."""

import orjson

from promptwire_server.core.errors import PromptwireError
from promptwire_server.providers.classify import Said, error_of
from promptwire_server.providers.dialect import Refusal
from promptwire_server.providers.json_value import Json, JsonObject, object_in, text_in
from promptwire_server.providers.retry_after import retry_after_s

REQUEST_ID = "x-request-id"
_LIMITED = 429


def error_of_answer(refusal: Refusal, provider: str) -> PromptwireError:
    """The error of an answer that is none: its status first, then what stands in the body, if it is JSON."""
    try:
        parsed: Json = orjson.loads(refusal.body)
    except orjson.JSONDecodeError:
        parsed = None
    said = _said(parsed)
    return error_of(
        Said(
            status=refusal.status,
            code=said.code,
            kind=said.kind,
            message=said.message,
            param=said.param,
            retry_after_s=retry_after_s(refusal.headers, refusal.now_epoch_s, limited=refusal.status == _LIMITED),
            request_id=refusal.headers.get(REQUEST_ID, "")[:128],
        ),
        provider,
        refusal.model,
    )


def error_in(chunk: JsonObject, *, provider: str, model: str) -> PromptwireError:
    """The error that stands in a body or an event of an answer whose status was 200."""
    return error_of(_said(chunk), provider, model)


def _said(parsed: Json) -> Said:
    """From {"error": {…}}, {"error": "…", "error_type": "…"} (TGI), [{"error": {…}}], and the error itself at the top (vLLM, FastAPI)."""
    if isinstance(parsed, list):
        parsed = parsed[0] if parsed else None
    top = object_in(parsed)
    error = top.get("error", top)
    if isinstance(error, str):
        return Said(kind=text_in(top.get("error_type")), message=error)
    fields = object_in(error)
    code = fields.get("code")
    detail = fields.get("message", fields.get("detail"))
    return Said(
        code=str(code) if isinstance(code, str | int) and not isinstance(code, bool) else "",
        kind=text_in(fields.get("type")) or text_in(fields.get("status")),
        message=detail if isinstance(detail, str) else "",
        param=text_in(fields.get("param")),
    )
