"""A model as vendors of OpenAI's shape list it: OpenAI says its name alone, others say more, each in its own words."""

from collections.abc import Mapping

from promptwire import v1 as pb
from promptwire_server.providers.counts import count_of
from promptwire_server.providers.json_value import Json, JsonObject, list_in, object_in, text_in

# Groq, Mistral, OpenRouter and Together, vLLM, in this order; then what answers may have.
_WINDOWS = ("context_window", "max_context_length", "context_length", "max_model_len")
_ANSWERS = ("max_completion_tokens", "max_output_tokens")
_MODALITIES = {
    "image": (pb.CAPABILITY_IMAGE_INPUT, pb.CAPABILITY_IMAGE_OUTPUT),
    "audio": (pb.CAPABILITY_AUDIO_INPUT, pb.CAPABILITY_AUDIO_OUTPUT),
    "video": (pb.CAPABILITY_VIDEO_INPUT, None),
    "file": (pb.CAPABILITY_DOCUMENT_INPUT, None),
}
_PARAMETERS = {  # OpenRouter's supported_parameters
    "tools": pb.CAPABILITY_TOOLS,
    "structured_outputs": pb.CAPABILITY_JSON_SCHEMA,
    "response_format": pb.CAPABILITY_JSON_OBJECT,
    "reasoning": pb.CAPABILITY_REASONING,
    "logprobs": pb.CAPABILITY_LOGPROBS,
    "seed": pb.CAPABILITY_SEED,
}
_FLAGS = {  # Mistral's capabilities, and those of the vendors behind Hugging Face's router
    "function_calling": pb.CAPABILITY_TOOLS,
    "vision": pb.CAPABILITY_IMAGE_INPUT,
    "audio": pb.CAPABILITY_AUDIO_INPUT,
    "supports_tools": pb.CAPABILITY_TOOLS,
    "supports_structured_output": pb.CAPABILITY_JSON_SCHEMA,
}
_CHATS = (pb.CAPABILITY_CHAT, pb.CAPABILITY_STREAMING)


def model_from_wire(listed: JsonObject) -> pb.Model:
    """The model, with as much as the vendor tells. What it can do is left out where the vendor does not say."""
    vendors = map(object_in, list_in(listed.get("providers")))  # of a router
    behind = [vendor for vendor in vendors if vendor.get("status", "live") == "live"]
    told = [listed, object_in(listed.get("top_provider")), *behind]
    can = _told_by_lists(listed) | _told_by_flags(object_in(listed.get("capabilities")), *behind)
    return pb.Model(
        provider_model=text_in(listed.get("id")),
        source="provider",
        capabilities=sorted({*_CHATS, *can} if can else ()),
        context_window_tokens=max(_count(of, _WINDOWS) for of in told),
        max_output_tokens=max(_count(of, _ANSWERS) for of in told),
    )


def _count(of: JsonObject, names: tuple[str, ...]) -> int:
    return next((count for name in names if (count := count_of(of.get(name)))), 0)


def _told_by_lists(listed: JsonObject) -> set["pb.Capability"]:
    architecture = object_in(listed.get("architecture"))
    can = {_PARAMETERS[name] for name in _texts(listed.get("supported_parameters")) if name in _PARAMETERS}
    for position, side in enumerate(("input_modalities", "output_modalities")):
        found = (_MODALITIES[name][position] for name in _texts(architecture.get(side)) if name in _MODALITIES)
        can |= {capability for capability in found if capability is not None}
    return can


def _told_by_flags(*told: Mapping[str, Json]) -> set["pb.Capability"]:
    return {capability for flags in told for name, capability in _FLAGS.items() if flags.get(name) is True}


def _texts(value: Json) -> list[str]:
    return [item for item in list_in(value) if isinstance(item, str)]
