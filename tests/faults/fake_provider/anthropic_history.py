"""What api.anthropic.com refuses about the messages of a request: blocks, replayed thinking, pairs of calls and results."""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from itertools import pairwise

from tests.faults.fake_provider import seal
from tests.faults.fake_provider.anthropic_blocks import REDACTED, THINKING
from tests.faults.fake_provider.reply import JsonObject

ROLES = ("user", "assistant", "system")
IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
# Known types whose insides are not looked at.
OTHER_TYPES = frozenset(
    {
        "search_result",
        "server_tool_use",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
        "tool_reference",
        "container_upload",
        "browser_state",
    }
)
Turn = tuple[str, int, list[JsonObject]]


def history_problems(body: JsonObject, *, strict: bool) -> Iterator[str]:
    """Yield what is wrong, each in a sentence that begins with its place; `strict` as the newest version of the API is."""
    messages = body["messages"]
    if not messages:
        yield "messages: at least one message is required"
    for at, message in enumerate(messages):
        yield from _message(f"messages.{at}", message, last=at == len(messages) - 1)
        if strict:
            yield from _misplaced(f"messages.{at}", message)
    turns = _turns(messages)
    yield from _pairs(turns, len(messages))
    if (body.get("thinking") or {}).get("type") == "enabled":
        yield from _thinking_first(turns)


def _message(where: str, message: JsonObject, *, last: bool) -> Iterator[str]:
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        yield f"{where}.role: Input should be 'user' or 'assistant'"
    if not isinstance(content, str | list):
        yield f"{where}.content: Field required"
    if not content and not (last and role == "assistant"):
        yield f"{where}: all messages must have non-empty content except for the optional final assistant message"
    for at, block in enumerate(_blocks(message)):
        yield from _block(f"{where}.content.{at}", block)
    final = (_blocks(message) or [{}])[-1]
    if last and role == "assistant" and final.get("type") == "text" and final["text"] != final["text"].rstrip():
        yield "messages: final assistant content cannot end with trailing whitespace"


def _misplaced(where: str, message: JsonObject) -> Iterator[str]:
    for at, block in enumerate(_blocks(message)):
        if message["role"] == "assistant" and block["type"] == "document":
            yield f"{where}.content.{at}: `document` blocks are not permitted in `assistant` messages"
        if message["role"] == "user" and block["type"] == "text" and block.get("citations"):
            yield f"{where}.content.{at}.text.citations: not permitted in `user` messages"


def _blocks(message: JsonObject) -> list[JsonObject]:
    content = message["content"]
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _block(where: str, block: JsonObject) -> Iterator[str]:
    match block.get("type"):
        case "text":
            if not isinstance(block.get("text"), str):
                yield f"{where}.text.text: Field required"
            elif not block["text"].strip():
                yield "messages: text content blocks must contain non-whitespace text"
        case "image" | "document":
            yield from _media(f"{where}.{block['type']}.source", block)
        case "thinking" | "redacted_thinking":
            yield from _replayed(where, block)
        case "tool_use":
            yield from _call(f"{where}.tool_use", block)
        case "tool_result":
            yield from _result(f"{where}.tool_result", block)
        case kind if kind not in OTHER_TYPES:
            yield f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags"


def _media(where: str, block: JsonObject) -> Iterator[str]:
    source = block.get("source") or {}
    image = block["type"] == "image"
    match source.get("type"):
        case "base64":
            allowed = IMAGES if image else ("application/pdf",)
            if source.get("media_type") not in allowed:
                yield f"{where}.base64.media_type: Input should be one of {', '.join(allowed)}"
            elif not _is_base64(source.get("data")):
                yield f"{where}.base64: invalid base64 data"
        case "url" | "file" as kind:
            if not source.get("url" if kind == "url" else "file_id"):
                yield f"{where}.{kind}: Field required"
        case "text" if not image:
            if source.get("media_type") != "text/plain":
                yield f"{where}.text.media_type: Input should be 'text/plain'"
        case "content" if not image:
            return
        case kind:
            yield f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags"


