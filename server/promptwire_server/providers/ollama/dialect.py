"""The dialect of Ollama's native API."""

from collections.abc import Sequence
from contextlib import suppress

import orjson

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import PromptwireError, UpstreamInvalidRequest, UpstreamMisdirected
from promptwire_server.core.ids import Ids
from promptwire_server.providers import lines
from promptwire_server.providers.answer import Answer
from promptwire_server.providers.dialect import Fetch, Refusal, Wire
from promptwire_server.providers.framing import Parser
from promptwire_server.providers.json_value import JsonObject, list_in, object_in, text_in
from promptwire_server.providers.ollama.answer import OllamaAnswer
from promptwire_server.providers.ollama.embeddings import OllamaEmbeddings
from promptwire_server.providers.ollama.errors import error_of_answer
from promptwire_server.providers.ollama.models import model_from_wire
from promptwire_server.providers.ollama.request import to_wire
from promptwire_server.providers.upstream import Bounds

_MOST_SHOWN = 64  # models whose details are asked for: each takes a request of its own


class Ollama:
    """See Dialect."""

    request_id = "x-request-id"

    def __init__(self, provider: str, ids: Ids) -> None:
        self._provider = provider
        self._ids = ids
        self.embeddings = OllamaEmbeddings(provider)

    def ask(self, call: Call) -> tuple[Wire, Answer]:
        """See Dialect."""
        return Wire("/api/chat", orjson.dumps(to_wire(call, self._provider))), OllamaAnswer(call, self._provider, self._ids)

    def parser(self, bounds: Bounds) -> Parser:
        """See Dialect."""
        return lines.Parser(self._provider, max_line_bytes=bounds.line_bytes)

    def refused(self, refusal: Refusal) -> PromptwireError:
        """See Dialect."""
        return error_of_answer(refusal, self._provider)

    async def models(self, fetch: Fetch) -> Sequence[pb.Model]:
        """See Dialect."""
        listed = await fetch(Wire("/api/tags", method="GET"))
        names = [text_in(model.get("model")) or text_in(model.get("name")) for model in map(object_in, list_in(listed.get("models")))]
        return [model_from_wire(name, await _shown(name, fetch) if at < _MOST_SHOWN else {}) for at, name in enumerate(names) if name]

    async def count(self, call: Call, fetch: Fetch) -> pb.CountTokensResponse | None:  # noqa: ARG002 - there is no way to ask
        """See Dialect."""
        return None


async def _shown(name: str, fetch: Fetch) -> JsonObject:
    """The details of a model; none when it has just gone, or the server is too old to tell."""
    with suppress(UpstreamInvalidRequest, UpstreamMisdirected):
        return await fetch(Wire("/api/show", orjson.dumps({"model": name})))
    return {}
