"""Temperature, top_p and top_k: which of them a model takes, alone, together, and while it thinks."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers.anthropic.families import Family
from promptwire_server.providers.asked import setting_dropped

_NAMES = ("temperature", "top_p", "top_k")
_LEAST_TOP_P = 0.95  # while the model thinks


def sampling_to_wire(call: Call, family: Family, *, thinking: bool, known: bool) -> dict[str, object]:
    """The fields. `known`: this version of the API has them at all. Notes what it drops or lowers."""
    generation = call.request.generation
    wire: dict[str, object] = {name: getattr(generation, name) for name in _NAMES if generation.HasField(name)}
    if generation.temperature > 1:
        wire["temperature"] = 1.0
        message = "sent as 1: this provider takes 0 to 1"
        call.notice(pb.Notice.CODE_SETTING_DROPPED, message, "generation.temperature")
    for name in list(wire):
        if why := _why_not(name, wire, family, thinking=thinking, known=known):
            setting_dropped(call, f"generation.{name}", why)
            del wire[name]
    return wire


def _why_not(name: str, wire: dict[str, object], family: Family, *, thinking: bool, known: bool) -> str:
    if not known:
        return "this version of the provider's API has no such setting"
    if family.sampling == "none":
        return "this model has no such setting"
    if thinking and (name == "top_k" or (name == "temperature" and wire[name] != 1)):
        return "this model does not take it while it thinks"
    if thinking and name == "top_p" and isinstance(value := wire[name], float) and value < _LEAST_TOP_P:
        return f"while it thinks, this model takes no less than {_LEAST_TOP_P}"
    if name == "top_p" and family.sampling == "either" and "temperature" in wire:
        return "this model does not take it together with temperature"
    return ""
