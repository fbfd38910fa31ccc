"""Recordings made strange: bytes, events and values of JSON changed at random, by a seed."""

import json
from random import Random
from typing import Any

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 10**18, -(10**18), 0.5, -0.0, 1e308, "", " ", "x" * 5000, "\u0000", "\ud83d\ude00",
    "[DONE]", "null", "{}", "-1",
    "NaN", [], [None], [[]], [{}], {}, {"": None}, {"error": {"message": "m", "code": 500}}, {"type": "text"}, {"index": -1}, {"text": 3},
)  # fmt: skip
BLOCK_ENDS = (b"\r\n\r\n", b"\n\n", b"\n")


def mutated(body: bytes, random: Random) -> bytes:
    """The body with one to four changes."""
    for _ in range(random.randint(1, 4)):
        body = random.choice((_bytes, _events, _values, _values, _values))(body, random)
    return body


def reads_of(body: bytes, random: Random) -> list[bytes]:
    """The body in pieces of random sizes."""
    pieces = []
    while body:
        size = random.choice((1, 3, 50, 500, len(body)))
        pieces.append(body[:size])
        body = body[size:]
    return pieces


def _bytes(body: bytes, random: Random) -> bytes:
    at = random.randrange(len(body) + 1)
    junk = random.choice((b"", random.randbytes(random.randint(1, 8)), b"\n", b"\r", b"\n\n", b"data: ", b"\xff", b"\x00", b"{", b'"'))
    return body[:at] + junk + body[at + random.choice((0, 1, 8)) :]


def _events(body: bytes, random: Random) -> bytes:
    """Leave out, repeat, or exchange whole events."""
    end = next(end for end in BLOCK_ENDS if end in body or end == b"\n")
    events = body.split(end)
    at, other = random.randrange(len(events)), random.randrange(len(events))
    match random.randrange(3):
        case 0:
            del events[at]
        case 1:
            events.insert(other, events[at])
        case _:
            events[at], events[other] = events[other], events[at]
    return end.join(events)


def _values(body: bytes, random: Random) -> bytes:
    """Change one value within one JSON object."""
    lines = body.split(b"\n")
    candidates = [at for at, line in enumerate(lines) if b"{" in line]
    if not candidates:
        return body
    at = random.choice(candidates)
    start = lines[at].index(b"{")
    try:
        value = json.loads(lines[at][start:])
    except ValueError:
        return body
    lines[at] = lines[at][:start] + json.dumps(_changed(value, random), separators=(",", ":")).encode("utf-8", "replace")
    return b"\n".join(lines)


def _changed(value: Any, random: Random) -> Any:
    """Walk to a random place, and put something strange there, or take it away."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        name = random.choice(list(value))
        if random.random() < 0.15:
            return {key: kept for key, kept in value.items() if key != name}
        return {**value, name: _changed(value[name], random)}
    if isinstance(value, list) and value and random.random() < 0.85:
        at = random.randrange(len(value))
        return [*value[:at], _changed(value[at], random), *value[at + 1 :]]
    return random.choice(STRANGE)
