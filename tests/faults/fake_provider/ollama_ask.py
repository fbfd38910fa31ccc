"""What a request of the Ollama dialect asks, and what the server refuses about it."""

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults.fake_provider.answer import Ask
from tests.faults.fake_provider.gemini_ask import ANY_OBJECT
from tests.faults.fake_provider.ollama_models import capabilities
from tests.faults.fake_provider.reply import JsonObject
from tests.faults.fake_provider.script import base_of

LEVELS = (None, True, False, "low", "medium", "high")
WHOLE_OPTIONS = ("num_predict", "num_ctx", "num_keep", "seed", "top_k", "repeat_last_n")
REAL_OPTIONS = ("temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty")
MOST_TOP_LOGPROBS = 20
ENDLESS = (-1, -2)


def ask(body: JsonObject) -> Ask:
    """Return the part of a request that decides the answer; there is no way to demand a tool."""
    options = body.get("options") or {}
    stop = options.get("stop") or ()
    most = options.get("num_predict")
    return Ask(
        messages=tuple(body.get("messages") or ()),
        max_tokens=None if most in ENDLESS else most,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        tools=tuple(_declared(body)),
        json_schema=_json_schema(body.get("format")),
    )


def problem(body: JsonObject) -> str | None:
    """Return the first thing that is wrong, None for a good request."""
    checks = (*_fields(body), *_options(body.get("options") or {}), *_messages(body), *_lacks(body))
    return next(iter(checks), None)


def _fields(body: JsonObject) -> Iterator[str]:
    if body.get("think") not in LEVELS:
        yield f'invalid think value: "{body["think"]}" (must be "high", "medium", "low", true, or false)'
    wanted = body.get("format")
    if wanted not in (None, "", "json") and not isinstance(wanted, dict):
        yield f'invalid format: "{wanted}"; expected "json" or a JSON schema'
    if not 0 <= (body.get("top_logprobs") or 0) <= MOST_TOP_LOGPROBS:
        yield f"top_logprobs must be between 0 and {MOST_TOP_LOGPROBS}"


def _options(options: JsonObject) -> Iterator[str]:
    for name, value in options.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and name in WHOLE_OPTIONS and not number:
            yield f'option "{name}" must be of type integer'
        if value is not None and name in REAL_OPTIONS and not number:
            yield f'option "{name}" must be of type float32'
    if not isinstance(options.get("stop") or [], list):
        yield 'option "stop" must be of type array'


def _messages(body: JsonObject) -> Iterator[str]:
    field = "Go struct field ChatRequest.messages"
    for message in body.get("messages") or ():
        if not isinstance(message.get("content") or "", str):
            yield f"json: cannot unmarshal array into {field}.content of type string"
        for call in message.get("tool_calls") or ():
            if not isinstance(call["function"].get("arguments"), dict):
                yield f"json: cannot unmarshal string into {field}.tool_calls.function.arguments of type map[string]interface {{}}"
        for image in message.get("images") or ():
            if not _is_base64(image):
                yield "illegal base64 data at input byte 0"


def _is_base64(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(b64decode(text, validate=True))
    except binascii.Error:
        return False


def _lacks(body: JsonObject) -> Iterator[str]:
    """Yield what is asked of a model that it cannot do; models that are not listed can do everything."""
    name = base_of(body["model"])
    able = capabilities(name)
    if "completion" not in able:
        yield f'"{name}" does not support chat'
    if body.get("tools") and "tools" not in able:
        yield f"registry.ollama.ai/library/{name} does not support tools"
    if body.get("think") and "thinking" not in able:
        yield f'"{name}" does not support thinking'


def _declared(body: JsonObject) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for tool in body.get("tools") or ():
        yield tool["function"]["name"], tool["function"].get("parameters") or {"type": "object"}


def _json_schema(wanted: object) -> Mapping[str, Any] | None:
    if isinstance(wanted, dict):
        return wanted
    return ANY_OBJECT if wanted == "json" else None
