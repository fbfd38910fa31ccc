"""The dialect of OpenAI: chat completions, as most others speak them too, and the Responses API where a call needs it."""

from collections.abc import Sequence

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.ids import Ids
from promptwire_server.providers import sse, tokens
from promptwire_server.providers.answer import Answer
from promptwire_server.providers.asked import missing
from promptwire_server.providers.dialect import Embeddings, Fetch, Refusal, Wire
from promptwire_server.providers.framing import Parser
from promptwire_server.providers.json_value import list_in, object_in
from promptwire_server.providers.openai.answer import ChatAnswer
from promptwire_server.providers.openai.embeddings import OpenAIEmbeddings
from promptwire_server.providers.openai.errors import REQUEST_ID, error_of_answer
from promptwire_server.providers.openai.facts import Facts
from promptwire_server.providers.openai.models import model_from_wire
from promptwire_server.providers.openai.pipeline import PipelineEmbeddings
from promptwire_server.providers.openai.request import body_of, to_wire
from promptwire_server.providers.openai.tgi import TgiAnswer
from promptwire_server.providers.openai.which import APIS, RESPONSES, api_of
from promptwire_server.providers.responses import request as responses
from promptwire_server.providers.responses.answer import ResponsesAnswer
from promptwire_server.providers.upstream import Bounds

_CHAT = "/chat/completions"
_RESPONSES = "/responses"
_MODELS = "/models"


class OpenAI:
    """See Dialect."""

    request_id = REQUEST_ID

    def __init__(self, provider: str, facts: Facts, ids: Ids, *, api: str = "", chat: type[ChatAnswer] = ChatAnswer) -> None:
        if api and api not in APIS:
            raise ValueError(f"providers.{provider}.api: must be one of {', '.join(APIS)}")
        self._provider = provider
        self._facts = facts
        self._ids = ids
        self._api = api  # one of which.APIS that the operator has chosen for every call; empty: as the call needs
        self._chat = chat if facts.tool_finish else TgiAnswer
        embeddings = PipelineEmbeddings if facts.embed_pipeline else OpenAIEmbeddings
        self.embeddings: Embeddings | None = embeddings(provider, facts) if facts.embed_texts else None

    def ask(self, call: Call) -> tuple[Wire, Answer]:
        """See Dialect."""
        if not self._facts.chat:
            raise missing("model", "chat", "it has vectors only; name a model of another")
        if api_of(call, self._provider, self._facts, self._api) == RESPONSES:
            body = body_of(responses.to_wire(call, self._provider, self._facts))
            return Wire(_RESPONSES, body), ResponsesAnswer(call, self._provider, self._ids)
        return Wire(_CHAT, body_of(to_wire(call, self._provider, self._facts))), self._chat(call, self._provider, self._ids)

    def parser(self, bounds: Bounds) -> Parser:
        """See Dialect."""
        return sse.Parser(self._provider, max_line_bytes=bounds.line_bytes, max_event_bytes=bounds.event_bytes)

    def refused(self, refusal: Refusal) -> PromptwireError:
        """See Dialect."""
        return error_of_answer(refusal, self._provider)

    async def models(self, fetch: Fetch) -> Sequence[pb.Model]:
        """See Dialect."""
        if self._facts.models:
            return [pb.Model(provider_model=name, source="catalog") for name in self._facts.models]
        listed = await fetch(Wire(_MODELS, method="GET"))
        models = (model_from_wire(object_in(model)) for model in list_in(listed.get("data")))
        return [model for model in models if model.provider_model]

    async def count(self, call: Call, fetch: Fetch) -> pb.CountTokensResponse | None:  # noqa: ARG002 - chat completions has no way to ask
        """See Dialect."""
        counted = await tokens.count(call.request, call.target.model if call.target else call.request.model)
        if counted is None:
            return None
        return pb.CountTokensResponse(input_tokens=counted.input_tokens, estimated=counted.estimated, method=counted.method)
