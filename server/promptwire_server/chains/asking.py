"""Asking: one step's way to the models, with its answer told to whoever watches while it arrives."""

from dataclasses import dataclass

from promptwire import v1 as pb
from promptwire_server.chains.events import Events, Place
from promptwire_server.chains.limit import TimeLimit
from promptwire_server.core.call import Call, Principal
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


@dataclass(slots=True)
class Asker:
    """What all questions of a run have in common."""

    handler: Handler
    clock: Clock
    context: Context
    base: pb.ChatRequest  # merged into every question
    events: Events
    run_id: str


class Asking:
    """The questions of one visit to a step."""

    def __init__(self, asker: Asker, place: Place, limit: TimeLimit, deadline_s: float) -> None:
        self._asker = asker
        self._place = place
        self._limit = limit
        self._deadline_s = deadline_s
        self.responses: list[pb.ChatResponse] = []  # whole answers, in the order in which they came; of failed attempts too
        self.notices: list[pb.Notice] = []
        self.delivered = False  # parts of the attempt under way were told

    async def ask(self, request: pb.ChatRequest) -> pb.ChatResponse:
        """The whole answer. Raises what the handler raises, and TimeoutError when the time is up; `request` is the step's own."""
        asker = self._asker
        request.MergeFrom(asker.base)
        self.delivered = False
        with self._limit:
            reply = await asker.handler(self._call(request))
        async with reply:
            await asker.events.release()
            if asker.events.parts:
                await self._relay(reply)
            with self._limit:
                response = await reply.read()
        self.responses.append(response)
        await self._notices(response)
        return response

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
        elif event.attempt_failed.discard_partial_output:
            self.delivered = False
        return retold

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
