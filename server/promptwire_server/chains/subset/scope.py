"""Which names a template uses, and which of them are loop variables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from promptwire_server.chains.subset.reference import Key

LOOP_NAME: Final = "loop"


class Scope:
    """Grows while a template is compiled. Loop variables get numbered slots, which are never shared: so few are needed."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.paths: set[tuple[str, ...]] = set()
        self.optional: set[tuple[str, ...]] = set()
        self.slots = 0
        self.depth = 0
        self._slots_by_name: dict[str, int] = {}

    def take_slots(self, count: int) -> int:
        """The first of so many new slots in a row."""
        first = self.slots
        self.slots += count
        return first

    def slot(self, name: str) -> int | None:
        """Where the loop variable of that name is held, if there is one here."""
        return self._slots_by_name.get(name)

    @contextmanager
    def inside(self, slots_by_name: dict[str, int]) -> Iterator[None]:
        """Names that hold a loop variable while what belongs to the loop is compiled."""
        outer = self._slots_by_name
        self._slots_by_name = {**outer, **slots_by_name}
        try:
            yield
        finally:
            self._slots_by_name = outer

    def use(self, name: str, keys: tuple[Key, ...], *, guarded: bool) -> None:
        """Record a free name with the constant keys after it, up to the first index."""
        path = [name]
        for key in keys:
            if not isinstance(key, str):
                break
            path.append(key)
        self.names.add(name)
        self.paths.add(tuple(path))
        if guarded:
            self.optional.add(tuple(path))
