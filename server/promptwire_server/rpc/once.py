"""Once: a request with an id of the client's is answered once, however often it is made.

While it is answered, repetitions get the same answer as it comes; afterwards they get what was kept, byte by byte. An answer is kept before
the client has it, so that no kill comes between. Failures that may not happen again are not kept: the repetition is a new try.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from google.protobuf.message import Message

from promptwire import v1 as pb
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import Overloaded, PromptwireError, RequestIdReused, RequestInProgress
from promptwire_server.core.flight import Seat
from promptwire_server.core.ids import Ids
from promptwire_server.core.repeat import Answered, Claim, Mine, RequestKey, Reused, Running
from promptwire_server.core.store import StoreDown
from promptwire_server.rpc import kept
from promptwire_server.rpc.exchange import Exchange, Method
from promptwire_server.rpc.repeatable import ID_OF, MOST_CHARACTERS, RUNS, answers_with
from promptwire_server.rpc.work import Work

REPLAYED = "promptwire-replayed"  # in trailing metadata of answers that somebody had asked for before
_RENEWED = 3  # times within a lease
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.5  # between two looks at a request that is answered elsewhere
_AGAIN_S = 1.0
Run = Callable[[Work], Coroutine[object, object, None]]
_OWN = frozenset({pb.ERROR_REASON_DEADLINE, pb.ERROR_REASON_CANCELLED})  # failures of the caller that came first, not of those who repeat


class Store(Protocol):
    """Where it is kept which requests are answered, and how they were. Every method raises StoreDown when it cannot decide."""

    async def claim(self, key: RequestKey, owner: str, lease_s: float) -> Claim:
        """What is known; nothing is: then it is the owner's to answer. One step, among all processes."""
        ...

    async def renew(self, key: RequestKey, owner: str, lease_s: float) -> bool:
        """Let the lease run that long from now; False when it is no longer the owner's."""
        ...

    async def keep(self, key: RequestKey, owner: str, outcome: bytes, ttl_s: float) -> bool:
        """Keep how it was answered, for good when this returns; False when it is no longer the owner's."""
        ...

    async def release(self, key: RequestKey, owner: str) -> None:
        """It was not answered: anybody may. Nothing happens when it is no longer the owner's."""
        ...


@dataclass(frozen=True, slots=True)
class OnceSettings:
    """How long answers are kept, and how large they may be."""

    ttl_s: float = 86_400.0
    max_answer_bytes: int = 4 << 20  # a larger one is not kept, but that it was given
    lease_s: float = 10.0  # after which a dead server's requests may be answered by others
    wait_s: float = 30.0  # for the answer of another process


