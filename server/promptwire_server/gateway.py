"""Gateway: everything that one configuration says about who answers: providers, routes, prices, and the stack in front of each target.

A new configuration makes a new gateway beside the old one; calls under way end on the old one, which is closed behind the last of them.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from promptwire import v1 as pb
from promptwire_server.caching import Caching
from promptwire_server.config.settings import Settings
from promptwire_server.convert import (
    accounts,
    aliases,
    breaker_settings,
    provider_settings,
    retry_settings,
    stream_probe_settings,
)
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Chance, Clock
from promptwire_server.core.handler import Handler, Layer, stack
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Ending, Reply
from promptwire_server.layers import names
from promptwire_server.layers.admission.admission import Admission
from promptwire_server.layers.admission.admit import Admit
from promptwire_server.layers.book import Book, PriceList
from promptwire_server.layers.breakers import Breakers, Changed, Shielded
from promptwire_server.layers.catalog import Catalog
from promptwire_server.layers.dedup.dedup import Asking, Dedup
from promptwire_server.layers.dedup.key import keys
from promptwire_server.layers.limits import Limits, LimitStore, ProviderLimits
from promptwire_server.layers.observe import Observe
from promptwire_server.layers.payment import Cashier
from promptwire_server.layers.pulse import Pulse
from promptwire_server.layers.rates import RateLimit, RateStores
from promptwire_server.layers.recorder import Recorder
from promptwire_server.layers.restart import Restart
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.route import Routes
from promptwire_server.layers.router import Router
from promptwire_server.layers.shadow import Shadows
from promptwire_server.layers.share import Share
from promptwire_server.layers.spend import Spend
from promptwire_server.layers.stream_probe import StreamProbe
from promptwire_server.layers.tally import LogLines, Tally
from promptwire_server.planning import named_targets, planned_aliases, planner, provider_limits
from promptwire_server.providers.keys import Keys
from promptwire_server.providers.provider import Provider, answering
from promptwire_server.providers.registry import build
from promptwire_server.sameness import dedup_settings
from promptwire_server.sharing import caller_limits


@dataclass(frozen=True, slots=True)
class Lasting:
    """What outlives a configuration: what was measured, counted and kept."""

    clock: Clock
    chance: Chance
    ids: Ids
    tally: Tally
    admission: Admission
    caching: Caching
    prices: PriceList
    roster: Roster
    breakers: Breakers
    limits: LimitStore
    rates: RateStores
    keys: Keys
    cashier: Cashier
    recorder: Recorder
    log: LogLines | None = None
    asking: Asking | None = None  # how it is found out what other replicas ask


class Gateway:
    """Answers calls by one configuration."""

    def __init__(self, settings: Settings, lasting: Lasting) -> None:
        """Raises what building a provider raises: BadScript, BadEntryPoint, ValueError without an address."""
        self._settings = settings
        self._lasting = lasting
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        clock, chance = lasting.clock, lasting.chance
        self.providers: Mapping[str, Provider] = {
            name: build(name, section, clock=clock, ids=lasting.ids, keys=lasting.keys)
            for name, section in provider_settings(settings).items()
        }
        named = aliases(settings)
        self.book = Book(accounts(settings), lasting.prices, clock)
        self.routes = Routes(named, list(self.providers), settings.default_model)
        self.catalog = Catalog(self.routes, named, self.providers, book=self.book, clock=clock, log=lasting.log)
        limits = provider_limits(settings)
        handlers = {name: self._before(name, provider, limits.get(name, ProviderLimits())) for name, provider in self.providers.items()}
        self.handlers: Mapping[str, Handler] = handlers  # all that stands before each provider, and the provider
        self._shadows = Shadows(handlers, chance)
        plans = planner(settings, self.routes, roster=lasting.roster, breakers=lasting.breakers, book=self.book, clock=clock, chance=chance)
        router = Router(
            plans,
            handlers,
            usual=lasting.roster,
            shadows=self._shadows,
            settings=retry_settings(settings),
            clock=clock,
            chance=chance,
        )
        self.chat: Handler = self._counted(self._before_chats(router))
        self.embed: Handler = self._counted(self._before_vectors(router))

    async def learn(self) -> None:
        """Look up what targets cost, where an alias chooses by that, since choosing cannot wait. Not otherwise: the list takes 20 MB."""
        by_price = [alias for alias in planned_aliases(self._settings).values() if alias.strategy == "cheapest"]
        await self.book.learn([member.target for alias in by_price for member in alias.members])

    async def aclose(self) -> None:
        """Wait for the calls under way, then close every provider."""
        await self._idle.wait()
        await self._refresher.aclose()
        await self._dedup.aclose()
        self._shadows.close()
        for provider in self.providers.values():
            await provider.aclose()

    def _counted(self, inner: Handler) -> Handler:
        """The inner handler, whose calls are counted, so that the gateway is not closed under them."""

        async def handler(call: Call) -> Reply:
            self._under_way += 1
            self._idle.clear()
            try:
                reply = await inner(call)
            except BaseException:
                self._left()
                raise
            reply.on_done(self._left)
            return reply

        return handler

    def _left(self, _: Ending | None = None) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()

    def _before_chats(self, router: Router) -> Handler:
        """What every chat goes through, outermost first."""
        lasting = self._lasting
        return stack(
            [
                # Outermost, since it sees every refusal, and fills in what only the outside knows.
                lambda inner: Observe(inner, tally=lasting.tally, clock=lasting.clock),
                # Before anything costs something.
                lambda inner: Admit(inner, admission=lasting.admission),
                # Before anything is looked up or counted elsewhere: a caller's limits count answers from the cache, too.
                *self._limiting(),
                # Before whatever costs something.
                lambda inner: self._cached(inner, router),
                # Within the cache, so that an answer put together from two streams counts as one.
                Restart,
                # Within restarts, since each caller has its own wish for what happens to a stream that breaks.
                self._deduped,
            ],
            router,  # innermost: attempt after attempt, at one target or the next
        )

    def _cached(self, inner: Handler, router: Router) -> Handler:
        """The cache. What it asks by itself is part of a call that has been let in: it takes no further place."""
        lasting, settings = self._lasting, self._settings
        again = Observe(inner, tally=lasting.tally, clock=lasting.clock, event=names.REFRESH_FINISHED)
        embed = Observe(router, tally=lasting.tally, clock=lasting.clock, event=names.EMBED_FINISHED)
        cache, self._refresher = lasting.caching.layer(settings, planned_aliases(settings), inner, again=again, embed=embed)
        return cache

    def _deduped(self, inner: Handler) -> Handler:
        settings, lasting = self._settings, self._lasting
        ruled = {name for name, alias in settings.models.items() if alias.rules}
        key = keys(settings.default_model, ruled)
        self._dedup = Dedup(inner, clock=lasting.clock, key=key, settings=dedup_settings(settings), asking=lasting.asking)
        return self._dedup

    def _before_vectors(self, router: Router) -> Handler:
        """The same for vectors, which are neither kept nor streamed."""
        lasting = self._lasting
        return stack(
            [
                lambda inner: Observe(inner, tally=lasting.tally, clock=lasting.clock, event=names.EMBED_FINISHED),
                lambda inner: Admit(inner, admission=lasting.admission),
                *self._limiting(),
            ],
            router,
        )

    def _limiting(self) -> Sequence[Layer]:
        """The limits of callers, if there are any; chats and vectors count in the same ones."""
        limits = caller_limits(self._settings)
        if not limits:
            return []
        processes = self._settings.server.workers
        rates, model = self._lasting.rates, self._settings.default_model
        return [
            lambda inner: RateLimit(inner, limits=limits, stores=rates, clock=self._lasting.clock, default_model=model, processes=processes)
        ]

    def _probing(self) -> Sequence[Layer]:
        probe = stream_probe_settings(self._settings)
        return [lambda inner: StreamProbe(inner, settings=probe, clock=self._lasting.clock)] if probe.characters else []

    def _before(self, name: str, provider: Provider, limits: ProviderLimits) -> Handler:
        """What every attempt at a provider goes through, outermost first."""
        lasting = self._lasting
        return stack(
            [
                # Outermost: who waits for money takes no other room, and it sees what every attempt came to.
                lambda inner: Spend(
                    inner, book=self.book, cashier=lasting.cashier, recorder=lasting.recorder, ids=lasting.ids, clock=lasting.clock
                ),
                # Measures what the router waits for, and knows what the operator has switched off.
                lambda inner: Pulse(inner, roster=lasting.roster, clock=lasting.clock),
                # Before limits: what is known to be broken should take nobody's place.
                lambda inner: Shielded(inner, breakers=lasting.breakers),
                partial(Limits, provider=name, limits=limits, store=lasting.limits),
                # Around the share, which is over when the answer begins: a stream that goes on slowly is no failure.
                *self._probing(),
                # Within breakers and pulse, for which an attempt whose share of the time is over has failed.
                lambda inner: Share(inner, clock=lasting.clock, usual=lasting.roster),
            ],
            answering(provider),
        )


def new_breakers(settings: Settings, clock: Clock, chance: Chance, changed: Changed) -> Breakers:
    """Breakers for the targets of these settings; `changed` as for Breakers."""
    return Breakers(breaker_settings(settings), clock, chance, named_targets(settings), changed)


class Switch:
    """The gateway that answers now: what the edge holds on to while configurations come and go."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """The answer to a call; a Handler."""
        return self.gateway.chat(call)

    def embed(self, call: Call) -> Awaitable[Reply]:
        """Vectors; a Handler."""
        return self.gateway.embed(call)

    async def count_tokens(self, call: Call) -> pb.CountTokensResponse:
        """How long a prompt is."""
        return await self.gateway.catalog.count_tokens(call)

    async def models(self, tenant: str, provider: str = "") -> Sequence[pb.Model]:
        """What may be asked, of all providers or of one. Raises NotFound without that one."""
        return await self.gateway.catalog.models(tenant, provider)

    async def model(self, tenant: str, name: str) -> pb.Model:
        """One of them. Raises NotFound."""
        return await self.gateway.catalog.model(tenant, name)
