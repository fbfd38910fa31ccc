"""The Gemini dialect: content generation, token counts, embeddings and models, request to reply."""

import json
import re
from dataclasses import asdict, replace
from typing import Any

from tests.faults.fake_provider import gemini_ask, gemini_models, sse
from tests.faults.fake_provider import gemini_wire as wire
from tests.faults.fake_provider.answer import Answer, respond
from tests.faults.fake_provider.gemini_checks import problem
from tests.faults.fake_provider.gemini_errors import (
    FIRST_ERROR_STATUS,
    JSON,
    ApiError,
    error_reply,
    headers,
    invalid,
    no_such_page,
    scripted_error,
    usual,
)
from tests.faults.fake_provider.gemini_names import plain
from tests.faults.fake_provider.gemini_parts import Shape, call_ids, finish_of
from tests.faults.fake_provider.model_name import model_of
from tests.faults.fake_provider.reply import Call, Event, Headers, JsonObject, Reply
from tests.faults.fake_provider.script import Sse, base_of

# One of these makes a path that other vendors have too one of Google's.
SHARED = re.compile(r"(?:/redirected)?/v1/models(?:/|\Z)")
HEADERS = frozenset({"x-goog-api-key"})
_CALLED = re.compile(r"(?:/redirected)?/v1\w*/models/.+:(?P<method>\w+)\Z")
_LISTED = re.compile(r"(?:/redirected)?/v1\w*/models(?:/(?P<name>.+?))?/?\Z")
WHOLE, STREAM, COUNT, EMBED, EMBED_MANY = "generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"
METHODS = (WHOLE, STREAM, COUNT, EMBED, EMBED_MANY)
# Google's own paths; the one of its chat completions is no part of this dialect.
PATH = re.compile(rf"(?:/redirected)?/v1(?:(?:alpha|beta)/(?!openai/)|/models/.+:(?:{'|'.join(METHODS)})\Z)")
# Words of thought where the request wants to see them and the script says nothing.
THOUGHTS = 6
# Stands where the text goes while an event is being cut open around it.
SLOT = "@@slot@@"
BAD_EVENT = '{"candidates": [{"content": {"parts": [{"text": "'
BAD_JSON = "Invalid JSON payload received. Unexpected token.\n\n^"


def reply(call: Call) -> Reply:
    """Return what a well-behaved server says, or the error the script asks for."""
    call = replace(call, body=plain(call.body)) if call.body else call
    called = _CALLED.match(call.path) if call.method == "POST" else None
    listed = _LISTED.match(call.path) if call.method == "GET" else None
    method = called["method"] if called else ""
    if not listed and method not in METHODS:
        return no_such_page(call.identity)
    error = _refused(call, method)
    if error is not None:
        return error_reply(error, call.identity, listed=method == STREAM and not _is_sse(call))
    if listed:
        return _models(call, listed["name"])
    return _called(call, method, call.body or {})


def _refused(call: Call, method: str) -> ApiError | None:
    if not call.authorised:
        return usual(403)
    if method and call.body is None:
        return invalid(BAD_JSON)
    wrong = _bad_body(call, method, call.body or {})
    if wrong is None and call.script.head.status >= FIRST_ERROR_STATUS:
        return scripted_error(call.script.head)
    return wrong


def _bad_body(call: Call, method: str, body: JsonObject) -> ApiError | None:
    match method:
        case "generateContent" | "streamGenerateContent":
            return problem(body, call.script.content)
        case "countTokens":
            found = (body.get("generateContentRequest") or body).get("contents")
            return None if found else invalid("* CountTokensRequest.contents: contents is not specified\n")
        case "embedContent" | "batchEmbedContents":
            requests = (body.get("requests") or []) if method == EMBED_MANY else [body]
            good = bool(requests) and all(gemini_ask.text_of_parts(one.get("content") or {}) for one in requests)
            return None if good else invalid("* EmbedContentRequest.content: content is not specified\n")
        case _:
            return None


def _called(call: Call, method: str, body: JsonObject) -> Reply:
    match method:
        case "countTokens":
            return _json_reply(call, gemini_models.token_count(body, call.script.content))
        case "embedContent" | "batchEmbedContents":
            return _json_reply(call, gemini_models.embedded(body, call.script.content))
        case _:
            return _generated(call, method, body)


def _generated(call: Call, method: str, body: JsonObject) -> Reply:
    shape = _shape(call, body)
    answer = wire.counted(respond(gemini_ask.ask(body), shape.content), shape)
    if method == STREAM:
        return _stream(call, answer, shape)
    value = wire.whole(answer, shape) if shape.content.block is None else wire.blocked(answer, shape)
    text = answer.choices[0].text + "".join(answer.choices[0].refusal)
    event = Event(_pretty(value), answer.usage.completion, text)
    around = _around(_pretty(wire.text_chunk(SLOT, answer, shape)))
    return _ok(call, events=(event,), around_text=around, error_event=_error(call), said=_said(answer, shape))


