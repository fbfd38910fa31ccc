"""Worth: which answers are kept for later callers, and what those get."""

from typing import Final

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.layers.cache.aim import Aim

# What belongs to the call that asked first. Usage stays: it is that of the attempt that answered.
_OF_THE_FIRST_CALL: Final = ("request_id", "trace_id", "timing", "attempts", "cost")
_WHOLE: Final = frozenset({pb.FINISH_REASON_STOP, pb.FINISH_REASON_LENGTH, pb.FINISH_REASON_TOOL_CALLS})
_FRESH: Final = frozenset({pb.SERVED_FROM_UNSPECIFIED, pb.SERVED_FROM_PROVIDER})
# Said while another model than the one asked for answered; cut short by what was left of a budget.
_SPOILT: Final = frozenset({pb.Notice.CODE_FALLBACK_USED, pb.Notice.CODE_OUTPUT_LIMITED})


def answered_by(call: Call, answer: pb.ChatResponse) -> Target:
    """Who gave the answer: the last attempt of the trail, by the name that it was asked under."""
    attempts = call.trail.attempts
    return Target(attempts[-1].provider, attempts[-1].model) if attempts else Target(answer.provider, answer.model)


def worth_keeping(call: Call, answer: pb.ChatResponse, aim: Aim, *, tool_calls: bool) -> bool:
    """Whether later callers should get it too: a whole answer, of a target that was meant, in one piece."""
    if answer.served_from not in _FRESH or not answer.candidates:
        return False
    if answered_by(call, answer) not in aim.targets:
        return False
    if call.avoid:  # of several streams, since some broke: perhaps by several models
        return False
    if any(notice.code in _SPOILT for notice in call.trail.notices):
        return False
    reasons = {candidate.finish_reason for candidate in answer.candidates}
    return reasons <= _WHOLE and (tool_calls or not _calls_tools(answer))


def as_served(answer: pb.ChatResponse, key: str) -> pb.ChatResponse:
    """A copy of the answer as later calls get it: from the cache, at no cost, with what it saved where the cost was known."""
    served = pb.ChatResponse()
    served.CopyFrom(answer)
    for name in _OF_THE_FIRST_CALL:
        served.ClearField(name)
    served.cost.total_nano_usd = 0
    if answer.cost.HasField("total_nano_usd"):
        served.cost.saved_nano_usd = answer.cost.total_nano_usd
        served.cost.price_source = answer.cost.price_source
        served.cost.estimated = answer.cost.estimated
    served.served_from = pb.SERVED_FROM_CACHE
    served.cache_key = key
    return served


def _calls_tools(answer: pb.ChatResponse) -> bool:
    return any(part.HasField("tool_call") for candidate in answer.candidates for part in candidate.message.parts)
