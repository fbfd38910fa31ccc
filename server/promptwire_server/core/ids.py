"""Identifiers: of requests and runs (sortable by time), of traces (W3C), and of tool calls that a vendor left without one."""

from promptwire_server.core.clock import Chance, Clock

_RANDOM_BITS = 64  # with 44 bits of milliseconds: 2^32 ids within one millisecond before a collision is likely


class Ids:
    """Makes identifiers."""

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._chance = chance

    def request(self) -> str:
        """A request id, e.g. "req-018bcfe56800…": 31 characters, sorts by time."""
        return f"req-{self._sortable()}"

    def run(self) -> str:
        """A run id, e.g. "run-018bcfe56800…": 31 characters, sorts by time."""
        return f"run-{self._sortable()}"

    def trace(self) -> str:
        """A W3C trace id: 32 hex digits, never all zero."""
        return f"{self._chance.bits(128) or 1:032x}"

    def tool_call(self) -> str:
        """A tool call id, e.g. "call_9f3c…": 21 characters, within what every vendor takes."""
        return f"call_{self._chance.bits(64):016x}"

    def _sortable(self) -> str:
        return f"{int(self._clock.time() * 1000):011x}{self._chance.bits(_RANDOM_BITS):016x}"
