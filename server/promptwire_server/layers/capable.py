"""Capable: whether a target can do what a question needs, as far as that is known. What is not known is tried."""

from collections.abc import Sequence
from typing import Final

from promptwire import v1 as pb
from promptwire_server.core.call import Target
from promptwire_server.core.errors import CapabilityMissing, ContextTooLong, Violation
from promptwire_server.layers.need import Need
from promptwire_server.layers.question import Question

_SURELY: Final = 1.25  # an estimate of the prompt's length is off by so much, even for English


def refused(
    question: Question, target: Target, capabilities: Sequence["pb.Capability"], window_tokens: int, needs: Sequence[Need] | None = None
) -> CapabilityMissing | ContextTooLong | None:
    """Why a target cannot be asked that can do this, and takes prompts of so many tokens; None: it may be asked.

    Without capabilities nothing is known of them, and 0 tokens are unknown too. How much a model thinks, its seed and the like are knobs:
    one that is missing is dropped with a notice, and rules no target out. `needs` are those of the question, where they are at hand.
    """
    if capabilities and (need := _lacking(tuple(question.needs()) if needs is None else needs, capabilities)) is not None:
        message = f"no model that may answer here can be asked for {need.what}; {need.instead}"
        return CapabilityMissing(f"{need.field}: {message}", violations=[Violation(need.field, message)])
    if question.size_bytes > window_tokens > 0 and question.whole_tokens > window_tokens * _SURELY:
        length = f"{question.whole} has about {question.whole_tokens} tokens"
        return ContextTooLong(f"{length}, and {target} takes {window_tokens}; shorten it, or choose another model")
    return None


def _lacking(needs: Sequence[Need], capabilities: Sequence["pb.Capability"]) -> Need | None:
    return next((need for need in needs if not any(one in capabilities for one in need.any_of)), None)
