"""How likely the tokens of an answer were, as OpenAI words it and others do too."""

from collections.abc import Iterable

from promptwire import v1 as pb
from promptwire_server.providers.json_value import Json, JsonObject, list_in, object_in, text_in


def logprobs_of(tokens: Iterable[Json]) -> list[pb.TokenLogprob]:
    """From objects of `token`, `logprob`, `bytes` and `top_logprobs`."""
    return [_logprob(object_in(token)) for token in tokens]


def _logprob(token: JsonObject) -> pb.TokenLogprob:
    logprob = token.get("logprob")
    said = pb.TokenLogprob(token=text_in(token.get("token")), logprob=logprob if isinstance(logprob, int | float) else 0.0)
    said.bytes = bytes(value for value in list_in(token.get("bytes")) if isinstance(value, int) and 0 <= value < 256)  # noqa: PLR2004
    said.top.extend(_logprob(object_in(other)) for other in list_in(token.get("top_logprobs")))
    return said
