"""Admit: how many questions are worked on at once. More are shed at once, since waiting callers would only grow the pile."""

from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import DeadlineExceeded, Draining, Overloaded
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Ending, Reply

# Long enough for a burst to pass, short enough for a person to wait; clients add jitter of their own.
_RETRY_AFTER_S = 1.0


class Gate:
    """Who may come in. Belongs to one event loop, on which checking and counting are one step."""

    def __init__(self, max_concurrent_calls: int) -> None:
        self._limit = max_concurrent_calls
        self.inside = 0
        self.draining = False

    def drain(self) -> None:
        """Let nobody in any more, except the further steps of runs that are under way."""
        self.draining = True

    def enter(self, call: Call, now_s: float) -> None:
        """Let a call in; `leave` must follow. Raises Draining, Overloaded, DeadlineExceeded."""
        if self.draining and not call.run_id:
            raise Draining("this server is going away; try again, another will answer", retry_after_s=0.0)
        if now_s >= call.deadline_s:
            raise DeadlineExceeded.during("queue", "the deadline had passed before work on the call began; allow more time")
        if self.inside >= self._limit:
            raise Overloaded(f"the server works on {self._limit} calls already; try again in a moment", retry_after_s=_RETRY_AFTER_S)
        self.inside += 1

    def leave(self) -> None:
        """A call has ended."""
        self.inside -= 1


class Admit:
    """Lets calls through its gate, and out when their Reply has ended."""

    def __init__(self, inner: Handler, *, gate: Gate, clock: Clock) -> None:
        self._inner = inner
        self._gate = gate
        self._clock = clock

    async def __call__(self, call: Call) -> Reply:
        """The inner answer. Raises Draining, Overloaded or DeadlineExceeded before anything else happens."""
        self._gate.enter(call, self._clock.monotonic())
        try:
            reply = await self._inner(call)
        except BaseException:
            self._gate.leave()
            raise
        reply.on_done(self._leave)
        return reply

    def _leave(self, _: Ending) -> None:
        self._gate.leave()
