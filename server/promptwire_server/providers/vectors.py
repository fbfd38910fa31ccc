"""Vectors as vendors send them: lists of numbers, or base64 of little-endian floats. And as nobody sends them, for trials."""

from array import array
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from hashlib import sha256
from math import hypot, isfinite
from sys import byteorder

from promptwire_server.providers.failed import failed
from promptwire_server.providers.json_value import Json, list_in

_BLOCK = 32  # bytes of a hash
_MIDDLE = 127.5  # of a byte
_NUMBERS = frozenset({int, float})  # true and false are neither


def vector_from_wire(value: Json, provider: str) -> Sequence[float]:
    """The numbers, of 32 bits as in the contract. Raises UpstreamFailed for what is no vector, or has numbers that are none."""
    numbers = _decoded(value) if isinstance(value, str) else _packed(list_in(value))
    if numbers is None:
        raise failed(provider, "it sent a vector of something else than numbers")
    if not numbers:
        raise failed(provider, "it sent a vector that is none")
    # One number that is none, or too large for 32 bits, makes the sum none: the sum itself cannot become so large.
    if not isfinite(sum(numbers)):
        raise failed(provider, "it sent a vector with numbers that are none")
    return numbers


def vector_of(text: str, size: int) -> Sequence[float]:
    """A vector of length 1 that depends on the text alone, for what stands in for a model."""
    blocks = (sha256(f"{block}\0{text}".encode()).digest() for block in range(-(-size // _BLOCK)))
    numbers = [byte - _MIDDLE for block in blocks for byte in block][:size]
    length = hypot(*numbers)
    return [number / length for number in numbers]


def _packed(numbers: list[Json]) -> "array[float] | None":
    return array("f", numbers) if _NUMBERS.issuperset(map(type, numbers)) else None  # type: ignore[arg-type] # so they are numbers


def _decoded(text: str) -> "array[float] | None":
    numbers = array("f")
    try:
        numbers.frombytes(b64decode(text, validate=True))
    except (Base64Error, ValueError):
        return None
    if byteorder == "big":
        numbers.byteswap()
    return numbers
