"""Catalog: all models that can be asked, and how long a prompt is for one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.errors import PromptwireError
from promptwire_server.layers.route import Routes


class Source(Protocol):
    """A provider, as far as its models go."""

    async def models(self) -> Sequence[pb.Model]:
        """What it may be asked, as it says itself."""
        ...

    async def count_tokens(self, call: Call) -> pb.CountTokensResponse:
        """How long the prompt is for `call.target`."""
        ...


@dataclass(frozen=True, slots=True)
class Catalog:
    """Aliases and the providers' models."""

    routes: Routes
    aliases: Mapping[str, Sequence[Target]]
    sources: Mapping[str, Source]

    async def models(self, tenant: str) -> Sequence[pb.Model]:  # noqa: ARG002 - tenants see the same models until there are policies
        """Aliases first, then by name. A provider that does not answer is left out: the others' models are still good to know."""
        found: dict[str, pb.Model] = {}
        for source in self.sources.values():
            try:
                found.update({model.name: model for model in await source.models()})
            except PromptwireError:
                continue
        aliases = [self._alias(name, targets, found) for name, targets in sorted(self.aliases.items())]
        models = [self._marked(found[name]) for name in sorted(found)]
        return [*aliases, *models]

    async def count_tokens(self, call: Call) -> pb.CountTokensResponse:
        """By the first target of the model asked for."""
        target = self.routes.resolve(call.request.model)[0]
        return await self.sources[target.provider].count_tokens(call.aimed_at(target))

    def _alias(self, name: str, targets: Sequence[Target], found: Mapping[str, pb.Model]) -> pb.Model:
        first = targets[0]
        model = pb.Model()
        if str(first) in found:
            model.CopyFrom(found[str(first)])
        model.name, model.provider, model.provider_model, model.source = name, first.provider, first.model, "configuration"
        model.targets.extend(str(target) for target in targets)
        model.is_default = name == self.routes.default
        return model

    def _marked(self, model: pb.Model) -> pb.Model:
        if model.name != self.routes.default:
            return model
        marked = pb.Model()
        marked.CopyFrom(model)
        marked.is_default = True
        return marked
