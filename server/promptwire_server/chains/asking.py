"""Asking: one step's way to the models, with its answer told to whoever watches while it arrives."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from promptwire import v1 as pb
from promptwire_server.chains.events import Events, Place
from promptwire_server.chains.limit import TimeLimit
from promptwire_server.core.answer import failures
from promptwire_server.core.call import Call, Principal, Trail
from promptwire_server.core.clock import Clock
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Batch, Event, Reply

_TOLD = frozenset({"part_started", "part_delta", "part_finished", "attempt_failed", "notice"})
_PARTS = frozenset({"part_started", "part_delta", "part_finished"})


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks for a run, and until when."""

    principal: Principal
    request_id: str
    trace_id: str
    deadline_s: float  # on the monotonic clock
    arrival_s: float  # on the monotonic clock
    trail: Trail = field(default_factory=Trail)  # of the step under way: the error that ends the run tells what was tried for it


@dataclass(slots=True)
class Asker:
    """What all questions of a run have in common."""

    handler: Handler
    clock: Clock
    context: Context
    base: pb.ChatRequest  # merged into every question
    events: Events
    run_id: str
    chain: str = ""  # by name
    limit_nano_usd: int | None = None  # of all questions together
    fund: str = ""  # the hold that they are paid from
    spent_nano_usd: int = 0  # of the limit, attempts that failed included

    @property
    def left_nano_usd(self) -> int | None:
        """What the questions to come may cost; None: anything."""
        return None if self.limit_nano_usd is None else max(0, self.limit_nano_usd - self.spent_nano_usd)


class Asking:
    """The questions of one visit to a step."""

    def __init__(self, asker: Asker, place: Place, limit: TimeLimit, deadline_s: float) -> None:
        self._asker = asker
        self._place = place
        self._limit = limit
        self._deadline_s = deadline_s
        self.responses: list[pb.ChatResponse] = []  # whole answers, in the order in which they came; of failed attempts too
        self.notices: list[pb.Notice] = []
        self.attempts: list[pb.Attempt] = []  # of all questions
        self.delivered = False  # parts of the attempt under way were told
        self._tried: Sequence[pb.Attempt] = ()  # for the last question
        self._told = 0  # of those, attempts whose failure was told

    async def ask(self, request: pb.ChatRequest) -> pb.ChatResponse:
        """The whole answer. Raises what the handler raises, and TimeoutError when the time is up; `request` is the step's own."""
        request.MergeFrom(self._asker.base)
        left = self._asker.left_nano_usd
        if left is not None:
            request.max_cost_nano_usd = min(left, request.max_cost_nano_usd) if request.HasField("max_cost_nano_usd") else left
        self.delivered, self._told = False, 0
        call = self._call(request)
        self._tried = call.trail.attempts
        try:
            response = await self._answer(call)
        finally:
            self._asker.spent_nano_usd += call.trail.cost_nano_usd
            self.attempts.extend(self._tried)
            self._asker.context.trail.attempts.extend(self._tried)
        self.responses.append(response)
        await self._tell_failures()
        await self._notices(response)
        return response

    def untold(self) -> Sequence[pb.Attempt]:
        """The attempts at the last question that failed and were not told."""
        return [attempt for attempt in self._tried if attempt.HasField("failure")][self._told :]

    async def tell(self, failed: pb.AttemptFailed) -> None:
        """Tell of an attempt that failed."""
        event = self._asker.events.about(self._place)
        event.attempt_failed.CopyFrom(failed)
        self._told += 1
        await self._asker.events.tell(event)

    async def _answer(self, call: Call) -> pb.ChatResponse:
        events = self._asker.events
        with self._limit:
            reply = await self._asker.handler(call)
        async with reply:
            await events.release()
            if events.parts:
                await self._relay(reply)
            with self._limit:
                return await reply.read()

    def _call(self, request: pb.ChatRequest) -> Call:
        asker, context = self._asker, self._asker.context
        return Call(
            request=request,
            principal=context.principal,
            request_id=context.request_id,
            trace_id=context.trace_id,
            deadline_s=self._deadline_s,
            arrival_s=asker.clock.monotonic(),
            stream=asker.events.parts,
            run_id=asker.run_id,
            chain=asker.chain,
            fund=asker.fund,
            step_id=self._place.step_id,
        )

    async def _relay(self, reply: Reply) -> None:
        batches = reply.batches()
        while True:
            with self._limit:
                batch = await anext(batches, None)
            if batch is None:
                return
            await self._tell(batch)

    async def _tell(self, batch: Batch) -> None:
        events = self._asker.events
        for event in batch if events.join is None else events.join(batch):
            kind = event.WhichOneof("event")
            if kind in _TOLD:
                await events.tell(self._retold(kind, event))

    def _retold(self, kind: str, event: Event) -> pb.RunEvent:
        """An event of an answer as an event of the run."""
        retold = self._asker.events.about(self._place)
        getattr(retold, kind).CopyFrom(getattr(event, kind))
        if kind in _PARTS:
            self.delivered = True
        elif kind == "notice":
            self.notices.append(event.notice)
        else:
            self._told += 1
            self.delivered &= not event.attempt_failed.discard_partial_output
        return retold

    async def _tell_failures(self) -> None:
        """Tell the attempts that failed before a whole answer: of a stream, they were told as it began."""
        if self._asker.events.on and len(self._tried) > 1:
            answered = self._tried[-1]
            for failed in failures(self.untold(), answered.provider, answered.model):
                await self.tell(failed)

    async def _notices(self, response: pb.ChatResponse) -> None:
        """Tell the notices that did not come as events."""
        for notice in response.notices:
            if notice in self.notices:
                continue
            self.notices.append(notice)
            if self._asker.events.on:
                event = self._asker.events.about(self._place)
                event.notice.CopyFrom(notice)
                await self._asker.events.tell(event)
