"""Cache: the layer. Answers from the store what it can, and keeps what it could not."""

from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.core.handler import Handler
from promptwire_server.core.kept import Kept
from promptwire_server.core.reply import Ending, Reply
from promptwire_server.layers.cache.aim import Aim, Aims
from promptwire_server.layers.cache.counts import Counts
from promptwire_server.layers.cache.key import key_of
from promptwire_server.layers.cache.refresh import Refresher
from promptwire_server.layers.cache.similar import Similar, Spot
from promptwire_server.layers.cache.worth import answered_by, as_served, worth_keeping

Mode = pb.CacheSettings.Mode
_BYPASS: Final = Mode.MODE_BYPASS  # looking it up there takes 0.3 µs each time
_READ: Final = frozenset({Mode.MODE_READ_WRITE, Mode.MODE_READ_ONLY})
_WRITE: Final = frozenset({Mode.MODE_READ_WRITE, Mode.MODE_REFRESH})
_LONGEST_TTL_S: Final = 30 * 86_400.0  # callers may wish for any: what nobody drops must go at last


class Store(Protocol):
    """Where answers are kept."""

    async def get(self, tenant: str, key: str) -> tuple[Kept, float] | None:
        """What was put and its age in seconds; None when absent, expired, or when the store cannot say. Must not raise."""
        ...

    def put(self, tenant: str, key: str, kept: Kept) -> None:
        """Keep, in place of what was there. Must neither wait nor raise: keeping is a favour."""
        ...


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """What holds for calls that wish nothing else, and for all."""

    mode: "pb.CacheSettings.Mode" = _BYPASS
    ttl_s: float = 3600.0
    default_model: str = ""  # of calls that name none
    stale_s: float = 0.0  # how long behind its ttl an answer is served still, while a new one is fetched
    tool_calls: bool = True  # whether answers are kept that call tools
    max_answer_bytes: int = 4 << 20


