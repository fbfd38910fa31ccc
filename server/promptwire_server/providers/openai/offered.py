"""What a vendor of chat completions offers at most, as far as its facts say. Of a single model the vendor knows more."""

from promptwire import v1 as pb
from promptwire_server.providers.openai.facts import Facts
from promptwire_server.providers.openai.shape import guides

# What every vendor has unless it lacks one of these fields.
_UNLESS_LACKING = {
    pb.CAPABILITY_TOOLS: "tools",
    pb.CAPABILITY_PARALLEL_TOOLS: "tools",  # that they may be switched off is another matter
    pb.CAPABILITY_JSON_OBJECT: "json_object",
    pb.CAPABILITY_JSON_SCHEMA: "json_schema",
    pb.CAPABILITY_LOGPROBS: "logprobs",
    pb.CAPABILITY_CANDIDATES: "candidate_count",
    pb.CAPABILITY_SEED: "seed",
}


def capabilities_of(facts: Facts) -> frozenset["pb.Capability"]:
    """All that some model of the vendor's can do."""
    if not facts.chat:
        return frozenset({pb.CAPABILITY_EMBEDDINGS})
    if not facts.chat:
        return frozenset({pb.CAPABILITY_EMBEDDINGS})
    stated = {
        pb.CAPABILITY_IMAGE_INPUT: facts.images,
        pb.CAPABILITY_AUDIO_INPUT: facts.audio,
        pb.CAPABILITY_DOCUMENT_INPUT: bool(facts.documents),
        pb.CAPABILITY_VIDEO_INPUT: facts.video,
        pb.CAPABILITY_AUDIO_OUTPUT: facts.audio_output,
        pb.CAPABILITY_IMAGE_OUTPUT: facts.image_output,
        pb.CAPABILITY_REASONING: bool(facts.reasoning),
        pb.CAPABILITY_REGEX: guides(facts, "regex"),
        pb.CAPABILITY_GRAMMAR: guides(facts, "grammar"),
        pb.CAPABILITY_EMBEDDINGS: facts.embed_texts > 0,
    }
    has = {capability for capability, field in _UNLESS_LACKING.items() if field not in facts.lacks}
    return frozenset({pb.CAPABILITY_CHAT, pb.CAPABILITY_STREAMING} | has | {name for name, there in stated.items() if there})
