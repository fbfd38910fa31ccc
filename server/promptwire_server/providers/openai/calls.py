"""Tool calls of chat completions: of one candidate, joined from whatever fragments a vendor sends."""

from promptwire_server.core.reply import Event
from promptwire_server.providers.growing import Growing
from promptwire_server.providers.json_value import Json, JsonObject, dumped, object_in, text_in
from promptwire_server.providers.lane import Lane
from promptwire_server.providers.openai import custom, states


class ToolCalls:
    """The calls of one lane so far: of functions, and of custom tools, whose text becomes an object (see custom)."""

    __slots__ = ("_customs", "_lane", "_parts")

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._parts: dict[int, Growing] = {}
        self._customs: list[Growing] = []  # that are not closed

    def take(self, items: list[Json], out: list[Event]) -> None:
        """Let the calls grow by what stands under `tool_calls`."""
        for position, item in enumerate(map(object_in, items)):
            called = object_in(item.get("custom") or item.get("function"))
            part = self._part(position, item, called)
            part.wire_id = part.wire_id or text_in(item.get("id")).strip()
            if not part.begun:
                part.name = text_in(called.get("name")) or part.name
            self._grow(part, self._input(part, called) if "custom" in item else _arguments(called), out)

    def close(self, out: list[Event]) -> None:
        """Nothing more comes: complete the objects of custom tools."""
        for part in self._customs:
            self._grow(part, custom.CLOSING, out)
        self._customs.clear()

    def _grow(self, part: Growing, arguments: str, out: list[Event]) -> None:
        if part.begun:
            if arguments:
                self._lane.grow(part, "arguments_json", arguments, out)
            return
        # What comes before the name is kept, and said at once with it.
        if arguments:
            part.pieces.append(arguments)
        if part.name:
            self._lane.begin(part, out)
            if part.pieces:
                out.append(Event(part_delta={**part.where, "arguments_json": "".join(part.pieces)}))

    def _input(self, part: Growing, called: JsonObject) -> str:
        piece = custom.escaped(text_in(called.get("input")))
        if part.state == states.CUSTOM:
            return piece
        part.state = states.CUSTOM
        self._customs.append(part)
        return custom.OPENING + piece

    def _part(self, position: int, item: JsonObject, called: JsonObject) -> Growing:
        """The call that this fragment belongs to. Some vendors number every call 0, or none: a new name and id then mean a new call."""
        said = item.get("index")
        number = said if isinstance(said, int) and not isinstance(said, bool) else None
        key = number if number is not None else (max(self._parts, default=-1) if self._parts and not called.get("name") else position)
        known = self._parts.get(key)
        if known is not None:
            said_id = text_in(item.get("id")).strip()
            differs = said_id != known.wire_id if said_id else number is None
            if not (differs and known.begun and called.get("name")):
                return known
            key = max(self._parts) + 1
        part = self._lane.open("tool_call")
        self._parts[key] = part
        return part


def _arguments(called: JsonObject) -> str:
    """As text; some vendors send the object itself."""
    arguments = called.get("arguments")
    return dumped(arguments) if isinstance(arguments, dict) else text_in(arguments)
