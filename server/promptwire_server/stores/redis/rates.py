"""Callers' limits in Redis: the same for all replicas, by the server's clock. A decision is one script; what follows it is sent behind."""

import asyncio
from collections import deque
from collections.abc import Sequence
from hashlib import blake2b
from typing import cast

from promptwire_server.core.clock import Chance
from promptwire_server.core.rate import Ask, Key, Refusal
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.redis.connection import Argument, Redis
from promptwire_server.stores.redis.script import Script

_LEASE_S = 30.0  # a slot of a process that was killed is free again by then
_RENEWALS = 3  # of a slot, in that time
_MOST_CHANGES = 10_000  # waiting to be sent; beyond, the oldest are lost: estimates stand, and slots end with their lease
_TOGETHER = 100  # changes in one script, which keeps everybody else waiting
_MICRO = 1e6

# Buckets are strings: the time in µs at which they are full, with 17 digits, since Lua would write 14. Slots are sorted sets: who holds
# one, by when it ends. ARGV: how many of the keys are buckets, who asks, µs of a lease; of each bucket amount, size, per minute; of each
# set how many. Returns {0, when each bucket is full}, or {which key refuses, µs to wait, how much is used}.
_TAKE = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local buckets, owner, lease = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local worst, longest, used, at, full = 0, 1, 0, 4, {}
for i = 1, buckets do
  local amount, size, unit = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), 60000000 / tonumber(ARGV[at + 2])
  local was = math.max(tonumber(redis.call('GET', KEYS[i]) or '0'), now)
  local wait = was - now + (math.min(amount, size) - size) * unit
  at = at + 3
  full[i] = was + amount * unit
  if wait > longest then worst, longest, used = i, wait, math.floor((was - now) / unit + 0.5) end
end
for i = buckets + 1, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  local held = redis.call('ZCARD', KEYS[i])
  if held >= tonumber(ARGV[at]) and longest < 1000000 then worst, longest, used = i, 1000000, held end
  at = at + 1
end
if worst > 0 then return {worst, math.ceil(longest), used} end
local answer = {0}
for i = 1, buckets do
  local text = string.format('%.17g', full[i])
  redis.call('SET', KEYS[i], text, 'PX', math.ceil((full[i] - now) / 1000) + 1000)
  answer[i + 1] = text
end
for i = buckets + 1, #KEYS do
  redis.call('ZADD', KEYS[i], now + lease, owner)
  redis.call('PEXPIRE', KEYS[i], math.ceil(lease / 1000) + 1000)
end
return answer
""")

# ARGV of each key: "tokens", change, per minute, when the bucket was to be full | "free", who | "hold", who, µs.
_CHANGE = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for i = 1, #KEYS do
  local key, what, one, two, three = KEYS[i], ARGV[4 * i - 3], ARGV[4 * i - 2], tonumber(ARGV[4 * i - 1]), ARGV[4 * i]
  if what == 'free' then
    redis.call('ZREM', key, one)
  elseif what == 'hold' then
    redis.call('ZADD', key, now + two, one)
    redis.call('PEXPIRE', key, math.ceil(two / 1000) + 1000)
  else
    local change = tonumber(one) * 60000000 / two
    local full = math.max(tonumber(redis.call('GET', key) or '0'), now)
    if change < 0 then change = -math.min(-change, math.max(0, tonumber(three) - now)) end
    if full + change > now then
      redis.call('SET', key, string.format('%.17g', full + change), 'PX', math.ceil((full + change - now) / 1000) + 1000)
    else
      redis.call('DEL', key)
    end
  end
end
""")

_Change = tuple[str, str, Argument, Argument, Argument]  # the key, and the script's arguments for it


