"""The dialect of Gemini's generateContent."""

from collections.abc import Sequence

import orjson

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.ids import Ids
from promptwire_server.providers.answer import Answer
from promptwire_server.providers.counts import count_of
from promptwire_server.providers.dialect import Fetch, Refusal, Wire
from promptwire_server.providers.failed import failed
from promptwire_server.providers.framing import Parser
from promptwire_server.providers.gemini import models, parser
from promptwire_server.providers.gemini.answer import GeminiAnswer
from promptwire_server.providers.gemini.embeddings import GeminiEmbeddings
from promptwire_server.providers.gemini.errors import error_of_answer
from promptwire_server.providers.gemini.request import to_wire
from promptwire_server.providers.gemini.resource import path_of, resource_of
from promptwire_server.providers.upstream import Bounds

_WHOLE, _STREAM, _COUNT = "generateContent", "streamGenerateContent?alt=sse", "countTokens"


class Gemini:
    """See Dialect."""

    request_id = "x-goog-request-id"  # seldom there; the answer's own id is in its body

    def __init__(self, provider: str, ids: Ids) -> None:
        self._provider = provider
        self._ids = ids
        self.embeddings = GeminiEmbeddings(provider)

    def ask(self, call: Call) -> tuple[Wire, Answer]:
        """See Dialect."""
        path = path_of(_model(call), _STREAM if call.stream else _WHOLE)
        return Wire(path, orjson.dumps(to_wire(call, self._provider))), GeminiAnswer(call, self._provider, self._ids)

    def parser(self, bounds: Bounds) -> Parser:
        """See Dialect."""
        return parser.Parser(self._provider, max_line_bytes=bounds.line_bytes, max_event_bytes=bounds.event_bytes)

    def refused(self, refusal: Refusal) -> PromptwireError:
        """See Dialect."""
        return error_of_answer(refusal, self._provider)

    async def models(self, fetch: Fetch) -> Sequence[pb.Model]:
        """See Dialect."""
        return await models.listed(fetch)

    async def count(self, call: Call, fetch: Fetch) -> pb.CountTokensResponse | None:
        """See Dialect. The whole request is counted: instructions, tools and all."""
        model = _model(call)
        body = {"generateContentRequest": {"model": resource_of(model), **to_wire(call, self._provider)}}
        counted = await fetch(Wire(path_of(model, _COUNT), orjson.dumps(body)))
        tokens = count_of(counted.get("totalTokens"))
        if tokens is None:
            raise failed(self._provider, "it counted tokens and did not say how many")
        return pb.CountTokensResponse(input_tokens=tokens, method="provider")


def _model(call: Call) -> str:
    return call.target.model if call.target else call.request.model
