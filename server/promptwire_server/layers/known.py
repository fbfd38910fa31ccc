"""Known: what is kept of each target. Callers choose the names of models, so there is a bound."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from promptwire_server.core.call import Target

T = TypeVar("T")
MOST_LEARNED = 1024  # targets that no alias names
_Key = tuple[str, str]  # a Target's own hash takes 0.3 µs, since it is written in Python


class Known(Generic[T]):
    """One thing a target: for ever of those that configuration names; of others, of those used last."""

    def __init__(
        self,
        make: Callable[[Target], T],
        named: Iterable[Target] = (),
        *,
        busy: Callable[[T], bool] = lambda _: False,
        most: int = MOST_LEARNED,
    ) -> None:
        """`busy` says whose loss would matter now; it stays, beyond the bound if need be."""
        self._make = make
        self._busy = busy
        self._most = most
        self._named: dict[_Key, T] = {}
        self._learned: OrderedDict[_Key, T] = OrderedDict()  # the one used last is at the end
        self.name(named)

    def name(self, targets: Iterable[Target]) -> None:
        """From now on configuration names these, and no others. Nothing is forgotten by that."""
        before = {**self._learned, **self._named}
        named = {(target.provider, target.model): target for target in targets}
        self._named = {key: before.pop(key, None) or self._make(target) for key, target in named.items()}
        self._learned = OrderedDict(before)

    def of(self, target: Target) -> T:
        """The one of this target, made when it is new."""
        key = (target.provider, target.model)
        found = self._named.get(key)
        if found is not None:
            return found
        found = self._learned.get(key)
        if found is None:
            return self._learn(key, target)
        self._learned.move_to_end(key)
        return found

    def find(self, target: Target) -> T | None:
        """The one of this target, if there is one: asking keeps nothing and makes nothing."""
        key = (target.provider, target.model)
        found = self._named.get(key)
        return self._learned.get(key) if found is None else found

    def items(self) -> Iterator[tuple[Target, T]]:
        """All, those that configuration names first."""
        for key, value in [*self._named.items(), *self._learned.items()]:
            yield Target(*key), value

    def values(self) -> list[T]:
        """What is kept, of all of them."""
        return [*self._named.values(), *self._learned.values()]

    def is_named(self, target: Target) -> bool:
        """Whether configuration names it."""
        return (target.provider, target.model) in self._named

    def _learn(self, key: _Key, target: Target) -> T:
        if len(self._learned) >= self._most:
            idle = next((other for other, value in self._learned.items() if not self._busy(value)), None)
            if idle is not None:
                del self._learned[idle]
        made = self._learned[key] = self._make(target)
        return made
