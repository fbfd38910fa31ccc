"""Reasoning details: fragments of a vendor's own record of its reasoning, joined so that they can be sent back as they must be."""

from promptwire_server.providers.gathered import Gathered
from promptwire_server.providers.json_value import Json, dumped, object_in

_GROWS = ("text", "summary", "data", "signature")  # of one detail these come in pieces


class Details:
    """The details of one candidate so far."""

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str], Gathered] = {}

    def take(self, fragments: list[Json]) -> str:
        """Join these to what is there. Returns the text that they add for a reader."""
        shown = ""
        for position, fragment in enumerate(map(object_in, fragments)):
            key = (str(fragment.get("index", position)), str(fragment.get("type")))
            known = self._by_key.get(key) or self._by_key.setdefault(key, Gathered())
            for name, value in fragment.items():
                if name in _GROWS:
                    known.add(name, value)
                else:
                    known.put(name, value)
            shown += "".join(value for name in ("text", "summary") if isinstance(value := fragment.get(name), str))
        return shown

    def state(self) -> bytes:
        """What goes back with the next turn."""
        return dumped({"reasoning_details": [known.joined() for known in self._by_key.values()]}).encode() if self._by_key else b""

    def kept_bytes(self) -> int:
        """Memory that they take, about."""
        return sum(known.kept_bytes() for known in self._by_key.values())
