"""What a candidate of the Gemini dialect says, part by part: thoughts, text, calls, images, and their signatures."""

import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.faults.fake_provider.answer import Choice, ToolCall
from tests.faults.fake_provider.gemini_signature import signature
from tests.faults.fake_provider.reply import Identity, JsonObject
from tests.faults.fake_provider.script import Content
from tests.faults.fake_provider.words import count_tokens

FINISHES = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}
MALFORMED = "MALFORMED_FUNCTION_CALL"
IMAGE_TOKENS = 1290
IMAGE_SIDE = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """How the request and the script want the answer written."""

    model: str
    identity: Identity
    content: Content
    thoughts: bool = False  # shown, not only counted
    logprobs: int | None = None  # None: not asked; else how many alternatives
    rated: tuple[str, ...] = ()  # the harm categories that the request has settings for
    media: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Piece:
    """One part as a stream has it, with what the ledger counts of it; None is a candidate without parts."""

    part: JsonObject | None
    tokens: int = 0
    text: str = ""
    logprob_of: str | None = None


def pieces(choice: Choice, shape: Shape) -> Iterator[Piece]:
    """Yield all parts of a candidate in the smallest pieces; the last carries the finish reason."""
    found = [*_thoughts(choice, shape), *_texts(choice, shape), *_calls(choice, shape), *_images(choice, shape)]
    lost = sum(1 + count_tokens(call.arguments) for call in choice.calls)
    yield from found or [Piece(None, lost)]


def merged(found: list[Piece]) -> list[JsonObject]:
    """Return the parts of a whole answer: pieces of one text are one part."""
    parts: list[JsonObject] = []
    for part in (piece.part for piece in found if piece.part is not None):
        if parts and "text" in part and "text" in parts[-1] and part.get("thought") == parts[-1].get("thought"):
            parts[-1] |= {**part, "text": parts[-1]["text"] + part["text"]}
        else:
            parts.append(dict(part))
    return parts


def arguments(call: ToolCall) -> JsonObject | None:
    """Return the arguments as the object they go out as, None if they are none."""
    try:
        value = json.loads(call.arguments)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def broken_call(choice: Choice) -> ToolCall | None:
    return next((call for call in choice.calls if arguments(call) is None), None)


def finish_of(choice: Choice, content: Content) -> str | None:
    if content.finish == "none":
        return None
    if content.finish is None and broken_call(choice):
        return MALFORMED
    finish = content.finish or choice.finish
    return FINISHES.get(finish, finish)


def call_ids(choice: Choice, content: Content) -> tuple[JsonObject, ...]:
    """Return what each call says of its id; the default is nothing."""
    made: Mapping[str, JsonObject] = {
        "same": {"id": choice.calls[0].id} if choice.calls else {},
        "blank": {"id": ""},
        "null": {"id": None},
    }
    return tuple({"id": call.id} if content.tool_ids == "given" else made.get(content.tool_ids, {}) for call in choice.calls)


def image(number: int) -> bytes:
    """Return a small PNG of one colour; the number decides which."""
    row = b"\0" + bytes((37 * number % 256, 90, 200)) * IMAGE_SIDE
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", IMAGE_SIDE, IMAGE_SIDE, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * IMAGE_SIDE)),
        (b"IEND", b""),
    )
    written = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def _thoughts(choice: Choice, shape: Shape) -> Iterator[Piece]:
    if not shape.thoughts:
        return
    for at, token in enumerate(choice.reasoning, 1):
        part: JsonObject = {"text": token, "thought": True}
        last = at == len(choice.reasoning)
        yield Piece(_signed(part, shape, f"thought {choice.index}", wanted=last and shape.content.signatures == "all"), 1)


def _texts(choice: Choice, shape: Shape) -> Iterator[Piece]:
    for token in (*choice.tokens, *choice.refusal):
        yield Piece({"text": token}, 1, token, token)
    # The signature of a text comes at its end, in a part with no text of its own.
    wanted = bool(choice.reasoning) or shape.content.signatures == "all"
    if (choice.tokens or choice.refusal) and wanted and shape.content.signatures != "none":
        yield Piece(_signed({"text": ""}, shape, f"text {choice.index}", wanted=True))


def _calls(choice: Choice, shape: Shape) -> Iterator[Piece]:
    if broken_call(choice):
        return
    for at, (call, call_id) in enumerate(zip(choice.calls, call_ids(choice, shape.content), strict=True)):
        part: JsonObject = {"functionCall": {**call_id, "name": call.name, "args": arguments(call)}}
        # Of calls made side by side only the first is signed.
        wanted = at == 0 or shape.content.signatures == "all"
        yield Piece(_signed(part, shape, f"call {choice.index} {at}", wanted=wanted), 1 + count_tokens(call.arguments))


def _images(choice: Choice, shape: Shape) -> Iterator[Piece]:
    for number in range(shape.content.images):
        blob = {"mimeType": "image/png", "data": b64encode(image(number)).decode()}
        wanted = bool(choice.reasoning) or shape.content.signatures == "all"
        yield Piece(_signed({"inlineData": blob}, shape, f"image {choice.index} {number}", wanted=wanted), IMAGE_TOKENS)


def _signed(part: JsonObject, shape: Shape, salt: str, *, wanted: bool) -> JsonObject:
    if not wanted or shape.content.signatures == "none":
        return part
    return part | {"thoughtSignature": signature(part, shape.identity.hexes(salt, 32))}
