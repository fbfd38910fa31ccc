"""How much a model shall think, in OpenAI's words."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers import asked
from promptwire_server.providers.openai.facts import Facts

_EFFORTS = {
    pb.ReasoningSettings.EFFORT_NONE: "none",
    pb.ReasoningSettings.EFFORT_MINIMAL: "minimal",
    pb.ReasoningSettings.EFFORT_LOW: "low",
    pb.ReasoningSettings.EFFORT_MEDIUM: "medium",
    pb.ReasoningSettings.EFFORT_HIGH: "high",
}


def effort_of(call: Call, facts: Facts) -> str:
    """The word; empty when nothing was asked for. A budget is dropped with a notice."""
    reasoning = call.request.generation.reasoning
    if reasoning.HasField("budget_tokens"):
        asked.setting_dropped(call, "generation.reasoning.budget_tokens", "this provider takes effort only")
    if reasoning.effort == pb.ReasoningSettings.EFFORT_MAX:
        return facts.max_effort
    return _EFFORTS.get(reasoning.effort, "")
