"""Requests in Redis: one script a decision, by the server's clock. An answer is with the server when `keep` returns."""

from collections.abc import Sequence

from promptwire_server.core.repeat import Answered, Claim, Mine, RequestKey, Reused, Running
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.redis.connection import Argument, Redis
from promptwire_server.stores.redis.script import Script

_CLAIM = Script("""
local kept = redis.call('HMGET', KEYS[1], 'body', 'owner', 'outcome')
if kept[1] then
  if kept[1] ~= ARGV[1] then return {'reused'} end
  if kept[3] then return {'answered', kept[3]} end
  if kept[2] ~= ARGV[2] then return {'running', redis.call('PTTL', KEYS[1])} end
end
redis.call('HSET', KEYS[1], 'body', ARGV[1], 'owner', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {'mine'}
""")
_RENEW = Script("""
local kept = redis.call('HMGET', KEYS[1], 'owner', 'outcome')
if kept[1] ~= ARGV[1] or kept[2] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")
_KEEP = Script("""
local kept = redis.call('HMGET', KEYS[1], 'owner', 'outcome')
if kept[1] ~= ARGV[1] or kept[2] then return 0 end
redis.call('HSET', KEYS[1], 'outcome', ARGV[2])
return redis.call('PEXPIRE', KEYS[1], ARGV[3])
""")
_RELEASE = Script("""
local kept = redis.call('HMGET', KEYS[1], 'owner', 'outcome')
if kept[1] == ARGV[1] and not kept[2] then redis.call('DEL', KEYS[1]) end
return 0
""")


class Requests:
    """See rpc.once.Store."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def claim(self, key: RequestKey, owner: str, lease_s: float) -> Claim:
        """See rpc.once.Store."""
        match await self._redis.decide(_CLAIM, [_name(key)], [key.body, owner, _ms(lease_s)]):
            case [b"mine"]:
                return Mine()
            case [b"reused"]:
                return Reused()
            case [b"running", int(lease_ms)]:
                return Running(max(0, lease_ms) / 1000)
            case [b"answered", bytes(outcome)]:
                return Answered(outcome)
        raise StoreDown("redis: the script of requests answered what it cannot")

    async def renew(self, key: RequestKey, owner: str, lease_s: float) -> bool:
        """See rpc.once.Store."""
        return await self._true(_RENEW, key, [owner, _ms(lease_s)])

    async def keep(self, key: RequestKey, owner: str, outcome: bytes, ttl_s: float) -> bool:
        """See rpc.once.Store."""
        return await self._true(_KEEP, key, [owner, outcome, _ms(ttl_s)])

    async def release(self, key: RequestKey, owner: str) -> None:
        """See rpc.once.Store."""
        await self._true(_RELEASE, key, [owner])

    async def _true(self, script: Script, key: RequestKey, args: Sequence[Argument]) -> bool:
        return await self._redis.decide(script, [_name(key)], args) == 1


def _name(key: RequestKey) -> str:
    return f"pw:{{{key.name}}}:request:{key.tenant}"


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))