class Cache:
    """Answers what it can."""

    def __init__(
        self,
        inner: Handler,
        *,
        store: Store,
        settings: CacheSettings,
        aims: Aims,
        counts: Counts,
        refresher: Refresher | None = None,
        similar: Similar | None = None,
    ) -> None:
        """Without a refresher no answer is served behind its ttl; without `similar`, only those to the very same question."""
        self._inner = inner
        self._store = store
        self._settings = settings
        self._aims = aims
        self._counts = counts
        self._refresher = refresher
        self._similar = similar
        self._idle = settings.mode == _BYPASS

    async def __call__(self, call: Call) -> Reply:
        """The kept answer, or the inner one. Raises InvalidRequest for wishes that are not available, and what the inner raises."""
        request = call.request
        asked = request.HasField("cache")
        if self._idle and not asked:
            return await self._inner(call)
        mode = self._mode(request.cache) if asked else self._settings.mode
        tenant = call.principal.tenant
        if mode == _BYPASS:
            self._counts.bypassed(tenant)
            return await self._inner(call)
        aim = self._aims.of(call)
        key = key_of(request, tenant, self._settings.default_model, aim.scope)
        if mode in _READ:
            found = await self._store.get(tenant, key)
            if found is not None:
                kept, age_s = found
                answer = self._served(call, key, aim, mode, kept, age_s)
                if answer is not None:
                    return Reply.whole(answer)
        if self._similar is None or not request.cache.HasField("min_similarity"):
            return await self._ask(call, key, aim, mode)
        spot = await self._similar.spot(call, self._settings.default_model, aim.scope)
        answer = await self._alike(self._similar, call, spot) if spot is not None and mode in _READ else None
        return Reply.whole(answer) if answer is not None else await self._ask(call, key, aim, mode, spot)

    def _mode(self, wishes: pb.CacheSettings) -> int:
        if self._similar is None and wishes.HasField("min_similarity"):
            raise InvalidRequest.at("cache.min_similarity", "is not available: this server's cache is exact; leave it out")
        return wishes.mode or self._settings.mode

    async def _alike(self, similar: Similar, call: Call, spot: Spot) -> pb.ChatResponse | None:
        """The answer to the nearest question that is near enough, with its distance; None where there is none."""
        tenant, found = call.principal.tenant, similar.nearest(call, spot)
        if found is None:
            return None
        key, similarity = found
        there = await self._store.get(tenant, key)
        if there is None:
            similar.forget(tenant, spot, key)
            return None
        kept, age_s = there
        return None if age_s >= kept.ttl_s or _too_old(call, age_s) else self._opened(call, kept, age_s, similarity)

    def _served(self, call: Call, key: str, aim: Aim, mode: int, kept: Kept, age_s: float) -> pb.ChatResponse | None:
        """What was kept, as this caller gets it; None where it will not do."""
        if _too_old(call, age_s) or (age_s >= kept.ttl_s and not self._renewed(call, key, aim, mode)):
            return None
        return self._opened(call, kept, age_s)

    def _opened(self, call: Call, kept: Kept, age_s: float, similarity: float | None = None) -> pb.ChatResponse | None:
        try:
            answer = pb.ChatResponse.FromString(kept.answer)  # a message of its own for each call
        except DecodeError:
            return None  # a store that others write to may hold anything
        hit, stale = answer.cache_hit, age_s >= kept.ttl_s
        if stale:
            hit.stale = True
        if similarity is not None:
            hit.similarity = similarity
        age, whole_s = hit.age, int(age_s)
        age.seconds, age.nanos = whole_s, int((age_s - whole_s) * 1e9)
        self._counts.hit(call.principal.tenant, kept.model, answer, stale=stale, similar=similarity is not None)
        return answer

    def _renewed(self, call: Call, key: str, aim: Aim, mode: int) -> bool:
        """Whether a new answer is being fetched, so that the one that is past its time may be served meanwhile."""
        if self._refresher is None or mode not in _WRITE:
            return False
        return self._refresher.start(call, key, partial(self._keep, key=key, aim=aim))

    async def _ask(self, call: Call, key: str, aim: Aim, mode: int, spot: Spot | None = None) -> Reply:
        missed = mode in _READ
        try:
            reply = await self._inner(call)
        except BaseException:
            if missed:
                self._counts.missed(call)
            raise
        reply.attend(_Label(key))
        if missed:
            reply.on_done(partial(self._counts.missed, call))
        if mode in _WRITE:
            reply.on_done(partial(self._keep, call, key=key, aim=aim, spot=spot))
        return reply

    def _keep(self, call: Call, ending: Ending, *, key: str, aim: Aim, spot: Spot | None = None) -> None:
        answer = ending.response
        if answer is None or not worth_keeping(call, answer, aim, tool_calls=self._settings.tool_calls):
            return
        wishes = call.request.cache
        ttl_s = _seconds(wishes.ttl) if wishes.HasField("ttl") else self._settings.ttl_s
        if ttl_s <= 0 or answer.ByteSize() > self._settings.max_answer_bytes:
            return
        data = as_served(answer, key).SerializeToString()
        model = str(answered_by(call, answer))
        self._store.put(call.principal.tenant, key, Kept(data, model, wishes.namespace, min(ttl_s, _LONGEST_TTL_S), self._settings.stale_s))
        self._counts.wrote(call.principal.tenant, model)
        if self._similar is not None and spot is not None:
            self._similar.add(call.principal.tenant, spot, key)


class _Label:
    """Writes the key into the answer on its way out."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def started(self, event: pb.ChatStarted) -> None:
        """A stream begins: the key comes with its end."""

    def first_delta(self) -> None:
        """No concern of the cache."""

    def complete(self, response: pb.ChatResponse) -> None:
        response.cache_key = self._key


def _too_old(call: Call, age_s: float) -> bool:
    """Older than the caller takes."""
    wishes = call.request.cache
    return wishes.HasField("max_age") and age_s > _seconds(wishes.max_age)


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9
