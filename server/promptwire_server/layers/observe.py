"""Observe: the outermost layer. Times every question, fills in what only the outside knows, and hands the ended call to the tally."""

from contextvars import ContextVar

from google.protobuf.duration_pb2 import Duration

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Ending, Reply
from promptwire_server.layers import names
from promptwire_server.layers.tally import Ended, Tally

# The call that the running task works on, so that lines of others (libraries, providers) say which one. Each RPC and step is a task.
CURRENT: ContextVar[Call | None] = ContextVar("promptwire_call", default=None)

_NANO = 1_000_000_000


class Observe:
    """Times, fills in, and has ended calls counted and logged."""

    def __init__(self, inner: Handler, *, tally: Tally, clock: Clock, event: str = names.CHAT_FINISHED) -> None:
        """`event` is the name of the line of each: what kind of question they are."""
        self._inner = inner
        self.event = event
        self.tally = tally
        self.clock = clock

    async def __call__(self, call: Call) -> Reply:
        """The inner answer, watched until its end."""
        observation = _Observation(self, call)
        CURRENT.set(call)
        self.tally.metrics.in_flight += 1
        try:
            reply = await self._inner(call)
        except BaseException as error:
            observation.done(Ending(None, error if isinstance(error, Exception) else None, delivered=False))
            raise
        reply.attend(observation)
        reply.on_done(observation.done)
        return reply


class _Observation:
    """One call under observation: an Observer of its Reply."""

    __slots__ = ("_call", "_first_s", "_layer")

    def __init__(self, layer: Observe, call: Call) -> None:
        self._layer = layer
        self._call = call
        self._first_s = 0.0  # from arrival to the first delta

    def started(self, event: pb.ChatStarted) -> None:
        event.request_id = self._call.request_id
        event.trace_id = self._call.trace_id

    def first_delta(self) -> None:
        if not self._first_s:
            self._first_s = self._layer.clock.monotonic() - self._call.arrival_s

    def complete(self, response: pb.ChatResponse) -> None:
        call = self._call
        trail = call.trail
        response.request_id = call.request_id
        response.trace_id = call.trace_id
        if not response.served_from:
            response.served_from = pb.SERVED_FROM_PROVIDER
        if trail.attempts:
            if response.attempts:
                del response.attempts[:]
            response.attempts.extend(trail.attempts)
            _bill(response)
        if trail.variant:
            response.variant = trail.variant
        if trail.notices:
            response.notices.extend(trail.notices)
        timing = response.timing
        _set(timing.total, self._layer.clock.monotonic() - call.arrival_s)
        if self._first_s:
            _set(timing.time_to_first_token, self._first_s)
        if trail.upstream_s:
            _set(timing.upstream, trail.upstream_s)

    def done(self, ending: Ending) -> None:
        """Hand the call to the tally. Runs once, however the call ended."""
        layer = self._layer
        layer.tally.metrics.in_flight -= 1
        layer.tally.add(Ended(self._call, ending, self._first_s, layer.clock.monotonic(), layer.event))


def _bill(response: pb.ChatResponse) -> None:
    """Say of the attempt that answered what it spent."""
    answered = response.attempts[-1]
    if not answered.HasField("failure"):
        answered.usage.CopyFrom(response.usage)
        if response.HasField("cost"):
            answered.cost.CopyFrom(response.cost)


def _set(duration: Duration, value_s: float) -> None:
    whole_s = int(value_s)
    if whole_s:
        duration.seconds = whole_s
    duration.nanos = int((value_s - whole_s) * _NANO)
