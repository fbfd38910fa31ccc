"""Limits in memory: those of one process, gone with it. Belongs to one event loop, on which checking and counting are one step."""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from promptwire_server.core.clock import Clock
from promptwire_server.core.limits import NO_LIMITS, Cause, Cost, RateLimits, Refusal, Scope, TargetLimits
from promptwire_server.stores.mirror import Mark, Mirror
from promptwire_server.stores.window import Window

_MOST_UNNAMED = 1024  # callers choose the names of models: of those that no limit is set for, the ones used longest ago are forgotten
_SLOT_S = 1.0  # when a slot will be free nobody knows; long enough for a short answer to end


class Limits:
    """What is taken of each scope, by whom. Each operation takes constant time."""

    def __init__(self, clock: Clock, most_unnamed: int = _MOST_UNNAMED) -> None:
        self._clock = clock
        self._most_unnamed = most_unnamed
        self._named: dict[str, _Account] = {}  # as many as the configuration has
        self._unnamed: OrderedDict[str, _Account] = OrderedDict()

    def __len__(self) -> int:
        return len(self._named) + len(self._unnamed)

    def free(self, name: str) -> "Listener | None":
        """See layers.limits.LimitStore."""
        if name in self._named:
            return None
        account = self._unnamed.get(name) or self._learn(name)
        self._unnamed.move_to_end(name)
        return None if account.told else account.listener

    async def take(self, scopes: Sequence[Scope], cost: Cost, until_s: float) -> "Lease | Refusal":
        """See layers.limits.LimitStore."""
        now_s = self._clock.monotonic()
        accounts: list[_Account] = []
        busy: list[tuple[_Account, Scope]] = []  # those with something to keep to; of most targets there is nothing
        worst: Refusal | None = None
        for scope in scopes:
            account = self._account(scope)
            accounts.append(account)
            if account.told or scope.limits is not NO_LIMITS:
                busy.append((account, scope))
                refusal = account.refusal(scope, cost, now_s)
                if refusal is not None and (worst is None or refusal.retry_after_s > worst.retry_after_s):
                    worst = refusal
        if worst is not None:
            return worst
        lease = Lease(self._clock, accounts, cost, now_s, until_s)
        for account, scope in busy:
            account.count(scope.limits, lease, now_s)
        return lease

    def in_flight(self, name: str) -> int:
        """Leases of a scope that are not given back."""
        account = self._named.get(name) or self._unnamed.get(name)
        return 0 if account is None else len(account.leases)

    def _account(self, scope: Scope) -> "_Account":
        name = scope.name
        account = self._named.get(name)
        if account is not None:
            return account
        account = self._unnamed.get(name) or self._learn(name)
        if scope.limits.any:
            del self._unnamed[name]
            self._named[name] = account
        else:
            self._unnamed.move_to_end(name)
        return account

    def _learn(self, name: str) -> "_Account":
        account = self._unnamed[name] = _Account(self._clock)
        if len(self._unnamed) > self._most_unnamed:
            self._unnamed.popitem(last=False)
        return account


class Listener:
    """A lease of nothing, of a target without limits: it hears when there are some. See layers.limits.Lease."""

    __slots__ = ("_account", "_clock")

    def __init__(self, account: "_Account", clock: Clock) -> None:
        self._account = account
        self._clock = clock

    def heard(self, limits: RateLimits) -> None:
        """See layers.limits.Lease."""
        self._account.hear(limits, {}, None, self._clock.monotonic())

    def close_for(self, seconds: float) -> None:
        """See layers.limits.Lease."""
        self._account.close(self._clock.monotonic() + seconds)

    def settle(self, tokens: int | None) -> None:
        """Nothing was taken."""

    def give_back(self) -> None:
        """Nothing was taken."""


