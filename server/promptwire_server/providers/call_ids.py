"""Ids of tool calls: the vendor's where they are good, made where they are missing or repeated."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.ids import Ids


class CallIds:
    """The ids of one answer, each of which is there once."""

    __slots__ = ("_call", "_ids", "_provider", "_used")

    def __init__(self, call: Call, provider: str, ids: Ids) -> None:
        self._call = call
        self._provider = provider
        self._ids = ids
        self._used: set[str] = set()

    def take(self, said: str) -> str:
        """The vendor's id, or one made in its place and noted in the call's trail."""
        if said and said not in self._used:
            self._used.add(said)
            return said
        made = self._ids.tool_call()
        self._used.add(made)
        why = "used one id for several tool calls" if said else "left a tool call without an id"
        self._call.notice(pb.Notice.CODE_TOOL_CALL_ID_MADE, f"{self._provider} {why}; {made} was made in its place")
        return made
