"""Breakers: one breaker a target, and the layer that asks it before each call."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from promptwire_server.core.call import Call, Principal, Target
from promptwire_server.core.clock import Chance, Clock
from promptwire_server.core.errors import NoHealthyUpstream, Origin
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Reply
from promptwire_server.layers.breaker import Breaker, BreakerSettings, Permit, State
from promptwire_server.layers.known import Known
from promptwire_server.layers.verdict import Verdict, verdict_of, verdict_on

PROBER: Final = Principal(tenant="", name="health-probe")  # it alone probes without waiting; no caller is billed for it

Changed = Callable[[Target, State], None]


class Breakers:
    """The breakers of all targets of this process. Outlives reloads of the configuration."""

    def __init__(
        self,
        settings: BreakerSettings,
        clock: Clock,
        chance: Chance,
        named: Iterable[Target] = (),
        changed: Changed = lambda target, state: None,  # noqa: ARG005 - a Changed's shape
    ) -> None:
        """`named` are the targets that configuration names; others are learned as they are called, up to a bound.

        `changed` hears when a breaker opens and when it closes again, and of no probe between; it must not raise.
        """
        self._clock = clock
        self._changed = changed
        self.not_closed: dict[Target, Breaker] = {}  # nearly always empty; never another one: whoever chooses keeps it at hand
        self._settings = settings
        self._states: Known[Breaker] = Known(
            lambda target: Breaker(self._settings, clock, chance, lambda state: self._note(target, state)),
            named,
            busy=lambda breaker: breaker.state is not State.CLOSED,
        )

    def name(self, named: Iterable[Target], settings: BreakerSettings | None = None) -> None:
        """The configuration names these now, and says this of breakers, if anything new."""
        self._states.name(named)
        if settings is not None and settings != self._settings:
            self._settings = settings
            for breaker in self._states.values():
                breaker.tune(settings)

    def of(self, target: Target) -> Breaker:
        """The breaker of a target. Keeps it, so ask for targets that are called."""
        return self._states.of(target)

    def find(self, target: Target) -> Breaker | None:
        """The breaker of a target, if it has one yet; without, calls go through."""
        return self._states.find(target)

    def items(self) -> Iterator[tuple[Target, Breaker]]:
        """All of them."""
        return self._states.items()

    def open(self, target: Target) -> bool:
        """Whether a call that came now would be refused. Routing asks it of every target of every call, and nearly always nothing is."""
        breaker = self.not_closed.get(target)
        return breaker is not None and breaker.open

    def available_at(self, target: Target) -> float:
        """When it is worth asking, on the monotonic clock; the present or earlier: now."""
        breaker = self._states.find(target)
        return self._clock.monotonic() + (0.0 if breaker is None else breaker.wait_s)

    def enter(self, target: Target, deadline_s: float, *, probing: bool = False) -> Permit:
        """Leave for one call; see Breaker. Raises NoHealthyUpstream at once."""
        breaker = self._states.of(target)
        permit = breaker.enter(deadline_s, probing=probing)
        if permit is None:
            raise _refusal(target, breaker)
        return permit

    def reset(self, provider: str, model: str = "") -> None:
        """Close the breaker of one model, or of all models of the provider."""
        for target, breaker in self._states.items():
            if target.provider == provider and model in ("", target.model):
                breaker.reset()

    def _note(self, target: Target, state: State) -> None:
        if state is State.CLOSED:
            self.not_closed.pop(target, None)
            self._changed(target, state)
        elif target not in self.not_closed:
            self.not_closed[target] = self._states.of(target)
            self._changed(target, state)


class Shielded:
    """Asks the breaker of the target before each call, and tells it the end."""

    def __init__(self, inner: Handler, *, breakers: Breakers) -> None:
        self._inner = inner
        self._breakers = breakers

    async def __call__(self, call: Call) -> Reply:
        """The inner answer. Raises NoHealthyUpstream at once, and reaches no provider, while the breaker is open."""
        target = call.target
        if target is None:
            return await self._inner(call)
        permit = self._breakers.enter(target, call.deadline_s, probing=call.principal is PROBER)
        try:
            reply = await self._inner(call)
        except BaseException as error:
            permit.settle(verdict_on(error))
            raise
        if reply.flowing:
            permit.began()
            reply.on_done(lambda ending: permit.settle(verdict_of(ending)))
        else:
            permit.settle(Verdict.WELL)  # it is there, and cannot fail any more
        return reply


def _refusal(target: Target, breaker: Breaker) -> NoHealthyUpstream:
    what = "one call is finding out whether it works again" if breaker.state is State.HALF_OPEN else "its last calls failed"
    message = f"{target} is not asked: {what}; try again in {max(breaker.wait_s, 0.1):.1f} s, or choose another model"
    return NoHealthyUpstream(message, retry_after_s=breaker.wait_s, origin=Origin(target.provider))
