"""Way: how calls come from a name, by rules and splits, to the targets that may answer. Each is made once, when it is first taken."""

from collections.abc import Container, Sequence

from promptwire_server.core.call import Target
from promptwire_server.layers.alias import Alias, Hedge, Rule, Shadow
from promptwire_server.layers.pool import Pool, Single, View
from promptwire_server.layers.question import Question
from promptwire_server.layers.router import Choice
from promptwire_server.layers.rules import Values
from promptwire_server.layers.split import Split


class Turn:
    """Where an alias sends a call."""

    __slots__ = ("pool", "to", "variant", "why")

    def __init__(self, why: str, pool: Pool | None, to: str = "", variant: str = "") -> None:
        self.why = why  # in a few words; empty: straight on
        self.pool = pool  # where the call stays; None: it goes on to another name
        self.to = to
        self.variant = variant


class Named:
    """An alias, made ready: where its calls go."""

    __slots__ = ("_none", "_rules", "_sides", "_split", "alias", "name")

    def __init__(self, name: str, alias: Alias, view: View) -> None:
        self.name = name
        self.alias = alias
        self._split = Split(name, alias.arms, alias.sticky) if alias.arms else None
        self._sides = [Turn(f"side {arm.name} of {name}", None, arm.to, arm.name) for arm in alias.arms]
        self._rules = [(rule.when, _turn(number, rule, name, alias, view)) for number, rule in enumerate(alias.rules, 1)]
        self._none = Turn(f"no rule of {name}" if alias.rules else "", Pool(name, alias.members, alias.strategy, view))

    def turn(self, question: Question) -> Turn:
        """Where this call goes."""
        if self._split is not None:
            return self._sides[self._split.side(question.call)]
        if self._rules:
            values = Values(question)
            for when, turn in self._rules:
                if when is None or when(values):
                    return turn
        return self._none


def _turn(number: int, rule: Rule, name: str, alias: Alias, view: View) -> Turn:
    """Of a rule: to another name, or to those of the alias's own targets that it means."""
    why = f"rule {number} of {name}"
    if rule.to:
        return Turn(why, None, rule.to)
    meant = [
        member for member in alias.members if (not rule.tag or rule.tag in member.tags) and rule.price_class in ("", member.price_class)
    ]
    return Turn(why, Pool(name, meant, "priority", view))


class Way:
    """The turns that were taken, and the pool at the end of them."""

    __slots__ = ("_onward", "_said", "aliases", "because", "ends", "hedge", "pool", "shadow", "variant")

    def __init__(self, pool: Pool | Single | None = None, before: "Way | None" = None) -> None:
        """The way before, to this pool; None: it goes on."""
        self.pool = pool
        self.aliases: tuple[Named, ...] = () if before is None else before.aliases  # on the way, the first one first
        self.because = ""  # the turns, in a few words, unless the pool says them itself
        self.variant: str = "" if before is None else before.variant  # the side of the first split
        self.hedge: Hedge | None = None if before is None else before.hedge  # of the last alias that has one
        self.shadow: Shadow | None = None if before is None else before.shadow
        self.ends: dict[str, Way] = {}  # by names that are no aliases
        self._onward: dict[Turn, Way] = {}
        self._said: dict[Choice, Choice] = {}

    def onward(self, named: Named, turn: Turn) -> "Way":
        """The way that has this turn besides."""
        return self._onward.get(turn) or self._go(named, turn)

    def _go(self, named: Named, turn: Turn) -> "Way":
        way = self._onward[turn] = Way(turn.pool, self)
        way.aliases = (*self.aliases, named)
        way.because = f"{self.because}, {turn.why}" if self.because and turn.why else self.because or turn.why
        way.variant = self.variant or turn.variant
        way.hedge = named.alias.hedge or self.hedge
        way.shadow = named.alias.shadow or self.shadow
        return way

    def choices(self, question: Question) -> Sequence[Choice]:
        """Who may answer at its end, and why. Raises as a pool does."""
        assert self.pool is not None  # noqa: S101 - nobody stops before the end
        choices = self.pool.choices(question)
        return [self._said.get(choice) or self._say(choice) for choice in choices] if self.because else choices

    def likely(self, besides: Container[Target]) -> Target | None:
        """See Pool."""
        return None if self.pool is None else self.pool.likely(besides)

    def _say(self, choice: Choice) -> Choice:
        said = self._said[choice] = Choice(choice.target, f"{self.because}, {choice.because}")
        return said
