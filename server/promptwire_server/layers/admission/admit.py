"""Admit: the layer that lets calls in, and out when their Reply has ended."""

from promptwire_server.core.call import Call
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Reply
from promptwire_server.layers.admission.admission import Admission


class Admit:
    """Holds a lease for every call, from before anything happens until its Reply is done."""

    def __init__(self, inner: Handler, *, admission: Admission) -> None:
        self._inner = inner
        self._admission = admission

    async def __call__(self, call: Call) -> Reply:
        """The inner answer. Raises Draining, Overloaded, QueueTooLong or DeadlineExceeded before anything else happens."""
        lease = await self._admission.enter(call)
        try:
            reply = await self._inner(call)
        except BaseException:
            lease.release()
            raise
        if reply.flowing or call.trail.attempts:  # else it comes from a store, and says nothing of an upstream
            lease.answered()
        reply.on_done(lease.done)
        return reply
