"""Store: a place that keeps secrets, and in which words it is said that one cannot be had."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

_SHOWN_FIELDS = 8


class Unreadable(Exception):
    """A secret cannot be had. The text says why and what to do; it follows the reference, and has nothing of the secret."""


class Unavailable(Unreadable):
    """Nor can any other of this store, for now: there is no sense in asking again at once."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is kept under a name: fields, or one text, which may be JSON."""

    text: str = field(default="", repr=False)
    fields: Mapping[str, object] | None = field(default=None, repr=False)
    ttl_s: float = 0.0  # how long it holds; 0: not said

    def pick(self, name: str) -> str:
        """One field; without a name the whole text. Raises Unreadable."""
        if not name:
            return self.text
        fields = self._parsed() if self.fields is None else self.fields
        if name not in fields:
            raise Unreadable(f"it has no field `{name}`; {_there_are(fields)}")
        value = fields[name]
        if not isinstance(value, str):
            raise Unreadable(f"its field `{name}` is no text; write the key as a text there")
        return value

    def _parsed(self) -> Mapping[str, object]:
        try:
            value: object = json.loads(self.text)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Unreadable("it is no JSON object, so it has no fields; leave out what follows the #")
        return value


class Store(Protocol):
    """A place that keeps secrets. Asked by one thread at a time."""

    def read(self, name: str) -> Found:
        """What is kept under a name now. Blocks, each request for as long as its timeout at most. Raises Unreadable."""
        ...


def _there_are(fields: Mapping[str, object]) -> str:
    shown = [f"`{name}`" for name in sorted(fields)[:_SHOWN_FIELDS]]
    return f"there are {', '.join(shown)}{', …' if len(fields) > _SHOWN_FIELDS else ''}" if shown else "it is empty"
