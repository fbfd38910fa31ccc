"""Vectors of Hugging Face: the pipeline behind the router, and TEI in its own way and in OpenAI's."""

import json

from tests.faults.fake_provider import huggingface_errors as errors
from tests.faults.fake_provider.openai_dialect import base64_of, embedding
from tests.faults.fake_provider.reply import Call, Event, JsonObject, Reply
from tests.faults.fake_provider.words import count_tokens

EMBEDDING_SIZE = 384
MOST_TEXTS = 32  # --max-client-batch-size of TEI, unless told otherwise
SERVED = "fake/embedding"
PROMPTS = {"query": "query: ", "passage": "passage: "}
_HEADERS = (("x-compute-type", "cpu"), ("x-compute-tokens", "0"), ("x-inference-time", "1"))


def pipeline(call: Call) -> Reply:
    """Return a list of vectors for a list of texts, and a vector alone for a text alone."""
    wrong = _problem(call, "inputs")
    if wrong is not None:
        return errors.plain(*wrong)
    body = call.body or {}
    vectors = _vectors(body, body["inputs"])
    return _ok(vectors[0] if isinstance(body["inputs"], str) else vectors)


def embed(call: Call) -> Reply:
    """Return a list of vectors in any case."""
    wrong = _problem(call, "inputs")
    return errors.plain(*wrong) if wrong is not None else _ok(_vectors(call.body or {}, (call.body or {})["inputs"]))


def compatible(call: Call) -> Reply:
    """Return what OpenAI would; the model is the one that is served, whichever was asked for."""
    wrong = _problem(call, "input")
    if wrong is not None:
        return errors.compatible(*wrong)
    body = call.body or {}
    encoded = body.get("encoding_format") == "base64"
    vectors = _vectors(body, body["input"])
    data = [
        {"object": "embedding", "embedding": base64_of(vector) if encoded else vector, "index": index}
        for index, vector in enumerate(vectors)
    ]
    used = sum(map(count_tokens, _texts(body["input"])))
    usage = {"prompt_tokens": used, "total_tokens": used}
    return _ok({"object": "list", "data": data, "model": SERVED, "usage": usage})


def _problem(call: Call, name: str) -> tuple[int, str, str] | None:
    head = call.script.head
    if head.status >= errors.FIRST_ERROR_STATUS:
        return head.status, *errors.scripted(head, errors.TEI)
    body = call.body or {}
    given, prompt = body.get(name), body.get("prompt_name")
    if not isinstance(given, str | list):
        return 422, f"missing field `{name}`", "validation"
    if not given:
        return 400, *errors.TEI[400]
    wrong = None
    if len(_texts(given)) > MOST_TEXTS:
        wrong = f"batch size {len(given)} > maximum allowed batch size {MOST_TEXTS}"
    elif not all(_texts(given)):
        wrong = errors.TEI[422][0]
    elif prompt is not None and prompt not in PROMPTS:
        wrong = f"Input validation error: prompt name `{prompt}` not found in the prompts of the model"
    return None if wrong is None else (422, wrong, "validation")


def _vectors(body: JsonObject, given: str | list[str]) -> list[list[float]]:
    prompt = PROMPTS.get(body.get("prompt_name") or "", "")
    return [embedding(prompt + text, body.get("dimensions") or EMBEDDING_SIZE) for text in _texts(given)]


def _texts(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def _ok(value: object) -> Reply:
    return Reply(200, _HEADERS, errors.JSON, (Event(json.dumps(value, separators=(",", ":")).encode()),))
