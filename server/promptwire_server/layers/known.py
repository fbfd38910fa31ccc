"""Known: what is kept of each target. Callers choose the names of models, so there is a bound."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from promptwire_server.core.call import Target

T = TypeVar("T")
MOST_LEARNED = 1024  # targets that no alias names


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
        self._named: dict[Target, T] = {}
        self._learned: OrderedDict[Target, T] = OrderedDict()  # the one used last is at the end
        self.name(named)

    def name(self, targets: Iterable[Target]) -> None:
        """From now on configuration names these, and no others. Nothing is forgotten by that."""
        before = {**self._learned, **self._named}
        self._named = {target: before.pop(target, None) or self._make(target) for target in dict.fromkeys(targets)}
        self._learned = OrderedDict(before)

    def of(self, target: Target) -> T:
        """The one of this target, made when it is new."""
        found = self._named.get(target)
        if found is not None:
            return found
        found = self._learned.get(target)
        if found is None:
            return self._learn(target)
        self._learned.move_to_end(target)
        return found

    def find(self, target: Target) -> T | None:
        """The one of this target, if there is one: asking keeps nothing and makes nothing."""
        found = self._named.get(target)
        return self._learned.get(target) if found is None else found

    def items(self) -> Iterator[tuple[Target, T]]:
        """All, those that configuration names first."""
        yield from [*self._named.items(), *self._learned.items()]

    def values(self) -> list[T]:
        """What is kept, of all of them."""
        return [*self._named.values(), *self._learned.values()]

    def is_named(self, target: Target) -> bool:
        """Whether configuration names it."""
        return target in self._named

    def _learn(self, target: Target) -> T:
        if len(self._learned) >= self._most:
            idle = next((other for other, value in self._learned.items() if not self._busy(value)), None)
            if idle is not None:
                del self._learned[idle]
        made = self._learned[target] = self._make(target)
        return made
