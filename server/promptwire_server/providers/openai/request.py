"""A call as the JSON body of a request."""

from typing import TypeAlias

import orjson

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers import asked
from promptwire_server.providers.json_value import parsed_object
from promptwire_server.providers.openai.facts import Facts
from promptwire_server.providers.openai.messages import Messages
from promptwire_server.providers.openai.tools import tools_to_wire
from promptwire_server.providers.openai.which import more_of

# JSON of the caller's (schemas, options) stands in it as orjson.Fragment: property order and large numbers stay as they are.
Wire: TypeAlias = dict[str, object]

_PROTECTED = ("model", "messages", "stream", "stream_options")
_EFFORTS = {
    pb.ReasoningSettings.EFFORT_NONE: "none",
    pb.ReasoningSettings.EFFORT_MINIMAL: "minimal",
    pb.ReasoningSettings.EFFORT_LOW: "low",
    pb.ReasoningSettings.EFFORT_MEDIUM: "medium",
    pb.ReasoningSettings.EFFORT_HIGH: "high",
}
# Settings whose name and meaning are the same on both sides.
_SAME = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "parallel_tool_calls", "logprobs", "top_logprobs")


def to_wire(call: Call, provider: str, facts: Facts) -> Wire:
    """The body. Raises InvalidRequest and CapabilityMissing with paths; notes in the call's trail what it drops."""
    model = call.target.model if call.target else call.request.model
    wire: Wire = {"model": model, "messages": Messages(call, provider, facts).to_wire()}
    if call.request.HasField("generation"):
        wire.update(_generation(call, facts))
        wire.update(tools_to_wire(call.request.generation, provider, facts))
    if call.request.end_user_id:
        wire[facts.end_user_field] = asked.hashed(call.request.end_user_id)
    if call.request.session_id and facts.session_field:
        wire[facts.session_field] = asked.hashed(f"{call.principal.tenant}\0{call.request.session_id}")
    if call.stream:
        wire["stream"] = True
        if facts.stream_options:
            wire["stream_options"] = {"include_usage": True}
    return asked.merged(wire, more_of(call, provider, _PROTECTED))


def body_of(wire: Wire) -> bytes:
    """The body as bytes."""
    return orjson.dumps(wire)


def _generation(call: Call, facts: Facts) -> Wire:
    generation = call.request.generation
    wire: Wire = {name: getattr(generation, name) for name in _SAME if generation.HasField(name)}
    if generation.HasField("top_logprobs"):
        wire["logprobs"] = True
    if generation.HasField("max_output_tokens"):
        wire[facts.max_tokens_field] = generation.max_output_tokens
    if generation.candidate_count > 1:
        wire["n"] = generation.candidate_count
    if generation.stop_sequences:
        wire["stop"] = list(generation.stop_sequences)
    if generation.logit_bias:
        wire["logit_bias"] = dict(generation.logit_bias)
    if generation.HasField("top_k"):
        wire.update(_top_k(call, facts))
    if generation.HasField("reasoning"):
        wire.update(_reasoning(call, facts))
    wire.update(_modalities(generation, facts))
    wire.update(_response_format(generation.response_format, facts))
    return wire


def _top_k(call: Call, facts: Facts) -> Wire:
    if facts.top_k:
        return {"top_k": call.request.generation.top_k}
    asked.setting_dropped(call, "generation.top_k", "this provider has no such setting")
    return {}


def _reasoning(call: Call, facts: Facts) -> Wire:
    reasoning = call.request.generation.reasoning
    if reasoning.HasField("budget_tokens"):
        asked.setting_dropped(call, "generation.reasoning.budget_tokens", "this provider takes effort only")
    if reasoning.HasField("include"):
        asked.setting_dropped(call, "generation.reasoning.include", "this provider decides itself whether reasoning is shown")
    if reasoning.effort == pb.ReasoningSettings.EFFORT_MAX:
        return {"reasoning_effort": facts.max_effort}
    effort = _EFFORTS.get(reasoning.effort)
    return {"reasoning_effort": effort} if effort else {}


def _modalities(generation: pb.GenerationSettings, facts: Facts) -> Wire:
    names = {pb.MODALITY_TEXT: "text", pb.MODALITY_AUDIO: "audio"} | ({pb.MODALITY_IMAGE: "image"} if facts.image_output else {})
    wire: Wire = {}
    for modality in generation.output_modalities:
        if modality not in names:
            raise asked.missing("generation.output_modalities", f"answers of {pb.Modality.Name(modality)}", "ask for text")
    wanted = [names[modality] for modality in generation.output_modalities]
    if wanted and wanted != ["text"]:
        wire["modalities"] = wanted
    if generation.HasField("audio"):
        wire["audio"] = {"voice": generation.audio.voice, "format": generation.audio.format}
    return wire


def _response_format(shape: pb.ResponseFormat, facts: Facts) -> Wire:
    path = "generation.response_format"
    match shape.WhichOneof("format"):
        case None | "text":
            return {}
        case "json_object":
            return {"response_format": {"type": "json_object"}}
        case "json_schema":
            return {"response_format": {"type": "json_schema", "json_schema": _json_schema(shape.json_schema, f"{path}.json_schema")}}
        case kind if not facts.guided:
            raise asked.missing(path, f"the response format {kind}", "use json_schema")
        case "regex":
            return {"guided_regex": shape.regex.pattern}
        case "grammar":
            return {"guided_grammar": shape.grammar.grammar}
        case _:
            return {"guided_choice": list(shape.choices.choices)}


def _json_schema(shape: pb.JsonSchemaFormat, path: str) -> Wire:
    schema = parsed_object(shape.schema_json)
    if schema is None:
        raise InvalidRequest.at(f"{path}.schema_json", "must be a JSON Schema as a JSON object in text")
    strict = shape.strict if shape.HasField("strict") else _may_be_strict(schema)
    wire: Wire = {"name": shape.name or "response", "schema": asked.verbatim(shape.schema_json), "strict": strict}
    if shape.description:
        wire["description"] = shape.description
    return wire


def _may_be_strict(schema: object) -> bool:
    """Whether every object in it is closed and requires all its properties: others are refused when strict."""
    if isinstance(schema, list):
        return all(map(_may_be_strict, schema))
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        required = schema.get("required")
        named = set(properties) if isinstance(properties, dict) else set()
        if schema.get("additionalProperties") is not False or not named <= set(required if isinstance(required, list) else ()):
            return False
    return all(map(_may_be_strict, schema.values()))
