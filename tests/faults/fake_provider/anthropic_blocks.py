"""The content blocks of an Anthropic answer: how each opens, what it streams, and how it looks whole."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.fake_provider import seal
from tests.faults.fake_provider.answer import Choice, ToolCall, spoken
from tests.faults.fake_provider.reply import Identity, JsonObject
from tests.faults.fake_provider.script import Content
from tests.faults.fake_provider.words import count_tokens, words

THINKING = "anthropic thinking"
REDACTED = "anthropic redacted_thinking"
RESULT = "anthropic web_search_result"
CITED_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Piece:
    """One delta of a block, with what the ledger counts of it."""

    delta: JsonObject
    tokens: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    opening: JsonObject
    pieces: tuple[Piece, ...]
    whole: JsonObject


@dataclass(frozen=True, slots=True)
class Shape:
    """How the request and the script want the answer written."""

    model: str
    identity: Identity
    content: Content
    documents: tuple[JsonObject, ...] = ()  # those of the request
    citations: int = 0
    silent: bool = False  # thinking is signed but not shown

    def id(self, prefix: str, purpose: str) -> str:
        return f"{prefix}_01{self.identity.hexes(purpose, 22)}"


def blocks(choice: Choice, shape: Shape) -> tuple[Block, ...]:
    return tuple(_blocks(choice, shape))


def call_ids(choice: Choice, shape: Shape) -> list[str | None]:
    """Return the ids of all calls as the script wants them, None where one is left out."""
    good = [shape.id("toolu", f"tool {at}") for at in range(len(choice.calls))]
    match shape.content.tool_ids:
        case "same":
            return [*good[:1]] * len(good)
        case "blank":
            return [""] * len(good)
        case "missing" | "null":
            return [None] * len(good)
        case _:
            return [*good]


def _blocks(choice: Choice, shape: Shape) -> Iterator[Block]:
    if choice.reasoning:
        yield _thinking(choice.reasoning, shape)
    for at in range(shape.content.redacted):
        yield _redacted(at, shape)
    if shape.content.server_tool:
        yield from _server_tool(shape)
    yield from _texts(spoken(choice, shape.content), shape)
    for call, call_id in zip(choice.calls, call_ids(choice, shape), strict=True):
        yield _tool_use(call, call_id, shape.content)


def _thinking(tokens: tuple[str, ...], shape: Shape) -> Block:
    text = "" if shape.silent else "".join(tokens)
    signature = seal.signature(THINKING, text, shape.identity.hexes("thinking", 32))
    shown = () if shape.silent else tokens
    return Block(
        {"type": "thinking", "thinking": "", "signature": ""},
        (
            *(Piece({"type": "thinking_delta", "thinking": token}, 1) for token in shown),
            Piece({"type": "signature_delta", "signature": signature}),
        ),
        {"type": "thinking", "thinking": text, "signature": signature},
    )


def _redacted(at: int, shape: Shape) -> Block:
    salt = shape.identity.hexes(f"redacted {at}", 32)
    block = {"type": "redacted_thinking", "data": seal.wrapped(REDACTED, words(salt, 12), salt)}
    return Block(block, (), block)


def _server_tool(shape: Shape) -> Iterator[Block]:
    """Yield a search by the provider itself and what it found."""
    tool_id = shape.id("srvtoolu", "server tool")
    asked = {"query": words("server tool", 2)}
    opening = {"type": "server_tool_use", "id": tool_id, "name": "web_search", "input": {}}
    yield Block(opening, _json_pieces(json.dumps(asked), shape.content), opening | {"input": asked})
    found = {
        "type": "web_search_result",
        "title": "A page",
        "url": "https://example.com/page",
        "encrypted_content": seal.wrapped(RESULT, words("page", 9), tool_id),
        "page_age": None,
    }
    result = {"type": "web_search_tool_result", "tool_use_id": tool_id, "content": [found]}
    yield Block(result, (), result)


def _texts(tokens: tuple[str, ...], shape: Shape) -> Iterator[Block]:
    """Yield one block of text, or with citations a plain one and then one each."""
    if not tokens:
        return
    parts = shape.citations + 1
    size = -(-len(tokens) // parts)
    for at in range(parts):
        part = tokens[at * size : (at + 1) * size]
        if part:
            yield _text(part, [citation(at - 1, shape)] if at else [])


def _text(tokens: tuple[str, ...], citations: list[JsonObject]) -> Block:
    opening: JsonObject = {"type": "text", "text": ""}
    whole: JsonObject = {"type": "text", "text": "".join(tokens)}
    if citations:
        opening["citations"] = []
        whole["citations"] = citations
    pieces = (
        *(Piece({"type": "text_delta", "text": token}, 1, token) for token in tokens),
        *(Piece({"type": "citations_delta", "citation": cited}) for cited in citations),
    )
    return Block(opening, pieces, whole)


def citation(at: int, shape: Shape) -> JsonObject:
    """Return a citation of one of the request's documents, by characters or, of a PDF, by pages."""
    index = at % len(shape.documents) if shape.documents else 0
    document = shape.documents[index] if shape.documents else {}
    source = document.get("source") or {}
    text = source.get("data", "") if source.get("type") == "text" else words(f"page {at}", 4)
    cited = text[:CITED_CHARACTERS]
    place = {"type": "page_location", "start_page_number": 1, "end_page_number": 2}
    if source.get("type", "text") == "text":
        place = {"type": "char_location", "start_char_index": 0, "end_char_index": len(cited)}
    return {
        **place,
        "cited_text": cited,
        "document_index": index,
        "document_title": document.get("title"),
        "file_id": source.get("file_id"),
    }


def _tool_use(call: ToolCall, call_id: str | None, content: Content) -> Block:
    opening: JsonObject = {"type": "tool_use", "id": call_id, "name": call.name, "input": {}}
    if content.tool_ids == "missing":
        del opening["id"]
    return Block(opening, _json_pieces(call.arguments, content), opening | {"input": _parsed(call.arguments)})


def _json_pieces(text: str, content: Content) -> tuple[Piece, ...]:
    """Return the deltas of an input; the first has no text, and of an empty input it is the only one."""
    size = max(1, content.tool_piece)
    parts = [] if text == "{}" else [text[at : at + size] for at in range(0, len(text), size)]
    # All words of the input count once the last piece of them is out.
    counts = [1, *[0] * (len(parts) - 1), count_tokens(text)] if parts else [1 + count_tokens(text)]
    return tuple(Piece({"type": "input_json_delta", "partial_json": part}, n) for part, n in zip(["", *parts], counts, strict=True))


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text  # what the script wants and the real API never sends
