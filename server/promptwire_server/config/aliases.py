"""What must hold of aliases: names that lead somewhere and not in a circle, rules that can be read, shares that make a whole."""

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from promptwire_server.chains.expression import TemplateError, compile_expression
from promptwire_server.config.routing import Alias, AliasRule
from promptwire_server.config.settings import KeyPath
from promptwire_server.layers.rules import VARIABLES

Finding = tuple[KeyPath, str]
Judge = Callable[[str], str]  # what is wrong with a "provider/model"; empty: nothing
OWN: Final = "default"  # where rules go that mean the alias's own targets; unless an alias has this name
LIMITS: Final = ("max_in_flight", "requests_per_minute", "tokens_per_minute")
_KINDS: Final = ("failure", "rate_limit", "context", "policy", "budget", "default")
_LONGEST_WAY: Final = 64  # aliases that a call goes through; each costs it time, and more are a mistake
_WHOLE: Final = 100.0
_ROUNDING: Final = 1e-6  # 33.3 + 33.3 + 33.4 is no whole number of percents in binary


def check_aliases(models: Mapping[str, Alias], judge: Judge) -> Iterator[Finding]:
    """Everything that is wrong with the aliases; paths begin with the alias's name."""
    for name, alias in models.items():
        yield from (((name, *path), message) for path, message in _Check(name, alias, models, judge).findings())
    yield from _disagreeing(models)
    yield from _circular(models)


