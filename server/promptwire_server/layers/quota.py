"""Quota: one limit of the operator's for callers: whose calls it counts, what they may take, and what a single call takes of it."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Final, Literal

from promptwire_server.core.call import Call
from promptwire_server.core.rate import Draw, Key, Meter, Slot

Dimension = Literal["tenant", "key", "user", "session", "model"]
DIMENSIONS: Final[tuple[Dimension, ...]] = ("tenant", "key", "user", "session", "model")
# Callers choose these names, and those of one tenant must not use up what is another's.
_WITHIN_TENANT: Final = frozenset({"user", "session"})
_MOST_KNOWN = 4096  # callers choose names


@dataclass(frozen=True, slots=True)
class Limit:
    """What the operator allows; None: any number."""

    name: str
    per: tuple[Dimension, ...] = ()  # each combination has a count of its own; empty: all calls that match have one
    match: Mapping[Dimension, tuple[str, ...]] = field(default_factory=dict)  # names of which one must be the call's; "*" is any text
    requests_per_minute: int | None = None
    burst: int | None = None  # requests at once; None: those of a whole minute
    tokens_per_minute: int | None = None  # of prompts and answers together
    concurrency: int | None = None  # calls at the same time, each until its answer has ended

    def words(self, kind: str) -> str:
        """How much of a kind it allows, for people."""
        match kind:
            case "requests":
                return f"{_counted(self.requests_per_minute, 'request')} a minute{f', {self.burst} at once' if self.burst else ''}"
            case "tokens":
                return f"{_counted(self.tokens_per_minute, 'token')} a minute"
            case _:
                return f"{_counted(self.concurrency, 'call')} at the same time"

    def part(self, parts: int) -> "Limit":
        """An equal part of it, for one of so many processes that do not know of each other; never less than one."""
        return Limit(
            self.name,
            self.per,
            self.match,
            _part(self.requests_per_minute, parts),
            _part(self.burst, parts),
            _part(self.tokens_per_minute, parts),
            _part(self.concurrency, parts),
        )


@dataclass(slots=True)
class Taking:
    """What calls of the same names take: all of it but how many tokens, which differs from call to call."""

    requests: list[Draw] = field(default_factory=list)
    tokens: list[tuple[Key, Meter]] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)


class Rule:
    """A limit, made ready."""

    __slots__ = ("_match", "_requests", "_tokens", "_values", "limit")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._match = [(DIMENSIONS.index(dimension), _test(names)) for dimension, names in limit.match.items()]
        per = [*limit.per, *(("tenant",) if _WITHIN_TENANT & set(limit.per) and "tenant" not in limit.per else ())]
        self._values = [DIMENSIONS.index(dimension) for dimension in per]
        rate, tokens = limit.requests_per_minute, limit.tokens_per_minute
        self._requests = None if rate is None else Meter(limit.burst or rate, rate)
        self._tokens = None if tokens is None else Meter(tokens, tokens)

    def add(self, values: Sequence[str], taking: Taking) -> None:
        """Add what calls of these names take. One without a name that counts are kept by (no user was named) is not counted."""
        own = [values[position] for position in self._values]
        if "" in own or not all(matches(values[position]) for position, matches in self._match):
            return
        limit = self.limit
        if self._requests is not None:
            taking.requests.append(Draw((limit.name, "requests", *own), self._requests, 1))
        if self._tokens is not None:
            taking.tokens.append(((limit.name, "tokens", *own), self._tokens))
        if limit.concurrency is not None:
            taking.slots.append(Slot((limit.name, "concurrency", *own), limit.concurrency))


class Rules:
    """All limits together."""

    def __init__(self, limits: Sequence[Limit], default_model: str) -> None:
        self._rules = [Rule(limit) for limit in limits]
        self._default_model = default_model
        self._known: dict[tuple[str, ...], Taking] = {}  # by the names of a call, most of which come again and again

    def taking(self, call: Call) -> Taking:
        """What a call takes. It is counted by tenant, key, user, session and the model that it asks for."""
        request, principal = call.request, call.principal
        values = (principal.tenant, principal.name, request.end_user_id, request.session_id, request.model or self._default_model)
        return self._known.get(values) or self._found(values)

    def _found(self, values: tuple[str, ...]) -> Taking:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        taking = self._known[values] = Taking()
        for rule in self._rules:
            rule.add(values, taking)
        return taking


def _counted(number: int | None, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _part(number: int | None, parts: int) -> int | None:
    return None if number is None else max(1, number // parts)


def _test(names: Sequence[str]) -> Callable[[str], bool]:
    """Whether a name is one of these, in which "*" stands for any text."""
    if not any("*" in name for name in names):
        return frozenset(names).__contains__
    pattern = re.compile("|".join(_patterns(names)))
    return lambda name: pattern.fullmatch(name) is not None


def _patterns(names: Sequence[str]) -> Iterator[str]:
    """As regular expressions. Of the shell's signs only the star is one here: model names have brackets at times."""
    for name in names:
        yield translate(name.replace("[", "[[]").replace("?", "[?]"))
