"""How likely the tokens of an answer were, of chat completions."""

from promptwire import v1 as pb
from promptwire_server.providers.json_value import JsonObject, list_in
from promptwire_server.providers.logprobs import logprobs_of


def logprobs_from_wire(logprobs: JsonObject) -> list[pb.TokenLogprob]:
    """Of the text, then of the refusal."""
    return [found for name in ("content", "refusal") for found in logprobs_of(list_in(logprobs.get(name)))]
