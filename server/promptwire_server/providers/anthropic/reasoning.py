"""How much a model thinks, and how long its answer may be: of an answer's tokens the thoughts are a part."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers.anthropic.families import Family
from promptwire_server.providers.asked import setting_dropped

# Where the caller sets no bound, since the vendor wants one: what nearly all its models may say, enough to think and to answer.
DEFAULT_MAX_TOKENS = 32_000
_LEAST_BUDGET = 1_024  # the vendor's
_PATH = "generation.reasoning"
Reasoning = pb.ReasoningSettings
# Efforts as the vendor calls them, and as tokens for models that want a number.
_EFFORTS = {
    Reasoning.EFFORT_MINIMAL: ("low", _LEAST_BUDGET),
    Reasoning.EFFORT_LOW: ("low", 4_096),
    Reasoning.EFFORT_MEDIUM: ("medium", 10_240),
    Reasoning.EFFORT_HIGH: ("high", 20_480),
    Reasoning.EFFORT_MAX: ("max", 30_720),
}
Wire = dict[str, object]


def reasoning_to_wire(call: Call, family: Family, *, forced: bool, unthought: bool = False) -> Wire:
    """The fields `max_tokens`, `thinking` and `output_config.effort`. Notes what it drops.

    `forced`: a tool must be called; `unthought`: calls are being answered that were made without a thought of this vendor's.
    """
    settings = call.request.generation.reasoning
    wire: Wire = {"max_tokens": max_tokens_of(call, family)}
    if _is_off(settings):
        return wire | _off(call, family)
    if not settings.HasField("budget_tokens") and settings.effort not in _EFFORTS:
        return wire | (_only_shown(call, family) if settings.HasField("include") else {})
    if not family.thinking:
        setting_dropped(call, _PATH, "this model does not think before it answers")
        return wire
    if forced:
        setting_dropped(call, _PATH, "this model cannot think before a call of a tool that it is forced to make")
        return wire | (_silent(family) if family.unasked else {})
    if family.thinking == "adaptive" and not (family.budgets and settings.HasField("budget_tokens")):
        return wire | _adaptive(call)
    return wire | (_unthought(call, family) if unthought else _budget(call, family))


def max_tokens_of(call: Call, family: Family) -> int:
    """The bound of an answer, thoughts included."""
    generation = call.request.generation
    if generation.HasField("max_output_tokens"):
        return generation.max_output_tokens
    return min(family.most_output, DEFAULT_MAX_TOKENS)


def _is_off(settings: pb.ReasoningSettings) -> bool:
    return settings.budget_tokens == 0 if settings.HasField("budget_tokens") else settings.effort == Reasoning.EFFORT_NONE


def _off(call: Call, family: Family) -> Wire:
    if family.off:
        return _silent(family)
    setting_dropped(call, _PATH, "this model always thinks; it was asked for as little as it can")
    return {"output_config": {"effort": "low"}}


def _silent(family: Family) -> Wire:
    """Without thoughts, said to models that can have any and can be kept from it."""
    return {"thinking": {"type": family.off}} if family.thinking and family.off else {}


def _unthought(call: Call, family: Family) -> Wire:
    setting_dropped(call, _PATH, "the tool calls that are answered here came without thoughts that this provider has signed")
    return _silent(family) if family.unasked else {}


def _only_shown(call: Call, family: Family) -> Wire:
    """Nothing is said of how much, only whether it is shown."""
    if family.unasked:
        return {"thinking": {"type": "adaptive", **_display(call.request.generation.reasoning)}}
    if call.request.generation.reasoning.include:
        setting_dropped(call, f"{_PATH}.include", "this model thinks only when effort or budget_tokens asks for it")
    return {}


def _adaptive(call: Call) -> Wire:
    settings = call.request.generation.reasoning
    if settings.HasField("budget_tokens"):
        setting_dropped(call, f"{_PATH}.budget_tokens", "this model takes effort only")
    wire: Wire = {"thinking": {"type": "adaptive", **_display(settings)}}
    if settings.effort in _EFFORTS:
        wire["output_config"] = {"effort": _EFFORTS[settings.effort][0]}
    return wire


def _budget(call: Call, family: Family) -> Wire:
    """A number of tokens, below that of the whole answer, of which a fifth is left to answer in."""
    settings = call.request.generation.reasoning
    bounded = call.request.generation.HasField("max_output_tokens")
    said = settings.HasField("budget_tokens")
    wanted = settings.budget_tokens if said else _EFFORTS[settings.effort][1]
    total = max_tokens_of(call, family)
    if not bounded:
        total = min(family.most_output, max(total, wanted + DEFAULT_MAX_TOKENS // 2))
    budget = max(_LEAST_BUDGET, min(wanted, total * 4 // 5))
    if budget >= total:
        setting_dropped(call, _PATH, f"thinking takes {_LEAST_BUDGET} tokens at least, and max_output_tokens leaves no room for it")
        return {}
    if said and budget != wanted:
        message = f"sent as {budget}: this provider takes at least {_LEAST_BUDGET}, and an answer must have room besides"
        call.notice(pb.Notice.CODE_SETTING_DROPPED, message, f"{_PATH}.budget_tokens")
    return {"max_tokens": total, "thinking": {"type": "enabled", "budget_tokens": budget, **_display(settings)}}


def _display(settings: pb.ReasoningSettings) -> Wire:
    if not settings.HasField("include"):
        return {}
    return {"display": "summarized" if settings.include else "omitted"}
