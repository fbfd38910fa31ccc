"""How much the model thinks, in levels or in tokens, as its family takes it."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers import asked
from promptwire_server.providers.gemini.facts import Facts

_Effort = pb.ReasoningSettings
_PATH = "generation.reasoning"
_ALL_LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
# The vendor's own words for these efforts where it takes OpenAI's requests (ai.google.dev/gemini-api/docs/openai).
_LEVELS = {_Effort.EFFORT_MINIMAL: "MINIMAL", _Effort.EFFORT_LOW: "LOW", _Effort.EFFORT_MEDIUM: "MEDIUM", _Effort.EFFORT_HIGH: "HIGH"}
_BUDGETS = {_Effort.EFFORT_MINIMAL: 1024, _Effort.EFFORT_LOW: 1024, _Effort.EFFORT_MEDIUM: 8192, _Effort.EFFORT_HIGH: 24_576}


def thinking_to_wire(call: Call, facts: Facts) -> dict[str, object]:
    """The field `thinkingConfig`, where anything is asked for. Notes in the call's trail what the model has no knob for."""
    reasoning = call.request.generation.reasoning
    if not facts.thinks:
        if reasoning.HasField("budget_tokens") or reasoning.include or reasoning.effort not in (0, _Effort.EFFORT_NONE):
            asked.setting_dropped(call, _PATH, "this model does not think")
        return {}
    config: dict[str, object] = {"includeThoughts": reasoning.include} if reasoning.HasField("include") else {}
    config.update(_level(call, facts) if facts.levels else _budget(call, facts))
    return {"thinkingConfig": config} if config else {}


def _level(call: Call, facts: Facts) -> dict[str, object]:
    reasoning = call.request.generation.reasoning
    effort = reasoning.effort
    if reasoning.HasField("budget_tokens"):
        effort = effort or _effort_of(reasoning.budget_tokens)
        asked.setting_dropped(call, f"{_PATH}.budget_tokens", "this model takes levels; the nearest effort stands in its place")
    if effort == _Effort.EFFORT_UNSPECIFIED:
        return {}
    if effort == _Effort.EFFORT_NONE:
        _always_thinks(call)
        return {"thinkingLevel": facts.levels[0]}
    wanted = _LEVELS.get(effort)
    if wanted is None:
        return {"thinkingLevel": facts.levels[-1]}
    at_least = _ALL_LEVELS[_ALL_LEVELS.index(wanted) :]
    return {"thinkingLevel": next(level for level in at_least if level in facts.levels)}


def _budget(call: Call, facts: Facts) -> dict[str, object]:
    reasoning = call.request.generation.reasoning
    least, most = facts.budgets or (0, 0)
    if reasoning.HasField("budget_tokens"):
        wanted = reasoning.budget_tokens
    elif reasoning.effort == _Effort.EFFORT_UNSPECIFIED:
        return {}
    elif reasoning.effort == _Effort.EFFORT_NONE:
        wanted = 0
    else:
        return {"thinkingBudget": min(max(_BUDGETS.get(reasoning.effort, most), least), most)}
    if wanted == 0 and facts.may_stop:
        return {"thinkingBudget": 0}
    if wanted == 0:
        _always_thinks(call)
    elif not least <= wanted <= most:
        asked.setting_dropped(call, f"{_PATH}.budget_tokens", f"this model takes {least} to {most}; the nearest stands in its place")
    return {"thinkingBudget": min(max(wanted, least), most)}


def _always_thinks(call: Call) -> None:
    asked.setting_dropped(call, _PATH, "this model always thinks; it was asked for as little as it can")


def _effort_of(budget_tokens: int) -> "_Effort.Effort":
    if budget_tokens == 0:
        return _Effort.EFFORT_NONE
    return next((effort for effort, budget in _BUDGETS.items() if budget_tokens <= budget), _Effort.EFFORT_HIGH)
