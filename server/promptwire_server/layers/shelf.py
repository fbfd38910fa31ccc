"""Shelf: the models of one provider, asked for once in a while and kept."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from promptwire import v1 as pb
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.facts import UNKNOWN, Facts
from promptwire_server.layers import names
from promptwire_server.layers.book import Book
from promptwire_server.layers.tally import LogLines

PATIENCE_S = 5.0  # for one vendor's list: the others' are not to wait for it
_FRESH_S = 300.0
_AGAIN_S = 15.0  # after a failure: callers do not wait for a dead vendor one after the other


class Source(Protocol):
    """A provider, as far as its models go."""

    async def models(self) -> Sequence[pb.Model]:
        """What it may be asked, with as much as it tells of each."""
        ...


class Shelf:
    """Models of one provider, with all that is known of them."""

    def __init__(
        self, provider: str, source: Source, *, book: Book, clock: Clock, patience_s: float = PATIENCE_S, log: LogLines | None = None
    ) -> None:
        """`log` is told when the vendor stops answering, and when it answers again."""
        self._provider = provider
        self._source = source
        self._book = book
        self._clock = clock
        self._patience_s = patience_s
        self._models: Sequence[pb.Model] = ()
        self._until_s = -1.0  # on the monotonic clock
        self._asking = asyncio.Lock()
        self._log = log
        self._away = False  # the vendor did not answer when it was last asked
        self._answered = False  # the vendor has, at least once: what is not in its list, it does not know

    async def models(self) -> Sequence[pb.Model]:
        """The list, at most five minutes old; older or empty while the vendor does not answer. Never changed: copy before changing."""
        if self._clock.monotonic() >= self._until_s:
            async with self._asking:  # one asks, the others wait for its answer; when it is cancelled, the next one asks
                if self._clock.monotonic() >= self._until_s:
                    await self._ask()
        return self._models

    async def one(self, model: str) -> pb.Model | None:
        """What is known of a model by the vendor's name of it; None when neither its vendor nor anybody else knows it."""
        found = next((one for one in await self.models() if one.provider_model == model), None)
        if found is not None:
            return found
        (facts,) = await self._book.look_up(self._provider, [model])
        if self._answered and facts == UNKNOWN:
            return None
        return self._with(self._bare(model, "catalog"), facts)

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                listed = await self._source.models()
        except (PromptwireError, TimeoutError) as error:
            self._turned(away=True, error=error.message if isinstance(error, PromptwireError) else f"no list in {self._patience_s:g} s")
            self._models = self._models or await self._completed(())
            self._until_s = self._clock.monotonic() + _AGAIN_S
            return
        self._turned(away=False)
        self._models = await self._completed(listed)
        self._until_s = self._clock.monotonic() + _FRESH_S
        self._answered = True

    def _turned(self, *, away: bool, error: str = "") -> None:
        """Log a change, once: whether the vendor is away, and what it said."""
        if away == self._away:
            return
        self._away = away
        if self._log is None:
            return
        if away:
            self._log([("warning", names.PROVIDER_UNREACHABLE, {"provider": self._provider, "error": error})])
        else:
            self._log([("info", names.PROVIDER_REACHABLE, {"provider": self._provider})])

    async def _completed(self, listed: Sequence[pb.Model]) -> Sequence[pb.Model]:
        """The vendor's models and those that only the operator speaks of: deployments, tuned models, servers without a list."""
        there = {model.provider_model for model in listed}
        own = [self._bare(name, "configuration") for name in self._book.named(self._provider) if name not in there]
        models = [*listed, *own]
        facts = await self._book.look_up(self._provider, [model.provider_model for model in models])
        return [self._with(model, known) for model, known in zip(models, facts, strict=True)]

    def _bare(self, name: str, source: str) -> pb.Model:
        return pb.Model(name=f"{self._provider}/{name}", provider=self._provider, provider_model=name, source=source)

    def _with(self, told: pb.Model, facts: Facts) -> pb.Model:
        """A copy, with what is known besides: the operator's word before the vendor's, the vendor's before the price list's."""
        operator = self._book.operator(self._provider, told.provider_model)
        model = pb.Model()
        model.CopyFrom(told)
        if facts.price is not None and (operator.price is not None or not told.HasField("price")):
            model.price.CopyFrom(facts.price.message())
        model.context_window_tokens = operator.context_window_tokens or told.context_window_tokens or facts.context_window_tokens
        model.max_output_tokens = operator.max_output_tokens or told.max_output_tokens or facts.max_output_tokens
        if operator.capabilities or not told.capabilities:
            model.capabilities[:] = facts.capabilities
        return model
