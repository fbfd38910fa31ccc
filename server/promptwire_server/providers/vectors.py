"""Vectors as vendors send them: lists of numbers, or base64 of little-endian floats. And as nobody sends them, for trials."""

from array import array
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from hashlib import sha256
from math import hypot, isfinite
from sys import byteorder

from promptwire_server.providers.failed import failed
from promptwire_server.providers.json_value import Json

_BLOCK = 32  # bytes of a hash
_MIDDLE = 127.5  # of a byte


def vector_from_wire(value: Json, provider: str) -> Sequence[float]:
    """The numbers. Raises UpstreamFailed for what is no vector, or has numbers that are none."""
    vector = _decoded(value) if isinstance(value, str) else value
    if not vector or isinstance(vector, str | int | float | bool | dict):
        raise failed(provider, "it sent a vector that is none")
    numbers = [float(number) for number in vector if isinstance(number, int | float) and not isinstance(number, bool)]
    if len(numbers) != len(vector) or not all(map(isfinite, numbers)):
        raise failed(provider, "it sent a vector of something else than numbers")
    return numbers


def vector_of(text: str, size: int) -> Sequence[float]:
    """A vector of length 1 that depends on the text alone, for what stands in for a model."""
    blocks = (sha256(f"{block}\0{text}".encode()).digest() for block in range(-(-size // _BLOCK)))
    numbers = [byte - _MIDDLE for block in blocks for byte in block][:size]
    length = hypot(*numbers)
    return [number / length for number in numbers]


def _decoded(text: str) -> Sequence[float] | None:
    numbers = array("f")
    try:
        numbers.frombytes(b64decode(text, validate=True))
    except (Base64Error, ValueError):
        return None
    if byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
