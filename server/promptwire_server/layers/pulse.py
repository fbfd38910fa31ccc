"""Pulse: stands before each provider: feeds the vitals of its targets, and lets nobody in while the operator has it out of use."""

import asyncio
from collections.abc import Callable

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import NoHealthyUpstream, PromptwireError, failure_of
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Ending, Reply
from promptwire_server.layers.roster import Post, Roster
from promptwire_server.layers.verdict import Verdict, verdict_of, verdict_on
from promptwire_server.layers.vitals import Vitals


class Pulse:
    """Measures every call to its target, from asking to its end, however it ends."""

    def __init__(self, inner: Handler, *, roster: Roster, clock: Clock) -> None:
        self._inner = inner
        self._roster = roster
        self._now_s = clock.monotonic

    async def __call__(self, call: Call) -> Reply:
        """The inner answer. Raises NoHealthyUpstream when the operator has taken the provider out of use, also while waiting."""
        if call.target is None:
            return await self._inner(call)
        post = self._roster.post(call.target.provider)
        if not post.standing.enabled:
            raise post.refusal()
        visit = _Visit(call, post, self._roster.of(call.target), self._now_s)
        try:
            reply = await self._inner(call)
        except asyncio.CancelledError:
            eviction = visit.cancelled()  # as asyncio.timeout would do it, which takes 3 µs of each call for what is needed once a year
            if eviction is None:
                raise
            raise eviction from None
        except BaseException as error:
            visit.failed(error)
            raise
        if reply.flowing:
            visit.began(reply)
        else:
            visit.answered()
        return reply


class _Visit:
    """One call to a target."""

    __slots__ = ("_begun_s", "_call", "_eviction", "_made", "_now_s", "_post", "_reply", "_task", "_vitals")

    def __init__(self, call: Call, post: Post, vitals: Vitals, now_s: Callable[[], float]) -> None:
        self._call = call
        self._post = post
        self._vitals = vitals
        self._now_s = now_s
        self._made = len(call.trail.attempts)
        self._reply: Reply | None = None
        self._eviction: NoHealthyUpstream | None = None
        self._task = asyncio.current_task()
        self._begun_s = now_s()
        vitals.in_flight += 1
        post.visits.add(self)

    def answered(self) -> None:
        """A whole answer is there: it cannot fail any more, and the target has nothing left to do."""
        now_s = self._now_s()
        took_s, vitals = now_s - self._begun_s, self._vitals
        vitals.in_flight -= 1
        self._post.visits.discard(self)
        if self._call.stream:
            vitals.began(took_s, now_s)
            vitals.ended(took_s, now_s)
        else:
            vitals.answered(took_s, now_s)

    def began(self, reply: Reply) -> None:
        """An answer has begun, and is still to end."""
        if self._call.stream:
            now_s = self._now_s()
            self._vitals.began(now_s - self._begun_s, now_s)
        self._reply = reply
        reply.on_done(self.ended)

    def ended(self, ending: Ending) -> None:
        """It has ended. Runs once."""
        self._settle(verdict_of(ending), ending.error)

    def failed(self, error: BaseException) -> None:
        """There was none."""
        self._settle(verdict_on(error), error)

    def cancelled(self) -> NoHealthyUpstream | None:
        """The task was cancelled while it waited; the error to raise instead when that was done by `evict`, and by nobody else."""
        self._settle(Verdict.NOTHING, None)
        if self._eviction is None or self._task is None or self._task.uncancel() > 0:
            return None
        return self._eviction

    def evict(self, error: NoHealthyUpstream) -> None:
        """See roster.Visit."""
        if self._eviction is not None:
            return
        self._eviction = error
        if self._reply is not None:
            self._reply.cut(error)
        elif self._task is not None:
            self._task.cancel()

    def _settle(self, verdict: Verdict, error: BaseException | None) -> None:
        now_s = self._now_s()
        took_s = now_s - self._begun_s
        vitals = self._vitals
        vitals.in_flight -= 1
        self._post.visits.discard(self)
        if self._eviction is not None:
            self._explain(self._eviction)
        if verdict is Verdict.WELL:
            if self._call.stream:
                vitals.ended(took_s, now_s)
            else:
                vitals.answered(took_s, now_s)
            return
        if self._reply is None:
            vitals.waited(took_s)
        if isinstance(error, PromptwireError) and self._counts(verdict, error):
            vitals.failed(self._attempt(error, took_s), limited=verdict is Verdict.LIMITED)

    def _explain(self, eviction: NoHealthyUpstream) -> None:
        """Say in the trail why the attempt was cut off: the provider thinks that the caller went away."""
        for attempt in self._call.trail.attempts[self._made :]:
            if attempt.provider == self._post.name and attempt.failure.reason == pb.ERROR_REASON_CANCELLED:
                attempt.failure.CopyFrom(failure_of(eviction))

    def _counts(self, verdict: Verdict, error: PromptwireError) -> bool:
        """Whether it is a failure of the target's. A limit that a layer of ours keeps is none: nothing was asked."""
        if verdict in (Verdict.LIMITED, Verdict.ACCOUNT):
            return error.origin.http_status is not None or len(self._call.trail.attempts) > self._made
        return verdict is Verdict.BROKEN

    def _attempt(self, error: PromptwireError, took_s: float) -> pb.Attempt:
        """What the provider wrote into the trail, which says most."""
        for attempt in reversed(self._call.trail.attempts[self._made :]):
            if attempt.provider == self._post.name and attempt.HasField("failure"):
                return attempt
        target = self._call.target
        attempt = pb.Attempt(provider=self._post.name, model=target.model if target else "", failure=failure_of(error))
        attempt.latency.FromNanoseconds(int(took_s * 1e9))
        return attempt
