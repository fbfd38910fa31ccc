"""Sketch: how often keys were asked for of late, roughly and in little room: a count-min sketch that forgets."""

from typing import Final

_ROOMY: Final = 4  # places of a row for each key: two wide rows err as little as four narrow ones, at half the time
_LEAST_BITS: Final = 12  # of places
_MOST: Final = 15  # of one key: beyond, it is asked for often, and how often says nothing more
_MEMORY: Final = 10  # asks a key, and all counts are halved
_HALVED: Final = bytes(count // 2 for count in range(256))


class Sketch:
    """Counts by hashes of 64 bits. Never too low, but for what was forgotten; too high when keys share both their places."""

    def __init__(self, keys: int) -> None:
        """For about so many keys."""
        width = 1 << max(_LEAST_BITS, (keys * _ROOMY - 1).bit_length())
        self._mask = width - 1
        self._one = bytearray(width)
        self._other = bytearray(width)
        self._memory = self._left = width // _ROOMY * _MEMORY

    def add(self, hashed: int) -> None:
        """It was asked for."""
        # Spelled out: a loop over the rows costs twice as much, and this is on the path of every look at the cache.
        mask, counts = self._mask, self._one
        place = hashed & mask
        if counts[place] < _MOST:
            counts[place] += 1
        place, counts = hashed >> 32 & mask, self._other
        if counts[place] < _MOST:
            counts[place] += 1
        self._left -= 1
        if not self._left:
            self._left = self._memory // 2
            self._one, self._other = self._one.translate(_HALVED), self._other.translate(_HALVED)

    def count(self, hashed: int) -> int:
        """How often it was asked for, at most 15."""
        return min(self._one[hashed & self._mask], self._other[hashed >> 32 & self._mask])
