"""Memory: state of one process, gone with it. Belongs to one event loop."""

from collections import OrderedDict
from typing import NamedTuple

from promptwire_server.core.clock import Clock
from promptwire_server.core.kept import Kept

_MAX_ENTRIES = 100_000  # beyond it, what surrounds small answers would outweigh them
_OVERHEAD_BYTES = 400  # of an entry: key, tuples, floats, its share of the table; measured
_LARGEST_SHARE = 8  # an answer may take that part of the room, so that one cannot push out all others


class _Entry(NamedTuple):
    kept: Kept
    stored_s: float
    expires_s: float


class Answers:
    """Answers by tenant and key; those used longest ago go first when room is needed. Each operation takes constant time."""

    def __init__(self, *, clock: Clock, max_bytes: int, max_entries: int = _MAX_ENTRIES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._kept: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self.size_bytes = 0  # of all answers, with what surrounds them

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, tenant: str, key: str) -> tuple[Kept, float] | None:
        """The answer and its age in seconds; None when absent or expired."""
        at = (tenant, key)
        kept = self._kept.get(at)
        if kept is None:
            return None
        now_s = self._clock.monotonic()
        if now_s >= kept.expires_s:
            self._forget(at)
            return None
        self._kept.move_to_end(at)
        return kept.kept, now_s - kept.stored_s

    def put(self, tenant: str, key: str, kept: Kept) -> None:
        """Keep an answer. One that is too large for the room is not kept."""
        at = (tenant, key)
        if at in self._kept:
            self._forget(at)
        if _size(kept) * _LARGEST_SHARE > self._max_bytes:
            return
        now_s = self._clock.monotonic()
        self._kept[at] = _Entry(kept, now_s, now_s + kept.keep_s)
        self.size_bytes += _size(kept)
        while self.size_bytes > self._max_bytes or len(self._kept) > self._max_entries:
            _, oldest = self._kept.popitem(last=False)
            self.size_bytes -= _size(oldest.kept)

    def _forget(self, at: tuple[str, str]) -> None:
        self.size_bytes -= _size(self._kept.pop(at).kept)


def _size(kept: Kept) -> int:
    return len(kept.answer) + _OVERHEAD_BYTES
