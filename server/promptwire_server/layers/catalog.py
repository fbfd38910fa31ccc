"""Catalog: all models that can be asked, and how long a prompt is for one of them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import NotFound
from promptwire_server.layers.book import Book
from promptwire_server.layers.route import Routes
from promptwire_server.layers.shelf import PATIENCE_S, Shelf
from promptwire_server.layers.tally import LogLines


class Source(Protocol):
    """A provider, as far as its models go."""

    async def models(self) -> Sequence[pb.Model]:
        """What it may be asked, with as much as it tells of each."""
        ...

    async def count_tokens(self, call: Call) -> pb.CountTokensResponse:
        """How long the prompt is for `call.target`."""
        ...


class Catalog:
    """Aliases and the providers' models."""

    def __init__(
        self,
        routes: Routes,
        aliases: Mapping[str, Sequence[Target]],
        sources: Mapping[str, Source],
        *,
        book: Book,
        clock: Clock,
        patience_s: float = PATIENCE_S,
        log: LogLines | None = None,
    ) -> None:
        """`patience_s` is how long one provider's list may take; a list that took longer is left out, or an older one is shown."""
        self._routes = routes
        self._aliases = aliases
        self._sources = sources
        self._shelves = {
            name: Shelf(name, source, book=book, clock=clock, patience_s=patience_s, log=log) for name, source in sorted(sources.items())
        }

    async def models(self, tenant: str, provider: str = "") -> Sequence[pb.Model]:  # noqa: ARG002 - tenants see the same models so far
        """Aliases first, then by name; with `provider` only what that one is asked for. Raises NotFound for a provider that is not there.

        All providers are asked at once; one that never answered is left out.
        """
        shelves = list(self._shelves.values()) if not provider else [self._shelf(provider)]
        async with asyncio.TaskGroup() as asking:
            lists = [asking.create_task(shelf.models()) for shelf in shelves]
        found = {model.name: model for listed in lists for model in listed.result()}
        named = {name: targets for name, targets in sorted(self._aliases.items()) if provider in ("", targets[0].provider)}
        aliases = [self._alias(name, found.get(str(targets[0]))) for name, targets in named.items()]
        return [*aliases, *(self._marked(found[name]) for name in sorted(found))]

    async def model(self, tenant: str, name: str) -> pb.Model:  # noqa: ARG002 - as above
        """One model, by alias or "provider/model". Asks only its provider.

        A model that its vendor does not list is there all the same when the operator or the price list knows it, or while the vendor
        does not answer: a question to it may well succeed. Raises NotFound otherwise.
        """
        target = self._routes.resolve(name, "name")[0]
        found = await self._shelves[target.provider].one(target.model)
        if name in self._aliases:
            return self._alias(name, found)
        if found is None:
            raise NotFound(f'{target.provider} lists no model "{target.model[:128]}", and nothing is known of it; ListModels has them all')
        return self._marked(found)

    async def count_tokens(self, call: Call) -> pb.CountTokensResponse:
        """By the first target of the model asked for."""
        target = self._routes.resolve(call.request.model)[0]
        return await self._sources[target.provider].count_tokens(call.aimed_at(target))

    def _shelf(self, provider: str) -> Shelf:
        if provider not in self._shelves:
            there = ", ".join(self._shelves) or "none"
            raise NotFound(f'no provider "{provider[:64]}" is configured; there are: {there}')
        return self._shelves[provider]

    def _alias(self, name: str, found: pb.Model | None) -> pb.Model:
        """An alias, with what is known of its first target."""
        targets = self._aliases[name]
        first = targets[0]
        model = pb.Model()
        if found is not None:
            model.CopyFrom(found)
        model.name, model.provider, model.provider_model, model.source = name, first.provider, first.model, "configuration"
        model.targets.extend(str(target) for target in targets)
        model.is_default = name == self._routes.default
        return model

    def _marked(self, model: pb.Model) -> pb.Model:
        if model.name != self._routes.default:
            return model
        marked = pb.Model()
        marked.CopyFrom(model)
        marked.is_default = True
        return marked
