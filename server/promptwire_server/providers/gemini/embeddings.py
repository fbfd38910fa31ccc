"""Vectors from :batchEmbedContents."""

from collections.abc import Sequence

import orjson

from promptwire import v1 as pb
from promptwire_server.core.embedding import EmbedCall
from promptwire_server.providers import asked
from promptwire_server.providers.counts import count_of
from promptwire_server.providers.dialect import Embedded, Wire, WireOfTexts
from promptwire_server.providers.gemini.resource import path_of, resource_of
from promptwire_server.providers.json_value import Json, list_in, object_in
from promptwire_server.providers.vectors import vector_from_wire

_PROTECTED = ("model", "content")
_TASKS = {
    pb.EmbedRequest.TASK_QUERY: "RETRIEVAL_QUERY",
    pb.EmbedRequest.TASK_DOCUMENT: "RETRIEVAL_DOCUMENT",
    pb.EmbedRequest.TASK_SIMILARITY: "SEMANTIC_SIMILARITY",
    pb.EmbedRequest.TASK_CLASSIFICATION: "CLASSIFICATION",
    pb.EmbedRequest.TASK_CLUSTERING: "CLUSTERING",
}


class GeminiEmbeddings:
    """See Embeddings."""

    most_texts = 100  # in one batch, by the vendor's limit

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def to_wire(self, call: EmbedCall) -> WireOfTexts:
        """See Embeddings. Every text is a request of its own, all with the same settings."""
        request = call.request
        settings: dict[str, object] = {"model": resource_of(call.model)}
        if request.HasField("dimensions"):
            settings["outputDimensionality"] = request.dimensions
        if task := _TASKS.get(request.task):
            settings["taskType"] = task
        settings = asked.merged(settings, asked.options(request.provider_options_json, self._provider, _PROTECTED, "provider_options_json"))
        path = path_of(call.model, "batchEmbedContents")

        def of_texts(texts: Sequence[str]) -> Wire:
            requests = [{**settings, "content": {"role": "user", "parts": [{"text": text}]}} for text in texts]
            return Wire(path, orjson.dumps({"requests": requests}))

        return of_texts

    def from_wire(self, body: Json) -> Embedded:
        """See Embeddings. The answer does not name its model."""
        answer = object_in(body)
        vectors = [vector_from_wire(object_in(item).get("values"), self._provider) for item in list_in(answer.get("embeddings"))]
        return Embedded(vectors, "", count_of(object_in(answer.get("usageMetadata")).get("promptTokenCount")))
