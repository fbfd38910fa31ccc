"""A model as the vendor lists it."""

from promptwire import v1 as pb
from promptwire_server.providers.counts import count_of
from promptwire_server.providers.json_value import JsonObject, object_in, text_in

# What all its models can do; JSON without a schema is asked for in words.
_ALL = (
    pb.CAPABILITY_CHAT,
    pb.CAPABILITY_STREAMING,
    pb.CAPABILITY_TOOLS,
    pb.CAPABILITY_PARALLEL_TOOLS,
    pb.CAPABILITY_JSON_OBJECT,
    pb.CAPABILITY_PROMPT_CACHE,
)
_SOME = {
    "image_input": pb.CAPABILITY_IMAGE_INPUT,
    "pdf_input": pb.CAPABILITY_DOCUMENT_INPUT,
    "structured_outputs": pb.CAPABILITY_JSON_SCHEMA,
    "thinking": pb.CAPABILITY_REASONING,
}


def model_from_wire(listed: JsonObject) -> pb.Model:
    """The model, with as much as the vendor tells."""
    told = object_in(listed.get("capabilities"))
    can = [capability for name, capability in _SOME.items() if object_in(told.get(name)).get("supported") is True]
    return pb.Model(
        provider_model=text_in(listed.get("id")),
        source="provider",
        capabilities=[*_ALL, *can],
        context_window_tokens=count_of(listed.get("max_input_tokens")) or 0,
        max_output_tokens=count_of(listed.get("max_tokens")) or 0,
    )
