"""Memory: answers in one process, gone with it. Belongs to one event loop.

What is new comes into a small part of the room first, where what was used longest ago goes first. What is pushed out there may move into
the large part, if it was asked for more often than what would have to go from there: W-TinyLFU, by Einziger, Friedman and Manes. So a
thousand questions that are asked once do not push out one that is asked a hundred times.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Final, NamedTuple

from promptwire_server.core.clock import Clock
from promptwire_server.core.kept import Held, Kept, Selector
from promptwire_server.stores.sketch import Sketch

_MAX_ENTRIES: Final = 100_000  # beyond it, what surrounds small answers would outweigh them
_OVERHEAD_BYTES: Final = 450  # of an entry: key, tuples, floats, its share of the tables; measured
_LARGEST_SHARE: Final = 8  # an answer may take that part of the room, so that one cannot push out all others
_NEW_SHARE: Final = 10  # that part of the room is for what is new
_USUAL_BYTES: Final = 2048  # of an answer

At = tuple[str, str]  # tenant, key
Dropped = Callable[[str, str, bool], None]  # tenant, model; whether its time was over, or there was no room


class _Entry(NamedTuple):
    kept: Kept
    stored_s: float
    expires_s: float


class Answers:
    """Answers by tenant and key. Each operation takes constant time, but for those of operators."""

    name = "memory"

    def __init__(self, *, clock: Clock, max_bytes: int, max_entries: int = _MAX_ENTRIES, dropped: Dropped = lambda *_: None) -> None:
        self._clock = clock
        self.max_bytes = max_bytes
        self._max_entries = max_entries
        self._dropped = dropped
        self._new: OrderedDict[At, _Entry] = OrderedDict()
        self._proven: OrderedDict[At, _Entry] = OrderedDict()
        self._new_bytes = 0
        self.size_bytes = 0  # of all answers, with what surrounds them
        self._asked = Sketch(min(max_entries, max(1, max_bytes // _USUAL_BYTES)))

    def __len__(self) -> int:
        return len(self._new) + len(self._proven)

    async def get(self, tenant: str, key: str) -> tuple[Kept, float] | None:
        """The answer and its age in seconds; None when absent or expired."""
        at = (tenant, key)
        self._asked.add(hash(at))
        part = self._proven
        entry = part.get(at)
        if entry is None:
            part = self._new
            entry = part.get(at)
            if entry is None:
                return None
        now_s = self._clock.monotonic()
        if now_s >= entry.expires_s:
            self._expire(at)
            return None
        part.move_to_end(at)
        return entry.kept, now_s - entry.stored_s

    def put(self, tenant: str, key: str, kept: Kept, age_s: float = 0.0, at_most_s: float = inf) -> None:
        """Keep an answer, which may have an age already, for `at_most_s` from now. One that is too large for the room is not kept."""
        at = (tenant, key)
        self._forget(at)
        size = _size(kept)
        if size * _LARGEST_SHARE > self.max_bytes:
            return
        now_s = self._clock.monotonic()
        stored_s = now_s - age_s
        self._new[at] = _Entry(kept, stored_s, min(stored_s + kept.keep_s, now_s + at_most_s))
        self._new_bytes += size
        self.size_bytes += size
        # At least one may be new, however large it is: otherwise nothing could ever be asked for twice.
        while len(self._new) > 1 and (self._new_bytes * _NEW_SHARE > self.max_bytes or len(self._new) * _NEW_SHARE > self._max_entries):
            self._prove()
        while self._proven and self._full:
            self._evict(self._proven)

    async def held(self, selector: Selector) -> Sequence[Held]:
        """What is kept of what is meant, by model."""
        now_s = self._clock.monotonic()
        found: dict[str, Held] = {}
        for _, entry in self._meant(selector):
            model = entry.kept.model
            before = found.get(model) or Held(model, 0, 0, 0.0)
            oldest_s = max(before.oldest_s, now_s - entry.stored_s)
            found[model] = Held(model, before.answers + 1, before.size_bytes + _size(entry.kept), oldest_s)
        return list(found.values())

    async def purge(self, selector: Selector, *, dry_run: bool) -> tuple[int, int]:
        """Drop what is meant, or only count it; how many, and their bytes."""
        meant = [(at, _size(entry.kept)) for at, entry in self._meant(selector)]
        for at, _ in () if dry_run else meant:
            self._forget(at)
        return len(meant), sum(size for _, size in meant)

    @property
    def _full(self) -> bool:
        return self.size_bytes > self.max_bytes or len(self) > self._max_entries

    def _meant(self, selector: Selector) -> Iterator[tuple[At, _Entry]]:
        """What a selector means; what has expired goes meanwhile."""
        now_s = self._clock.monotonic()
        for at, entry in [*self._new.items(), *self._proven.items()]:
            if now_s >= entry.expires_s:
                self._expire(at)
            elif selector.tenant in (None, at[0]):
                kept = entry.kept
                if selector.covers(at[1], kept.model, kept.namespace, now_s - entry.stored_s):
                    yield at, entry

    def _prove(self) -> None:
        """The one that is new for the longest time moves on, where it is asked for more often than those that would have to go."""
        at, entry = next(iter(self._new.items()))
        asked = self._asked.count(hash(at))
        while self._full and self._proven:
            if asked <= self._asked.count(hash(next(iter(self._proven)))):
                self._evict(self._new)
                return
            self._evict(self._proven)
        del self._new[at]
        self._new_bytes -= _size(entry.kept)
        self._proven[at] = entry

    def _evict(self, part: OrderedDict[At, _Entry]) -> None:
        at = next(iter(part))
        kept = self._forget(at)
        if kept is not None:
            self._dropped(at[0], kept.model, False)  # noqa: FBT003 - the shape of Dropped

    def _expire(self, at: At) -> None:
        kept = self._forget(at)
        if kept is not None:
            self._dropped(at[0], kept.model, True)  # noqa: FBT003 - the shape of Dropped

    def _forget(self, at: At) -> Kept | None:
        entry = self._new.pop(at, None)
        if entry is not None:
            self._new_bytes -= _size(entry.kept)
        else:
            entry = self._proven.pop(at, None)
            if entry is None:
                return None
        self.size_bytes -= _size(entry.kept)
        return entry.kept


def _size(kept: Kept) -> int:
    return len(kept.answer) + _OVERHEAD_BYTES
