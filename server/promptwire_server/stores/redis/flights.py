"""Flights in Redis: which server asks a question that several servers want answered, and what it has heard so far.

Of each question there is a lease with the token of whoever leads, and for each token a stream of entries, numbered from 1. Whatever is
written is written by a script that looks at the lease first: a server that lost it writes nothing any more.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from promptwire_server.core.store import StoreDown
from promptwire_server.stores.redis.connection import Argument, Redis
from promptwire_server.stores.redis.script import Script

_BLOCK_MS = 100  # of one look at all streams; well within the deadline of a command. Who begins to listen looks by itself first
_MOST_ENTRIES = 200  # of a stream at one look
_TAKE = Script("""
local holder = redis.call('GET', KEYS[1])
if holder then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
""")
_TELL = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local first = tonumber(ARGV[4])
for i = 7, #ARGV do redis.call('XADD', KEYS[2], string.format('%d-0', first + i - 7), 'e', ARGV[i]) end
if ARGV[6] ~= '0' then redis.call('XTRIM', KEYS[2], 'MAXLEN', ARGV[6]) end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
if ARGV[5] == '1' then redis.call('DEL', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
""")
_COUNT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local followers = redis.call('ZCARD', KEYS[2])
"""
_RENEW = Script(_COUNT + "redis.call('PEXPIRE', KEYS[1], ARGV[2]) return followers")
_YIELD = Script(_COUNT + "if followers == 0 then redis.call('DEL', KEYS[1]) end return followers")
_FOLLOW = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3] * 2)
return 1
""")


class Flights:
    """See layers.dedup.abroad.Board. Belongs to one event loop."""

    def __init__(self, redis: Redis, *, lease_s: float = 3.0, keep_s: float = 60.0) -> None:
        """`keep_s`: how long the entries of an answer stay after the last of them, for whoever still reads."""
        self._redis = redis
        self._lease_ms = int(lease_s * 1000)
        self._keep_ms = int(keep_s * 1000)
        self._listeners: dict[str, Listener] = {}  # by stream
        self._ear: asyncio.Task[None] | None = None

    async def take(self, tenant: str, key: str, token: str) -> str:
        """See layers.dedup.abroad.Board."""
        return _text(await self._redis.decide(_TAKE, [_lease(tenant, key)], [token, self._lease_ms]))

    async def tell(self, tenant: str, key: str, token: str, first: int, entries: Sequence[bytes], *, last: bool, most: int = 0) -> bool:
        """See layers.dedup.abroad.Board."""
        keys = [_lease(tenant, key), _stream(tenant, key, token)]
        args: list[Argument] = [token, self._lease_ms, self._keep_ms, first, int(last), most, *entries]
        return await self._redis.decide(_TELL, keys, args) == 1

    async def renew(self, tenant: str, key: str, token: str) -> int:
        """See layers.dedup.abroad.Board."""
        return await self._count(_RENEW, tenant, key, token)

    async def give_up(self, tenant: str, key: str, token: str) -> int:
        """See layers.dedup.abroad.Board."""
        return await self._count(_YIELD, tenant, key, token)

    async def follow(self, tenant: str, key: str, token: str, follower: str) -> bool:
        """See layers.dedup.abroad.Board."""
        keys = [_lease(tenant, key), _followers(tenant, key, token)]
        return await self._redis.decide(_FOLLOW, keys, [token, follower, self._lease_ms]) == 1

    def listen(self, tenant: str, key: str, token: str) -> "Listener":
        """See layers.dedup.abroad.Board."""
        return Listener(self, _stream(tenant, key, token))

    async def aclose(self) -> None:
        """Stop listening."""
        if self._ear is not None:
            self._ear.cancel()
            await asyncio.gather(self._ear, return_exceptions=True)

    def hear(self, listener: "Listener") -> None:
        """Look at its stream from now on. All streams are looked at together, over one connection."""
        self._listeners[listener.stream] = listener
        if self._ear is None or self._ear.done():
            self._ear = asyncio.get_running_loop().create_task(self._listen())  # owned here: it ends with the last listener

    def ignore(self, listener: "Listener") -> None:
        """Look at it no more."""
        self._listeners.pop(listener.stream, None)

    async def read(self, stream: str, after: int) -> list[tuple[int, bytes]]:
        """The entries there are now, with their numbers. Raises StoreDown."""
        found = await self._redis.command("XRANGE", stream, f"({after}-0", "+")
        return [_entry(row) for row in _list(found)]

    async def _count(self, script: Script, tenant: str, key: str, token: str) -> int:
        keys = [_lease(tenant, key), _followers(tenant, key, token)]
        counted = await self._redis.decide(script, keys, [token, self._lease_ms])
        return counted if isinstance(counted, int) else -1

    async def _listen(self) -> None:
        while at := [listener for listener in self._listeners.values() if listener.hungry]:
            names, numbers = [each.stream for each in at], [f"{each.heard}-0" for each in at]
            try:
                found = await self._redis.command("XREAD", "COUNT", _MOST_ENTRIES, "BLOCK", _BLOCK_MS, "STREAMS", *names, *numbers)
            except StoreDown as error:
                for listener in at:
                    listener.fail(error)
                return
            for name, rows in found.items() if isinstance(found, dict) else ():
                listening = self._listeners.get(_text(name))
                if listening is not None:
                    listening.take([_entry(row) for row in _list(rows)])


