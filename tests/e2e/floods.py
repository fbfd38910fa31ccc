"""Floods: what hostile upstreams send without an end, or far too much of, for each dialect: a beginning, and what comes again and again."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Wire = dict[str, Any]
_BLOCK_BYTES: Final = 64 << 10
_LONG: Final = "so many words " * 40
_OK: Final = b"HTTP/1.1 200 OK\r\n"


@dataclass(frozen=True, slots=True)
class Flood:
    """A recording, and how many bytes at its end come again and again; none: it ends."""

    recording: bytes
    loop: int = 0


def head(content_type: str, *more: str) -> bytes:
    """The head of an answer that lasts until the connection is closed."""
    return _OK + "".join(f"{line}\r\n" for line in (f"content-type: {content_type}", "connection: close", *more)).encode() + b"\r\n"


def endless(beginning: bytes, unit: bytes) -> Flood:
    """The unit for ever, in large pieces."""
    block = unit * max(1, _BLOCK_BYTES // len(unit))
    return Flood(beginning + block, len(block))


def _sse(event: Wire) -> bytes:
    named = f"event: {event['type']}\n" if "type" in event else ""
    return f"{named}data: {json.dumps(event, separators=(',', ':'))}\n\n".encode()


def _line(event: Wire) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


class Speaker:
    """A dialect, as far as floods go."""

    def __init__(self, kind: str, path: str, *, own: bytes = b": ping\n\n", **config: str) -> None:
        self.config = {"kind": kind, **config}
        self.path = path
        self.ping = own
        self.lines = kind == "ollama"
        self.stream_head = head("application/x-ndjson" if self.lines else "text/event-stream")
        self.pack: Callable[[Wire], bytes] = _line if self.lines else _sse

    def stream(self, begun: list[Wire], again: list[Wire]) -> Flood:
        """These events, and then those for ever."""
        return endless(self.stream_head + b"".join(map(self.pack, begun)), b"".join(map(self.pack, again)))

    @property
    def line(self) -> bytes:
        """What a line of an event begins with."""
        return b"" if self.lines else b"data: "


SPEAKERS: Final[Mapping[str, Speaker]] = {
    "openai": Speaker("openai", "/v1", api="chat"),
    "responses": Speaker("openai", "/v1", api="responses"),
    "anthropic": Speaker("anthropic", "", own=_sse({"type": "ping"})),
    "gemini": Speaker("gemini", "/v1beta"),
    "ollama": Speaker("ollama", "", own=b"\n"),
}


def _chunk(index: int = 0, **delta: Any) -> Wire:
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": index, "delta": delta}]}


def _said(delta: str, content: int = 0) -> Wire:
    return {"type": "response.output_text.delta", "output_index": 0, "content_index": content, "delta": delta}


def _grown(kind: str, **delta: str) -> Wire:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": kind, **delta}}


def _parts(*parts: Wire) -> Wire:
    return {"candidates": [{"index": 0, "content": {"role": "model", "parts": list(parts)}}]}


def _message(**message: Any) -> Wire:
    return {"model": "m", "created_at": "now", "message": {"role": "assistant", "content": "", **message}, "done": False}


_CREATED: Final[Wire] = {"type": "response.created", "response": {"id": "r", "model": "m"}}
_MESSAGE: Final[Wire] = {"type": "message_start", "message": {"id": "m", "model": "m", "role": "assistant", "content": [], "usage": {}}}
_CALL: Final = {"id": "", "type": "function", "function": {"name": "f", "arguments": ""}}


def _begun(block: Wire, index: int = 0) -> list[Wire]:
    return [_MESSAGE, {"type": "content_block_start", "index": index, "content_block": block}]


def _calls(index: int) -> Wire:
    return {
        "type": "content_block_start",
        "index": index,
        "content_block": {"type": "tool_use", "id": f"c{index}", "name": "f", "input": {}},
    }


def _item(index: int, kind: str) -> Wire:
    item = {"type": kind, "id": f"i{index}", "call_id": f"c{index}", "name": "f", "arguments": ""}
    return {"type": "response.output_item.added", "output_index": index, "item": item}


# By what does not end: for each dialect the events that begin it, and those that come again and again.
_MANY: Final = range(2000)
STREAMS: Final[Mapping[str, Mapping[str, tuple[list[Wire], list[Wire]]]]] = {
    "tiny deltas": {
        "openai": ([_chunk(role="assistant", content="")], [_chunk(content="ab ")]),
        "responses": ([_CREATED], [_said("ab ")]),
        "anthropic": (_begun({"type": "text", "text": ""}), [_grown("text_delta", text="ab ")]),
        "gemini": ([], [_parts({"text": "ab "})]),
        "ollama": ([], [_message(content="ab ")]),
    },
    "text": {
        "openai": ([], [_chunk(content=_LONG)]),
        "responses": ([_CREATED], [_said(_LONG)]),
        "anthropic": (_begun({"type": "text", "text": ""}), [_grown("text_delta", text=_LONG)]),
        "gemini": ([], [_parts({"text": _LONG})]),
        "ollama": ([], [_message(content=_LONG)]),
    },
    "text of every alphabet": {
        "openai": ([], [_chunk(content="ab \N{GRINNING FACE} " * 60)]),
        "ollama": ([], [_message(content="ab \N{GRINNING FACE} " * 60)]),
    },
    "reasoning": {
        "openai": ([], [_chunk(reasoning_content=_LONG)]),
        "responses": ([_CREATED], [{"type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0, "delta": _LONG}]),
        "anthropic": (_begun({"type": "thinking", "thinking": ""}), [_grown("thinking_delta", thinking=_LONG)]),
        "gemini": ([], [_parts({"text": _LONG, "thought": True})]),
        "ollama": ([], [_message(thinking=_LONG)]),
    },
    "arguments": {
        "openai": (
            [_chunk(tool_calls=[{**_CALL, "index": 0, "id": "c0"}])],
            [_chunk(tool_calls=[{"index": 0, "function": {"arguments": _LONG}}])],
        ),
        "responses": (
            [_CREATED, _item(0, "function_call")],
            [{"type": "response.function_call_arguments.delta", "output_index": 0, "delta": _LONG}],
        ),
        "anthropic": (
            _begun({"type": "tool_use", "id": "c", "name": "f", "input": {}}),
            [_grown("input_json_delta", partial_json=_LONG)],
        ),
        "gemini": ([], [_parts({"functionCall": {"name": "f", "args": {"a": _LONG}}})]),
        "ollama": ([], [_message(tool_calls=[{"function": {"name": "f", "arguments": {"a": _LONG}}}])]),
    },
    "calls": {
        "openai": ([], [_chunk(tool_calls=[{**_CALL, "index": number, "id": f"c{number}"}]) for number in _MANY]),
        "responses": ([_CREATED], [_item(number, "function_call") for number in _MANY]),
        "anthropic": ([_MESSAGE], [_calls(number) for number in _MANY]),
        "gemini": ([], [_parts({"functionCall": {"name": "f", "args": {}}})]),
        "ollama": ([], [_message(tool_calls=[{"function": {"name": "f", "arguments": {}}}])]),
    },
    "candidates": {
        "openai": ([], [_chunk(number, content=_LONG) for number in range(128)]),
        "gemini": ([], [{"candidates": [{"index": number, "content": {"parts": [{"text": _LONG}]}} for number in range(128)]}]),
    },
    "calls of many candidates": {
        "openai": ([], [_chunk(number % 128, tool_calls=[{**_CALL, "index": number, "id": f"c{number}"}]) for number in range(100_000)]),
    },
    "what nobody asked for": {
        "openai": ([_chunk(content="hi")], [{**_chunk(content="x"), f"field{number}": _LONG} for number in _MANY]),
        "gemini": ([_parts({"text": "hi"})], [_parts({"text": "x", "unknown": f"{number} {_LONG}"}) for number in _MANY]),
        "anthropic": (_begun({"type": "text", "text": ""}), [_grown("signature_delta", signature=_LONG)]),
        "ollama": ([_message(content="hi")], [_message(unknown=f"{number} {_LONG}") for number in _MANY]),
    },
    "details of reasoning": {
        "openai": ([], [_chunk(reasoning_details=[{"type": "reasoning.text", "index": 0, "text": "x", "signature": _LONG}])]),
    },
    "input that is not told": {
        "anthropic": (_begun({"type": "server_tool_use", "id": "s", "name": "n"}), [_grown("input_json_delta", partial_json=_LONG)]),
    },
    "probabilities": {
        "openai": (
            [],
            [
                {
                    "choices": [
                        {
                            "index": 0,
                            "delta": {"content": "x"},
                            "logprobs": {"content": [{"token": "x", "logprob": -1, "bytes": [120]}] * 9},
                        }
                    ]
                }
            ],
        ),
    },
    "pictures": {
        "openai": ([], [_chunk(images=[{"image_url": {"url": "data:image/png;base64," + "AAAA" * 8000}}])]),
        "gemini": ([], [_parts({"inlineData": {"mimeType": "image/png", "data": "AAAA" * 8000}})]),
    },
}


def whole(*, many: str) -> Mapping[str, bytes]:
    """Bodies with a million of something, as each dialect has it: `many` is "candidates" or "parts"."""
    if many == "candidates":
        return {"openai": _million(b'{"choices":['), "gemini": _million(b'{"candidates":[')}
    return {
        "openai": _million(b'{"choices":[{"index":0,"message":{"role":"assistant","tool_calls":[', b"]}}]}"),
        "responses": _million(b'{"status":"completed","output":['),
        "anthropic": _million(b'{"type":"message","content":['),
        "gemini": _million(b'{"candidates":[{"content":{"parts":[', b"]}}]}"),
        "ollama": _million(b'{"done":true,"message":{"tool_calls":[', b"]}}"),
    }


def _million(before: bytes, after: bytes = b"]}") -> bytes:
    return before + b"{}," * 999_999 + b"{}" + after


def deep(before: bytes = b"") -> bytes:
    """JSON of a hundred thousand levels."""
    return before + b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


# Heads that do not end, or that end in what does not.
_CHUNKED: Final = _OK + b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
HEADS: Final[Mapping[str, Flood]] = {
    "a header": endless(_OK + b"x-long: ", b"a"),
    "headers": endless(_OK, b"x-more: and more\r\n"),
    "a status line": endless(b"HTTP/1.1 200 ", b"O"),
    "heads that continue": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "an extension of a chunk": endless(_CHUNKED + b"5;", b"a"),
    "the size of a chunk": endless(_CHUNKED, b"0"),
    "trailers": endless(_CHUNKED + b"2\r\n{}\r\n0\r\n", b"x-more: and more\r\n"),
    "empty lines": endless(b"", b"\r\n"),
}
