"""Book: what is known of a model besides what its vendor says: the operator's word first, then the published price list."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from promptwire_server.core.call import Target
from promptwire_server.core.clock import Clock
from promptwire_server.core.facts import UNKNOWN, Facts
from promptwire_server.core.price import FREE, Price, Rates

_FRESH_S = 60.0  # some vendors' prices change with the hour of the day
_MOST_KEPT = 4096  # models; callers choose their names, so there may be any number


_FREE: Final = Facts(Price(Rates(), FREE))


class PriceList(Protocol):
    """Published prices."""

    async def find(self, base_url: str, models: Sequence[str]) -> Sequence[Facts]:
        """Of each model of the vendor at that address; UNKNOWN of what is not in the list. Must not raise."""
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """A provider, as far as prices go."""

    base_url: str = ""  # by which the price list knows the vendor; empty: has none
    free: bool = False  # costs nobody anything
    overrides: Mapping[str, Facts] = field(default_factory=dict)  # the operator's, by the vendor's name of the model


class Book:
    """Facts of models. Those asked for last are at hand."""

    def __init__(self, accounts: Mapping[str, Account], published: PriceList, clock: Clock) -> None:
        self._accounts = dict(accounts)
        self._published = published
        self._clock = clock
        self._kept: dict[Target, tuple[float, Facts]] = {}
        self._learnt: dict[Target, Facts] = {}
        self.changes = 0  # goes up whenever `recalled` may say something new

    def at_hand(self, target: Target) -> Facts | None:
        """What is known, if that was asked a short while ago; None: ask `facts`. Costs half a microsecond."""
        kept = self._kept.get(target)
        return kept[1] if kept is not None and kept[0] > self._clock.monotonic() else None

    def recalled(self, target: Target) -> Facts:
        """What was known when somebody asked last, however long ago; UNKNOWN when nobody has. For choosing, which cannot wait."""
        kept = self._kept.get(target)
        return self._learnt.get(target, UNKNOWN) if kept is None else kept[1]

    async def learn(self, targets: Iterable[Target]) -> None:
        """Look up the targets that configuration names, so that `recalled` knows of them before the first call."""
        for target in targets:
            self._learnt[target] = await self.facts(target)
            self.changes += 1

    async def facts(self, target: Target) -> Facts:
        """What is known of a model. The first question of all takes a fifth of a second: the price list is read then."""
        facts = self.at_hand(target)
        if facts is None:
            (facts,) = await self.look_up(target.provider, [target.model])
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
                self.changes += 1
            if facts != self.recalled(target):
                self.changes += 1
            self._kept[target] = (self._clock.monotonic() + _FRESH_S, facts)
        return facts

    async def look_up(self, provider: str, models: Sequence[str]) -> list[Facts]:
        """What is known of each of a provider's models, in their order."""
        account = self._accounts.get(provider, _NOBODY)
        if account.free:
            found: Sequence[Facts] = [_FREE] * len(models)
        elif account.base_url:
            found = await self._published.find(account.base_url, models)
        else:
            found = [UNKNOWN] * len(models)
        return [facts.under(account.overrides.get(model, UNKNOWN)) for facts, model in zip(found, models, strict=True)]

    def operator(self, provider: str, model: str) -> Facts:
        """What the operator has written about a model."""
        return self._accounts.get(provider, _NOBODY).overrides.get(model, UNKNOWN)

    def named(self, provider: str) -> Sequence[str]:
        """Models of a provider that the operator has written about."""
        return list(self._accounts.get(provider, _NOBODY).overrides)


_NOBODY: Final = Account()
