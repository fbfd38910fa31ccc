"""A call as the JSON body of a request."""

from typing import TypeAlias

import orjson

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers import asked
from promptwire_server.providers.openai.asker import asker_to_wire
from promptwire_server.providers.openai.facts import Facts
from promptwire_server.providers.openai.knobs import knobs_to_wire
from promptwire_server.providers.openai.messages import Messages
from promptwire_server.providers.openai.reasoning import reasoning_to_wire
from promptwire_server.providers.openai.shape import schema_as_instruction, shape_to_wire
from promptwire_server.providers.openai.tools import tools_to_wire
from promptwire_server.providers.openai.which import more_of

# JSON of the caller's (schemas, options) stands in it as orjson.Fragment: property order and large numbers stay as they are.
Wire: TypeAlias = dict[str, object]

_PROTECTED = ("model", "messages", "stream", "stream_options")


def to_wire(call: Call, provider: str, facts: Facts) -> Wire:
    """The body. Raises InvalidRequest and CapabilityMissing with paths; notes in the call's trail what it drops."""
    model = call.target.model if call.target else call.request.model
    messages = Messages(call, provider, facts).to_wire()
    if instruction := schema_as_instruction(call, facts):
        messages.insert(0, {"role": "system", "content": instruction})
    wire: Wire = {"model": model, "messages": messages}
    if call.request.HasField("generation"):
        wire.update(_generation(call, facts))
        wire.update(tools_to_wire(call.request.generation, provider, facts))
    wire.update(asker_to_wire(call, facts))
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
    wire = knobs_to_wire(call, facts)
    if generation.HasField("reasoning"):
        wire.update(reasoning_to_wire(call, facts))
    wire.update(_modalities(generation, facts))
    wire.update(shape_to_wire(call, facts))
    return wire


def _modalities(generation: pb.GenerationSettings, facts: Facts) -> Wire:
    names = {pb.MODALITY_TEXT: "text"}
    names |= {pb.MODALITY_AUDIO: "audio"} if facts.audio_output else {}
    names |= {pb.MODALITY_IMAGE: "image"} if facts.image_output else {}
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