class Lease:
    """See layers.limits.Lease."""

    __slots__ = ("_accounts", "_clock", "_taken_s", "cost", "ends_s", "marks", "requests", "target", "tokens")

    def __init__(self, clock: Clock, accounts: "Sequence[_Account]", cost: Cost, now_s: float, ends_s: float) -> None:
        self._clock = clock
        self._accounts = accounts  # that have it; none any more, once it was given back
        self._taken_s = now_s
        self.target = accounts[0]
        self.cost = cost
        self.ends_s = ends_s
        for account in accounts:
            account.leases[self] = None
        self.requests: Sequence[Window] = ()  # that count this call
        self.tokens: Sequence[Window] = ()
        self.marks: Mapping[str, Mark] | None = None  # by the vendor's limits of the target

    def heard(self, limits: RateLimits) -> None:
        """See layers.limits.Lease."""
        self.target.hear(limits, self.marks or {}, self.cost, self._clock.monotonic())
        self.marks = None  # what it took is in the vendor's number from here on

    def close_for(self, seconds: float) -> None:
        """See layers.limits.Lease."""
        self.target.close(self._clock.monotonic() + seconds)

    def settle(self, tokens: int | None) -> None:
        """See layers.limits.Lease."""
        if self._leave() and self.tokens:
            now_s = self._clock.monotonic()
            excess = self.cost.most_tokens - (self.cost.prompt_tokens if tokens is None else tokens)
            for window in self.tokens:
                if excess > 0:
                    window.give_back(excess, self._taken_s, now_s)
                else:
                    window.take(-excess, now_s)

    def give_back(self) -> None:
        """See layers.limits.Lease."""
        if self._leave():
            now_s = self._clock.monotonic()
            for window in self.requests:
                window.give_back(1, self._taken_s, now_s)
            for window in self.tokens:
                window.give_back(self.cost.most_tokens, self._taken_s, now_s)
            self.target.forget(self)

    def _leave(self) -> bool:
        """Give the slots back; False when that was done before."""
        accounts, self._accounts = self._accounts, ()
        for account in accounts:
            account.leases.pop(self, None)
        return bool(accounts)


class _Account:
    """What is taken of one scope."""

    __slots__ = ("_closed_until_s", "_mirrors", "_requests", "_tokens", "leases", "listener", "told")

    def __init__(self, clock: Clock) -> None:
        self.listener = Listener(self, clock)  # for calls that nothing limits
        self.told = False  # whether the vendor has said anything that may keep a call back
        self.leases: dict[Lease, None] = {}  # oldest first
        self._closed_until_s = -math.inf
        self._mirrors: dict[str, Mirror] = {}  # by the vendor's names of its limits
        self._requests: Window | None = None  # made when there is something to count
        self._tokens: Window | None = None

    def refusal(self, scope: Scope, cost: Cost, now_s: float) -> Refusal | None:
        """What keeps a call of this cost from going out now, the longest wait if there are several; None: nothing."""
        limits = scope.limits
        cause: Cause = "closed"
        worst_s = self._closed_until_s - now_s
        most = limits.max_in_flight
        if most is not None and len(self.leases) >= most and worst_s < _SLOT_S and self._full(most, now_s):
            worst_s, cause = _SLOT_S, "max_in_flight"
        most = limits.requests_per_minute
        if most is not None and self._requests is not None and (wait_s := self._requests.wait_s(1, most, now_s)) > worst_s:
            worst_s, cause = wait_s, "requests_per_minute"
        most = limits.tokens_per_minute
        if most is not None and self._tokens is not None and (wait_s := self._tokens.wait_s(cost.most_tokens, most, now_s)) > worst_s:
            worst_s, cause = wait_s, "tokens_per_minute"
        for mirror in self._mirrors.values():
            if (wait_s := mirror.wait_s(cost.of(mirror.counted), now_s)) > worst_s:
                worst_s, cause = wait_s, "vendor"
        return Refusal(scope.name, cause, worst_s) if worst_s > 0 else None

    def count(self, limits: TargetLimits, lease: Lease, now_s: float) -> None:
        """Count a call that may go out."""
        if limits.requests_per_minute is not None:
            self._requests = window = self._requests or Window()
            window.take(1, now_s)
            lease.requests = (*lease.requests, window)
        if limits.tokens_per_minute is not None:
            self._tokens = window = self._tokens or Window()
            window.take(lease.cost.most_tokens, now_s)
            lease.tokens = (*lease.tokens, window)
        if self._mirrors:
            lease.marks = {name: mirror.take(lease.cost.of(mirror.counted), now_s) for name, mirror in self._mirrors.items()}

    def close(self, until_s: float) -> None:
        """The vendor said when to come back."""
        self.told = True
        self._closed_until_s = max(self._closed_until_s, until_s)

    def hear(self, limits: RateLimits, marks: Mapping[str, Mark], cost: Cost | None, now_s: float) -> None:
        """Go by what the vendor said in its answer to a call, which took its cost at these marks; no cost: it was not counted."""
        self.told = True
        for said in limits:
            mirror = self._mirrors.get(said.name)
            if mirror is None:
                self._mirrors[said.name] = Mirror(said, now_s)
            else:
                mirror.hear(said, marks.get(said.name), 0 if cost is None else cost.of(said.counted), now_s)

    def forget(self, lease: Lease) -> None:
        """A call took nothing after all."""
        for name in lease.marks or ():
            mirror = self._mirrors[name]
            mirror.give_back(lease.cost.of(mirror.counted))

    def _full(self, most: int, now_s: float) -> bool:
        """Look again, without leases whose time is over: whoever held one had to end by then."""
        for lease in [lease for lease in self.leases if lease.ends_s <= now_s]:
            del self.leases[lease]
        return len(self.leases) >= most
