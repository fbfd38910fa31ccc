"""How much a model is to think, in the words of each vendor."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers.asked import setting_dropped
from promptwire_server.providers.openai.effort import effort_of
from promptwire_server.providers.openai.facts import Facts

_PATH = "generation.reasoning"
_DECIDES = "chat completions decide themselves whether reasoning is shown"
_RESPONSES = '; the Responses API can be told, see "api" in provider_options_json'


def reasoning_to_wire(call: Call, facts: Facts) -> dict[str, object]:
    """The fields. What the vendor has no field for is noted in the call's trail."""
    asked = call.request.generation.reasoning
    if facts.reasoning == "object":
        return _object(call, asked, facts)
    wire: dict[str, object] = {}
    if asked.HasField("include"):
        if facts.reasoning_shown:
            wire[facts.reasoning_shown] = asked.include
        else:
            setting_dropped(call, f"{_PATH}.include", _DECIDES + (_RESPONSES if facts.responses else ""))
    if effort := effort_of(call, facts):
        wire.update(_effort(call, effort, facts))
    return wire


def _effort(call: Call, effort: str, facts: Facts) -> dict[str, object]:
    match facts.reasoning:
        case "effort":
            return {"reasoning_effort": effort}
        case "switch" | "switch and effort" if effort == "none":
            return {"thinking": {"type": "disabled"}}
        case "switch":
            return {"thinking": {"type": "enabled"}}
        case "switch and effort":
            return {"thinking": {"type": "enabled"}, "reasoning_effort": effort}
    setting_dropped(call, f"{_PATH}.effort", "this provider has no such setting")
    return {}


def _object(call: Call, asked: pb.ReasoningSettings, facts: Facts) -> dict[str, object]:
    """Tokens win over effort, since both at once are refused."""
    wire: dict[str, object] = {}
    if asked.HasField("budget_tokens"):
        wire["max_tokens"] = asked.budget_tokens
    elif effort := effort_of(call, facts):
        wire["effort"] = effort
    if asked.HasField("include"):
        wire["exclude"] = not asked.include
    return {"reasoning": wire} if wire else {}
