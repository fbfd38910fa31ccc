"""Spent: what a question took of vendors beside its answer: attempts that broke off once they had begun, and losers of a hedge."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.money import add_cost, add_usage
from promptwire_server.core.reply import Ending


def lost(call: Call) -> list[pb.Attempt]:
    """The attempts that took tokens and gave no answer."""
    return [attempt for attempt in call.trail.attempts if attempt.HasField("usage") and attempt.HasField("failure")]


def answer_of(ending: Ending, lost: list[pb.Attempt]) -> pb.ChatResponse | None:
    """The answer, whole or cut short, whose tokens and cost count beside those of lost attempts: one cut short is among these."""
    return ending.response or (None if lost else ending.partial)


def together(answer: pb.ChatResponse | None, lost: list[pb.Attempt]) -> tuple[pb.Usage, pb.Cost]:
    """Tokens and cost of all of it; new messages."""
    usage, cost = pb.Usage(), pb.Cost()
    for part in (*lost, answer):
        if part is not None:
            add_usage(usage, part.usage)
            add_cost(cost, part.cost)
    return usage, cost
