"""Block: one content block of an answer while it grows. A whole block is one that began with everything, so both ways give the same."""

import sys

import orjson

from promptwire_server.core.reply import Event
from promptwire_server.providers.anthropic.citations import citation_from_wire
from promptwire_server.providers.gathered import Gathered
from promptwire_server.providers.growing import Growing
from promptwire_server.providers.json_value import Json, JsonObject, dumped, list_in, parsed_object, text_in
from promptwire_server.providers.lane import Lane

_KINDS = {"text": "text", "thinking": "reasoning", "redacted_thinking": "reasoning", "tool_use": "tool_call"}
# Words of ours that a block which the contract does not know must not be taken for.
_OURS = frozenset({"text", "reasoning", "refusal", "tool_call", "media"})
# What of a block is told by the part itself; the rest is state, which goes back with the next turn.
_TOLD = {
    "text": frozenset({"type", "text", "citations"}),
    "thinking": frozenset({"thinking"}),
    "redacted_thinking": frozenset[str](),
    "tool_use": frozenset({"type", "id", "name", "input"}),
}
_CITATION_BYTES = 512
_USUAL_CALLER: JsonObject = {"type": "direct"}  # the model itself: what is meant when nothing is said


class Block:
    """One block. `begin` when it starts, `take` for each delta, `end` when it is complete."""

    __slots__ = ("_cited", "_head", "_input", "_lane", "_more", "kind", "part")

    def __init__(self, item: JsonObject, lane: Lane) -> None:
        self.kind = text_in(item.get("type"))
        named = self.kind if self.kind not in _OURS else f"{self.kind}_block"
        self.part: Growing = lane.open(_KINDS.get(self.kind, named or "unknown"))
        self._lane = lane
        self._head = item  # as it came; what grows without being told grows in it
        self._more = Gathered(item)
        self._input: list[str] = []  # of a block that the contract does not know
        self._cited: list[Json] = []

    def begin(self, out: list[Event]) -> None:
        """Say that it is there, with what it began with."""
        if self.kind not in _KINDS:
            self.part.pieces.append(dumped(self._head))  # told of when it is complete, since it comes at once
            return
        self.part.name = text_in(self._head.get("name"))
        self.part.wire_id = text_in(self._head.get("id")).strip()
        self._lane.begin(self.part, out)
        self._grow(text_in(self._head.get(self.kind)), out)
        for citation in list_in(self._head.get("citations")):
            self._cite(citation)

    def take(self, delta: JsonObject, out: list[Event]) -> None:
        """Let it grow."""
        match delta.get("type"), self.kind:
            case ("text_delta", "text"):
                self._grow(text_in(delta.get("text")), out)
            case ("thinking_delta", "thinking"):
                self._grow(text_in(delta.get("thinking")), out)
            case ("input_json_delta", "tool_use"):
                self._grow(text_in(delta.get("partial_json")), out)
            case ("input_json_delta", _):
                self._input.append(text_in(delta.get("partial_json")))
            case ("citations_delta", "text"):
                self._cite(delta.get("citation"))
            case _:
                self._merge(delta)

    def end(self, out: list[Event]) -> None:
        """It is complete."""
        self._more.joined()
        if self.kind not in _KINDS:
            self.part.pieces[:] = [self._whole()]
            self._lane.begin(self.part, out)
            return
        if self.kind == "tool_use" and not self.part.pieces:
            given = self._head.get("input")
            self._grow(given if isinstance(given, str) else dumped(given or {}), out)
        for citation in self.part.citations:
            citation.start_index, citation.end_index = 0, self.part.characters()  # it stands for all of its block's text
        self.part.state = self._state()

    def hidden_bytes(self) -> int:
        """Memory that is taken by what the part does not have yet, about."""
        return self._more.kept_bytes() + sum(map(sys.getsizeof, self._input)) + _CITATION_BYTES * len(self._cited)

    def _grow(self, piece: str, out: list[Event]) -> None:
        if piece:
            self._lane.grow(self.part, _FIELDS[self.part.kind], piece, out)

    def _cite(self, citation: Json) -> None:
        self._cited.append(citation)
        self.part.citations.append(citation_from_wire(citation))

    def _merge(self, delta: JsonObject) -> None:
        """A signature, or what newer servers send: texts are joined, all else is replaced."""
        for name, value in delta.items():
            if name != "type":
                self._more.add(name, value)

    def _state(self) -> bytes:
        told = _TOLD[self.kind]
        state: JsonObject = {name: value for name, value in self._head.items() if name not in told and value is not None}
        if state.get("caller") == _USUAL_CALLER:
            del state["caller"]
        if self._cited:
            state["citations"] = self._cited
        return dumped(state).encode() if state else b""

    def _whole(self) -> str:
        """The block as JSON; an input that came in pieces stays as it was written, if it is JSON."""
        text = "".join(self._input)
        if not text:
            return dumped(self._head)
        written = orjson.Fragment(text) if parsed_object(text) is not None else text
        return orjson.dumps({**self._head, "input": written}).decode()


_FIELDS = {"text": "text", "reasoning": "reasoning", "tool_call": "arguments_json"}  # of a part's kind, where its deltas go
