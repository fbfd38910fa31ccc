"""Plan: which targets may answer a call, in which order, and why; and who is asked when all of them have failed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.errors import PromptwireError
from promptwire_server.layers.alias import Alias, FailureKind
from promptwire_server.layers.pool import Single, View
from promptwire_server.layers.question import Question, question_of
from promptwire_server.layers.route import Routes
from promptwire_server.layers.router import Choice
from promptwire_server.layers.way import Named, Way

_KINDS: Final[dict["pb.ErrorReason", FailureKind]] = {
    pb.ERROR_REASON_UPSTREAM_RATE_LIMITED: "rate_limit",
    pb.ERROR_REASON_CONTEXT_TOO_LONG: "context",
    pb.ERROR_REASON_UPSTREAM_POLICY: "policy",
    pb.ERROR_REASON_BUDGET_EXHAUSTED: "budget",
    pb.ERROR_REASON_PRICE_UNKNOWN: "budget",
}
_OF_CREDENTIALS: Final[tuple[FailureKind, ...]] = ("failure", "rate_limit")
_ON: Final[dict[FailureKind, str]] = {
    "failure": "failure",
    "rate_limit": "rate limit",
    "context": "context too long",
    "policy": "content policy",
    "budget": "budget",
}


def kind_of(error: PromptwireError) -> FailureKind:
    """Which of the operator's fallbacks an error calls for."""
    return _KINDS.get(error.reason, "failure")


_BY_CALLER: Final = "fallback named by the caller"
_ALONE: Final = "asked for by name"
_MOST_ENDS: Final = 256


class Plan:
    """Who may answer one call."""

    __slots__ = ("_aliases", "_given", "_names", "_planner", "_question", "choices", "hedge", "shadow", "variant")

    def __init__(self, planner: "Planner", question: Question, way: Way) -> None:
        self._planner = planner
        self._question = question
        self._aliases = way.aliases  # on the way so far; each may have fallbacks
        self._names: set[str] | None = None  # fallbacks that were looked at
        self._given: set[Target] | None = None  # targets that were given out
        self.choices: Sequence[Choice] = ()  # the caller's own fallbacks included
        self.variant = way.variant  # the arm of a split that the call is on; empty: none
        self.hedge = way.hedge  # when a second attempt is made beside the first; None: never
        self.shadow = way.shadow if question.shadowed else None  # who gets a copy of some calls; None: nobody

    @property
    def beyond(self) -> Target | None:
        """Who would probably be asked if all choices failed: time must be left for it. None: nobody."""
        if not any(one.alias.fallbacks.any for one in self._aliases):
            return None
        given = {choice.target for choice in self.choices}
        ways = (self._planner.way(name, self._question) for name in self._fallbacks("failure"))
        return next((target for way in ways if (target := way.likely(given)) is not None), None)

    @property
    def goes_on(self) -> bool:
        """Whether `after` may give somebody when a credential is refused, which is a failure or a rate limit."""
        if not self._aliases:
            return False
        names = self._names or ()
        return any(name not in names for kind in _OF_CREDENTIALS for name in self._fallbacks(kind))

    def after(self, error: PromptwireError) -> Sequence[Choice]:
        """The operator's fallbacks for this kind of failure, once all choices before have failed, the last with this error; none twice.

        Nobody, when nobody else can help. Fallbacks have fallbacks: call it again, until there is nothing.
        """
        kind = kind_of(error)
        if not error.elsewhere and kind != "budget":
            return ()
        given = self._given = self._given or {choice.target for choice in self.choices}
        names = self._names = self._names or {one.name for one in self._aliases}
        found: list[Choice] = []
        # A fallback may have nobody to ask, but fallbacks of its own. Ends, since no name is looked at twice.
        while not found and (fresh := [name for name in dict.fromkeys(self._fallbacks(kind)) if name not in names]):
            names.update(fresh)
            for name in fresh:
                way = self._planner.way(name, self._question)
                self._aliases = (*self._aliases, *way.aliases)
                self.hedge = way.hedge or self.hedge
                self.shadow = (way.shadow if self._question.shadowed else None) or self.shadow
                targets = [choice.target for choice in _choices(way, self._question) if choice.target not in given]
                given.update(targets)
                found += [Choice(target, f"fallback on {_ON[kind]}") for target in targets]
        return found

    def _fallbacks(self, kind: FailureKind) -> Iterator[str]:
        """Of the alias that the targets belong to before those on the way to it: it is the nearest."""
        for one in reversed(self._aliases):
            yield from one.alias.fallbacks.of(kind)


class Planner:
    """Knows who may answer."""

    def __init__(self, aliases: Mapping[str, Alias], routes: Routes, view: View) -> None:
        """`routes` knows what is no alias. Every name in `aliases` must lead somewhere, and no way back to where it began."""
        self._routes = routes
        self._view = view
        self._start = Way()
        self._named = {name: Named(name, alias, view) for name, alias in aliases.items()}

    def plan(self, call: Call) -> Plan:
        """The plan of a call. Raises NotFound, CapabilityMissing, ContextTooLong, and NoHealthyUpstream when everything is switched off."""
        request = call.request
        question = question_of(call)
        way = self.way(request.model or self._routes.default, question)
        plan = Plan(self, question, way)
        refusal = None
        try:
            plan.choices = way.choices(question)
        except PromptwireError as error:
            refusal = error
        if request.fallback_models:
            plan.choices = self._with_callers(plan.choices, question)
        if refusal is not None and not plan.choices:
            plan.choices = plan.after(refusal)
            if not plan.choices:
                raise refusal
        return plan

    def way(self, name: str, question: Question, field: str = "model") -> Way:
        """From a name to targets. Raises NotFound, saying which field of the request the name is from."""
        way = self._start
        while (named := self._named.get(name)) is not None:
            turn = named.turn(question)
            way = way.onward(named, turn)
            if not turn.to:
                return way
            name = turn.to
        return way.ends.get(name) or self._end(way, name, field)

    def _end(self, way: Way, name: str, field: str) -> Way:
        """At a target that is named by itself. Kept for the next call, but not for ever: callers may make up any number."""
        if len(way.ends) >= _MOST_ENDS:
            way.ends.clear()
        end = way.ends[name] = Way(Single(self._routes.resolve(name, field)[0], self._view, way.because or _ALONE), way)
        return end

    def _with_callers(self, choices: Sequence[Choice], question: Question) -> Sequence[Choice]:
        """The caller's own fallbacks behind the choices. Raises NotFound for a name that nobody knows."""
        every = {choice.target: choice for choice in choices}
        for position, name in enumerate(question.request.fallback_models):
            way = self.way(name, question, f"fallback_models[{position}]")
            for choice in _choices(way, question):
                every.setdefault(choice.target, Choice(choice.target, _BY_CALLER))
        return tuple(every.values())


def _choices(way: Way, question: Question) -> Sequence[Choice]:
    """Who may answer at the end of a way to fallbacks; nobody when nobody may."""
    try:
        return way.choices(question)
    except PromptwireError:
        return ()
