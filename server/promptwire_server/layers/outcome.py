"""Outcome: how a question ended, in one word, and who answered it."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.reply import Ending
from promptwire_server.layers import names


def outcome_of(ending: Ending, *, late: bool) -> str:
    """OK, or the name of an ErrorReason. `late`: the deadline has passed."""
    error = ending.error
    if isinstance(error, PromptwireError):
        return error.reason_name
    if error is not None:
        return names.INTERNAL
    if ending.response is not None:
        return names.OK
    return names.DEADLINE if late else names.CANCELLED  # abandoned: by the server's own deadline, or by the reader


def who(call: Call, answer: pb.ChatResponse | None) -> tuple[str, str]:
    """The provider and model that answered, or that were tried last; empty when none was."""
    if answer is not None and (provider := answer.provider):
        return provider, answer.model
    attempts = call.trail.attempts
    return (attempts[-1].provider, attempts[-1].model) if attempts else ("", "")
