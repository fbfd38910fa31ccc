"""Limits: keeps calls within what a provider takes: the operator's limits, and those that the vendor tells of or enforces.

Stands before each provider. A call that has no room is refused before any attempt, with when there will be room, so that the router may
try another target or wait; nothing queues here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from promptwire_server.core.call import Call, Target
from promptwire_server.core.errors import Origin, PromptwireError, UpstreamRateLimited
from promptwire_server.core.handler import Handler
from promptwire_server.core.limits import NO_LIMITS, Cause, Cost, RateLimits, Refusal, Scope, TargetLimits
from promptwire_server.core.reply import Ending, Reply
from promptwire_server.layers.verdict import Verdict, verdict_on

_MOST_OTHERS = 1024
_REST_S = 1.0  # after a refusal that does not say how long
_SUCCESS = 200
_GRACE_S = 5.0  # after a call's deadline, until its slot is free whatever happened to whoever held it


class Lease(Protocol):
    """One call's part of the limits, from `take` until `settle` or `give_back`. Nothing here waits or raises."""

    def heard(self, limits: RateLimits) -> None:
        """Go by what the vendor said of its limits in its answer to this call."""
        ...

    def close_for(self, seconds: float) -> None:
        """The vendor said when to come back: the first scope, the target, refuses every call until then."""
        ...

    def settle(self, tokens: int | None) -> None:
        """The call has ended and spent so many tokens; None: nobody knows, so those of its prompt. Harmless when repeated."""
        ...

    def give_back(self) -> None:
        """Nothing was sent: as if the call had never been. Harmless when repeated, and after `settle`."""
        ...


class LimitStore(Protocol):
    """Where the state of limits is kept.

    Its methods have no tenant, unlike those of other stores: these limits are of the operator's accounts at vendors, which all tenants use.
    """

    def free(self, name: str) -> Lease | None:
        """A lease of nothing, where nothing is known that limits this target: to hear of limits. The same for all calls. None: `take`."""
        ...

    async def take(self, scopes: Sequence[Scope], cost: Cost, until_s: float) -> Lease | Refusal:
        """Take a call's part of every scope, or of none: one decision, which nothing comes between. The first scope is the target.

        Its slots are free again at `until_s`, on the monotonic clock, should nobody give them back. Must not raise: a store that is out
        of reach lets calls pass.
        """
        ...


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """What the operator allows of one provider."""

    whole: TargetLimits = NO_LIMITS  # all its models together
    models: Mapping[str, TargetLimits] = field(default_factory=dict)  # by the vendor's name


class Limits:
    """The limits of one provider and its targets."""

    def __init__(self, inner: Handler, *, provider: str, limits: ProviderLimits, store: LimitStore) -> None:
        self._inner = inner
        self._store = store
        self._whole = (Scope(provider, limits.whole),) if limits.whole.any else ()
        self._limited = {model: (Scope(f"{provider}/{model}", limits.models[model]), *self._whole) for model in limits.models}
        self._others: dict[str, tuple[Scope, ...]] = {}  # of models without limits: callers choose their names, so only some are kept

    async def __call__(self, call: Call) -> Reply:
        """The inner answer. Raises UpstreamRateLimited with `retry_after_s` before any attempt when there is no room."""
        target = call.target
        if target is None:
            return await self._inner(call)
        scopes = self._limited.get(target.model) or self._others.get(target.model) or self._other(target)
        free = self._store.free(scopes[0].name) if scopes[0].limits is NO_LIMITS and not self._whole else None
        lease = free or await self._store.take(scopes, Cost(call.request), call.deadline_s + _GRACE_S)
        if isinstance(lease, Refusal):
            raise _refused(lease, target)
        made = len(call.trail.attempts)
        try:
            reply = await self._inner(call)
        except BaseException as error:
            _failed(call, target, lease, error, sent=_sent(call, target, made))
            raise
        if call.trail.limits:
            _heed(call, target, lease)
        if free is None or reply.flowing:  # else there is nothing to give back, and nothing more to hear
            reply.on_done(partial(_ended, lease))
        return reply

    def _other(self, target: Target) -> tuple[Scope, ...]:
        if len(self._others) >= _MOST_OTHERS:
            self._others.clear()
        scopes = self._others[target.model] = (Scope(str(target)), *self._whole)
        return scopes


def _heed(call: Call, target: Target, lease: Lease) -> None:
    """Go by what the vendor told beside its answer, if it did."""
    if (limits := call.trail.limits.pop(target, None)) is not None:
        lease.heard(limits)


def _failed(call: Call, target: Target, lease: Lease, error: BaseException, *, sent: bool) -> None:
    """Nothing came of a call: it failed, or was cancelled. What was sent counts at the vendor whatever became of it."""
    _heed(call, target, lease)
    if isinstance(error, UpstreamRateLimited):
        _close(lease, error)
    if sent:
        lease.settle(None)
    else:
        lease.give_back()


def _close(lease: Lease, error: PromptwireError) -> None:
    """Let nobody in before the vendor said. Within an answer it seldom says when: then for a while, which others have to know too."""
    if error.retry_after_s is None and (error.origin.http_status or _SUCCESS) == _SUCCESS:
        error.retry_after_s = _REST_S
    if error.retry_after_s:  # 0 where the provider has another key
        lease.close_for(error.retry_after_s)


def _sent(call: Call, target: Target, made: int) -> bool:
    """Whether anything reached the provider. A call may be at several targets at once, which share its trail."""
    return any(attempt.provider == target.provider for attempt in call.trail.attempts[made:])


def _ended(lease: Lease, ending: Ending) -> None:
    error = ending.error
    if isinstance(error, PromptwireError) and verdict_on(error) is Verdict.LIMITED:
        _close(lease, error)
    answer = ending.response or ending.partial
    if answer is None:
        lease.settle(None)
    else:
        usage = answer.usage
        lease.settle((usage.input_tokens + usage.output_tokens) or None)


_WORDS: Mapping[Cause, str] = {
    "closed": "the vendor limits the rate of this account, and said when to come back",
    "max_in_flight": "as many calls are under way as its max_in_flight allows",
    "requests_per_minute": "its requests_per_minute are used up",
    "tokens_per_minute": "its tokens_per_minute leave no room for this call",
    "vendor": "a rate limit of the vendor's is used up",
}


def _refused(refusal: Refusal, target: Target) -> UpstreamRateLimited:
    message = f"{refusal.scope}: {_WORDS[refusal.cause]}; try again in {refusal.retry_after_s:.3g} s"
    return UpstreamRateLimited(message, retry_after_s=refusal.retry_after_s, origin=Origin(target.provider))
