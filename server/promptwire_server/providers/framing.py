"""Framing: how the events of a stream are told apart. Server-sent events have one parser, lines of JSON another."""

from typing import Protocol

ServerEvent = tuple[str, str]  # the event's name (empty: none was given) and its data


class Parser(Protocol):
    """Takes one stream apart, whatever the cuts between reads."""

    def feed(self, data: bytes) -> list[ServerEvent]:
        """The events that these bytes complete. Raises UpstreamFailed when a bound is exceeded or the bytes are no UTF-8."""
        ...

    def rest(self) -> str:
        """Data of an event that the end of the stream cut off; empty when there is none. Not to be trusted."""
        ...
