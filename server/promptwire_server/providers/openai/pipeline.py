"""Vectors from Hugging Face: the pipeline of a model, which stands beside the chat completions of its router."""

from collections.abc import Sequence
from urllib.parse import quote

import orjson

from promptwire_server.core.embedding import EmbedCall
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers import asked
from promptwire_server.providers.dialect import Embedded, Wire, WireOfTexts
from promptwire_server.providers.json_value import Json, list_in
from promptwire_server.providers.openai.facts import Facts
from promptwire_server.providers.vectors import vector_from_wire

_OWN = "hf-inference"  # of the vendors behind the router, the one that has pipelines: Hugging Face's own
_PROTECTED = ("inputs", "encoding_format")


class PipelineEmbeddings:
    """See Embeddings. The answer is a bare list of vectors: it neither names the model nor counts tokens."""

    def __init__(self, provider: str, facts: Facts) -> None:
        self.most_texts = facts.embed_texts
        self._provider = provider

    def to_wire(self, call: EmbedCall) -> WireOfTexts:
        """See Embeddings."""
        request = call.request
        wire: dict[str, object] = {}
        if request.HasField("dimensions"):
            wire["dimensions"] = request.dimensions
        if request.task:
            why = "each model has its own words for it; set prompt_name in provider_options_json"
            asked.setting_dropped(call.call, "task", why)
        more = asked.options(request.provider_options_json, self._provider, _PROTECTED, "provider_options_json")
        wire, path = asked.merged(wire, more), _path(call.model)

        def of_texts(texts: Sequence[str]) -> Wire:
            return Wire(path, orjson.dumps({**wire, "inputs": list(texts)}))

        return of_texts

    def from_wire(self, body: Json) -> Embedded:
        """See Embeddings."""
        return Embedded([vector_from_wire(vector, self._provider) for vector in list_in(body)])


def _path(model: str) -> str:
    """Where the pipeline of a model is. The name is the caller's: it cannot leave its place in the path."""
    name, colon, vendor = model.partition(":")
    if colon and vendor != _OWN:
        raise asked.missing("model", f"vectors of {vendor[:64]}", f"write {name[:128]}: {_OWN} answers")
    if any(not part.strip(".") for part in name.split("/")):
        raise InvalidRequest.at("model", 'is no name of a model; write it as on its page, e.g. "BAAI/bge-m3"')
    return f"/../{_OWN}/models/{quote(name)}/pipeline/feature-extraction"
