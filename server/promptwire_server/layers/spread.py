"""Spread: numbers for texts, evenly spread and the same in every process, for choices that have to be the same everywhere."""

import zlib
from typing import Final

BITS: Final = 64
_MASK: Final = (1 << BITS) - 1
_ODD: Final = 0xD6E8FEB86659FD93  # its bits are as irregular as any


def spread(text: str) -> int:
    """From 0 up to 2^64. Nobody needs to be kept from finding texts with the same number: they would only share a fate."""
    return mixed(zlib.crc32(text.encode()))


def mixed(value: int) -> int:
    """Each bit of the value counts for each upper bit of this: two values that differ a little give any two numbers."""
    value = value * _ODD & _MASK
    return (value ^ value >> 32) * _ODD & _MASK