class _Check:
    """One alias."""

    def __init__(self, name: str, alias: Alias, models: Mapping[str, Alias], judge: Judge) -> None:
        self._name = name
        self._alias = alias
        self._models = models
        self._judge = judge

    def findings(self) -> Iterator[Finding]:
        if "/" in self._name:
            yield (), 'is no good name for an alias: "/" stands between provider and model'
        yield from self._strategy()
        yield from self._targets()
        for position, rule in enumerate(self._alias.rules):
            yield from ((("rules", str(position), *path), message) for path, message in self._rule(rule, position))
        yield from self._split()
        yield from self._fallbacks()
        shadow = self._alias.shadow
        if shadow is not None and (problem := self._unknown(shadow.to) or self._doubled(shadow.to)):
            yield ("shadow", "to"), problem

    def _strategy(self) -> Iterator[Finding]:
        alias = self._alias
        if not (alias.targets or alias.rules or alias.split):
            yield ("targets",), "needs at least one entry; or write `rules` or `split`, by which all calls go elsewhere"
        if alias.rules and alias.split:
            yield ("split",), "cannot stand beside `rules`; make it an alias of its own, and let a rule lead there"
        for key, written in (("rules", alias.rules), ("split", alias.split)):
            if written and alias.strategy not in ("priority", key):
                yield ("strategy",), f"must be {key} where there are `{key}`; give the targets another alias for {alias.strategy}"
            if alias.strategy == key and not written:
                yield (key,), f"is required with strategy {key}"

    def _targets(self) -> Iterator[Finding]:
        counted = Counter(target.model for target in self._alias.targets)
        for position, target in enumerate(self._alias.targets):
            if problem := self._misplaced(target.model) or self._judge(target.model):
                yield ("targets", str(position)), problem
            if counted.pop(target.model, 1) > 1:
                yield ("targets", str(position)), f'"{target.model}" stands here twice; keep one, and give it a weight'

    def _rule(self, rule: AliasRule, position: int) -> Iterator[Finding]:
        last = position == len(self._alias.rules) - 1
        if rule.when is None and not last:
            yield (), "always holds, so that no rule after it is ever looked at; write `when`, or make it the last"
        if rule.when is not None and last and not self._alias.targets:
            yield (), "is the last and may not hold, and there are no targets to ask then; leave out `when`, or write `targets`"
        if rule.when is not None:
            yield from ((("when",), problem) for problem in unreadable(rule.when))
        written = [key for key in ("to", "tag", "price_class") if getattr(rule, key) is not None]
        if not written or (len(written) > 1 and "to" in written):
            yield (
                (),
                "needs one of `to`, `tag` and `price_class`" if not written else f"has {' and '.join(written)}; keep `to`, or the others",
            )
        yield from self._rule_target(rule)

    def _rule_target(self, rule: AliasRule) -> Iterator[Finding]:
        targets = self._alias.targets
        if rule.to is not None and not (self._means_own(rule.to) and targets) and (problem := self._unknown(rule.to)):
            yield ("to",), problem
        if rule.to is None and not any(
            (rule.tag is None or rule.tag in target.tags) and rule.price_class in (None, target.price_class) for target in targets
        ):
            key, wanted, there = (
                ("tag", rule.tag, {tag for target in targets for tag in target.tags})
                if rule.tag is not None
                else ("price_class", rule.price_class, {target.price_class for target in targets if target.price_class})
            )
            yield (key,), f'"{wanted}" is that of no target of this alias; there are {", ".join(sorted(there)) or "none"}'

    def _split(self) -> Iterator[Finding]:
        arms = self._alias.split
        names = Counter(arm.name for arm in arms)
        for position, arm in enumerate(arms):
            if problem := self._unknown(arm.to):
                yield ("split", str(position), "to"), problem
            if names.pop(arm.name, 1) > 1:
                yield ("split", str(position), "name"), f'"{arm.name}" stands here twice; names are unique'
        total = sum(arm.percent for arm in arms)
        if arms and abs(total - _WHOLE) > _ROUNDING:
            yield ("split",), f"makes {total:g} percent together; it must be 100"

    def _fallbacks(self) -> Iterator[Finding]:
        for kind in _KINDS:
            for position, name in enumerate(getattr(self._alias.fallbacks, kind) or ()):
                problem = f'"{name}" is this alias itself, which has failed by then' if name == self._name else self._unknown(name)
                if problem:
                    yield ("fallbacks", kind, str(position)), problem

    def _misplaced(self, name: str) -> str:
        """That an alias stands where models do; empty: it is none."""
        if name not in self._models:
            return ""
        return f'"{name}" is an alias, and targets are "provider/model": let `rules`, `split` or `fallbacks` lead there'

    def _doubled(self, to: str) -> str:
        """That a shadow would be the only one that answers anyway; empty: it is another."""
        alias = self._alias
        alone = not (alias.rules or alias.split) and {target.model for target in alias.targets} == {to}
        return f'"{to}" answers all calls of this alias already, and would be paid twice; name another model' if alone else ""

    def _means_own(self, to: str) -> bool:
        return to == OWN and OWN not in self._models

    def _unknown(self, name: str) -> str:
        """What is wrong with the name of an alias or of a model; empty: nothing."""
        if name in self._models:
            return ""
        if "/" in name:
            return self._judge(name)
        near = difflib.get_close_matches(name, self._models, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        return f'"{name}" is neither an alias of `models` nor "provider/model"{hint}'


def unreadable(condition: str) -> list[str]:
    """What is wrong with the condition of a rule."""
    try:
        names = compile_expression(condition).names
    except TemplateError as error:
        return [message for _, message in error.faults]
    unknown = sorted(names - VARIABLES.keys())
    return [f"knows no `{name}`; there are {', '.join(VARIABLES)}" for name in unknown]


def _disagreeing(models: Mapping[str, Alias]) -> Iterator[Finding]:
    """A target has one set of limits, under whatever names it is asked."""
    known: dict[str, tuple[str, tuple[int | None, ...]]] = {}
    for name, alias in models.items():
        for position, target in enumerate(alias.targets):
            limits = tuple(getattr(target, key) for key in LIMITS)
            if any(limits) and limits != known.setdefault(target.model, (name, limits))[1]:
                where = f"models.{known[target.model][0]}"
                yield (name, "targets", str(position)), f"gives {target.model} other limits than {where}; write them in one place"


def _circular(models: Mapping[str, Alias]) -> Iterator[Finding]:
    """Aliases from which rules or splits lead in a circle, or through too many. Fallbacks may: nobody is asked twice."""
    nexts = {name: {to for to in _leads(alias) if to in models} for name, alias in models.items()}
    befores: dict[str, set[str]] = {name: set() for name in models}
    for name, every in nexts.items():
        for to in every:
            befores[to].add(name)
    onward, back = _depths(nexts, befores), _depths(befores, nexts)
    for name in models:
        if name not in onward and name not in back:
            yield (name,), f'leads back to itself, by rules or splits: "{name}" would never come to a target'
        elif onward.get(name) == _LONGEST_WAY + 1:  # of all aliases that are too far from targets, the nearest
            yield (name,), f"is more than {_LONGEST_WAY} aliases from its targets, by rules or splits; let it lead there straight"


def _leads(alias: Alias) -> Iterator[str]:
    yield from (rule.to for rule in alias.rules if rule.to is not None)
    yield from (arm.to for arm in alias.split)


def _depths(nexts: Mapping[str, set[str]], befores: Mapping[str, set[str]]) -> dict[str, int]:
    """Names on the longest way from each, itself included; of names from which a circle is reached, nothing. Takes linear time."""
    depths: dict[str, int] = {}
    lacking = {name: len(every) for name, every in nexts.items()}
    ready = [name for name, count in lacking.items() if not count]
    while ready:
        name = ready.pop()
        depths[name] = 1 + max((depths[to] for to in nexts[name]), default=0)
        for before in befores[name]:
            lacking[before] -= 1
            if not lacking[before]:
                ready.append(before)
    return depths
