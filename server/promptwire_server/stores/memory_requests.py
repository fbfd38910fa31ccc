"""Requests in memory: those of one process, gone with it. Belongs to one event loop, on which asking and claiming are one step."""

from collections import OrderedDict
from dataclasses import dataclass

from promptwire_server.core.clock import Clock
from promptwire_server.core.repeat import Answered, Claim, Mine, RequestKey, Reused, Running

_OVERHEAD_BYTES = 500  # of a request, besides its answer


@dataclass(slots=True)
class _Kept:
    body: str
    owner: str
    expires_s: float  # of the lease, or of the outcome
    outcome: bytes | None = None


class Requests:
    """See rpc.once.Store. Beyond `max_bytes` the oldest outcomes go first."""

    def __init__(self, clock: Clock, max_bytes: int = 16 << 20) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()  # by when they were claimed or answered
        self.size_bytes = 0

    async def claim(self, key: RequestKey, owner: str, lease_s: float) -> Claim:
        """See rpc.once.Store."""
        at, now_s = (key.tenant, key.name), self._clock.monotonic()
        kept = self._kept.get(at)
        if kept is not None and kept.expires_s > now_s:
            if kept.body != key.body:
                return Reused()
            if kept.outcome is not None:
                return Answered(kept.outcome)
            if kept.owner != owner:
                return Running(kept.expires_s - now_s)
        self._put(at, _Kept(key.body, owner, now_s + lease_s))
        return Mine()

    async def renew(self, key: RequestKey, owner: str, lease_s: float) -> bool:
        """See rpc.once.Store."""
        kept = self._owned(key, owner)
        if kept is not None:
            kept.expires_s = self._clock.monotonic() + lease_s
        return kept is not None

    async def keep(self, key: RequestKey, owner: str, outcome: bytes, ttl_s: float) -> bool:
        """See rpc.once.Store."""
        if self._owned(key, owner) is None:
            return False
        self._put((key.tenant, key.name), _Kept(key.body, owner, self._clock.monotonic() + ttl_s, outcome))
        return True

    async def release(self, key: RequestKey, owner: str) -> None:
        """See rpc.once.Store."""
        if self._owned(key, owner) is not None:
            self._forget((key.tenant, key.name))

    def _owned(self, key: RequestKey, owner: str) -> _Kept | None:
        kept = self._kept.get((key.tenant, key.name))
        return kept if kept is not None and kept.owner == owner and kept.outcome is None else None

    def _put(self, at: tuple[str, str], kept: _Kept) -> None:
        self._forget(at)
        self._kept[at] = kept
        self.size_bytes += _size(kept)
        while self.size_bytes > self._max_bytes and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))

    def _forget(self, at: tuple[str, str]) -> None:
        kept = self._kept.pop(at, None)
        if kept is not None:
            self.size_bytes -= _size(kept)


def _size(kept: _Kept) -> int:
    return _OVERHEAD_BYTES + len(kept.outcome or b"")