class Rates:
    """What was drawn from each bucket, and who holds which slot. Belongs to one event loop; its task lives from the first call on."""

    def __init__(self, redis: Redis, chance: Chance, lease_s: float = _LEASE_S) -> None:
        self._redis = redis
        self._lease_us = lease_s * _MICRO
        self._pause_s = lease_s / _RENEWALS
        self._process = f"{chance.bits(64):016x}"
        self._count = 0
        self._changes: deque[_Change] = deque(maxlen=_MOST_CHANGES)
        self._held: dict[str, Sequence[str]] = {}  # keys of slots, by whoever of this process holds them
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def take(self, ask: Ask) -> "Lease | Refusal":
        """See layers.rates.RateStore. Raises StoreDown."""
        self._count += 1
        owner = f"{self._process}:{self._count}"
        buckets = [_name(draw.key) for draw in ask.draws]
        slots = [_name(slot.key) for slot in ask.slots]
        args: list[Argument] = [len(buckets), owner, self._lease_us]
        for draw in ask.draws:
            args += (draw.amount, draw.meter.size, draw.meter.per_minute)
        args += [slot.most for slot in ask.slots]
        answered = False
        try:
            answer = cast("list[int | bytes]", await self._redis.decide(_TAKE, [*buckets, *slots], args))
            answered = True
        finally:
            if not answered:  # it may have been taken
                self._free(owner, slots)
        if answer[0]:
            return _refusal(ask, answer)
        if slots:
            self._held[owner] = slots
            self._work()
        return Lease(self, ask, owner, buckets, slots, answer[1:])

    async def aclose(self) -> None:
        """Send what is waiting, once, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._send()

    def settle(self, owner: str, slots: Sequence[str], changes: Sequence[_Change]) -> None:
        """For Lease: free its slots, correct its tokens. Does not wait."""
        self._held.pop(owner, None)
        self._changes.extend(changes)
        self._free(owner, slots)
        if changes:
            self._work()

    def _free(self, owner: str, slots: Sequence[str]) -> None:
        if slots:
            self._changes.extend((slot, "free", owner, 0, 0) for slot in slots)
            self._work()

    def _work(self) -> None:
        if self._changes:
            self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())  # owned here: see aclose

    async def _run(self) -> None:
        """Send changes as they come, and renew what is held now and then."""
        loop = asyncio.get_running_loop()
        renew_s = loop.time() + self._pause_s
        while True:
            try:
                async with asyncio.timeout_at(renew_s):
                    await self._wake.wait()
            except TimeoutError:
                renew_s = loop.time() + self._pause_s
                held = [(slot, "hold", owner, self._lease_us, 0) for owner, slots in self._held.items() for slot in slots]
                self._changes.extendleft(reversed(held[:_MOST_CHANGES]))  # first, since who ends meanwhile is freed behind
            await self._send()

    async def _send(self) -> None:
        """Send all changes. Those that fail are lost: nobody knows whether they were made, and twice would be worse than never."""
        self._wake.clear()
        while self._changes:
            together = [self._changes.popleft() for _ in range(min(_TOGETHER, len(self._changes)))]
            try:
                await self._redis.decide(_CHANGE, [change[0] for change in together], [arg for change in together for arg in change[1:]])
            except StoreDown:
                continue


class Lease:
    """See layers.rates.Lease."""

    __slots__ = ("_ask", "_buckets", "_full", "_owner", "_rates", "_slots")

    def __init__(
        self, rates: Rates, ask: Ask, owner: str, buckets: Sequence[str], slots: Sequence[str], full: Sequence[int | bytes]
    ) -> None:
        self._rates: Rates | None = rates  # none any more, once it is settled
        self._ask = ask
        self._owner = owner
        self._buckets = buckets
        self._slots = slots
        self._full = full  # of each bucket: when it was to be full behind this call

    def settle(self, tokens: int | None) -> None:
        """See layers.rates.Lease."""
        rates, self._rates = self._rates, None
        if rates is not None:
            rates.settle(self._owner, self._slots, [] if tokens is None else self._corrections(tokens))

    def _corrections(self, tokens: int) -> list[_Change]:
        return [
            (key, "tokens", tokens - draw.amount, draw.meter.per_minute, full)
            for key, draw, full in zip(self._buckets, self._ask.draws, self._full, strict=True)
            if draw.key[1] == "tokens" and tokens != draw.amount
        ]


def _name(key: Key) -> str:
    """A key of Redis's: all in one slot of a cluster, and no longer than need be, since callers choose parts of it."""
    text = "".join(f"{len(part)}:{part}" for part in key)
    return f"pw:{{rate}}:{blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def _refusal(ask: Ask, answer: Sequence[int | bytes]) -> Refusal:
    position, wait_us, used = (int(number) for number in answer)
    if position <= len(ask.draws):
        draw = ask.draws[position - 1]
        return Refusal(draw.key, used, draw.meter.size, wait_us / _MICRO)
    slot = ask.slots[position - 1 - len(ask.draws)]
    return Refusal(slot.key, used, slot.most, wait_us / _MICRO)
