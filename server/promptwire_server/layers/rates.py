"""Rates: the layer that keeps callers within the operator's limits: requests and tokens a minute, calls at the same time.

All limits of a call are decided together, before anything costs something; one that refuses lets none of the others count. Nothing
queues here: whoever is refused is told when to come back.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import RateLimited
from promptwire_server.core.estimate import of_texts, prompt_tokens
from promptwire_server.core.handler import Handler
from promptwire_server.core.rate import Ask, Draw, Refusal
from promptwire_server.core.reply import Ending, Reply
from promptwire_server.core.store import StoreDown
from promptwire_server.layers import names
from promptwire_server.layers.quota import Limit, Rules
from promptwire_server.layers.spent import answer_of, lost, together

_GRACE_S = 5.0  # after a call's deadline, until its slots are free whatever happened to whoever held them

_FROM_VENDORS = frozenset({pb.SERVED_FROM_UNSPECIFIED, pb.SERVED_FROM_PROVIDER})


class Lease(Protocol):
    """One call's part of the limits."""

    def settle(self, tokens: int | None) -> None:
        """The call has ended and took so many tokens; None: as estimated. Does not wait or raise; harmless when repeated."""
        ...


class RateStore(Protocol):
    """Where counts are kept.

    Its method has no tenant, unlike those of other stores: some limits span tenants. Keys name the tenant where counts are a tenant's.
    """

    async def take(self, ask: Ask) -> Lease | Refusal:
        """Take all that is asked for, or nothing, by the store's own clock: one decision, which nothing comes between.

        Raises StoreDown.
        """
        ...


class Refused(Collector):
    """What was refused, and how often a process had to decide for itself, as Prometheus reads it."""

    def __init__(self) -> None:
        self.by_limit: Counter[str] = Counter()
        self.alone = 0

    def collect(self) -> Iterator[Metric]:
        """What Prometheus reads."""
        limited = CounterMetricFamily(names.RATE_LIMITED, "Calls refused by a limit of callers.", labels=["limit"])
        for limit, count in self.by_limit.items():
            limited.add_metric([limit], count)
        yield limited
        yield CounterMetricFamily(names.RATES_ALONE, "Calls decided by one process alone, since the shared store was down.", self.alone)


@dataclass(frozen=True, slots=True)
class RateStores:
    """Who decides: what replicas share, where there is such a store, and this process for itself while that is down."""

    own: RateStore
    shared: RateStore | None = None
    refused: Refused = field(default_factory=Refused)


class RateLimit:
    """The operator's limits of callers."""

    def __init__(
        self,
        inner: Handler,
        *,
        limits: Sequence[Limit],
        stores: RateStores,
        clock: Clock,
        default_model: str,
        processes: int = 1,
    ) -> None:
        """`processes` share the limits where nothing else does: each keeps to an equal part."""
        self._inner = inner
        self._limits = {limit.name: limit for limit in limits}
        self._shared = Rules(limits, default_model)
        self._own = Rules([limit.part(processes) for limit in limits], default_model)
        self._stores = stores
        self._clock = clock

    async def __call__(self, call: Call) -> Reply:
        """The inner answer. Raises RateLimited before anything else happens."""
        lease = await self._lease(call)
        if lease is None:
            return await self._inner(call)
        try:
            reply = await self._inner(call)
        except BaseException:
            lease.settle(_tokens_spent(call, None))
            raise
        reply.on_done(partial(_ended, lease, call))
        return reply

    async def _lease(self, call: Call) -> Lease | None:
        """What the call takes of the limits that count it; None when none does."""
        stores = self._stores
        if stores.shared is not None:
            ask = self._ask(call, self._shared)
            if ask is None:
                return None
            try:
                return self._granted(await stores.shared.take(ask))
            except StoreDown:
                stores.refused.alone += 1
        ask = self._ask(call, self._own)
        return None if ask is None else self._granted(await stores.own.take(ask))

    def _ask(self, call: Call, rules: Rules) -> Ask | None:
        taking = rules.taking(call)
        draws = taking.requests
        if taking.tokens:
            tokens = _tokens_expected(call)
            draws = [*draws, *[Draw(key, meter, tokens) for key, meter in taking.tokens]]
        elif not draws and not taking.slots:
            return None
        return Ask(draws, taking.slots, call.deadline_s - self._clock.monotonic() + _GRACE_S)

    def _granted(self, answer: Lease | Refusal) -> Lease:
        if not isinstance(answer, Refusal):
            return answer
        name = answer.key[0]
        self._stores.refused.by_limit[name] += 1
        message = (
            f'the limit "{name}" allows {self._limits[name].words(answer.key[1])}; {answer.used} used now; '
            f"try again in {answer.retry_after_s:.3g} s"
        )
        facts = {"subject": name, "limit": name, "kind": answer.key[1], "used": str(answer.used), "most": str(answer.most)}
        raise RateLimited(message, retry_after_s=answer.retry_after_s, metadata=facts)


def _tokens_expected(call: Call) -> int:
    """Of the prompt, roughly, and as many as the caller lets the answer have."""
    if call.embed is not None:
        return of_texts(call.embed.texts)
    return prompt_tokens(call.request) + call.request.generation.max_output_tokens


def _ended(lease: Lease, call: Call, ending: Ending) -> None:
    lease.settle(_tokens_spent(call, ending))


def _tokens_spent(call: Call, ending: Ending | None) -> int:
    """What vendors read and wrote for the call, lost attempts included; nothing for answers from a store."""
    gone = lost(call)
    answer = None if ending is None else answer_of(ending, gone)
    if answer is not None and answer.served_from not in _FROM_VENDORS:
        answer = None
    if not gone:  # as a rule
        return 0 if answer is None else answer.usage.input_tokens + answer.usage.output_tokens
    usage, _ = together(answer, gone)
    return usage.input_tokens + usage.output_tokens
