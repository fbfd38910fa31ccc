"""How targets are doing, as a test says, and questions to them."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptwire import v1 as pb
from promptwire_server.core.call import ANONYMOUS, Call, Principal, Target
from promptwire_server.core.clock import Chance
from promptwire_server.core.facts import UNKNOWN, Facts
from promptwire_server.core.price import OPERATOR, Price, Rates
from promptwire_server.layers.alias import Alias, Member
from promptwire_server.layers.plan import Planner
from promptwire_server.layers.pool import View
from promptwire_server.layers.question import Question
from promptwire_server.layers.route import Routes
from promptwire_server.layers.router import Choice

A, B, C = Target("a", "m"), Target("b", "m"), Target("c", "m")


@dataclass
class Doing:
    """A Load and a Health."""

    busy: dict[Target, int] = field(default_factory=dict)
    slow_s: dict[Target, float] = field(default_factory=dict)
    failing: set[Target] = field(default_factory=set)
    off: set[Target] = field(default_factory=set)

    def load(self, target: Target) -> "Busy":
        return Busy(self, target)

    def calm(self) -> bool:
        return not (self.failing or self.off)

    def open(self, target: Target) -> bool:
        return target in self.failing

    def disabled(self, target: Target) -> bool:
        return target in self.off


@dataclass(frozen=True)
class Busy:
    """One target's part of a Load."""

    doing: Doing
    target: Target

    @property
    def in_flight(self) -> int:
        return self.doing.busy.get(self.target, 0)

    @property
    def latency_s(self) -> float:
        return self.doing.slow_s.get(self.target, 0.0)


@dataclass
class Read:
    """A Knowledge."""

    facts: Mapping[Target, Facts]
    changes: int = 0

    def recalled(self, target: Target) -> Facts:
        return self.facts.get(target, UNKNOWN)

    def learn(self, facts: Mapping[Target, Facts]) -> None:
        self.facts = facts
        self.changes += 1


def view(doing: Doing | None = None, known: Mapping[Target, Facts] | None = None, seed: int = 1) -> View:
    doing = doing or Doing()
    return View(doing.load, doing, Read(known or {}), Chance(random.Random(seed)))


def question(*, tenant: str = "default", name: str = "anonymous", request_id: str = "req-1", **request: Any) -> Question:
    who = ANONYMOUS if (tenant, name) == ("default", "anonymous") else Principal(tenant, name)
    return Question(Call(pb.ChatRequest(**request), who, request_id, "f" * 32, 10.0, 0.0))


def planner(
    aliases: Mapping[str, Alias], doing: Doing | None = None, known: Mapping[Target, Facts] | None = None, *, default: str = ""
) -> Planner:
    behind = {name: [member.target for member in alias.members] for name, alias in aliases.items()}
    return Planner(aliases, Routes(behind, ["a", "b", "c"], default), view(doing, known))


def members(*targets: Target) -> tuple[Member, ...]:
    return tuple(Member(target) for target in targets)


def targets(choices: Sequence[Choice]) -> list[Target]:
    return [choice.target for choice in choices]


def priced(nano_usd_per_1k: int, output: int | None = None) -> Facts:
    return Facts(Price(Rates(nano_usd_per_1k, nano_usd_per_1k if output is None else output), OPERATOR))
