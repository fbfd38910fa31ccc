"""Waiter: a call that waits for its turn."""

import asyncio
from dataclasses import dataclass

from promptwire_server.core.call import Call
from promptwire_server.core.errors import PromptwireError
from promptwire_server.layers.admission.lease import Lease


@dataclass(slots=True, eq=False)
class Waiter:
    """A call in the queue. Its future gets a lease, or the reason why there is none; it is cancelled when the caller leaves."""

    call: Call
    rank: int
    since_s: float  # on the monotonic clock
    turn: "asyncio.Future[Lease]"
    queued: bool = True

    @property
    def tenant(self) -> str:
        """Whose share it takes from."""
        return self.call.principal.tenant

    def refuse(self, error: PromptwireError) -> None:
        """It is not served. Harmless when the caller left in the same moment."""
        if not self.turn.done():
            self.turn.set_exception(error)

    def granted(self) -> Lease | None:
        """The lease that it was given, if it was."""
        turn = self.turn
        return None if not turn.done() or turn.cancelled() or turn.exception() is not None else turn.result()