class Once:
    """Wraps methods of services."""

    def __init__(self, store: Store, spare: Store, *, clock: Clock, ids: Ids, settings: OnceSettings | None = None) -> None:
        """`spare`: of this process, for what is no run while the store is down."""
        self._store = store
        self._spare = spare
        self._spared = False  # something may be there
        self._clock = clock
        self._ids = ids
        self._settings = settings or OnceSettings()
        self._works: dict[tuple[str, str], Work] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def wrap(self, name: str, run: Method) -> Method:
        """The method, run once for each request id. Without one it costs next to nothing."""
        id_of = ID_OF[name]

        def once(request: Message, exchange: Exchange) -> Awaitable[Message | bytes | None]:
            request_id = id_of(request)
            if not request_id or len(request_id) > MOST_CHARACTERS:
                return run(request, exchange)
            return self._answer(name, request_id, request, exchange, partial(self._run, name, run))

        return once

    async def aclose(self) -> None:
        """Wait until what was cancelled has ended, and what it had claimed is free."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, name: str, request_id: str, request: Message, exchange: Exchange, run: Run) -> bytes | None:
        key = _key(exchange, name, request_id, request)
        exchange.rename(request_id)
        while True:
            work = self._works.get((key.tenant, key.name))
            mine = work is None
            if work is None:
                work = self._begin(key, request, exchange, run)
            elif work.key.body != key.body:
                raise _reused()
            elif not work.flight.open:
                raise _in_progress("its answer is too long to be followed from its start")
            try:
                return await self._attend(work, exchange, mine=mine)
            except _Left:
                continue

    async def _attend(self, work: Work, exchange: Exchange, *, mine: bool) -> bytes | None:
        """Give this caller what the work gives. Raises _Left when whoever came first failed, before this one was sent anything."""
        streams = answers_with(work.request) is not None
        seat = Seat(work.flight, reads=streams)
        seat.until(exchange.deadline_s - self._clock.monotonic())
        try:
            if not streams:
                await seat.over()
            while streams and (message := await seat.next()) is not None:
                await exchange.send(message)
        except PromptwireError as error:
            if error.reason in _OWN and not (mine or seat.late or seat.position):
                raise _Left from error
            if not mine:  # whose trail it is already
                exchange.trail.attempts[:] = work.aside.trail.attempts
            raise
        finally:
            seat.leave()
        if work.replayed or not mine:
            exchange.mark(REPLAYED, "true")
        return None if streams else work.whole

    def _begin(self, key: RequestKey, request: Message, exchange: Exchange, run: Run) -> Work:
        at = key.tenant, key.name
        work = Work(key, request, exchange, self._settings.max_answer_bytes, self._abandoned)
        self._works[at] = work
        task = work.flight.start(run(work))
        self._own(task)
        task.add_done_callback(lambda _: self._forget(work))
        return work

    def _abandoned(self, work: Work) -> None:
        self._forget(work)
        work.flight.cancel()

    def _forget(self, work: Work) -> None:
        at = work.key.tenant, work.key.name
        if self._works.get(at) is work:
            del self._works[at]

    def _own(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, name: str, run: Method, work: Work) -> None:
        """Claim the request, answer it, keep the answer; or give what was kept."""
        owner = self._ids.request()
        store, claim = await self._claimed(name, work, owner)
        if isinstance(claim, Answered):
            work.aside.trail.attempts.extend(kept.attempts(claim.outcome))
            await work.replay(answers_with(work.request), kept.messages(claim.outcome))
            return
        lease = _Lease(store, work.key, owner, self._settings.lease_s, self._own)
        concluded = False
        try:
            answer = await run(work.request, work.aside)
            if isinstance(answer, Message):
                work.whole = answer.SerializeToString()
                work.given = [work.whole]
            await self._keep(store, work.key, owner, kept.answer(work.given, self._settings.max_answer_bytes))
            concluded = True
            await work.finish()
        except PromptwireError as error:
            outcome = kept.failure(error, work.aside.trail.attempts)
            if outcome is not None:
                await self._keep(store, work.key, owner, outcome)
                concluded = True
            raise
        finally:
            lease.cancel()
            if not concluded:
                self._own(asyncio.get_running_loop().create_task(_released(store, work.key, owner)))

    async def _claimed(self, name: str, work: Work, owner: str) -> tuple[Store, Claim]:
        """Wait while another process answers it. Raises RequestIdReused, RequestInProgress; Overloaded for runs while the store is down."""
        pause_s = _SHORTEST_PAUSE_S
        until_s = min(work.aside.deadline_s, self._clock.monotonic() + self._settings.wait_s)
        while True:
            store, claim = await self._asked(name, work.key, owner)
            if isinstance(claim, Reused):
                raise _reused()
            if not isinstance(claim, Running):
                return store, claim
            if self._clock.monotonic() + pause_s >= until_s:
                raise _in_progress("another server is answering it")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _asked(self, name: str, key: RequestKey, owner: str) -> tuple[Store, Claim]:
        lease_s = self._settings.lease_s
        try:
            claim = await self._store.claim(key, owner, lease_s)
        except StoreDown:
            if name in RUNS:
                raise Overloaded(
                    "it cannot be told whether this request_id was used before, since the store of requests does not answer; "
                    "try again later, or leave request_id out if it may run twice",
                    retry_after_s=_AGAIN_S,
                ) from None
            self._spared = True
            return self._spare, await self._spare.claim(key, owner, lease_s)
        if self._spared and isinstance(claim, Mine):  # perhaps it was answered while the store was down
            spare = await self._spare.claim(key, owner, lease_s)
            if isinstance(spare, Answered):
                await self._keep(self._store, key, owner, spare.outcome)
                return self._store, spare
        return self._store, claim

    async def _keep(self, store: Store, key: RequestKey, owner: str, outcome: bytes) -> None:
        """Keep an outcome; in this process where the store is down. Of a lease that was lost, another's answer is kept."""
        try:
            await store.keep(key, owner, outcome, self._settings.ttl_s)
        except StoreDown:
            self._spared = True
            await self._spare.claim(key, owner, self._settings.lease_s)
            await self._spare.keep(key, owner, outcome, self._settings.ttl_s)


class _Lease:
    """Renews the lease of a request until it is cancelled. Most are answered before the first time, so that is only a timer."""

    def __init__(self, store: Store, key: RequestKey, owner: str, lease_s: float, own: Callable[[asyncio.Task[None]], None]) -> None:
        self._store = store
        self._key = key
        self._owner = owner
        self._lease_s = lease_s
        self._own = own
        self._timer = asyncio.get_running_loop().call_later(lease_s / _RENEWED, self._begin)
        self._task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._renew())  # owned by whoever made this
        self._own(self._task)

    async def _renew(self) -> None:
        held = True
        while held:
            try:
                held = await self._store.renew(self._key, self._owner, self._lease_s)
            except StoreDown:
                held = True  # perhaps; who else answers is decided when it is back
            await asyncio.sleep(self._lease_s / _RENEWED)


class _Left(Exception):
    """Whoever came first has failed on its own account."""


async def _released(store: Store, key: RequestKey, owner: str) -> None:
    try:
        await store.release(key, owner)
    except StoreDown:
        return  # its lease runs out


def _key(exchange: Exchange, name: str, request_id: str, request: Message) -> RequestKey:
    """Raises CredentialInvalid."""
    principal = exchange.principal
    scope = f"{len(principal.name)}:{principal.name}{name}:{request_id}".encode()
    body = hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()
    return RequestKey(principal.tenant, hashlib.sha256(scope).hexdigest(), body)


def _reused() -> RequestIdReused:
    return RequestIdReused("request_id: was used before, for a request with another body; use a new one for each request")


def _in_progress(why: str) -> RequestInProgress:
    return RequestInProgress(
        f"the request with this request_id is under way, and {why}; try again with the same id", retry_after_s=_AGAIN_S
    )
