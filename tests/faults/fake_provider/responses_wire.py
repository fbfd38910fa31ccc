"""The response object and the events of OpenAI's Responses API, as pure functions."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from tests.faults.fake_provider.answer import Choice, Usage
from tests.faults.fake_provider.openai_errors import ApiError
from tests.faults.fake_provider.openai_wire import HUGE, OBFUSCATION_CYCLE
from tests.faults.fake_provider.reply import JsonObject
from tests.faults.fake_provider.responses_items import Item, Shape
from tests.faults.fake_provider.script import Content, base_of

INCOMPLETE = ("max_output_tokens", "content_filter")
ENDED = ("completed", "incomplete", "failed")
# What a response says of the request, each with what it is when the request does not.
ECHOED: JsonObject = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


@dataclass(frozen=True, slots=True)
class Response:
    """One answer, ready to be written; `failure` is what it says when it failed."""

    request: JsonObject
    shape: Shape
    choice: Choice
    items: list[Item]
    usage: Usage
    failure: ApiError

    @property
    def reason(self) -> str | None:
        """Why the answer is incomplete, None when it is not."""
        finish = self.shape.content.finish
        if finish in INCOMPLETE:
            return finish
        return "max_output_tokens" if finish is None and self.choice.finish == "length" else None

    @property
    def status(self) -> str | None:
        finish = self.shape.content.finish
        if finish == "none":
            return None
        if self.reason:
            return "incomplete"
        return finish or "completed"


@dataclass(frozen=True, slots=True)
class Sent:
    """One event of a stream, with what the ledger counts of it."""

    value: JsonObject
    tokens: int = 0
    text: str = ""
    opens_text: bool = False


def whole(response: Response) -> JsonObject:
    """Return the response at its end."""
    failed = response.status == "failed"
    body = _envelope(response) | {
        "status": response.status,
        "completed_at": response.shape.identity.created + 1 if response.status == "completed" else None,
        "error": {"code": response.failure.code or "server_error", "message": response.failure.message} if failed else None,
        "incomplete_details": {"reason": response.reason} if response.reason else None,
        "output": [item.done for item in response.items],
    }
    content = response.shape.content
    if content.usage == "none":
        del body["usage"]
        return body
    return body | {"usage": None if content.usage == "null" or failed else _usage(response.usage, content)}


def events(response: Response) -> Iterator[Sent]:
    """Yield all events but the last, numbered."""
    numbers = count()
    for name in ("response.created", "response.in_progress"):
        yield Sent(_numbered(name, next(numbers), {"response": _envelope(response)}))
    if response.shape.content.unknown:
        yield Sent(_numbered("response.x_fake_unknown", next(numbers), {}))
    for index, item in enumerate(response.items):
        where = {"output_index": index}
        yield Sent(_numbered("response.output_item.added", next(numbers), where | {"item": item.begun}))
        for step in item.steps:
            fields = {"item_id": item.begun["id"], **where, **step.fields}
            value = obfuscated(_numbered(step.name, next(numbers), fields), response.shape)
            yield Sent(value, step.tokens, step.text, step.opens_text)
        yield Sent(_numbered("response.output_item.done", next(numbers), where | {"item": item.done}))


def last_event(response: Response, number: int) -> JsonObject:
    """Return the event that ends a stream: completed, incomplete or failed."""
    status = response.status if response.status in ENDED else "completed"
    return _numbered(f"response.{status}", number, {"response": whole(response)})


def text_delta(response: Response, text: str) -> JsonObject:
    """Return a delta of the last message, or of the first item where there is none."""
    index = next((at for at, item in enumerate(response.items) if item.begun["type"] == "message"), 0)
    fields = {"item_id": response.items[index].begun["id"], "output_index": index, "content_index": 0, "delta": text, "logprobs": []}
    return _numbered("response.output_text.delta", 0, fields)


def error_event(error: ApiError, number: int) -> JsonObject:
    value = {"type": error.type, "code": error.code, "message": error.message, "param": error.param}
    return _numbered("error", number, {"error": value})


def obfuscated(value: JsonObject, shape: Shape) -> JsonObject:
    """Return a delta with padding, so that its size tells nothing."""
    if not shape.content.obfuscation or not value["type"].endswith(".delta"):
        return value
    number = value["sequence_number"]
    return value | {"obfuscation": shape.identity.hexes(f"pad {number}", 1 + number % OBFUSCATION_CYCLE)}


def _numbered(name: str, number: int, fields: JsonObject) -> JsonObject:
    return {"type": name, "sequence_number": number, **fields}


def _envelope(response: Response) -> JsonObject:
    """Return the response as it is at its beginning."""
    request, identity = response.request, response.shape.identity
    body: JsonObject = {
        "id": f"resp_{identity.hexes('response', 48)}",
        "object": "response",
        "created_at": identity.created,
        "status": "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": base_of(request["model"]),
        "output": [],
    }
    for name, usual in ECHOED.items():
        given = request.get(name)
        body[name] = usual if given is None else given
    return body | {
        "reasoning": {"effort": None, "summary": None} | (request.get("reasoning") or {}),
        "service_tier": "default",
        "text": {"format": {"type": "text"}, "verbosity": "medium"} | (request.get("text") or {}),
        "tools": [_tool(tool) for tool in request.get("tools") or ()],
        "usage": None,
    }


def _tool(tool: JsonObject) -> JsonObject:
    return {"description": None, "strict": True} | tool if tool.get("type") == "function" else tool


def _usage(usage: Usage, content: Content) -> JsonObject:
    match content.usage:
        case "negative":
            counts: tuple[object, object, object] = (-5, -7, -12)
        case "huge":
            counts = (HUGE, HUGE, 2 * HUGE)
        case "zero":
            counts = (0, 0, 0)
        case "text":
            counts = (str(usage.prompt), str(usage.completion), str(usage.prompt + usage.completion))
        case _:
            counts = (usage.prompt, usage.completion, usage.prompt + usage.completion)
    written = content.cache_write + content.cache_write_1h
    return {
        "input_tokens": counts[0],
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": written},
        "output_tokens": counts[1],
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": counts[2],
    }
