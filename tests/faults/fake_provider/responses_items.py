"""The output items of OpenAI's Responses API: how each begins, what it streams, and how it looks when it is done."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.fake_provider import seal
from tests.faults.fake_provider.answer import Choice, ToolCall, spoken
from tests.faults.fake_provider.openai_wire import logprob
from tests.faults.fake_provider.reply import Identity, JsonObject
from tests.faults.fake_provider.script import Content
from tests.faults.fake_provider.words import count_tokens, words

ID_DIGITS = 24
REASONING = "responses reasoning"
STORED = "responses stored item"
THOUGHT = "responses stored item that reasoning led to"
UNSTORED = "responses passing item"


@dataclass(frozen=True, slots=True)
class Step:
    """One event between the beginning and the end of an item, with what the ledger counts of it."""

    name: str
    fields: JsonObject
    tokens: int = 0
    text: str = ""
    opens_text: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    begun: JsonObject
    steps: tuple[Step, ...]
    done: JsonObject


@dataclass(frozen=True, slots=True)
class Shape:
    """How the request and the script want the answer written."""

    identity: Identity
    content: Content
    stored: bool = True
    summary: str | None = None  # how much of the reasoning is told
    encrypted: bool = False
    logprobs: int | None = None  # None: not asked; else how many alternatives

    def id(self, prefix: str, at: int, *, thought: bool = False) -> str:
        """Return an id that tells later whose it is, whether it was kept, and whether reasoning led to it."""
        text = self.identity.hexes(f"item {at}", ID_DIGITS)
        purpose = (THOUGHT if thought else STORED) if self.stored else UNSTORED
        return f"{prefix}_{text}{seal.tag(purpose, text)}"


def is_kept(item_id: str) -> bool:
    """Whether an item of this id was given out and kept."""
    return _is(item_id, STORED) or _is(item_id, THOUGHT)


def needs_reasoning(item_id: str) -> bool:
    """Whether an item of this id was kept together with the reasoning that led to it."""
    return _is(item_id, THOUGHT)


def _is(item_id: str, purpose: str) -> bool:
    text = item_id.partition("_")[2]
    return seal.tag(purpose, text[:ID_DIGITS]) == text[ID_DIGITS:]


def items(choice: Choice, shape: Shape) -> list[Item]:
    """Return all items; the last is not complete when the answer is cut short."""
    found: list[Item] = []
    content = shape.content
    for at in range(bool(choice.reasoning) + content.redacted):
        told = choice.reasoning if at == 0 and choice.reasoning else ()
        found.append(_reasoning(told, shape, shape.id("rs", at)))
    if content.server_tool:
        found.append(_search(shape.id("ws", len(found))))
    if choice.refusal:
        found.append(_refusal(choice.refusal, shape.id("msg", len(found))))
    elif spoken(choice, content) or not choice.calls:
        found.append(_message(choice, shape, shape.id("msg", len(found))))
    ids = call_ids(choice, shape)
    thought = found[:1] != [] and found[0].begun["type"] == "reasoning"
    for at, call in enumerate(choice.calls):
        found.append(_call(call, ids[at], shape, shape.id("fc", len(found), thought=thought)))
    return found


def call_ids(choice: Choice, shape: Shape) -> list[str | None]:
    """Return the ids of all calls as the script wants them, None where one is left out."""
    good = [f"call_{shape.identity.hexes(f'call {at}', 24)}" for at in range(len(choice.calls))]
    match shape.content.tool_ids:
        case "same":
            return [*good[:1]] * len(good)
        case "blank":
            return [""] * len(good)
        case "missing" | "null":
            return [None] * len(good)
        case _:
            return [*good]


def _reasoning(tokens: tuple[str, ...], shape: Shape, item_id: str) -> Item:
    begun: JsonObject = {"id": item_id, "type": "reasoning", "summary": []}
    if shape.encrypted:
        begun["encrypted_content"] = seal.wrapped(REASONING, item_id, shape.identity.hexes("reasoning", 32))
    done = dict(begun)
    steps: list[Step] = []
    kind = shape.content.reasoning_field
    if kind in ("reasoning", "both") and tokens:
        done["content"] = [{"type": "reasoning_text", "text": "".join(tokens)}]
        steps += _reasoning_steps(tokens)
    if kind in ("reasoning_content", "both") and tokens and shape.summary:
        parts = _parts(tokens, shape.summary)
        done["summary"] = [{"type": "summary_text", "text": "".join(part)} for part in parts]
        # Words told twice count once.
        steps += [step for at, part in enumerate(parts) for step in _summary_steps(at, part, counted=kind != "both")]
    return Item(begun, tuple(steps), done)


def _parts(tokens: tuple[str, ...], summary: str) -> list[tuple[str, ...]]:
    """Return the parts of a summary; a detailed one has two."""
    half = len(tokens) // 2
    return [tokens[:half], tokens[half:]] if summary == "detailed" and half else [tokens]


def _summary_steps(at: int, tokens: tuple[str, ...], *, counted: bool) -> Iterator[Step]:
    where = {"summary_index": at}
    text = "".join(tokens)
    yield Step("response.reasoning_summary_part.added", where | {"part": {"type": "summary_text", "text": ""}})
    for token in tokens:
        yield Step("response.reasoning_summary_text.delta", where | {"delta": token}, int(counted))
    yield Step("response.reasoning_summary_text.done", where | {"text": text})
    yield Step("response.reasoning_summary_part.done", where | {"part": {"type": "summary_text", "text": text}})


def _reasoning_steps(tokens: tuple[str, ...]) -> Iterator[Step]:
    where = {"content_index": 0}
    text = "".join(tokens)
    yield Step("response.content_part.added", where | {"part": {"type": "reasoning_text", "text": ""}})
    for token in tokens:
        yield Step("response.reasoning_text.delta", where | {"delta": token}, 1)
    yield Step("response.reasoning_text.done", where | {"text": text})
    yield Step("response.content_part.done", where | {"part": {"type": "reasoning_text", "text": text}})


def _search(item_id: str) -> Item:
    item = {
        "id": item_id,
        "type": "web_search_call",
        "status": "in_progress",
        "action": {"type": "search", "query": words("server tool", 2)},
    }
    steps = tuple(Step(f"response.web_search_call.{state}", {}) for state in ("in_progress", "searching", "completed"))
    return Item(item, steps, item | {"status": "completed"})


def _refusal(tokens: tuple[str, ...], item_id: str) -> Item:
    where = {"content_index": 0}
    text = "".join(tokens)
    steps = (
        Step("response.content_part.added", where | {"part": {"type": "refusal", "refusal": ""}}),
        *(Step("response.refusal.delta", where | {"delta": token}, 1) for token in tokens),
        Step("response.refusal.done", where | {"refusal": text}),
        Step("response.content_part.done", where | {"part": {"type": "refusal", "refusal": text}}),
    )
    return _said(item_id, steps, {"type": "refusal", "refusal": text}, "completed")


def _message(choice: Choice, shape: Shape, item_id: str) -> Item:
    tokens = spoken(choice, shape.content)
    where = {"content_index": 0}
    text = "".join(tokens)
    notes = [_citation(at, text) for at in range(shape.content.citations)]
    part = {"type": "output_text", "annotations": notes, "logprobs": _logprobs(tokens, shape), "text": text}
    empty = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    steps = (
        Step("response.content_part.added", where | {"part": empty}, opens_text=True),
        *(text_step(token, shape) for token in tokens),
        *(_noted(at, note) for at, note in enumerate(notes)),
        Step("response.output_text.done", where | {"text": text, "logprobs": _logprobs(tokens, shape)}),
        Step("response.content_part.done", where | {"part": part}),
    )
    return _said(item_id, steps, part, "incomplete" if choice.finish == "length" else "completed")


def text_step(token: str, shape: Shape) -> Step:
    fields = {"content_index": 0, "delta": token, "logprobs": _logprobs((token,), shape)}
    return Step("response.output_text.delta", fields, 1, token)


def _noted(at: int, note: JsonObject) -> Step:
    return Step("response.output_text.annotation.added", {"content_index": 0, "annotation_index": at, "annotation": note})


def _said(item_id: str, steps: tuple[Step, ...], part: JsonObject, status: str) -> Item:
    begun: JsonObject = {"id": item_id, "type": "message", "status": "in_progress", "content": [], "role": "assistant"}
    return Item(begun, steps, begun | {"status": status, "content": [part]})


def _citation(at: int, text: str) -> JsonObject:
    return {"type": "url_citation", "start_index": 0, "end_index": len(text), "title": f"Page {at}", "url": f"https://example.com/{at}"}


def _logprobs(tokens: tuple[str, ...], shape: Shape) -> list[JsonObject]:
    return [] if shape.logprobs is None else [logprob(token, shape.logprobs) for token in tokens]


def _call(call: ToolCall, call_id: str | None, shape: Shape, item_id: str) -> Item:
    begun: JsonObject = {"id": item_id, "type": "function_call", "status": "in_progress", "arguments": "", "call_id": call_id}
    if shape.content.tool_ids == "missing":
        del begun["call_id"]
    begun["name"] = call.name
    size = max(1, shape.content.tool_piece)
    parts = [call.arguments[at : at + size] for at in range(0, len(call.arguments), size)]
    # All words of the arguments count once the last piece of them is out.
    counts = [0] * (len(parts) - 1) + [1 + count_tokens(call.arguments)]
    name = "response.function_call_arguments"
    steps = (
        *(Step(f"{name}.delta", {"delta": part}, tokens) for part, tokens in zip(parts, counts, strict=False)),
        Step(f"{name}.done", {"arguments": call.arguments}),
    )
    return Item(begun, steps, begun | {"status": "completed", "arguments": call.arguments})
