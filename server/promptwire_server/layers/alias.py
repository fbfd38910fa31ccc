"""Alias: a name of the operator's for models, with everything that is said about who answers under it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from promptwire_server.core.call import Target
from promptwire_server.core.facts import UNKNOWN, Facts

Strategy = Literal["priority", "round_robin", "weighted", "least_in_flight", "latency", "cheapest", "rules", "split", "affinity"]
Sticky = Literal["caller", "session", "end_user"]
FailureKind = Literal["failure", "rate_limit", "context", "policy", "budget"]
Condition = Callable[[Mapping[str, object]], bool]  # whether a rule holds; must not raise
PRICE_CLASSES: Final = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Member:
    """One target of an alias."""

    target: Target
    weight: float = 1.0  # its share, beside those of the others
    tags: frozenset[str] = frozenset()
    price_class: str = ""  # one of PRICE_CLASSES; empty: the operator does not say
    facts: Facts = UNKNOWN  # what the operator says of it in this place; goes over what is known elsewhere


@dataclass(frozen=True, slots=True)
class Rule:
    """Where calls go for which a condition holds: to another name, or to those targets of the alias that are so described."""

    when: Condition | None = None  # None: always
    to: str = ""  # an alias or "provider/model"; empty: the alias's own targets
    tag: str = ""  # of its own targets, those with this tag; empty: whatever their tags
    price_class: str = ""  # the same for price classes


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of a split."""

    name: str
    to: str  # an alias or "provider/model"
    percent: float  # of the calls; all arms together have 100


@dataclass(frozen=True, slots=True)
class Hedge:
    """When a second attempt is made beside the first."""

    after_s: float | None = None  # None: when nineteen of twenty calls of the first target would have been answered


@dataclass(frozen=True, slots=True)
class Shadow:
    """A target that gets a copy of some calls; its answers are thrown away."""

    target: Target
    percent: float
    max_in_flight: int


@dataclass(frozen=True, slots=True)
class Fallbacks:
    """What is asked when the alias could not answer: aliases or "provider/model", in order, by the kind of failure."""

    by_kind: Mapping[FailureKind, tuple[str, ...]] = field(default_factory=dict)
    default: tuple[str, ...] = ()  # for kinds that are not in `by_kind`

    @property
    def any(self) -> bool:
        """There are some."""
        return bool(self.default or self.by_kind)

    def of(self, kind: FailureKind) -> tuple[str, ...]:
        """Those for one kind of failure."""
        return self.by_kind.get(kind, self.default)


@dataclass(frozen=True, slots=True)
class Alias:
    """Everything about one name."""

    members: tuple[Member, ...] = ()  # may be empty where every call goes to another name, by rule or split
    strategy: Strategy = "priority"
    rules: tuple[Rule, ...] = ()  # with the strategy rules: the first that holds; when none does, the members by priority
    arms: tuple[Arm, ...] = ()  # with the strategy split
    sticky: Sticky = "caller"  # who always gets the same arm
    fallbacks: Fallbacks = field(default_factory=Fallbacks)
    hedge: Hedge | None = None
    shadow: Shadow | None = None
