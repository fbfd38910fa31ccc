"""Vectors from /api/embed."""

from collections.abc import Sequence

import orjson

from promptwire import v1 as pb
from promptwire_server.providers import asked
from promptwire_server.providers.counts import count_of
from promptwire_server.providers.dialect import Embedded, Wire
from promptwire_server.providers.json_value import JsonObject, list_in, text_in
from promptwire_server.providers.vectors import vector_from_wire


class OllamaEmbeddings:
    """See Embeddings."""

    most_texts = 512  # it has no limit of its own; so many keep a request and its answer to a few megabytes

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def to_wire(self, request: pb.EmbedRequest, model: str, texts: Sequence[str]) -> Wire:
        """See Embeddings."""
        wire: dict[str, object] = {"model": model, "input": list(texts)}
        if request.HasField("dimensions"):
            wire["dimensions"] = request.dimensions
        more = asked.options(request.provider_options_json, self._provider, ("model", "input"), "provider_options_json")
        return Wire("/api/embed", orjson.dumps(asked.merged(wire, more)))

    def from_wire(self, body: JsonObject) -> Embedded:
        """See Embeddings."""
        vectors = [vector_from_wire(vector, self._provider) for vector in list_in(body.get("embeddings"))]
        return Embedded(vectors, text_in(body.get("model")), count_of(body.get("prompt_eval_count")))