def _stream(call: Call, answer: Answer, shape: Shape) -> Reply:
    sent = [wire.Sent(wire.blocked(answer, shape), 0, "")] if shape.content.block is not None else list(wire.stream(answer, shape))
    template = wire.text_chunk(SLOT, answer, shape)
    said = _said(answer, shape)
    if not _is_sse(call):
        opened = [b"[" if at == 0 else b"\n,\r\n" for at in range(len(sent))]
        events = tuple(Event(start + _pretty(one.body), one.tokens, one.text) for start, one in zip(opened, sent, strict=True))
        around = _around(b"\n,\r\n" + _pretty(template))
        error = b"\n,\r\n" + _error(call) + b"\n]\n"
        bad = b"\n,\r\n" + BAD_EVENT.encode()
        parts: JsonObject = {"trailer": b"\n]\n", "text_from": 1, "bad_json": bad, "sse": False}
        return _ok(call, streamed=True, events=events, around_text=around, error_event=error, said=said, **parts)
    style = replace(call.script.sse, eol=call.script.sse.eol or "crlf")
    return _ok(
        call,
        content_type="text/event-stream",
        added=(("content-disposition", "attachment"),),
        streamed=True,
        events=tuple(Event(_event(one.body, style, at), one.tokens, one.text) for at, one in enumerate(sent)),
        around_text=_around(_event(template, style, 0)),
        error_event=_late_error(call, style),
        ping=sse.comment("ping", style),
        bad_json=sse.event(BAD_EVENT, style, 0),
        said=said,
    )


def _is_sse(call: Call) -> bool:
    return "sse" in (call.query.get("alt"), call.query.get("$alt"))


def _event(value: JsonObject, style: Sse, at: int) -> bytes:
    """Return one event, its spaces where the API has them."""
    text = sse.payload(value, style) if style.multiline else json.dumps(value, ensure_ascii=False, separators=(",", ": "))
    return sse.event(text, style, at)


def _late_error(call: Call, style: Sse) -> bytes:
    if call.script.breaks.error_bare:
        return _error(call).replace(b"\n", b"\r\n") + b"\r\n"
    return _event(scripted_error(call.script.head).to_json(), style, 0)


def _error(call: Call) -> bytes:
    return _pretty(scripted_error(call.script.head).to_json())


def _shape(call: Call, body: JsonObject) -> Shape:
    content = call.script.content
    config = body.get("generationConfig") or {}
    thinking = config.get("thinkingConfig") or {}
    if thinking.get("includeThoughts") and not content.reasoning:
        content = replace(content, reasoning=THOUGHTS)
    if thinking.get("thinkingBudget") == 0:
        content = replace(content, reasoning=0)
    if content.text is None:
        content = replace(content, text=gemini_ask.enum_text(body))
    wants_logprobs = config.get("responseLogprobs") or content.logprobs
    return Shape(
        model=base_of(model_of(call.path, None) or ""),
        identity=call.identity,
        content=content,
        thoughts=bool(thinking.get("includeThoughts")) and content.reasoning_field != "hidden",
        logprobs=config.get("logprobs") or 0 if wants_logprobs else None,
        rated=tuple(setting["category"] for setting in body.get("safetySettings") or ()),
        media=gemini_ask.media(body),
    )


def _said(answer: Answer, shape: Shape) -> JsonObject:
    """Return the answer for the ledger, in the same words as of every dialect."""
    if shape.content.block is not None:
        return {"choices": [], "block": shape.content.block, "usage": asdict(answer.usage) | {"completion": 0, "reasoning": 0}}
    choices = [
        {
            "text": choice.text + "".join(choice.refusal),
            "reasoning": "".join(choice.reasoning),
            "refusal": "",
            "tool_calls": [
                asdict(one) | {"id": call_id.get("id")} for one, call_id in zip(choice.calls, call_ids(choice, shape.content), strict=True)
            ],
            "finish_reason": finish_of(choice, shape.content),
        }
        for choice in answer.choices
    ]
    return {"choices": choices, "usage": asdict(answer.usage)}


def _models(call: Call, name: str | None) -> Reply:
    if name:
        found = gemini_models.one(base_of(name))
        if found is None:
            text = f"Model not found: models/{name}"
            return error_reply(usual(404, text), call.identity)
        return _json_reply(call, found)
    page = gemini_models.listed(call.query.get("pageSize", ""), call.query.get("pageToken", ""))
    if page is None:
        return error_reply(invalid("The page token is not valid.", "page_token"), call.identity)
    return _json_reply(call, page)


def _ok(call: Call, *, content_type: str = JSON, added: Headers = (), **parts: Any) -> Reply:
    return Reply(
        status=call.script.head.status,
        headers=(*added, *headers(call.identity)),
        content_type=content_type,
        **parts,
    )


def _json_reply(call: Call, value: JsonObject) -> Reply:
    event = Event(_pretty(wire.strange(value) if call.script.content.unknown else value))
    return _ok(call, events=(event,), error_event=_error(call))


def _pretty(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "replace")


def _around(template: bytes) -> tuple[bytes, bytes]:
    before, _, after = template.partition(SLOT.encode())
    return before, after
