"""Question: one that is being asked, for whoever asks it now."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Protocol

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Trail
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.flight import Flight, Seat
from promptwire_server.core.reply import Batch, Ending, Event, Reply
from promptwire_server.layers.dedup.bill import part, shared, split

_EVENT_BYTES = 200  # what an event takes in memory besides what it says; measured
# Failures that are one caller's own: what it may spend, how long it waits. For whoever asks the same they mean nothing.
_OWN = frozenset(
    {
        pb.ERROR_REASON_DEADLINE,
        pb.ERROR_REASON_CANCELLED,
        pb.ERROR_REASON_BUDGET_EXHAUSTED,
        pb.ERROR_REASON_PRICE_UNKNOWN,
        pb.ERROR_REASON_RATE_LIMITED,
        pb.ERROR_REASON_POLICY_DENIED,
    }
)
_MOST_ROUNDS = 2  # for a broken stream of others, as for a provider that breaks


class Told(Protocol):
    """Hears of an answer what its callers hear."""

    def events(self, batch: Batch) -> None:
        """Some more of a stream."""
        ...

    def whole(self, response: pb.ChatResponse) -> None:
        """The answer, at once."""
        ...


class Question:
    """One question under way. Whoever came first of those that are still there pays for it, and leads."""

    def __init__(self, key: str, call: Call, *, room_bytes: int, closed: Callable[[], None], until_s: float, share: bool) -> None:
        """`until_s`: when it ends at the latest, on the monotonic clock; `share`: all pay the same."""
        self.key = key
        # Every caller has a deadline of its own, which ends its own wait. That of the first says how soon others are to be tried.
        self.call = replace(call, deadline_s=until_s, first_by_s=call.deadline_s, trail=Trail(attempts=list(call.trail.attempts)))
        self.flight: Flight[Batch] = Flight(room_bytes, closed, self._abandoned)
        self.runs = {call.run_id}  # whose steps wait for it
        self.opener: Passenger | None = None
        self.last: Passenger | None = None  # that has left
        self.payer: Passenger | None = None
        self.foreign = False  # another node asks, and pays
        self.response: pb.ChatResponse | None = None  # the whole, when it is over
        self.keep_on: Callable[[], bool] | None = None  # whether somebody else still waits for it, when nobody here does
        self._share = share
        self._shares: dict[Passenger, int] = {}
        self._told = len(call.trail.attempts)  # of the trail: from before
        self._concluded = False

    async def take(self, reply: Reply, told: Told | None = None) -> None:
        """Pass the answer on to whoever waits, and to `told`. Raises what the reply raises."""
        reply.on_done(self._done)
        async with reply:
            if not self.call.stream or not reply.flowing:
                response = await reply.read()
                if told is not None:
                    told.whole(response)
                self._conclude(response)
                return
            async for batch in reply.batches():
                if batch and batch[-1].HasField("finished"):
                    self._conclude(batch[-1].finished.response)
                if told is not None:
                    told.events(batch)
                await self.flight.add(batch, sum([event.ByteSize() for event in batch]) + _EVENT_BYTES * len(batch))

    def conclude(self) -> None:
        """It is over, however: what happened on the way becomes part of the callers' own trails. Harmless when repeated."""
        self._conclude(None)

    def share_of(self, passenger: "Passenger") -> int:
        """What a caller pays, in nano-USD."""
        return self._shares.get(passenger, 0)

    @property
    def divided(self) -> bool:
        """Several pay."""
        return len(self._shares) > 1

    def _done(self, ending: Ending) -> None:
        self.response = ending.response

    def _abandoned(self) -> None:
        if self.keep_on is None or not self.keep_on():
            self.flight.cancel()

    def _conclude(self, response: pb.ChatResponse | None) -> None:
        if self._concluded:
            return
        self._concluded = True
        self.flight.close()
        passengers = [seat for seat in self.flight.seats if isinstance(seat, Passenger)]
        if passengers and not self.foreign:
            self.payer = passengers[0]
        payer = self.payer or self.last
        if payer is not None:
            payer.call.trail.attempts.extend(self.call.trail.attempts[self._told :])
            payer.call.trail.upstream_s += self.call.trail.upstream_s
        for passenger in passengers or ([payer] if payer else []):
            passenger.call.trail.notices.extend(self.call.trail.notices)
            passenger.call.trail.variant = self.call.trail.variant
        if self._share and response is not None and response.cost.HasField("total_nano_usd") and passengers and not self.foreign:
            self._shares = dict(zip(passengers, split(response.cost.total_nano_usd, len(passengers)), strict=True))


class Passenger(Seat[Batch]):
    """One caller of a question."""

    __slots__ = ("_question", "call")

    def __init__(self, question: Question, call: Call) -> None:
        super().__init__(question.flight, reads=call.stream)
        self._question = question
        self.call = call
        question.runs.add(call.run_id)

    async def reply(self, remaining_s: float) -> Reply:
        """The answer, once it has begun; for who reads it whole, once it is complete. Raises what asking raised, DeadlineExceeded.

        When it raises, and when it is cancelled, the seat has been left.
        """
        self.until(remaining_s)
        question, flows = self._question, False
        try:
            if self.call.stream:
                await self.begun()
                flows = question.flight.at(self.position) is not None
            if flows:
                return Reply(self._batches(), release=self.leave)
            await self.over()
        finally:
            if not flows:
                self.leave()
        assert question.response is not None  # noqa: S101 - what ended without an error has an answer
        return Reply.whole(self._own_response(question.response))

    def goes_round(self, error: PromptwireError, rounds: int) -> bool:
        """Whether to ask again, since the failure is another's: nothing has been delivered to this caller yet."""
        if self.late:
            return False
        if error.reason in _OWN:
            return self._question.foreign or self is not self._question.opener
        return error.reason == pb.ERROR_REASON_STREAM_INTERRUPTED and rounds < _MOST_ROUNDS

    def leave(self) -> None:
        """See Seat."""
        self._question.last = self
        super().leave()

    async def _batches(self) -> AsyncIterator[Batch]:
        try:
            while (batch := await self.next()) is not None:
                yield [self._own(event) for event in batch]
        except PromptwireError:
            self._remember()
            raise

    def _own(self, event: Event) -> Event:
        """A copy: numbers and names of this call are written into it."""
        own = Event()
        own.CopyFrom(event)
        if own.HasField("finished"):
            self._bill(own.finished.response)
        return own

    def _own_response(self, response: pb.ChatResponse) -> pb.ChatResponse:
        own = pb.ChatResponse()
        own.CopyFrom(response)
        self._bill(own)
        return own

    def _bill(self, response: pb.ChatResponse) -> None:
        question = self._question
        if self is not question.payer:
            shared(response, question.share_of(self))
        elif question.divided:
            part(response, question.share_of(self))

    def _remember(self) -> None:
        """Whoever asks again after a break has to know who broke off; others pay for it."""
        call, question = self.call, self._question
        if call.restart and self is not question.payer and question.call.trail.attempts:
            broken = question.call.trail.attempts[-1]
            call.trail.attempts.append(pb.Attempt(provider=broken.provider, model=broken.model, failure=broken.failure))
