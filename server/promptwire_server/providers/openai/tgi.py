"""Answers of TGI, which ends a stream of a tool call without saying why."""

from promptwire_server.providers.growing import Growing
from promptwire_server.providers.json_value import parsed_object
from promptwire_server.providers.lane import Lane
from promptwire_server.providers.openai.answer import ChatAnswer

_REASON = "stop"  # what it says of the same answer whole


class TgiAnswer(ChatAnswer):
    """See Answer."""

    __slots__ = ()

    def check_end(self) -> None:
        """See Answer. A call whose arguments are complete is one that ended well; one that broke off is not."""
        for lane in self.lanes.values():
            if lane.finish is None and _is_called(lane):
                lane.finish = _REASON
        super().check_end()


def _is_called(lane: Lane) -> bool:
    return bool(lane.parts) and lane.parts[-1].kind == "tool_call" and all(map(_is_complete, lane.parts))


def _is_complete(part: Growing) -> bool:
    return part.kind != "tool_call" or parsed_object("".join(part.pieces)) is not None
