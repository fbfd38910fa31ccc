"""A call as the JSON body of a request to the Responses API."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers import asked
from promptwire_server.providers.json_value import Json, JsonObject, list_in
from promptwire_server.providers.openai.asker import asker_to_wire
from promptwire_server.providers.openai.effort import effort_of
from promptwire_server.providers.openai.facts import Facts, matches
from promptwire_server.providers.openai.schema import json_schema_to_wire
from promptwire_server.providers.openai.which import more_of
from promptwire_server.providers.responses.input import Input
from promptwire_server.providers.responses.tools import tools_to_wire

Wire = dict[str, object]

# An answer in the background is none yet.
_PROTECTED = ("model", "input", "stream", "background")
# Settings whose name and meaning are the same on both sides.
_SAME = ("temperature", "top_p", "max_output_tokens", "parallel_tool_calls", "top_logprobs")
_LACKS = ("top_k", "seed", "presence_penalty", "frequency_penalty")
_LACKS_LISTS = ("stop_sequences", "logit_bias")
_LEAST_TOKENS = 16  # that may be generated at most: less is refused
_NOT_THERE = "the Responses API has no such setting; chat completions have"
_SEALED_REASONING = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"
# What brings a conversation of its own, so that there need be none in the request.
_CONVERSATIONS = ("previous_response_id", "conversation", "prompt")


def to_wire(call: Call, provider: str, facts: Facts) -> Wire:
    """The body. Raises InvalidRequest and CapabilityMissing with paths; notes in the call's trail what it drops.

    Nothing is stored at the vendor unless provider_options_json says so: what the model thought goes back and forth in provider_state.
    """
    request = call.request
    model = call.target.model if call.target else request.model
    more = more_of(call, provider, _PROTECTED)
    items = Input(call, provider, facts).to_wire()
    wire: Wire = {"model": model, "input": items, "store": False}
    if request.system:
        wire["instructions"] = request.system
    if not items:
        _without_input(wire, request.system, more)
    if request.HasField("generation"):
        wire.update(_generation(call, facts))
        wire.update(tools_to_wire(request.generation, provider, facts))
    if include := _include(request.generation, model, facts, more):
        wire["include"] = include
    wire.update(asker_to_wire(call, facts))
    if call.stream:
        wire["stream"] = True
    return asked.merged(wire, more)


def _without_input(wire: Wire, system: str, more: JsonObject) -> None:
    if any(more.get(name) for name in _CONVERSATIONS):
        return
    if not system:
        raise InvalidRequest.at("messages", "there is no question; set prompt or messages")
    wire["input"] = [{"role": "system", "content": wire.pop("instructions")}]


def _include(generation: pb.GenerationSettings, model: str, facts: Facts, more: JsonObject) -> list[Json]:
    """What the vendor leaves out unless asked; the caller's list is added to it."""
    effort = generation.reasoning.effort
    thinks = effort not in (pb.ReasoningSettings.EFFORT_UNSPECIFIED, pb.ReasoningSettings.EFFORT_NONE)
    include: list[Json] = []
    if thinks or generation.reasoning.include or matches(model, facts.thinkers):
        include.append(_SEALED_REASONING)
    if generation.logprobs or generation.HasField("top_logprobs"):
        include.append(_LOGPROBS)
    include += [name for name in list_in(more.pop("include", None)) if name not in include]
    return include


def _generation(call: Call, facts: Facts) -> Wire:
    generation = call.request.generation
    if generation.candidate_count > 1:
        raise asked.missing("generation.candidate_count", "several answers at once in the Responses API", "ask several times")
    wire: Wire = {name: getattr(generation, name) for name in _SAME if generation.HasField(name)}
    _drop(call)
    if generation.HasField("max_output_tokens") and generation.max_output_tokens < _LEAST_TOKENS:
        wire["max_output_tokens"] = _LEAST_TOKENS
        asked.setting_dropped(call, "generation.max_output_tokens", f"the Responses API takes no less than {_LEAST_TOKENS}, which is sent")
    if reasoning := _reasoning(call, facts):
        wire["reasoning"] = reasoning
    _check_modalities(generation)
    if shape := _format(generation.response_format):
        wire["text"] = {"format": shape}
    return wire


def _drop(call: Call) -> None:
    generation = call.request.generation
    set_here = [name for name in _LACKS if generation.HasField(name)]
    set_here += [name for name in _LACKS_LISTS if getattr(generation, name)]
    set_here += ["audio"] if generation.HasField("audio") else []
    for name in set_here:
        asked.setting_dropped(call, f"generation.{name}", _NOT_THERE)


def _reasoning(call: Call, facts: Facts) -> Wire:
    effort = effort_of(call, facts)
    wire: Wire = {"effort": effort} if effort else {}
    if call.request.generation.reasoning.include:
        wire["summary"] = "auto"
    return wire


def _check_modalities(generation: pb.GenerationSettings) -> None:
    for modality in generation.output_modalities:
        if modality == pb.MODALITY_IMAGE:
            raise asked.missing("generation.output_modalities", "answers of images by modality", "add the provider tool image_generation")
        if modality != pb.MODALITY_TEXT:
            raise asked.missing("generation.output_modalities", f"answers of {pb.Modality.Name(modality)}", "ask for text")


def _format(shape: pb.ResponseFormat) -> Wire:
    path = "generation.response_format"
    match shape.WhichOneof("format"):
        case None | "text":
            return {}
        case "json_object":
            return {"type": "json_object"}
        case "json_schema":
            return {"type": "json_schema", **json_schema_to_wire(shape.json_schema, f"{path}.json_schema")}
        case kind:
            raise asked.missing(path, f"the response format {kind}", "use json_schema")
