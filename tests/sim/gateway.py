"""Gateway: the whole stack of the server's gateway.py, from the observed call to the providers; vendors are simulated.

Every layer, the dialect included, is the product's own. Where the server puts them together in another way, this has to follow.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from promptwire_server.core.call import Target
from promptwire_server.core.clock import Chance, Clock
from promptwire_server.core.facts import Facts
from promptwire_server.core.handler import Handler, Layer, stack
from promptwire_server.core.ids import Ids
from promptwire_server.core.secret import Secret
from promptwire_server.layers.admission.admission import Admission
from promptwire_server.layers.admission.admit import Admit
from promptwire_server.layers.admission.settings import AdmissionSettings
from promptwire_server.layers.alias import Alias
from promptwire_server.layers.book import Account, Book
from promptwire_server.layers.breaker import BreakerSettings, State
from promptwire_server.layers.breakers import Breakers, Shielded
from promptwire_server.layers.limits import Limits, ProviderLimits
from promptwire_server.layers.metrics import Metrics
from promptwire_server.layers.observe import Observe
from promptwire_server.layers.outlook import Outlook
from promptwire_server.layers.plan import Planner
from promptwire_server.layers.pool import View
from promptwire_server.layers.pulse import Pulse
from promptwire_server.layers.restart import Restart
from promptwire_server.layers.retry import RetrySettings
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.route import Routes
from promptwire_server.layers.router import Router
from promptwire_server.layers.shadow import Shadows
from promptwire_server.layers.share import Share
from promptwire_server.layers.stream_probe import StreamProbe, StreamProbeSettings
from promptwire_server.layers.tally import Tally
from promptwire_server.providers.adapter import Adapter
from promptwire_server.providers.credentials import KeyRing
from promptwire_server.providers.keys import Keys
from promptwire_server.providers.openai.dialect import OpenAI
from promptwire_server.providers.openai.facts import ANY
from promptwire_server.providers.upstream import Timeouts
from promptwire_server.stores import memory_limits
from tests.sim.ledger import Ledger
from tests.sim.sky import Sky
from tests.sim.vendor import KEY, Vendor
from tests.unit.layers.purses import Till


@dataclass(frozen=True, slots=True)
class Site:
    """One provider: its weather, and what the operator has set for it."""

    sky: Sky = field(default_factory=Sky)
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: ProviderLimits = field(default_factory=ProviderLimits)
    keys: tuple[str, ...] = ()  # several; empty: one, which does not show
    dead: frozenset[str] = frozenset()  # of them, those whose account is broken


@dataclass(frozen=True, slots=True)
class Setup:
    """The operator's configuration."""

    sites: Mapping[str, Site]
    aliases: Mapping[str, Alias]
    default: str
    retries: RetrySettings = field(default_factory=RetrySettings)
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    outliers: bool = True
    probe: StreamProbeSettings = field(default_factory=StreamProbeSettings)


class Unpublished:
    """A price list with nothing in it."""

    async def find(self, base_url: str, models: Sequence[str]) -> Sequence[Facts]:
        return [Facts()] * len(models)


class Gateway:
    """One server, without the edge that speaks gRPC."""

    def __init__(self, setup: Setup, clock: Clock, seed: int) -> None:
        named = list(dict.fromkeys(member.target for alias in setup.aliases.values() for member in alias.members))
        chance = Chance(random.Random(seed))
        self.clock = clock
        self.setup = setup
        self.roster = Roster(clock, setup.sites, named)
        self.breakers = Breakers(setup.breaker, clock, chance, named)
        self.limits = memory_limits.Limits(clock)
        self.admission = Admission(setup.admission, clock=clock, chance=chance)
        self.till = Till(clock)
        self.metrics = Metrics([(target.provider, target.model) for target in named], setup.sites.keys())
        self.ledger = Ledger(clock, self._circuit, self.roster.enabled)
        self.keys = Keys(clock)
        ids = Ids(clock, chance)
        book = Book(dict.fromkeys(setup.sites, Account(free=True)), Unpublished(), clock)
        self.vendors = {
            name: Vendor(name, site.sky, timeouts=site.timeouts, ledger=self.ledger, clock=clock, seed=seed, dead=site.dead)
            for name, site in setup.sites.items()
        }
        handlers = {
            name: self._provider(name, Adapter(name, vendor, OpenAI(name, ANY, ids), clock=clock, ring=self._ring(name)), book)
            for name, vendor in self.vendors.items()
        }
        siblings = [[member.target for member in alias.members] for alias in setup.aliases.values()] if setup.outliers else []
        outlook = Outlook(self.roster, self.breakers, clock, siblings)
        routes = Routes({}, list(setup.sites), setup.default)
        planner = Planner(setup.aliases, routes, View(self.roster.of, outlook, book, chance))
        self.shadows = Shadows(handlers, chance)
        router = Router(planner, handlers, usual=self.roster, shadows=self.shadows, settings=setup.retries, clock=clock, chance=chance)
        self.handler = self._gateway(router)

    def _gateway(self, router: Router) -> Handler:
        """As Gateway._stack of the server."""
        return stack(
            [
                lambda inner: Observe(inner, tally=Tally(self.metrics), clock=self.clock),
                lambda inner: Admit(inner, admission=self.admission),
                Restart,
            ],
            router,
        )

    def _provider(self, name: str, provider: Handler, book: Book) -> Handler:
        """As Gateway._before of the server."""
        limits = self.setup.sites[name].limits
        probe = self.setup.probe
        probing: list[Layer] = [lambda inner: StreamProbe(inner, settings=probe, clock=self.clock)] if probe.characters else []
        return stack(
            [
                lambda inner: self.till.before(inner, book),
                lambda inner: Pulse(inner, roster=self.roster, clock=self.clock),
                lambda inner: Shielded(inner, breakers=self.breakers),
                lambda inner: Limits(inner, provider=name, limits=limits, store=self.limits),
                *probing,
                lambda inner: Share(inner, clock=self.clock, usual=self.roster),
            ],
            provider,
        )

    def _ring(self, name: str) -> KeyRing | None:
        """As the registry of providers."""
        keys = [Secret(key) for key in self.setup.sites[name].keys]
        return KeyRing(name, keys, lambda key: {KEY: key.reveal()}, self.keys) if keys else None

    def _circuit(self, target: Target) -> State:
        return self.breakers.of(target).state

    def held(self) -> dict[str, int]:
        """Everything that is still held, by what it is; empty when all is given back."""
        held = {"slots": self.admission.inside, "in-flight gauge": self.metrics.in_flight}
        for target, vitals in self.roster.targets():
            held[f"vitals of {target}"] = vitals.in_flight
            held[f"limits of {target}"] = self.limits.in_flight(str(target))
        for target, breaker in self.breakers.items():
            held[f"probe's place of {target}"] = int(breaker.state is State.HALF_OPEN and breaker.open)
        for name, post in self.roster.posts.items():
            held[f"visits at {name}"] = len(post.visits)
            held[f"limits of {name}"] = self.limits.in_flight(name)
        for visit in self.ledger.visits:
            held[f"connection of {visit}"] = int(visit.ended_s is None)
        return {what: count for what, count in held.items() if count}
