"""The Ollama dialect: chats as lines of JSON, embeddings and models, request to reply."""

import re
from dataclasses import asdict, replace

from tests.faults.fake_provider import ollama_models
from tests.faults.fake_provider import ollama_wire as wire
from tests.faults.fake_provider.answer import Answer, respond
from tests.faults.fake_provider.gemini_parts import broken_call, call_ids
from tests.faults.fake_provider.ollama_ask import ask, problem
from tests.faults.fake_provider.ollama_errors import FIRST_ERROR_STATUS, JSON, PLAIN, error_reply, no_route, scripted_error
from tests.faults.fake_provider.openai_dialect import embedding
from tests.faults.fake_provider.reply import Call, Event, JsonObject, Reply
from tests.faults.fake_provider.script import GOOD, base_of
from tests.faults.fake_provider.words import count_tokens

PATH = re.compile(r"(?:/redirected)?(?:/api/|/\Z)")
REDIRECTED = "/redirected"
METHODS = {
    "/": "GET",
    "/api/chat": "POST",
    "/api/embed": "POST",
    "/api/show": "POST",
    "/api/tags": "GET",
    "/api/ps": "GET",
    "/api/version": "GET",
}
NDJSON = "application/x-ndjson"
RUNNING = b"Ollama is running"
# Words of thinking where the request wants it and the script says nothing.
THOUGHTS = 6
# Stands where the text goes while a line is being cut open around it.
SLOT = "@@slot@@"
BAD_LINE = b'{"model":"fake","message":{"role":"assistant","content":\n'


def reply(call: Call) -> Reply:
    """Return what a well-behaved server says, or the error the script asks for."""
    path = call.path.removeprefix(REDIRECTED)
    if METHODS.get(path) != call.method:
        return no_route(405 if path in METHODS else 404)
    error = _refused(call, path)
    if error is not None:
        return _error(*error)
    if call.method == "GET":
        return _told(call, path)
    body = call.body or {}
    match path:
        case "/api/embed":
            return _embedded(call, body)
        case "/api/show":
            found = ollama_models.shown(base_of(_name(body)))
            return _json_reply(call, found) if found else _error(404, f"model '{base_of(_name(body))}' not found")
        case _:
            return _chat(call, body)


def _refused(call: Call, path: str) -> tuple[int, str] | None:
    head, body = call.script.head, call.body
    if call.method == "POST" and body is None:
        return 400, "invalid character 'x' looking for beginning of value"
    if call.method == "POST" and not _name(body or {}):
        return 400, "model is required"
    wrong = problem(body or {}) if path == "/api/chat" else None
    if wrong is not None:
        return 400, wrong
    if path == "/api/embed" and not isinstance((body or {}).get("input"), str | list):
        return 400, "invalid input type"
    return (head.status, scripted_error(head)) if head.status >= FIRST_ERROR_STATUS else None


def _name(body: JsonObject) -> str:
    """Return the model that a request names; to show one an older name of the field is good as well."""
    name = body.get("model") or body.get("name")
    return name if isinstance(name, str) else ""


def _chat(call: Call, body: JsonObject) -> Reply:
    shape = _shape(call, body)
    streams = body.get("stream") is not False
    if not body.get("messages"):
        value = wire.line(wire.loaded(shape, unloads=body.get("keep_alive") in (0, "0", "0s")), shape.content)
        return _ok(call, (Event(value + b"\n" if streams else value),), streams=streams)
    answer = respond(ask(body), shape.content)
    broken = broken_call(answer.choices[0])
    failure = f"error parsing tool call: raw='{broken.arguments}', err=unexpected end of JSON input" if broken else None
    if streams:
        return _stream(call, answer, shape, failure)
    if failure is not None:
        return _error(500, failure)
    text = answer.choices[0].text + "".join(answer.choices[0].refusal)
    event = Event(wire.line(wire.whole(answer, shape), shape.content), answer.usage.completion, text)
    template = wire.line(wire.streamed(wire.Piece({"content": SLOT}), shape, 0) | {"done": True}, shape.content)
    return _ok(call, (event,), template=template, said=_said(answer, shape))


