"""Limits in memory: those of one process, gone with it. Belongs to one event loop, on which checking and counting are one step."""

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from promptwire_server.core.clock import Clock
from promptwire_server.core.limits import Cause, Cost, RateLimits, Refusal, Scope, TargetLimits
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

    async def take(self, scopes: Sequence[Scope], cost: Cost, lease_s: float) -> "Lease | Refusal":
        """See layers.limits.LimitStore."""
        now_s = self._clock.monotonic()
        accounts = [self._account(scope) for scope in scopes]
        worst: Refusal | None = None
        for scope, account in zip(scopes, accounts, strict=True):
            refusal = account.refusal(scope, cost, now_s)
            if refusal is not None and (worst is None or refusal.retry_after_s > worst.retry_after_s):
                worst = refusal
        if worst is not None:
            return worst
        lease = Lease(self._clock, accounts, cost, now_s, now_s + lease_s)
        for scope, account in zip(scopes, accounts, strict=True):
            account.enter(scope.limits, lease, now_s)
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
        account = self._unnamed.get(name)
        if scope.limits.any:
            self._unnamed.pop(name, None)
            account = self._named[name] = account or _Account()
        elif account is None:
            account = self._unnamed[name] = _Account()
            if len(self._unnamed) > self._most_unnamed:
                self._unnamed.popitem(last=False)
        else:
            self._unnamed.move_to_end(name)
        return account


class Lease:
    """See layers.limits.Lease."""

    __slots__ = ("_accounts", "_clock", "_open", "_taken_s", "cost", "ends_s", "marks", "requests", "tokens")

    def __init__(self, clock: Clock, accounts: "Sequence[_Account]", cost: Cost, now_s: float, ends_s: float) -> None:
        self._clock = clock
        self._accounts = accounts
        self._open = True
        self._taken_s = now_s
        self.cost = cost
        self.ends_s = ends_s
        self.requests: list[Window] = []  # that count this call
        self.tokens: list[Window] = []
        self.marks: dict[str, Mark] = {}  # by the vendor's limits of the first account

    def heard(self, limits: RateLimits) -> None:
        """See layers.limits.Lease."""
        self._accounts[0].hear(limits, self, self._clock.monotonic())

    def close_for(self, seconds: float) -> None:
        """See layers.limits.Lease."""
        account = self._accounts[0]
        account.closed_until_s = max(account.closed_until_s, self._clock.monotonic() + seconds)

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
            self._accounts[0].forget(self)

    def _leave(self) -> bool:
        """Give the slots back; False when that was done before."""
        was_open, self._open = self._open, False
        for account in self._accounts if was_open else ():
            account.leases.pop(self, None)
        return was_open


class _Account:
    """What is taken of one scope."""

    __slots__ = ("_requests", "_tokens", "closed_until_s", "leases", "mirrors")

    def __init__(self) -> None:
        self.leases: dict[Lease, None] = {}  # oldest first
        self.closed_until_s = -math.inf
        self.mirrors: dict[str, Mirror] = {}  # by the vendor's names of its limits
        self._requests: Window | None = None  # made when there is something to count
        self._tokens: Window | None = None

    def refusal(self, scope: Scope, cost: Cost, now_s: float) -> Refusal | None:
        """What keeps a call of this cost from going out now, the longest wait if there are several; None: nothing."""
        waits = [*self._own(scope.limits, cost, now_s), *self._vendors(cost, now_s)]
        if not waits:
            return None
        wait_s, cause = max(waits)
        return Refusal(scope.name, cause, wait_s)

    def _own(self, limits: TargetLimits, cost: Cost, now_s: float) -> Iterator[tuple[float, Cause]]:
        """The operator's limits that have no room."""
        most = limits.max_in_flight
        if most is not None and len(self.leases) >= most and self._full(most, now_s):
            yield _SLOT_S, "max_in_flight"
        most = limits.requests_per_minute
        if most is not None and self._requests is not None and (wait_s := self._requests.wait_s(1, most, now_s)):
            yield wait_s, "requests_per_minute"
        most = limits.tokens_per_minute
        if most is not None and self._tokens is not None and (wait_s := self._tokens.wait_s(cost.most_tokens, most, now_s)):
            yield wait_s, "tokens_per_minute"

    def _vendors(self, cost: Cost, now_s: float) -> Iterator[tuple[float, Cause]]:
        """The vendor's limits that have no room."""
        if now_s < self.closed_until_s:
            yield self.closed_until_s - now_s, "closed"
        for mirror in self.mirrors.values():
            if wait_s := mirror.wait_s(cost.of(mirror.counted), now_s):
                yield wait_s, "vendor"

    def enter(self, limits: TargetLimits, lease: Lease, now_s: float) -> None:
        """Count a call that may go out."""
        self.leases[lease] = None
        if limits.requests_per_minute is not None:
            self._requests = window = self._requests or Window()
            window.take(1, now_s)
            lease.requests.append(window)
        if limits.tokens_per_minute is not None:
            self._tokens = window = self._tokens or Window()
            window.take(lease.cost.most_tokens, now_s)
            lease.tokens.append(window)
        for name, mirror in self.mirrors.items():
            lease.marks[name] = mirror.take(lease.cost.of(mirror.counted), now_s)

    def hear(self, limits: RateLimits, lease: Lease, now_s: float) -> None:
        """Go by what the vendor said in its answer to a call."""
        for said in limits:
            mirror = self.mirrors.get(said.name)
            if mirror is None:
                self.mirrors[said.name] = Mirror(said, now_s)
            else:
                mark = lease.marks.get(said.name)
                mirror.hear(said, mark, lease.cost.of(said.counted), now_s)
        lease.marks = {}  # what it took is in the vendor's number from here on

    def forget(self, lease: Lease) -> None:
        """A call took nothing after all."""
        for name in lease.marks:
            mirror = self.mirrors[name]
            mirror.give_back(lease.cost.of(mirror.counted))

    def _full(self, most: int, now_s: float) -> bool:
        """Look again, without leases whose time is over: whoever held one had to end by then."""
        for lease in [lease for lease in self.leases if lease.ends_s <= now_s]:
            del self.leases[lease]
        return len(self.leases) >= most
