"""A call as the JSON body of a request."""

from dataclasses import dataclass

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers import asked
from promptwire_server.providers.anthropic.families import family_of
from promptwire_server.providers.anthropic.messages import Messages
from promptwire_server.providers.anthropic.reasoning import reasoning_to_wire
from promptwire_server.providers.anthropic.sampling import sampling_to_wire
from promptwire_server.providers.anthropic.shape import shape_of
from promptwire_server.providers.anthropic.tools import is_forced, tools_to_wire
from promptwire_server.providers.anthropic.turns import unthought
from promptwire_server.providers.json_value import Json, JsonObject

# JSON of the caller's (schemas, arguments) stands in it as orjson.Fragment: property order and large numbers stay as they are.
Wire = dict[str, object]

_PROTECTED = ("model", "messages", "system", "stream")
# Knobs of other vendors'.
_FOREIGN = ("seed", "presence_penalty", "frequency_penalty")
# What a count of tokens takes of a request.
_COUNTED = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control", "speed"}
    | {"mcp_servers", "context_management"}
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its body, what its headers need, and what its answer will have to be."""

    body: Wire
    betas: Json  # of the caller's options
    json: str  # see Shape.check


def to_wire(call: Call, provider: str, *, sampling: bool = True) -> Asked:
    """The request; `sampling`: this version of the API has temperature, top_p and top_k.

    Raises InvalidRequest and CapabilityMissing with paths; notes in the call's trail what it drops.
    """
    generation = call.request.generation
    model = call.target.model if call.target else call.request.model
    family = family_of(model)
    more = options_of(generation, provider)
    betas, citations = more.pop("anthropic_beta", None), more.pop("citations", None)
    _check(call, generation)
    shape = shape_of(generation, family)
    body: Wire = {"model": model, **Messages(call, provider, family, citations).to_wire(shape.instruction)}
    body.update(tools_to_wire(generation, provider, family))
    body.update(reasoning_to_wire(call, family, forced=is_forced(generation), unthought=unthought(body["messages"])))
    if shape.format:
        body["output_config"] = {**_object(body.get("output_config")), "format": shape.format}
    body.update(sampling_to_wire(call, family, thinking=_thinks(body), known=sampling))
    body.update(_rest(call, generation))
    return Asked(asked.merged(body, more), betas, shape.check)


def options_of(generation: pb.GenerationSettings, provider: str) -> JsonObject:
    """The caller's options for this provider. Besides fields of the request: `anthropic_beta`, and `citations` for all documents."""
    return asked.options(generation.provider_options_json, provider, _PROTECTED, "generation.provider_options_json")


def counted(body: Wire) -> Wire:
    """Of a body, what the count of its tokens takes."""
    return {name: value for name, value in body.items() if name in _COUNTED}


def _check(call: Call, generation: pb.GenerationSettings) -> None:
    """Raises CapabilityMissing for what there is no way to ask for; notes the knobs that do not exist."""
    if generation.candidate_count > 1:
        raise asked.missing("generation.candidate_count", "several candidates", "ask several times")
    if generation.logprobs or generation.HasField("top_logprobs"):
        raise asked.missing("generation.logprobs", "probabilities of tokens", "use a provider that does")
    if any(modality != pb.MODALITY_TEXT for modality in generation.output_modalities):
        raise asked.missing("generation.output_modalities", "answers other than text", "ask for text")
    for name in _FOREIGN:
        if generation.HasField(name):
            asked.setting_dropped(call, f"generation.{name}", "this provider has no such setting")
    if generation.logit_bias:
        asked.setting_dropped(call, "generation.logit_bias", "this provider has no such setting")


def _rest(call: Call, generation: pb.GenerationSettings) -> Wire:
    wire: Wire = {}
    if stops := [text for text in generation.stop_sequences if text.strip()]:
        wire["stop_sequences"] = stops
    if len(stops) < len(generation.stop_sequences):
        asked.setting_dropped(call, "generation.stop_sequences", "this provider does not stop at white space alone")
    if call.request.end_user_id:
        wire["metadata"] = {"user_id": asked.hashed(call.request.end_user_id)}
    if call.stream:
        wire["stream"] = True
    return wire


def _thinks(body: Wire) -> bool:
    return _object(body.get("thinking")).get("type") in ("enabled", "adaptive")


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
