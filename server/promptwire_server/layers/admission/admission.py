"""Admission: lets calls in at once, or when it is their turn, or sends them away before they cost anything."""

import asyncio
import math
from collections.abc import Mapping

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Chance, Clock
from promptwire_server.core.errors import DeadlineExceeded, Draining, Overloaded, PromptwireError, QueueTooLong
from promptwire_server.layers.admission.cohort import clean
from promptwire_server.layers.admission.counts import Counts, Shed
from promptwire_server.layers.admission.holding import Holding
from promptwire_server.layers.admission.lease import Lease
from promptwire_server.layers.admission.limit import Limit
from promptwire_server.layers.admission.memory import Meter, ease
from promptwire_server.layers.admission.queue import Queue
from promptwire_server.layers.admission.settings import AdmissionSettings
from promptwire_server.layers.admission.waiter import Waiter

_LOOK_S = 0.25  # memory is looked at no more often
_BURST_S = 1.0  # a queue that was empty within this time, or
_BURST_TIMES = 2.0  # within so many times as long as calls stay, is there for a burst, which it takes up; an older one stands
# In a queue that stands nobody waits longer than this part of what calls take: it would only make all answers late, and hold on when the
# overload is over (CoDel, Nichols and Jacobson 2012). Half of it is enough to leave no slot empty.
_STANDING = 0.5
_LEAST_STANDING_S = 0.1
_AGAIN_S = 1.0  # where nobody can say when to try again
_LONGEST_AGAIN_S = 60.0
_JITTER = (0.5, 1.5)  # so that those sent away together do not come back together


