"""From the configuration's models to what the planner is built of: aliases, limits of targets, conditions made ready."""

from collections.abc import Mapping

from promptwire_server.chains.expression import Expression, TemplateError, compile_expression
from promptwire_server.config.aliases import LIMITS, OWN
from promptwire_server.config.providers import Provider
from promptwire_server.config.routing import Alias as Section
from promptwire_server.config.routing import AliasFallbacks, AliasRule, AliasTarget
from promptwire_server.config.settings import Settings
from promptwire_server.convert import aliases, capability, target_of
from promptwire_server.core.call import Target
from promptwire_server.core.clock import Chance, Clock
from promptwire_server.core.facts import Facts
from promptwire_server.core.limits import TargetLimits
from promptwire_server.layers.alias import Alias, Arm, Condition, FailureKind, Fallbacks, Hedge, Member, Rule, Shadow
from promptwire_server.layers.book import Book
from promptwire_server.layers.breakers import Breakers
from promptwire_server.layers.limits import ProviderLimits
from promptwire_server.layers.outlook import Outlook
from promptwire_server.layers.plan import Planner
from promptwire_server.layers.pool import View
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.route import Routes

_KINDS: tuple[FailureKind, ...] = ("failure", "rate_limit", "context", "policy", "budget")


def planned_aliases(settings: Settings) -> dict[str, Alias]:
    """The operator's names, for the planner."""
    targets = aliases(settings)
    return {name: _alias(section, targets) for name, section in settings.models.items()}


def planner(settings: Settings, routes: Routes, *, roster: Roster, breakers: Breakers, book: Book, clock: Clock, chance: Chance) -> Planner:
    """Who may answer, by the settings and by what is measured. What the book knows of targets comes with `Book.learn` or a first call."""
    named = planned_aliases(settings)
    siblings = [[member.target for member in alias.members] for alias in named.values()]
    outlook = Outlook(roster, breakers, clock, siblings if settings.resilience.outliers else ())
    return Planner(named, routes, View(roster.of, outlook, book, chance))


def named_targets(settings: Settings) -> list[Target]:
    """Every target that the configuration names: of aliases, of their fallbacks and shadows, and the default model."""
    names = [settings.default_model] if settings.default_model else []
    for section in settings.models.values():
        fallbacks = section.fallbacks
        names += [name for kind in _KINDS for name in getattr(fallbacks, kind) or ()]
        names += fallbacks.default
        names += [] if section.shadow is None else [section.shadow.to]
    behind = aliases(settings)
    direct = (target_of(name) for name in names if name not in behind)
    return list(dict.fromkeys([*(target for targets in behind.values() for target in targets), *direct]))


def provider_limits(settings: Settings) -> dict[str, ProviderLimits]:
    """What one worker may ask of targets at most, by provider: an equal part, since workers do not know of each other's calls."""
    workers = settings.server.workers
    found: dict[str, dict[str, TargetLimits]] = {name: {} for name in settings.providers}
    for section in settings.models.values():
        for target in section.targets:
            limits = _limits(target, workers)
            at = target_of(target.model)
            if limits.any:
                found[at.provider][at.model] = limits
    return {name: ProviderLimits(_limits(settings.providers[name], workers), models) for name, models in found.items()}


def _limits(section: AliasTarget | Provider, workers: int) -> TargetLimits:
    """Those that a section has; only targets, and providers over HTTP, have keys for them. No part is less than one."""
    written: list[int | None] = [getattr(section, key, None) for key in LIMITS]
    return TargetLimits(*(None if limit is None else max(1, limit // workers) for limit in written))


def _alias(section: Section, targets: Mapping[str, tuple[Target, ...]]) -> Alias:
    hedge, shadow = section.hedge, section.shadow
    return Alias(
        members=tuple(_member(target) for target in section.targets),
        strategy=section.way,
        rules=tuple(_rule(rule, OWN not in targets) for rule in section.rules),
        arms=tuple(Arm(arm.name, arm.to, arm.percent) for arm in section.split),
        sticky=section.sticky,
        fallbacks=_fallbacks(section.fallbacks),
        hedge=None if hedge is None else Hedge(hedge.after_s),
        shadow=None
        if shadow is None
        else Shadow(targets[shadow.to][0] if shadow.to in targets else target_of(shadow.to), shadow.percent, shadow.max_in_flight),
    )


def _member(target: AliasTarget) -> Member:
    facts = Facts(
        context_window_tokens=target.context_window or 0,
        capabilities=tuple(capability(name) for name in target.capabilities),
    )
    return Member(target_of(target.model), target.weight, frozenset(target.tags), target.price_class or "", facts)


def _rule(rule: AliasRule, own: bool) -> Rule:  # noqa: FBT001 - whether "default" means the alias's own targets
    to = "" if rule.to is None or (own and rule.to == OWN) else rule.to
    return Rule(None if rule.when is None else _condition(rule.when), to, rule.tag or "", rule.price_class or "")


def _condition(source: str) -> Condition:
    """The condition, made ready. One that cannot be evaluated for a call does not hold for it: a label may be missing."""
    expression = compile_expression(source)
    return lambda values: _holds(expression, values)


def _holds(expression: Expression, values: Mapping[str, object]) -> bool:
    try:
        return expression.truth(values)
    except TemplateError:
        return False


def _fallbacks(section: AliasFallbacks) -> Fallbacks:
    named = {kind: tuple(names) for kind in _KINDS if (names := getattr(section, kind)) is not None}
    return Fallbacks(named, tuple(section.default))
