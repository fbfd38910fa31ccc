"""Errors as Ollama has them: a sentence under `error`, and the status of HTTP."""

from promptwire_server.core.errors import PromptwireError
from promptwire_server.providers.classify import Said, error_of
from promptwire_server.providers.dialect import Refusal
from promptwire_server.providers.json_value import JsonObject, parsed_object, text_in
from promptwire_server.providers.retry_after import retry_after_s

_LIMITED = 429


def error_of_answer(refusal: Refusal, provider: str) -> PromptwireError:
    """The error of an answer that is none."""
    said = Said(
        status=refusal.status,
        message=text_in((parsed_object(refusal.body) or {}).get("error")),
        retry_after_s=retry_after_s(refusal.headers, refusal.now_epoch_s, limited=refusal.status == _LIMITED),
    )
    return error_of(said, provider, refusal.model)


def error_in(line: JsonObject, *, provider: str, model: str) -> PromptwireError:
    """The error that stands in a line of an answer whose status was 200."""
    return error_of(Said(message=text_in(line.get("error"))), provider, model)
