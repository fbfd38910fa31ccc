"""Roster: every provider and target: how they are doing, what is under way there, and whether the operator lets them be used."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from promptwire_server.core.call import Target
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import NoHealthyUpstream, NotFound, Origin
from promptwire_server.core.standing import Standing
from promptwire_server.layers.known import Known
from promptwire_server.layers.vitals import Vitals


class Timer(Protocol):
    """Something that will happen unless it is cancelled."""

    def cancel(self) -> None:
        """Let it not happen."""
        ...


Later = Callable[[float, Callable[[], None]], Timer]  # an event loop's call_later: seconds from now, and what to do then


class Visit(Protocol):
    """A call under way at a provider."""

    def evict(self, error: NoHealthyUpstream) -> None:
        """End it with this error. Its end comes soon, not at once."""
        ...


class Post:
    """One provider. Belongs to one event loop."""

    __slots__ = ("_eviction", "_out_of_use", "name", "standing", "visits")

    def __init__(self, name: str, out_of_use: set[str]) -> None:
        """`out_of_use` has the names of all that are not used; each keeps its own."""
        self.name = name
        self.standing = Standing()
        self.visits: set[Visit] = set()
        self._out_of_use = out_of_use
        self._eviction: Timer | None = None

    def set(self, standing: Standing, now_s: float, later: Later) -> None:
        """Use it or not from now on; `now_s` since 1970. What is under way goes on, or is ended when the standing says so."""
        if self._eviction is not None:
            self._eviction.cancel()
            self._eviction = None
        self.standing = standing
        if standing.enabled:
            self._out_of_use.discard(self.name)
        else:
            self._out_of_use.add(self.name)
        if standing.enabled or standing.clear_by_s is None:
            return
        if standing.clear_by_s > now_s:
            self._eviction = later(standing.clear_by_s - now_s, self._evict)
        else:
            self._evict()

    def refusal(self) -> NoHealthyUpstream:
        """What calls get while it is not used."""
        because = f" ({self.standing.reason})" if self.standing.reason else ""
        return NoHealthyUpstream(f"{self.name} was taken out of use by the operator{because}; ask another", origin=Origin(self.name))

    def _evict(self) -> None:
        self._eviction = None
        for visit in list(self.visits):
            visit.evict(self.refusal())


class Roster:
    """The state of all providers and targets of this process. Outlives reloads of the configuration."""

    def __init__(self, clock: Clock, providers: Iterable[str], named: Iterable[Target] = ()) -> None:
        """`named` are the targets that configuration names; others are learned as they are called, up to a bound."""
        self._posts: dict[str, Post] = {}
        self.out_of_use: set[str] = set()  # providers; nearly always none, so that whoever chooses need not ask after each
        self._former: dict[str, Post] = {}  # what is under way by an older configuration still ends there
        self._targets = Known(lambda _: Vitals(clock), named, busy=lambda vitals: vitals.in_flight > 0)
        self.name(providers, named)

    def name(self, providers: Iterable[str], named: Iterable[Target]) -> None:
        """The configuration has these now. Nothing is forgotten by that."""
        known = self._former | self._posts
        self._posts = {provider: known.get(provider) or Post(provider, self.out_of_use) for provider in providers}
        self._former = {provider: post for provider, post in known.items() if provider not in self._posts}
        self._targets.name(named)

    def of(self, target: Target) -> Vitals:
        """How a target is doing. Keeps it, so ask for targets that are called."""
        return self._targets.of(target)

    def find(self, target: Target) -> Vitals | None:
        """How a target is doing, if anything is known of it."""
        return self._targets.find(target)

    def usual_s(self, target: Target, *, stream: bool) -> float | None:
        """See Vitals.usual_s."""
        vitals = self._targets.find(target)
        return None if vitals is None else vitals.usual_s(stream=stream)

    def enabled(self, provider: str) -> bool:
        """Whether the operator lets it be used."""
        return self.post(provider).standing.enabled

    def post(self, provider: str) -> Post:
        """One provider, also one that only an older configuration has. Raises NotFound."""
        found = self._posts.get(provider) or self._former.get(provider)
        if found is None:
            raise self._unknown(provider)
        return found

    def configured(self, provider: str) -> Post:
        """One provider that configuration has now. Raises NotFound."""
        found = self._posts.get(provider)
        if found is None:
            raise self._unknown(provider)
        return found

    @property
    def posts(self) -> Mapping[str, Post]:
        """All providers that configuration has now."""
        return self._posts

    def targets(self) -> Iterator[tuple[Target, Vitals]]:
        """All targets that configuration names or that were called, the former first."""
        return self._targets.items()

    def is_named(self, target: Target) -> bool:
        """Whether configuration names it."""
        return self._targets.is_named(target)

    def _unknown(self, provider: str) -> NotFound:
        known = ", ".join(sorted(self._posts)) or "none"
        return NotFound(f'no provider is called "{provider[:64]}"; this server has {known}')
