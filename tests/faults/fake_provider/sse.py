"""Server-sent events as bytes, in every legal way of writing them."""

import json
from typing import Any

from tests.faults.fake_provider.script import Sse

EOLS = {None: "\n", "lf": "\n", "crlf": "\r\n", "cr": "\r"}
BOM = b"\xef\xbb\xbf"


def event(data: str, style: Sse, index: int, name: str | None = None) -> bytes:
    """Return one event; a line end within the data begins another `data:` line.

    `name` is the dialect's for it; the script's own goes before it.
    """
    gap = " " if style.space else ""
    name = style.event or name
    lines = [f"event:{gap}{name}"] if name else []
    if style.ids:
        lines += [f"id:{gap}{index}", f"retry:{gap}3000"]
    lines += [f"data:{gap}{line}" for line in data.split("\n")]
    return _written(lines, style)


def payload(value: dict[str, Any], style: Sse) -> str:
    """Return an object as text: compact, or over lines for multi-line data."""
    if style.multiline:
        return json.dumps(value, ensure_ascii=False, indent=1)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def comment(text: str, style: Sse) -> bytes:
    return _written([f": {text}"], style)


def _written(lines: list[str], style: Sse) -> bytes:
    eol = EOLS[style.eol]
    # A lone surrogate from the request cannot be UTF-8; it goes out as "?".
    return (eol.join(lines) + eol + eol).encode("utf-8", "replace")
