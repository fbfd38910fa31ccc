"""Answers of the cache in Redis, shared by all replicas. Its clock says how old they are; each has its end.

Of each answer there is one value: a line of JSON about it, then the answer. Looking never raises: a server that does not answer is a miss.
Keeping never waits: what is to be kept stands in a short queue, and is dropped where that is full.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

import orjson
from redis.exceptions import ResponseError

from promptwire_server.core.kept import Held, Kept, Selector
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.redis.connection import Redis
from promptwire_server.stores.redis.script import Script

_MOST_WAITING: Final = 256  # answers; at most so many are on their way, and each has its bound
_MOST_BYTES: Final = 32 << 20  # of them together
_PAGE: Final = 500  # keys that are looked at together
_HEAD: Final = 1024  # bytes of a value that have the line about it
_LONGEST_LINE: Final = _HEAD - 32  # the time stands before it
_CLOSING_S: Final = 1.0  # for what is still to be sent: it has been paid for
_NOW: Final = "local time = redis.call('TIME') local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"
_GET = Script(_NOW + "local found = redis.call('GET', KEYS[1]) if found then return {found, now} end return false")
_PUT = Script(_NOW + "redis.call('SET', KEYS[1], string.format('%d', now) .. ' ' .. ARGV[1], 'PX', ARGV[2]) return 1")
_LOOK = Script(f"""
local found = {{redis.call('TIME')}}
for i = 1, #KEYS do found[i + 1] = {{redis.call('GETRANGE', KEYS[i], 0, {_HEAD}), redis.call('STRLEN', KEYS[i])}} end
return found
""")


class _Waiting(NamedTuple):
    name: str
    value: bytes
    keep_ms: int


class _Seen(NamedTuple):
    name: bytes
    key: str
    model: str
    namespace: str
    age_s: float
    size_bytes: int


class Answers:
    """See layers.cache.cache.Store. Belongs to one event loop."""

    name = "redis"
    max_bytes: int | None = None  # the server has its own

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self.lost = 0  # answers that were not kept, since there were too many or the server did not take them

    async def get(self, tenant: str, key: str) -> tuple[Kept, float] | None:
        """See layers.cache.cache.Store."""
        try:
            found = await self._redis.decide(_GET, [_name(tenant, key)], [])
        except StoreDown:  # which the connection counts, and tells once
            return None
        match found:
            case [bytes(value), int(now_ms)]:
                return _read(value, now_ms)
        return None

    def put(self, tenant: str, key: str, kept: Kept) -> None:
        """See layers.cache.cache.Store."""
        if self._redis.down or len(self._waiting) >= _MOST_WAITING or self._waiting_bytes + len(kept.answer) > _MOST_BYTES:
            self.lost += 1
            return
        about = orjson.dumps([kept.model, kept.namespace, kept.ttl_s, kept.stale_s])
        if len(about) > _LONGEST_LINE:  # callers may make up names of models
            return
        self._waiting.append(_Waiting(_name(tenant, key), about + b"\n" + kept.answer, max(1, int(kept.keep_s * 1000))))
        self._waiting_bytes += len(self._waiting[-1].value)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())  # owned here: see aclose

    async def held(self, selector: Selector) -> Sequence[Held]:
        """What is kept of what is meant, by model. Looks at every key of the server: for operators. Raises StoreDown."""
        found: dict[str, Held] = {}
        async for seen in _each(self._meant(selector)):
            before = found.get(seen.model) or Held(seen.model, 0, 0, 0.0)
            oldest_s = max(before.oldest_s, seen.age_s)
            found[seen.model] = Held(seen.model, before.answers + 1, before.size_bytes + seen.size_bytes, oldest_s)
        return list(found.values())

    async def purge(self, selector: Selector, *, dry_run: bool) -> tuple[int, int]:
        """Drop what is meant, or only count it; how many, and their bytes. Raises StoreDown; some are gone then."""
        count = size_bytes = 0
        async for page in self._meant(selector):
            if page and not dry_run:
                await self._redis.command("UNLINK", *[seen.name for seen in page])
            count += len(page)
            size_bytes += sum(seen.size_bytes for seen in page)
        return count, size_bytes

    async def settle(self, within_s: float = _CLOSING_S) -> None:
        """Wait until what is to be kept has been sent, or for so long."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=within_s)

    async def aclose(self) -> None:
        """Send what waits, as far as that is soon done."""
        await self.settle()
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write(self) -> None:
        while self._waiting:
            each = self._waiting.popleft()
            self._waiting_bytes -= len(each.value)
            try:
                await self._redis.decide(_PUT, [each.name], [each.value, each.keep_ms])
            except StoreDown:
                self.lost += 1

    async def _meant(self, selector: Selector) -> AsyncIterator[list[_Seen]]:
        """What a selector means, page by page; some may come twice where others are kept meanwhile."""
        pattern = f"pw:{{{'*' if selector.tenant is None else _tag(selector.tenant)}}}:answer:*"
        cursor: object = b"0"
        while True:
            reply = await self._scan(cursor, pattern)
            if not isinstance(reply, list):
                raise StoreDown("redis: SCAN answered what it cannot")
            cursor, names = reply
            looked = await self._look(names)
            yield [seen for seen in looked if selector.covers(seen.key, seen.model, seen.namespace, seen.age_s)]
            if cursor in (b"0", "0", 0):
                return

    async def _scan(self, cursor: object, pattern: str) -> object:
        at = cursor if isinstance(cursor, bytes) else str(cursor)
        try:
            return await self._redis.command("SCAN", at, "MATCH", pattern, "COUNT", _PAGE)
        except ResponseError as error:
            raise StoreDown(f"redis: {error}") from None

    async def _look(self, names: Sequence[bytes]) -> list[_Seen]:
        """What is at some keys; those that are gone meanwhile are left out."""
        if not names:
            return []
        reply = await self._redis.decide(_LOOK, names, [])
        match reply:
            case [[bytes(seconds), bytes(micros)], *rows]:
                now_ms = int(seconds) * 1000 + int(micros) // 1000
                return [seen for name, row in zip(names, rows, strict=True) if (seen := _seen(name, row, now_ms)) is not None]
        return []


async def _each(pages: AsyncIterator[list[_Seen]]) -> AsyncIterator[_Seen]:
    async for page in pages:
        for seen in page:
            yield seen


def _tag(tenant: str) -> str:
    """A tenant's name as part of a key; SCAN's patterns have characters of their own."""
    return hashlib.sha256(tenant.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _name(tenant: str, key: str) -> str:
    return f"pw:{{{_tag(tenant)}}}:answer:{key}"


def _read(value: bytes, now_ms: int) -> tuple[Kept, float] | None:
    """From a value; None where it is none of ours."""
    try:
        head, _, answer = value.partition(b"\n")
        stored_ms, _, about = head.partition(b" ")
        model, namespace, ttl_s, stale_s = orjson.loads(about)
        return Kept(answer, model, namespace, ttl_s, stale_s), max(0, now_ms - int(stored_ms)) / 1000
    except ValueError:
        return None


def _seen(name: bytes, row: object, now_ms: int) -> _Seen | None:
    match row:
        case [bytes(head), int(size)] if head:
            found = _read(head, now_ms)
            if found is not None:
                kept, age_s = found
                return _Seen(name, name.rpartition(b":")[2].decode(), kept.model, kept.namespace, age_s, size)
    return None
