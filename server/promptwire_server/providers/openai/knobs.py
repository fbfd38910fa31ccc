"""Settings of the sampling and of the length: by the vendor's names, and without those that it lacks."""

from promptwire_server.core.call import Call
from promptwire_server.providers import asked
from promptwire_server.providers.openai.facts import Facts

# Settings whose name and meaning are the same on both sides.
_SAME = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "parallel_tool_calls", "logprobs", "top_logprobs")
# Settings that an answer without would not be the answer asked for; all others are knobs, which are dropped with a notice.
_CAPABILITIES = {
    "logprobs": "log probabilities",
    "top_logprobs": "log probabilities of alternatives",
    "candidate_count": "several candidates",
    "stop_sequences": "stop sequences",
}


def knobs_to_wire(call: Call, facts: Facts) -> dict[str, object]:
    """The fields. Raises CapabilityMissing with the path of what cannot be had; notes in the call's trail what is dropped."""
    generation = call.request.generation
    wire: dict[str, object] = {name: getattr(generation, name) for name in _SAME if _wanted(call, name, facts)}
    if "top_logprobs" in wire:
        wire["logprobs"] = True
    if _wanted(call, "seed", facts):
        wire[facts.seed_field] = generation.seed
    if generation.HasField("max_output_tokens"):
        wire[facts.max_tokens_field] = generation.max_output_tokens
    if generation.candidate_count > 1 and _wanted(call, "candidate_count", facts):
        wire["n"] = generation.candidate_count
    if generation.stop_sequences and _offered(call, "stop_sequences", facts):
        wire["stop"] = list(generation.stop_sequences)
    if generation.logit_bias and _offered(call, "logit_bias", facts):
        wire["logit_bias"] = dict(generation.logit_bias)
    if generation.HasField("top_k"):
        wire.update(_top_k(call, facts))
    return wire


def _wanted(call: Call, name: str, facts: Facts) -> bool:
    """Whether it is set, and to something that has to be said to a vendor that lacks it."""
    generation = call.request.generation
    if not generation.HasField(name):
        return False
    if name == "logprobs" and not generation.logprobs and name in facts.lacks:
        return False
    return _offered(call, name, facts)


def _offered(call: Call, name: str, facts: Facts) -> bool:
    if name not in facts.lacks:
        return True
    path = f"generation.{name}"
    if what := _CAPABILITIES.get(name):
        raise asked.missing(path, what, "leave it out, or use a provider that does")
    asked.setting_dropped(call, path, "this provider has no such setting")
    return False


def _top_k(call: Call, facts: Facts) -> dict[str, object]:
    if facts.top_k:
        return {"top_k": call.request.generation.top_k}
    asked.setting_dropped(call, "generation.top_k", "this provider has no such setting")
    return {}
