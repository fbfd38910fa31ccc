"""The dialect of Azure OpenAI: that of OpenAI, asked for deployments in place of models, at other paths."""

from collections.abc import Sequence
from dataclasses import replace

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.embedding import EmbedCall
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.ids import Ids
from promptwire_server.providers.answer import Answer
from promptwire_server.providers.azure.answer import AzureAnswer
from promptwire_server.providers.azure.paths import Paths
from promptwire_server.providers.dialect import Embedded, Embeddings, Fetch, Refusal, Wire, WireOfTexts
from promptwire_server.providers.framing import Parser
from promptwire_server.providers.json_value import Json, JsonObject
from promptwire_server.providers.openai.dialect import OpenAI
from promptwire_server.providers.openai.facts import Facts
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.providers.upstream import Bounds

_DEPLOYMENT = "deployment "


class Deployments:
    """Which deployment answers for a model: the operator's choice, else the one of that name."""

    def __init__(self, options: HttpSettings) -> None:
        named = options.options.items()
        self._of = {name.removeprefix(_DEPLOYMENT): value for name, value in named if name.startswith(_DEPLOYMENT)}
        self.models = tuple(self._of)

    def of(self, model: str) -> str:
        """The deployment's name."""
        return self._of.get(model, model)


class Azure:
    """See Dialect."""

    request_id = "apim-request-id"

    def __init__(self, provider: str, settings: HttpSettings, facts: Facts, ids: Ids) -> None:
        self._openai = OpenAI(provider, facts, ids, api=settings.options.get("api", ""), chat=AzureAnswer)
        self._deployments = Deployments(settings)
        self._paths = Paths(settings.options.get("api_version", ""))
        inner = self._openai.embeddings
        self.embeddings: Embeddings | None = inner and AzureEmbeddings(inner, self._deployments, self._paths)

    def ask(self, call: Call) -> tuple[Wire, Answer]:
        """See Dialect."""
        target = call.target or Target("", call.request.model)
        deployment = self._deployments.of(target.model)
        wire, answer = self._openai.ask(call.aimed_at(Target(target.provider, deployment)))
        answer.model = target.model  # until Azure says which model the deployment is of
        return replace(wire, path=self._paths.of(wire.path, deployment)), answer

    def parser(self, bounds: Bounds) -> Parser:
        """See Dialect."""
        return self._openai.parser(bounds)

    def refused(self, refusal: Refusal) -> PromptwireError:
        """See Dialect."""
        return self._openai.refused(refusal)

    async def models(self, fetch: Fetch) -> Sequence[pb.Model]:
        """See Dialect. Azure lists what could be deployed, not what is: the operator's deployments are the better answer."""
        if self._deployments.models:
            return [pb.Model(provider_model=model, source="configuration") for model in self._deployments.models]

        async def fetched(wire: Wire) -> JsonObject:
            return await fetch(replace(wire, path=self._paths.of(wire.path)))

        return await self._openai.models(fetched)

    async def count(self, call: Call, fetch: Fetch) -> pb.CountTokensResponse | None:
        """See Dialect."""
        return await self._openai.count(call, fetch)


class AzureEmbeddings:
    """See Embeddings."""

    def __init__(self, openai: Embeddings, deployments: Deployments, paths: Paths) -> None:
        self.most_texts = openai.most_texts
        self._openai = openai
        self._deployments = deployments
        self._paths = paths

    def to_wire(self, call: EmbedCall) -> WireOfTexts:
        """See Embeddings."""
        deployment = self._deployments.of(call.model)
        provider = call.call.target.provider if call.call.target else ""
        worded = self._openai.to_wire(call.aimed_at(Target(provider, deployment)))

        def wire(texts: Sequence[str]) -> Wire:
            openai = worded(texts)
            return replace(openai, path=self._paths.of(openai.path, deployment))

        return wire

    def from_wire(self, body: Json) -> Embedded:
        """See Embeddings."""
        return self._openai.from_wire(body)