class Admission:
    """Who is worked for. Belongs to one event loop, on which checking and counting are one step."""

    def __init__(self, settings: AdmissionSettings, *, clock: Clock, chance: Chance, meter: Meter | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._meter = meter if settings.memory_limit_bytes else None
        self._look_at_s = 0.0 if self._meter else math.inf
        self._ease = 1.0  # of memory
        self._queue = Queue(settings)
        self._waited_since_s = 0.0  # since when the queue was not empty
        self._limit = Limit(settings)
        self._holding = Holding()
        self._loop: asyncio.AbstractEventLoop | None = None  # that calls come from
        self.room = self._limit.calls
        self.draining = False
        self.counts = Counts()

    @property
    def inside(self) -> int:
        """Calls that are worked on."""
        return self._holding.inside

    def waiting(self, rank: int) -> int:
        """Calls of this rank in the queue."""
        return self._queue.depth(rank)

    def drain(self) -> None:
        """Let nobody in any more, except those who wait already, and the further steps of runs that are under way."""
        self.draining = True

    def reweigh(self, weights: Mapping[str, float]) -> None:
        """Shares of tenants are these from now on; of those that wait, when nobody of them waits any more."""
        self._queue.reweigh(weights)

    async def enter(self, call: Call) -> Lease:
        """A lease, which the caller must end. Raises Draining, Overloaded, QueueTooLong, DeadlineExceeded.

        Cancelled while it waits, the call leaves the queue, or gives back what it was given in the same moment.
        """
        now_s = self._clock.monotonic()
        if self.draining and not call.run_id:
            raise Draining("this server is going away; try again, another will answer", retry_after_s=0.0)
        if now_s >= call.deadline_s:
            raise DeadlineExceeded.during("queue", "the deadline had passed before work on the call began; allow more time")
        if now_s >= self._look_at_s:
            self._look(now_s)
        rank = _rank(call)
        if self._holding.inside < self.room and not self._queue.calls:
            return self._lease(call, rank, now_s)
        return await self._in_turn(call, rank, now_s)

    def answered(self, lease: Lease) -> None:
        """See Lease."""
        now_s, limit, call = self._clock.monotonic(), self._limit, lease.call
        if limit.listening and clean(call.trail.attempts):
            limit.heard((call.request.model, call.stream), now_s)
        if limit.answered(lease.mark, now_s - lease.since_s, now_s, self._holding.inside):
            self._resize(now_s)

    def returned(self, lease: Lease) -> None:
        """See Lease."""
        now_s = self._clock.monotonic()
        stayed_s = self._holding.ended(lease.since_s, now_s)
        if lease.share is not None:
            lease.share.charge(stayed_s - lease.charged_s)
        if lease.mark is not None and lease.mark.open and self._limit.gone(lease.mark, now_s):
            self._resize(now_s)
        elif self._queue.calls:
            if now_s >= self._look_at_s:
                self._look(now_s)
            self._serve(now_s)

    def forgotten(self, lease: Lease) -> None:
        """See Lease. The collector may find it on any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._reclaim, lease)

    def _reclaim(self, lease: Lease) -> None:
        self.counts.reclaimed += 1
        lease.release()

    def _lease(self, call: Call, rank: int, now_s: float) -> Lease:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        holding, limit = self._holding, self._limit
        holding.began(now_s)
        self.counts.admitted[rank] += 1
        lease = Lease(self, call, rank, now_s)
        if now_s >= limit.watch_from_s:
            lease.mark = limit.watch((call.request.model, call.stream), now_s, holding.inside, call.trail.attempts)
        return lease

    async def _in_turn(self, call: Call, rank: int, now_s: float) -> Lease:
        self._check(call, rank, now_s)
        loop = asyncio.get_running_loop()
        waiter = Waiter(call, rank, now_s, loop.create_future())
        if not self._queue.calls:
            self._waited_since_s = now_s
        self._queue.push(waiter)
        timer = loop.call_later(min(call.deadline_s - now_s, self._settings.max_wait_s), self._expire, waiter)
        came = False
        try:
            lease = await waiter.turn
            came = True
        finally:
            timer.cancel()
            if not came:
                self._depart(waiter)
        return lease

    def _check(self, call: Call, rank: int, now_s: float) -> None:
        """Whether the call may wait. Raises Overloaded, QueueTooLong."""
        stay_s = self._holding.usual_s(now_s)
        over = max(0, self._holding.inside - self.room)  # the room was made smaller: so many leave before anybody comes in
        wait_s = (self._queue.turns(rank, call.principal.tenant) + over) * stay_s / self.room
        answer_s = self._limit.usual_s((call.request.model, call.stream))
        if self._ease <= 0:
            raise self._shed(rank, Shed.MEMORY, self._overloaded("its memory is full", max(wait_s, _AGAIN_S)))
        if now_s + wait_s + answer_s > call.deadline_s:
            message = f"it would wait about {wait_s:.1f} s for its turn, too long for its deadline; allow more time, or try again later"
            raise self._shed(rank, Shed.DEADLINE, QueueTooLong(message, retry_after_s=self._again_s(wait_s)))
        if wait_s > self._settings.max_wait_s:
            raise self._shed(rank, Shed.WAIT, self._overloaded(f"a call would wait about {wait_s:.1f} s", wait_s))
        if self._queue.full(rank):
            self._make_room(call, rank, Shed.QUEUE, wait_s)
        elif wait_s > self._longest_wait_s(rank, stay_s, now_s):
            self._make_room(call, rank, Shed.WAIT, wait_s)

    def _longest_wait_s(self, rank: int, stay_s: float, now_s: float) -> float:
        """The most urgent are promised to be shed last: what stands before them are others, who give way."""
        if not rank or not self._queue.calls or now_s - self._waited_since_s <= max(_BURST_S, _BURST_TIMES * stay_s):
            return math.inf
        return max(_LEAST_STANDING_S, _STANDING * stay_s)

    def _make_room(self, call: Call, rank: int, why: Shed, wait_s: float) -> None:
        """Whose tenant has more calls in the queue gives way: it is they who make it long."""
        other = self._queue.yielding(rank, call.principal.tenant)
        error = self._shed(rank, why, self._overloaded("too many calls wait", wait_s))
        if other is None:
            raise error
        self._queue.remove(other)
        other.refuse(error)

    def _expire(self, waiter: Waiter) -> None:
        """Its time in the queue is over."""
        if not waiter.queued:
            return
        self._queue.remove(waiter)
        most_s = self._settings.max_wait_s
        if waiter.call.deadline_s - waiter.since_s <= most_s:
            waiter.refuse(self._shed(waiter.rank, Shed.DEADLINE, DeadlineExceeded.during("queue")))
        else:
            waiter.refuse(self._shed(waiter.rank, Shed.WAIT, self._overloaded(f"its turn did not come within {most_s:g} s", _AGAIN_S)))

    def _depart(self, waiter: Waiter) -> None:
        """The caller left, or was refused. What was granted in the same moment goes to somebody else."""
        if waiter.queued:
            self._queue.remove(waiter)
        elif (lease := waiter.granted()) is not None:
            lease.release()

    def _serve(self, now_s: float) -> None:
        """Let in as many of those who wait as there is room for."""
        while self._queue.calls and self._holding.inside < self.room:
            cost_s = self._holding.usual_s(now_s)
            waiter, share = self._queue.pop(cost_s)
            if waiter.turn.done():  # it left a moment ago
                share.charge(-cost_s)
                continue
            lease = self._lease(waiter.call, waiter.rank, now_s)
            lease.share, lease.charged_s = share, cost_s
            self.counts.waits[waiter.rank].add(now_s - waiter.since_s)
            waiter.turn.set_result(lease)

    def _look(self, now_s: float) -> None:
        """See how much memory there is."""
        self._look_at_s = now_s + _LOOK_S
        if self._meter is not None:
            self._ease = ease(self._meter(), self._settings.memory_limit_bytes)
            self._resize(now_s)

    def _resize(self, now_s: float) -> None:
        """Under pressure of memory between limit and floor: what was let in is to end, and give its memory back."""
        limit = self._limit
        self.room = limit.calls if self._ease >= 1 else limit.floor + int((limit.calls - limit.floor) * self._ease)
        if self._queue.calls:
            self._serve(now_s)

    def _shed(self, rank: int, why: Shed, error: PromptwireError) -> PromptwireError:
        self.counts.shed(rank, why)
        return error

    def _overloaded(self, why: str, wait_s: float) -> Overloaded:
        again_s = self._again_s(wait_s)
        return Overloaded(f"the server is full, and {why}; try again in {again_s:.1f} s", retry_after_s=again_s)

    def _again_s(self, wait_s: float) -> float:
        return min(_LONGEST_AGAIN_S, max(_LEAST_STANDING_S, wait_s)) * self._chance.uniform(*_JITTER)


def _rank(call: Call) -> int:
    """The call's place in RANKS. A priority that the principal may not have becomes the most urgent that it may, with a notice."""
    asked, principal = call.request.priority, call.principal
    if (asked or pb.PRIORITY_NORMAL) >= principal.max_priority or principal.operator:
        return (asked or pb.PRIORITY_NORMAL) - 1
    if asked:
        names = pb.Priority.Name(asked), pb.Priority.Name(principal.max_priority)
        call.notice(pb.Notice.CODE_SETTING_DROPPED, f"{names[0]} needs permission; the call was served with {names[1]}", "priority")
    return principal.max_priority - 1
