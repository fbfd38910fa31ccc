"""Tree: the raw values of all sources laid over each other, each with where it came from."""

from collections.abc import Iterator
from itertools import pairwise

from promptwire_server.config.fault import Fault
from promptwire_server.config.settings import KeyPath, Origin

Raw = str | int | float | bool | list["Raw"] | dict[str, "Raw"] | None


class Tree:
    """Nested values under string keys. What is put later wins."""

    def __init__(self) -> None:
        self.values: dict[str, Raw] = {}
        self.origins: dict[KeyPath, Origin] = {}
        self.faults: list[Fault] = []

    def put(self, path: KeyPath, value: Raw, origin: Origin) -> None:
        """Set one value; lists are addressed by position, from 0."""
        holder: Raw = self.values
        for key, following in pairwise(path):
            inner = _child(holder, key)
            if not isinstance(inner, dict | list):
                inner = [] if following.isdigit() else {}
                if not _set(holder, key, inner):
                    break
            holder = inner
        else:
            if _set(holder, path[-1], value):
                self.mark(path, origin)
                return
        self.faults.append(Fault(path, "positions of a list are numbers from 0, without gaps", origin))

    def mark(self, path: KeyPath, origin: Origin) -> None:
        """Note where the value at `path`, and all within it, came from."""
        for stale in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[stale]
        self.origins[path] = origin

    def get(self, path: KeyPath) -> Raw:
        """The value at `path`; None when there is none."""
        value: Raw = self.values
        for key in path:
            value = _child(value, key)
        return value

    def drop(self, path: KeyPath) -> None:
        """Forget a key."""
        holder = self.get(path[:-1])
        if isinstance(holder, dict):
            holder.pop(path[-1], None)

    def has(self, path: KeyPath) -> bool:
        """Whether the key was written at all, be it as null."""
        holder = self.get(path[:-1])
        return isinstance(holder, dict) and path[-1] in holder

    def origin(self, path: KeyPath) -> Origin | None:
        """Where the value at `path` came from, or what holds it; None for a default."""
        for length in range(len(path), 0, -1):
            if found := self.origins.get(path[:length]):
                return found
        return None

    def section(self, *path: str) -> dict[str, Raw]:
        """The keys at `path`; empty when that is no section."""
        value = self.get(path)
        return value if isinstance(value, dict) else {}


def _child(holder: Raw, key: str) -> Raw:
    if isinstance(holder, dict):
        return holder.get(key)
    if isinstance(holder, list) and key.isdigit() and int(key) < len(holder):
        return holder[int(key)]
    return None


def _set(holder: Raw, key: str, value: Raw) -> bool:
    if isinstance(holder, dict):
        holder[key] = value
        return True
    if not isinstance(holder, list) or not key.isdigit() or int(key) > len(holder):
        return False
    holder[int(key) : int(key) + 1] = [value]
    return True


def leaves(value: Raw, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Raw]]:
    """Every value that holds no others, with its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from leaves(inner, (*path, str(position)))
    else:
        yield path, value