def _is_base64(data: object) -> bool:
    try:
        return isinstance(data, str) and bool(b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return False


def _replayed(where: str, block: JsonObject) -> Iterator[str]:
    """Yield what is wrong with thinking that comes back; it must be what was issued, byte for byte."""
    kind, sealed = block["type"], "signature" if block["type"] == "thinking" else "data"
    if sealed not in block or (kind == "thinking" and "thinking" not in block):
        yield f"{where}.{kind}.{sealed}: Field required"
    elif kind == "thinking" and not seal.signs(block["signature"], THINKING, block["thinking"]):
        yield f"{where}: Invalid `signature` in `thinking` block"
    elif kind == "redacted_thinking" and seal.unwrapped(REDACTED, block["data"]) is None:
        yield f"{where}: Invalid `data` in `redacted_thinking` block"


def _call(where: str, block: JsonObject) -> Iterator[str]:
    if not isinstance(block.get("id"), str):
        yield f"{where}.id: Field required"
    elif not TOOL_ID.fullmatch(block["id"]):
        yield f"{where}.id: String should match pattern '^{TOOL_ID.pattern}$'"
    if not block.get("name"):
        yield f"{where}.name: Field required"
    if not isinstance(block.get("input"), dict):
        yield f"{where}.input: Input should be a valid dictionary"


def _result(where: str, block: JsonObject) -> Iterator[str]:
    if not isinstance(block.get("tool_use_id"), str):
        yield f"{where}.tool_use_id: Field required"
    content = block.get("content") or []
    if isinstance(content, list):
        for at, part in enumerate(content):
            yield from _block(f"{where}.content.{at}", part)


def _turns(messages: list[JsonObject]) -> list[Turn]:
    """Return the messages with neighbours of one role combined, each with the number of its first."""
    turns: list[Turn] = []
    for at, message in enumerate(messages):
        if turns and turns[-1][0] == message["role"]:
            turns[-1][2].extend(_blocks(message))
        else:
            turns.append((message["role"], at, [*_blocks(message)]))
    return turns


def _pairs(turns: list[Turn], end: int) -> Iterator[str]:
    asked: list[str] = []
    everyone: set[str] = set()
    for role, at, blocks in [*turns, ("user", end, [])]:
        yield from _answers(at, asked, blocks)
        asked = [block["id"] for block in blocks if role == "assistant" and block["type"] == "tool_use"]
        if len(set(asked)) < len(asked) or not everyone.isdisjoint(asked):
            yield "messages: `tool_use` ids must be unique"
        everyone.update(asked)


def _answers(at: int, asked: list[str], blocks: list[JsonObject]) -> Iterator[str]:
    """Yield what is wrong with the results of one turn for the calls of the one before."""
    seen: set[str] = set()
    leading = True  # results count only where nothing else goes before them
    for index, block in enumerate(blocks):
        leading = leading and block["type"] == "tool_result"
        if block["type"] != "tool_result":
            continue
        tool_id = block["tool_use_id"]
        if tool_id not in asked:
            yield (
                f"messages.{at}.content.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {tool_id}."
                " Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if tool_id in seen:
            yield f"messages.{at}.content.{index}: each tool_use must have a single result. Found multiple blocks with id: {tool_id}"
        if leading:
            seen.add(tool_id)
    missing = [tool_id for tool_id in asked if tool_id not in seen]
    if missing:
        yield (
            f"messages.{at - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}."
            " Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        )


def _thinking_first(turns: list[Turn]) -> Iterator[str]:
    """Yield a complaint when a call that is being answered comes without the thinking before it."""
    for (role, at, blocks), (_, _, answers) in list(pairwise(turns))[-1:]:
        answered = any(block["type"] == "tool_result" for block in answers)
        if role == "assistant" and answered and blocks[0]["type"] not in ("thinking", "redacted_thinking"):
            yield (
                f"messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{blocks[0]['type']}`."
                " When `thinking` is enabled, a final `assistant` message must start with a thinking block."
            )
