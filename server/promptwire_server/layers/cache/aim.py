"""Aim: which targets a question is for, as far as its answer goes. What any of them says may be said again; what others say may not.

Targets of one alias are alike when its strategy spreads calls over them: the operator has said that any of them may answer. Where one
stands before the others, by priority, only the first counts. The others are what is asked when it fails: their answers are never kept,
whether it failed now, was left alone, or cannot do what was asked. Rules and splits lead to targets of their own.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from promptwire_server.core.call import Call, Target
from promptwire_server.layers.alias import Alias, Member, Rule, Strategy
from promptwire_server.layers.question import Question
from promptwire_server.layers.rules import Values
from promptwire_server.layers.split import Split

_SPREADING: Final[frozenset[Strategy]] = frozenset({"round_robin", "weighted", "least_in_flight", "latency", "cheapest", "affinity"})
_MOST_NAMED: Final = 256  # targets that callers named by themselves: they may make up any number
Told = Callable[[Target], str]  # what the operator's configuration says of a target, as far as it can change answers; equal when that is


class Aim(NamedTuple):
    """A class of targets."""

    scope: str  # differs when the targets differ, or what the configuration says of them; the same on every server
    targets: frozenset[Target]  # whose answers may be kept


class Aims:
    """Of one configuration."""

    def __init__(self, aliases: Mapping[str, Alias], default_model: str, told: Told) -> None:
        self._aliases = aliases
        self._default = default_model
        self._told = told
        self._splits = {name: Split(name, alias.arms, alias.sticky) for name, alias in aliases.items() if alias.arms}
        self._straight = {name: self._of_members(alias) for name, alias in aliases.items() if not alias.arms and not alias.rules}
        self._turned: dict[tuple[str, ...], Aim] = {}  # by the turns that were taken
        self._named: dict[str, Aim] = {}  # "provider/model"

    def of(self, call: Call) -> Aim:
        """The aim of a call. Never raises: of a name that nobody knows it is one that nobody answers."""
        name = call.request.model or self._default
        return self._straight.get(name) or (self._turn(call, name) if name in self._aliases else self._single(name))

    def _turn(self, call: Call, name: str) -> Aim:
        """Along the rules and splits."""
        question, turns = Question(call), [name]
        while (alias := self._aliases.get(name)) is not None:
            if alias.arms:
                name = alias.arms[self._splits[name].side(call)].to
                turns.append(name)
                continue
            place = _rule(alias.rules, question)
            turns.append(f"#{place}")
            if place < 0 or not alias.rules[place].to:
                return self._turned.get(tuple(turns)) or self._turned.setdefault(tuple(turns), self._of_rule(alias, place))
            name = alias.rules[place].to
        return self._single(name)

    def _of_rule(self, alias: Alias, place: int) -> Aim:
        if place < 0:
            return self._of_members(alias)
        rule = alias.rules[place]
        return self._aim(_first(member for member in alias.members if _meant(rule, member)))

    def _of_members(self, alias: Alias) -> Aim:
        targets = [member.target for member in alias.members] if alias.strategy in _SPREADING else _first(alias.members)
        return self._aim(targets)

    def _single(self, name: str) -> Aim:
        aim = self._named.get(name)
        if aim is None:
            if len(self._named) >= _MOST_NAMED:
                self._named.clear()
            provider, _, model = name.partition("/")
            aim = self._named[name] = self._aim([Target(provider, model)])
        return aim

    def _aim(self, targets: Iterable[Target]) -> Aim:
        alike = frozenset(targets)
        said = sorted(f"{target}\0{self._told(target)}" for target in alike)
        return Aim(hashlib.sha256("\0\0".join(said).encode()).hexdigest()[:32], alike)


def _rule(rules: Iterable[Rule], question: Question) -> int:
    """The place of the first rule that holds; -1: none does."""
    values = Values(question)
    return next((place for place, rule in enumerate(rules) if rule.when is None or rule.when(values)), -1)


def _meant(rule: Rule, member: Member) -> bool:
    return (not rule.tag or rule.tag in member.tags) and rule.price_class in ("", member.price_class)


def _first(members: Iterable[Member]) -> Iterator[Target]:
    for member in members:
        yield member.target
        return
