"""A model as /api/show describes it."""

from promptwire import v1 as pb
from promptwire_server.providers.counts import count_of
from promptwire_server.providers.json_value import JsonObject, list_in, object_in, text_in

_CAPABILITIES = {
    "completion": (pb.CAPABILITY_CHAT, pb.CAPABILITY_STREAMING, pb.CAPABILITY_JSON_OBJECT, pb.CAPABILITY_JSON_SCHEMA, pb.CAPABILITY_SEED),
    "tools": (pb.CAPABILITY_TOOLS, pb.CAPABILITY_PARALLEL_TOOLS),
    "vision": (pb.CAPABILITY_IMAGE_INPUT,),
    "thinking": (pb.CAPABILITY_REASONING,),
    "embedding": (pb.CAPABILITY_EMBEDDINGS,),
}


def model_from_wire(name: str, shown: JsonObject) -> pb.Model:
    """The model, with as much as the server tells."""
    model = pb.Model(provider_model=name, source="provider")
    for capability in map(text_in, list_in(shown.get("capabilities"))):
        model.capabilities.extend(_CAPABILITIES.get(capability, ()))
    facts = object_in(shown.get("model_info"))
    length = facts.get(f"{text_in(facts.get('general.architecture'))}.context_length")
    model.context_window_tokens = count_of(length) or 0
    return model
