"""The dialect of messages, as Anthropic speaks it and those who took it over."""

from collections.abc import Sequence
from urllib.parse import quote

import orjson

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import PromptwireError, UpstreamInvalidRequest, UpstreamMisdirected, UpstreamModelUnknown
from promptwire_server.core.ids import Ids
from promptwire_server.providers import sse
from promptwire_server.providers.answer import Answer
from promptwire_server.providers.anthropic.answer import MessageAnswer
from promptwire_server.providers.anthropic.errors import error_of_answer
from promptwire_server.providers.anthropic.headers import REQUEST_ID, WITHOUT_SAMPLING, beta_header, betas_of, version_of
from promptwire_server.providers.anthropic.models import model_from_wire
from promptwire_server.providers.anthropic.request import Asked, counted, to_wire
from promptwire_server.providers.counts import count_of
from promptwire_server.providers.dialect import Embeddings, Fetch, Refusal, Wire
from promptwire_server.providers.framing import Parser
from promptwire_server.providers.json_value import list_in, object_in, text_in
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.providers.upstream import Bounds

_MESSAGES = "/v1/messages"
_COUNT = "/v1/messages/count_tokens"
_MODELS = "/v1/models?limit=1000"
_MOST_PAGES = 20
_NO_SUCH_PATH = (404, 405)


class Anthropic:
    """See Dialect."""

    request_id = REQUEST_ID

    def __init__(self, provider: str, settings: HttpSettings, ids: Ids) -> None:
        self._provider = provider
        self._ids = ids
        self._betas = betas_of(settings)
        self._sampling = version_of(settings) < WITHOUT_SAMPLING
        self.embeddings: Embeddings | None = None

    def ask(self, call: Call) -> tuple[Wire, Answer]:
        """See Dialect."""
        request = to_wire(call, self._provider, sampling=self._sampling)
        return self._wire(_MESSAGES, request, request.body), MessageAnswer(call, self._provider, self._ids, json=request.json)

    def parser(self, bounds: Bounds) -> Parser:
        """See Dialect."""
        return sse.Parser(self._provider, max_line_bytes=bounds.line_bytes, max_event_bytes=bounds.event_bytes)

    def refused(self, refusal: Refusal) -> PromptwireError:
        """See Dialect."""
        return error_of_answer(refusal, self._provider)

    async def models(self, fetch: Fetch) -> Sequence[pb.Model]:
        """See Dialect."""
        found: list[pb.Model] = []
        path = _MODELS
        for _ in range(_MOST_PAGES):
            page = await fetch(Wire(path, method="GET", headers=beta_header(self._betas, None, "")))
            found.extend(model_from_wire(object_in(listed)) for listed in list_in(page.get("data")))
            last = text_in(page.get("last_id"))
            if page.get("has_more") is not True or not last:
                break
            path = f"{_MODELS}&after_id={quote(last, safe='')}"
        return [model for model in found if model.provider_model]

    async def count(self, call: Call, fetch: Fetch) -> pb.CountTokensResponse | None:
        """See Dialect. None for servers of this dialect that have no such path."""
        request = to_wire(call, self._provider, sampling=self._sampling)
        try:
            answer = await fetch(self._wire(_COUNT, request, counted(request.body)))
        except UpstreamModelUnknown:
            raise
        except (UpstreamInvalidRequest, UpstreamMisdirected) as error:
            if error.origin.http_status in _NO_SUCH_PATH:
                return None
            raise
        tokens = count_of(answer.get("input_tokens"))
        return None if tokens is None else pb.CountTokensResponse(input_tokens=tokens, method="provider")

    def _wire(self, path: str, request: Asked, body: dict[str, object]) -> Wire:
        where = f'generation.provider_options_json["{self._provider}"]'
        return Wire(path, orjson.dumps(body), headers=beta_header(self._betas, request.betas, where))
