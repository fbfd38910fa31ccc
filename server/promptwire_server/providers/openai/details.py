"""Reasoning details: fragments of a vendor's own record of its reasoning, joined so that they can be sent back as they must be."""

from promptwire_server.providers.json_value import Json, JsonObject, dumped, object_in

_GROWS = ("text", "summary", "data", "signature")  # of one detail these come in pieces


class Details:
    """The details of one candidate so far."""

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str], JsonObject] = {}

    def take(self, fragments: list[Json]) -> str:
        """Join these to what is there. Returns the text that they add for a reader."""
        shown = ""
        for position, fragment in enumerate(map(object_in, fragments)):
            key = (str(fragment.get("index", position)), str(fragment.get("type")))
            known = self._by_key.setdefault(key, {})
            for name, value in fragment.items():
                before = known.get(name)
                known[name] = before + value if name in _GROWS and isinstance(before, str) and isinstance(value, str) else value
            shown += "".join(value for name in ("text", "summary") if isinstance(value := fragment.get(name), str))
        return shown

    def state(self) -> bytes:
        """What goes back with the next turn."""
        return dumped({"reasoning_details": list(self._by_key.values())}).encode()
