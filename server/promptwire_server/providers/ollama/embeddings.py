"""Vectors from /api/embed."""

from collections.abc import Sequence

import orjson

from promptwire_server.core.embedding import EmbedCall
from promptwire_server.providers import asked
from promptwire_server.providers.counts import count_of
from promptwire_server.providers.dialect import Embedded, Wire, WireOfTexts
from promptwire_server.providers.json_value import Json, list_in, object_in, text_in
from promptwire_server.providers.vectors import vector_from_wire


class OllamaEmbeddings:
    """See Embeddings."""

    most_texts = 512  # it has no limit of its own; so many keep a request and its answer to a few megabytes

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def to_wire(self, call: EmbedCall) -> WireOfTexts:
        """See Embeddings."""
        request = call.request
        wire: dict[str, object] = {"model": call.model}
        if request.HasField("dimensions"):
            wire["dimensions"] = request.dimensions
        if request.task:
            asked.setting_dropped(call.call, "task", "this provider has no such setting")
        wire = asked.merged(wire, asked.options(request.provider_options_json, self._provider, ("model", "input"), "provider_options_json"))

        def of_texts(texts: Sequence[str]) -> Wire:
            return Wire("/api/embed", orjson.dumps({**wire, "input": list(texts)}))

        return of_texts

    def from_wire(self, body: Json) -> Embedded:
        """See Embeddings."""
        answer = object_in(body)
        vectors = [vector_from_wire(vector, self._provider) for vector in list_in(answer.get("embeddings"))]
        return Embedded(vectors, text_in(answer.get("model")), count_of(answer.get("prompt_eval_count")))
