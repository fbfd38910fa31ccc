"""Fitness: whether a Redis server is one that state can be kept in, asked at start."""

from dataclasses import dataclass

from redis.exceptions import ResponseError

from promptwire_server.stores.redis.connection import Redis

_OLDEST = (6, 2)


@dataclass(frozen=True, slots=True)
class Fitness:
    """What a server says of itself. None: it does not say, as managed ones often do not."""

    version: tuple[int, ...]
    cluster: bool
    appendonly: bool | None
    evicts: bool | None  # throws keys away when its memory is full

    def problems(self, *, money: bool = False) -> list[str]:
        """Why it must not be used, in words for the operator; `money`: for what must survive its end."""
        found: list[str] = []
        if self.version < _OLDEST:
            found.append(f"Redis {'.'.join(map(str, self.version))} is too old; use 6.2 or newer")
        if self.cluster:
            found.append("it is a node of a cluster, whose redirections are not followed; use one server with replicas, or a proxy")
        if money and self.appendonly is False:
            found.append("budgets are kept there, and it forgets them when it ends; set `appendonly yes` in its configuration")
        if money and self.evicts:
            found.append("budgets are kept there, and it throws keys away when it is full; set `maxmemory-policy noeviction`")
        return found

    def doubts(self, *, money: bool = False) -> list[str]:
        """What it did not say, and the operator should know at start."""
        if money and (self.appendonly is None or self.evicts is None):
            return [
                "Redis does not say whether it keeps its data (CONFIG GET); make sure of `appendonly yes` and `maxmemory-policy noeviction`"
            ]
        return []


async def fitness(redis: Redis) -> Fitness:
    """Ask it. Raises StoreDown."""
    info = _fields(await redis.command("INFO", "server")) | _fields(await redis.command("INFO", "cluster"))
    version = tuple(int(part) for part in info.get("redis_version", "0").split(".")[:3] if part.isdigit())
    appendonly = await _config(redis, "appendonly")
    policy = await _config(redis, "maxmemory-policy")
    return Fitness(
        version=version,
        cluster=info.get("cluster_enabled") == "1",
        appendonly=None if appendonly is None else appendonly == "yes",
        evicts=None if policy is None else policy != "noeviction",
    )


def _fields(reply: object) -> dict[str, str]:
    """From INFO's lines."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


async def _config(redis: Redis, name: str) -> str | None:
    try:
        reply = await redis.command("CONFIG", "GET", name)
    except ResponseError:  # not a command that everybody may give
        return None
    value = reply.get(name.encode()) if isinstance(reply, dict) else None
    return value.decode() if isinstance(value, bytes) else None
