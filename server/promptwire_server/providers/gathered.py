"""Gathered: an object whose texts arrive in pieces. Joined at the end: to join each piece as it comes takes the square of their number."""

import sys

from promptwire_server.providers.json_value import Json, JsonObject

_VALUE_BYTES = 128  # of a small thing


class Gathered:
    """One object while it is told."""

    __slots__ = ("_object", "_pieces")

    def __init__(self, begun: JsonObject | None = None) -> None:
        self._object: JsonObject = {} if begun is None else begun
        self._pieces: dict[str, list[str]] = {}  # behind the text that the object has

    def add(self, name: str, value: Json) -> None:
        """Append a text to a text; anything else takes the place of what was there."""
        if isinstance(value, str) and isinstance(self._object.get(name), str):
            self._pieces.setdefault(name, []).append(value)
        else:
            self.put(name, value)

    def put(self, name: str, value: Json) -> None:
        """Take the place of what was there."""
        self._pieces.pop(name, None)
        self._object[name] = value

    def is_just(self, name: str, value: Json) -> bool:
        """Whether the field is this value, and nothing was appended."""
        return name not in self._pieces and self._object.get(name) == value

    def joined(self) -> JsonObject:
        """The object as it is now."""
        for name, pieces in self._pieces.items():
            self._object[name] = "".join([str(self._object[name]), *pieces])
        self._pieces.clear()
        return self._object

    def kept_bytes(self) -> int:
        """Memory that it takes, about."""
        texts = [
            *(value for value in self._object.values() if isinstance(value, str)),
            *(text for each in self._pieces.values() for text in each),
        ]
        return _VALUE_BYTES * len(self._object) + sum(map(sys.getsizeof, texts))
