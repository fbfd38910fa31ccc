"""How likely the tokens of an answer were."""

from itertools import zip_longest

from promptwire import v1 as pb
from promptwire_server.providers.json_value import Json, JsonObject, list_in, object_in, text_in


def logprobs_from_wire(result: JsonObject) -> list[pb.TokenLogprob]:
    """Those of the tokens that were chosen; their alternatives stand in a list beside them."""
    chosen = map(_logprob, list_in(result.get("chosenCandidates")))
    beside = (list_in(object_in(step).get("candidates")) for step in list_in(result.get("topCandidates")))
    logprobs: list[pb.TokenLogprob] = []
    for said, top in zip_longest(chosen, beside, fillvalue=None):
        if said is not None:
            said.top.extend(map(_logprob, top or ()))
            logprobs.append(said)
    return logprobs


def _logprob(value: Json) -> pb.TokenLogprob:
    token = object_in(value)
    text = text_in(token.get("token"))
    logprob = token.get("logProbability", 0.0)  # a certain token's is zero, which is left out
    return pb.TokenLogprob(token=text, logprob=logprob if isinstance(logprob, int | float) else 0.0, bytes=text.encode())
