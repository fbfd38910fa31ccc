"""Hugging Face: its router under /router, a TGI server under /tgi and a TEI server under /tei, request to reply."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

from tests.faults.fake_provider import huggingface_errors as errors
from tests.faults.fake_provider import huggingface_vectors as vectors
from tests.faults.fake_provider import openai_dialect
from tests.faults.fake_provider.huggingface_models import LISTED, SERVED
from tests.faults.fake_provider.huggingface_tgi import chat
from tests.faults.fake_provider.reply import Call, Event, Reply

PATH = re.compile(r"(?:/redirected)?/(?:router|tgi|tei)/")
REDIRECTED = "/redirected"
_PIPELINE = re.compile(r"/router/hf-inference/models/.+/pipeline/feature-extraction")


def reply(call: Call) -> Reply:
    """Return what a well-behaved server says, or the error the script asks for."""
    path = call.path.removeprefix(REDIRECTED)
    found = _ROUTES.get((call.method, path))
    if found is None and call.method == "POST" and _PIPELINE.fullmatch(path):
        found = vectors.pipeline
    if found is None:
        return errors.plain(404, errors.ROUTER[404])
    if path.startswith("/router/") and not call.authorised:
        return errors.plain(401, errors.NO_KEY)
    return found(call)


def _routed(call: Call) -> Reply:
    """The router hands on to a vendor of OpenAI's shape, and hands back what that says."""
    return openai_dialect.reply(replace(call, path=openai_dialect.CHAT))


def _listed(call: Call) -> Reply:
    if call.script.head.status >= errors.FIRST_ERROR_STATUS:
        return errors.plain(call.script.head.status, errors.ROUTER.get(call.script.head.status, "Internal Server Error"))
    return _json({"object": "list", "data": LISTED})


def _served(call: Call) -> Reply:
    if call.script.head.status >= errors.FIRST_ERROR_STATUS:
        return errors.plain(call.script.head.status, *errors.scripted(call.script.head, errors.TGI))
    return _json({"object": "list", "data": SERVED})


def _json(value: object) -> Reply:
    return Reply(200, (), errors.JSON, (Event(json.dumps(value, separators=(",", ":")).encode()),))


_ROUTES: dict[tuple[str, str], Callable[[Call], Reply]] = {
    ("POST", "/router/v1/chat/completions"): _routed,
    ("GET", "/router/v1/models"): _listed,
    ("POST", "/tgi/v1/chat/completions"): chat,
    ("GET", "/tgi/v1/models"): _served,
    ("POST", "/tei/v1/embeddings"): vectors.compatible,
    ("POST", "/tei/embed"): vectors.embed,
}
