"""A call as the JSON body of a request."""

from typing import TypeAlias

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers import asked
from promptwire_server.providers.gemini.contents import Contents
from promptwire_server.providers.gemini.facts import Facts, facts_of
from promptwire_server.providers.gemini.thinking import thinking_to_wire
from promptwire_server.providers.gemini.tools import tools_to_wire

# JSON of the caller's (schemas, arguments, options) stands in it as orjson.Fragment: property order and large numbers stay as they are.
Wire: TypeAlias = dict[str, object]

_PROTECTED = ("model", "contents", "systemInstruction", "system_instruction")  # the API reads either spelling
# Settings that have a name on both sides.
_KNOBS = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_output_tokens": "maxOutputTokens",
}
_PENALTIES = {"presence_penalty": "presencePenalty", "frequency_penalty": "frequencyPenalty"}
_MODALITIES = {pb.MODALITY_TEXT: "TEXT", pb.MODALITY_IMAGE: "IMAGE", pb.MODALITY_AUDIO: "AUDIO"}
_SEEDS = range(-(1 << 31), 1 << 31)
_SOUND = "pcm16"  # the only container that there is


def to_wire(call: Call, provider: str) -> Wire:
    """The body. Raises InvalidRequest and CapabilityMissing with paths; notes in the call's trail what it drops."""
    facts = facts_of(call.target.model if call.target else call.request.model)
    wire: Wire = Contents(call, provider, facts).to_wire()
    if call.request.HasField("generation"):
        wire.update(tools_to_wire(call, provider))
        if config := _config(call, facts):
            wire["generationConfig"] = config
    more = asked.options(call.request.generation.provider_options_json, provider, _PROTECTED, "generation.provider_options_json")
    return asked.merged(wire, more)


def _config(call: Call, facts: Facts) -> Wire:
    generation = call.request.generation
    config: Wire = {theirs: getattr(generation, ours) for ours, theirs in _KNOBS.items() if generation.HasField(ours)}
    config.update(_penalties(call, facts))
    if generation.HasField("seed"):
        config.update(_seed(call))
    if generation.stop_sequences:
        config["stopSequences"] = list(generation.stop_sequences)
    if generation.candidate_count > 1:
        config["candidateCount"] = generation.candidate_count
    if generation.logprobs or generation.HasField("top_logprobs"):
        config["responseLogprobs"] = True
    if generation.HasField("top_logprobs"):
        config["logprobs"] = generation.top_logprobs
    if generation.logit_bias:
        asked.setting_dropped(call, "generation.logit_bias", "this provider has no such setting")
    if generation.HasField("reasoning"):
        config.update(thinking_to_wire(call, facts))
    config.update(_modalities(call))
    config.update(_response_format(call))
    return config


def _penalties(call: Call, facts: Facts) -> Wire:
    generation = call.request.generation
    asked_for = [name for name in _PENALTIES if generation.HasField(name)]
    if facts.penalties:
        return {_PENALTIES[name]: getattr(generation, name) for name in asked_for}
    for name in asked_for:
        asked.setting_dropped(call, f"generation.{name}", "this model takes no penalties")
    return {}


def _seed(call: Call) -> Wire:
    seed = call.request.generation.seed
    if seed in _SEEDS:
        return {"seed": seed}
    asked.setting_dropped(call, "generation.seed", "this provider takes seeds of 32 bits")
    return {}


def _modalities(call: Call) -> Wire:
    generation = call.request.generation
    wire: Wire = {}
    for modality in generation.output_modalities:
        if modality not in _MODALITIES:
            raise asked.missing("generation.output_modalities", f"answers of {pb.Modality.Name(modality)}", "ask for text")
    if generation.output_modalities:
        wire["responseModalities"] = [_MODALITIES[modality] for modality in generation.output_modalities]
    if generation.audio.voice:
        wire["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": generation.audio.voice}}}
    if generation.audio.format not in ("", _SOUND):
        asked.setting_dropped(call, "generation.audio.format", f"this provider speaks {_SOUND} only")
    return wire


def _response_format(call: Call) -> Wire:
    shape = call.request.generation.response_format
    path = "generation.response_format"
    match shape.WhichOneof("format"):
        case None | "text":
            return {}
        case "json_object":
            return {"responseMimeType": "application/json"}
        case "json_schema":
            return _json_schema(call, shape.json_schema, f"{path}.json_schema")
        case "choices":
            return _choices(shape.choices, f"{path}.choices")
        case kind:
            raise asked.missing(path, f"the response format {kind}", "use json_schema")


def _json_schema(call: Call, shape: pb.JsonSchemaFormat, path: str) -> Wire:
    schema = asked.object_text(shape.schema_json, f"{path}.schema_json")
    if shape.description:
        asked.setting_dropped(call, f"{path}.description", "this provider reads descriptions in the schema itself")
    return {"responseMimeType": "application/json", "responseJsonSchema": schema}


def _choices(shape: pb.ChoicesFormat, path: str) -> Wire:
    if not shape.choices:
        raise InvalidRequest.at(f"{path}.choices", "is needed: the texts to choose from")
    return {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": list(shape.choices)}}