def _stream(call: Call, answer: Answer, shape: wire.Shape, failure: str | None) -> Reply:
    found = list(wire.pieces(answer.choices[0], shape))
    events = [
        Event(wire.line(wire.streamed(piece, shape, at), shape.content) + b"\n", piece.tokens, piece.text) for at, piece in enumerate(found)
    ]
    if failure is not None:
        events.append(Event(_written(failure) + b"\n"))
    elif call.script.sse.done:
        events.append(Event(wire.line(wire.ended(answer, shape, len(found)), shape.content) + b"\n"))
    template = wire.line(wire.streamed(wire.Piece({"content": SLOT}), shape, 0), shape.content) + b"\n"
    return _ok(call, tuple(events), streams=True, template=template, said=_said(answer, shape))


def _ok(call: Call, events: tuple[Event, ...], *, streams: bool = False, template: bytes = b"", said: JsonObject | None = None) -> Reply:
    before, _, after = template.partition(SLOT.encode())
    late = _written(scripted_error(call.script.head))
    return Reply(
        status=call.script.head.status,
        headers=(),
        content_type=NDJSON if streams else JSON,
        events=events,
        streamed=streams,
        around_text=(before, after),
        error_event=late + b"\n" if streams else late,
        bad_json=BAD_LINE,
        said=said or {},
        sse=False,
    )


def _shape(call: Call, body: JsonObject) -> wire.Shape:
    content = call.script.content
    if body.get("think") and not content.reasoning:
        content = replace(content, reasoning=THOUGHTS)
    if body.get("think") is False:
        content = replace(content, reasoning=0)
    wants_logprobs = body.get("logprobs") or content.logprobs
    top = body.get("top_logprobs") or 0
    return wire.Shape(base_of(_name(body)), call.identity, content, top if wants_logprobs else None)


def _said(answer: Answer, shape: wire.Shape) -> JsonObject:
    """Return the answer for the ledger, in the same words as of every dialect."""
    choice = answer.choices[0]
    ids = call_ids(choice, shape.content)
    said = {
        "text": choice.text + "".join(choice.refusal),
        "reasoning": "".join(choice.reasoning),
        "refusal": "",
        "tool_calls": [asdict(call) | {"id": call_id.get("id")} for call, call_id in zip(choice.calls, ids, strict=True)],
        "finish_reason": wire.finish_of(choice, shape.content),
    }
    return {"choices": [said], "usage": asdict(answer.usage)}


def _told(call: Call, path: str) -> Reply:
    match path:
        case "/api/tags":
            return _json_reply(call, ollama_models.listed())
        case "/api/ps":
            return _json_reply(call, ollama_models.loaded())
        case "/api/version":
            return _json_reply(call, {"version": ollama_models.VERSION})
        case _:
            return replace(_ok(call, (Event(RUNNING),)), content_type=PLAIN)


def _embedded(call: Call, body: JsonObject) -> Reply:
    given = body["input"]
    texts = [given] if isinstance(given, str) else given
    size = body.get("dimensions") or ollama_models.EMBEDDING_SIZE
    value = {
        "model": base_of(_name(body)),
        "embeddings": [embedding(text, size) for text in texts],
        "total_duration": wire.LOAD_NS + wire.TOKEN_NS,
        "load_duration": wire.LOAD_NS,
        "prompt_eval_count": sum(map(count_tokens, texts)),
    }
    if call.script.content.usage == "none":
        del value["prompt_eval_count"]
    return _json_reply(call, value)


def _json_reply(call: Call, value: JsonObject) -> Reply:
    return _ok(call, (Event(wire.line(value, call.script.content)),))


def _error(status: int, message: str) -> Reply:
    return error_reply(status, message, _written(message))


def _written(message: str) -> bytes:
    return wire.line({"error": message}, GOOD.content)