class Listener:
    """See layers.dedup.board.Listener."""

    def __init__(self, flights: Flights, stream: str) -> None:
        self.stream = stream
        self.heard = 0  # the number of the last entry that came
        self._flights = flights
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._error: StoreDown | None = None
        self._turn: asyncio.Future[None] | None = None

    @property
    def hungry(self) -> bool:
        """It has not so much to read that more can wait."""
        return len(self._waiting) < _MOST_ENTRIES

    async def next(self, within_s: float) -> tuple[int, bytes] | None:
        """See layers.dedup.board.Listener."""
        if not self._waiting and (not self.heard or within_s <= 0):
            self.take(await self._flights.read(self.stream, self.heard))
        if not self._waiting and within_s > 0:
            await self._wait(within_s)
        if self._waiting:
            return self._waiting.popleft()
        if self._error is not None:
            raise self._error
        return None

    def close(self) -> None:
        """See layers.dedup.board.Listener."""
        self._flights.ignore(self)

    def take(self, entries: Sequence[tuple[int, bytes]]) -> None:
        """Entries came."""
        new = [entry for entry in entries if entry[0] > self.heard]
        if new:
            self._waiting.extend(new)
            self.heard = new[-1][0]
            self._wake()

    def fail(self, error: StoreDown) -> None:
        """None will come."""
        self._error = error
        self._wake()

    async def _wait(self, within_s: float) -> None:
        self._flights.hear(self)
        loop = asyncio.get_running_loop()
        self._turn = loop.create_future()
        timer = loop.call_later(within_s, self._wake)
        try:
            await self._turn
        finally:
            timer.cancel()
            self._turn = None

    def _wake(self) -> None:
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)


def _lease(tenant: str, key: str) -> str:
    return f"pw:{{{tenant}:{key}}}:flight"


def _stream(tenant: str, key: str, token: str) -> str:
    return f"pw:{{{tenant}:{key}}}:flight:{token}"


def _followers(tenant: str, key: str, token: str) -> str:
    return f"pw:{{{tenant}:{key}}}:flight:{token}:followers"


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _entry(row: object) -> tuple[int, bytes]:
    match row:
        case [bytes(number), [_, bytes(data)]]:
            return int(number.split(b"-")[0]), data
        case [bytes(number), {b"e": bytes(data)}]:
            return int(number.split(b"-")[0]), data
    raise StoreDown("redis: a stream has an entry that nobody here has written")
