"""Vectors from :batchEmbedContents."""

from collections.abc import Sequence

import orjson

from promptwire import v1 as pb
from promptwire_server.providers import asked
from promptwire_server.providers.counts import count_of
from promptwire_server.providers.dialect import Embedded, Wire
from promptwire_server.providers.gemini.resource import path_of, resource_of
from promptwire_server.providers.json_value import JsonObject, list_in, object_in
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

    def to_wire(self, request: pb.EmbedRequest, model: str, texts: Sequence[str]) -> Wire:
        """See Embeddings. Every text is a request of its own, all with the same settings."""
        settings: dict[str, object] = {"model": resource_of(model)}
        if request.HasField("dimensions"):
            settings["outputDimensionality"] = request.dimensions
        if task := _TASKS.get(request.task):
            settings["taskType"] = task
        settings = asked.merged(settings, asked.options(request.provider_options_json, self._provider, _PROTECTED, "provider_options_json"))
        requests = [{**settings, "content": {"parts": [{"text": text}]}} for text in texts]
        return Wire(path_of(model, "batchEmbedContents"), orjson.dumps({"requests": requests}))

    def from_wire(self, body: JsonObject) -> Embedded:
        """See Embeddings. The answer does not name its model."""
        vectors = [vector_from_wire(object_in(item).get("values"), self._provider) for item in list_in(body.get("embeddings"))]
        return Embedded(vectors, "", count_of(object_in(body.get("usageMetadata")).get("promptTokenCount")))
