"""Cache: the same question of the same tenant gets the answer that was given before, where the caller or the operator wants that."""

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Ending, Reply

Mode = pb.CacheSettings.Mode
_BYPASS: Final = Mode.MODE_BYPASS  # looking it up there takes 0.3 µs each time

# What says who asks, how urgently and for whose account, but not what: the answer is the same.
_NO_PART_OF_THE_QUESTION = (
    "model",  # stands before the rest, with the default filled in
    "request_id",
    "labels",
    "priority",
    "session_id",
    "cache",
    "dedup",
    "end_user_id",
    "max_cost_nano_usd",
)
# What belongs to the call that asked first. Usage stays: it is that of the attempt that answered.
_OF_THE_FIRST_CALL = ("request_id", "trace_id", "timing", "attempts", "cost")
_READ: Final = frozenset({Mode.MODE_READ_WRITE, Mode.MODE_READ_ONLY})
_WRITE: Final = frozenset({Mode.MODE_READ_WRITE, Mode.MODE_REFRESH})
_WHOLE: Final = frozenset({pb.FINISH_REASON_STOP, pb.FINISH_REASON_LENGTH, pb.FINISH_REASON_TOOL_CALLS})
_FRESH: Final = frozenset({pb.SERVED_FROM_UNSPECIFIED, pb.SERVED_FROM_PROVIDER})


class Store(Protocol):
    """Where answers are kept."""

    async def get(self, tenant: str, key: str) -> tuple[bytes, float] | None:
        """What was put and its age in seconds; None when absent, expired, or when the store cannot say. Must not raise."""
        ...

    def put(self, tenant: str, key: str, answer: bytes, ttl_s: float) -> None:
        """Keep for at most that long, in place of what was there. Must neither wait nor raise: keeping is a favour."""
        ...


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """What holds for calls that wish nothing else."""

    mode: "pb.CacheSettings.Mode" = _BYPASS
    ttl_s: float = 3600.0
    default_model: str = ""  # of calls that name none


class Cache:
    """Answers from the store what it can, and keeps what it could not."""

    def __init__(self, inner: Handler, *, store: Store, settings: CacheSettings) -> None:
        self._inner = inner
        self._store = store
        self._settings = settings
        self._idle = settings.mode == _BYPASS

    async def __call__(self, call: Call) -> Reply:
        """The kept answer, or the inner one. Raises InvalidRequest for wishes that are not available, and what the inner raises."""
        asked = call.request.HasField("cache")
        if self._idle and not asked:
            return await self._inner(call)
        wishes = call.request.cache
        mode = self._mode(wishes) if asked else self._settings.mode
        if mode == _BYPASS:
            return await self._inner(call)
        key = key_of(call.request, call.principal.tenant, self._settings.default_model)
        if mode in _READ:
            kept = await self._kept(call.principal.tenant, key, wishes)
            if kept is not None:
                return Reply.whole(kept)
        return await self._ask(call, key, mode)

    def _mode(self, wishes: pb.CacheSettings) -> int:
        if wishes.HasField("min_similarity"):
            raise InvalidRequest.at("cache.min_similarity", "is not available: this server's cache is exact; leave it out")
        return wishes.mode or self._settings.mode

    async def _kept(self, tenant: str, key: str, wishes: pb.CacheSettings) -> pb.ChatResponse | None:
        found = await self._store.get(tenant, key)
        if found is None:
            return None
        answer, age_s = found
        if wishes.HasField("max_age") and age_s > _seconds(wishes.max_age):
            return None
        try:
            return pb.ChatResponse.FromString(answer)  # a message of its own for each call
        except DecodeError:
            return None  # a store that others write to may hold anything

    async def _ask(self, call: Call, key: str, mode: int) -> Reply:
        reply = await self._inner(call)
        reply.attend(_Label(key))
        if mode in _WRITE:
            reply.on_done(partial(self._keep, call, key))
        return reply

    def _keep(self, call: Call, key: str, ending: Ending) -> None:
        answer = ending.response
        if answer is None or not _clean(call, answer):
            return
        wishes = call.request.cache
        ttl_s = _seconds(wishes.ttl) if wishes.HasField("ttl") else self._settings.ttl_s
        if ttl_s > 0:
            self._store.put(call.principal.tenant, key, as_served(answer, key).SerializeToString(), ttl_s)


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


def key_of(request: pb.ChatRequest, tenant: str, default_model: str) -> str:
    """The key of a question: SHA-256 in lower-case hex of whatever can change its answer, and of the tenant.

    The model counts by the name that was asked for. Wishes about cache, streaming, cost and attribution do not count.
    """
    question = pb.ChatRequest()
    question.CopyFrom(request)
    clear = question.ClearField  # looked up once: this is on the path of every call that may be answered from the cache
    for name in _NO_PART_OF_THE_QUESTION:
        clear(name)
    # With the lengths, "a" and "bc" differ from "ab" and "c".
    model = request.model or default_model
    head = f"{len(tenant)}:{tenant}{len(model)}:{model}".encode()
    return hashlib.sha256(head + question.SerializeToString(deterministic=True)).hexdigest()


def as_served(answer: pb.ChatResponse, key: str) -> pb.ChatResponse:
    """A copy of the answer as later calls get it: from the cache, at no cost, with what it saved where the cost was known."""
    served = pb.ChatResponse()
    served.CopyFrom(answer)
    for name in _OF_THE_FIRST_CALL:
        served.ClearField(name)
    served.cost.total_nano_usd = 0
    if answer.cost.HasField("total_nano_usd"):
        served.cost.saved_nano_usd = answer.cost.total_nano_usd
        served.cost.price_source = answer.cost.price_source
        served.cost.estimated = answer.cost.estimated
    served.served_from = pb.SERVED_FROM_CACHE
    served.cache_key = key
    return served


def _clean(call: Call, answer: pb.ChatResponse) -> bool:
    """Whether later callers should get it too. Not what a fallback said while the model asked for was down."""
    if answer.served_from not in _FRESH or not answer.candidates:
        return False
    if any(notice.code == pb.Notice.CODE_FALLBACK_USED for notice in call.trail.notices):
        return False
    return all(candidate.finish_reason in _WHOLE for candidate in answer.candidates)


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9
