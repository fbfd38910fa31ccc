"""Share: a target has its share of a call's time to begin its answer, so that a hung one leaves time for the next."""

import asyncio

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import Origin, UpstreamError, UpstreamFailed, failure_of
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Reply
from promptwire_server.layers.router import Usual

_FAIR_S = 2.0  # within which a target should begin to answer of which nothing is known


class Share:
    """Ends an attempt whose time is up. Stands right before the provider: for all else, the attempt has failed."""

    def __init__(self, inner: Handler, *, clock: Clock, usual: Usual | None = None) -> None:
        self._inner = inner
        self._clock = clock
        self._usual = usual

    async def __call__(self, call: Call) -> Reply:
        """The inner answer, begun in time. Raises UpstreamFailed; UpstreamError where the share was too small to blame the target."""
        if not call.first_by_s:
            return await self._inner(call)
        share_s = call.first_by_s - self._clock.monotonic()
        tried = len(call.trail.attempts)
        try:
            async with asyncio.timeout(share_s) as timer:
                return await self._inner(call)
        except TimeoutError:
            if not timer.expired():
                raise
            raise self._late(call, share_s, tried) from None

    def _late(self, call: Call, share_s: float, tried: int) -> UpstreamError:
        """The error; the attempt that was cut off says it too, instead of that the caller went away."""
        provider = call.target.provider if call.target else ""
        kind = UpstreamFailed if share_s >= self._fair_s(call) else UpstreamError
        error = kind(f"{call.target}: no answer within {share_s:.3g} s, its share of the time", origin=Origin(provider))
        for attempt in call.trail.attempts[tried:]:  # of which some may have failed before, of another key or of a target beside this one
            if attempt.provider == provider and attempt.failure.reason == pb.ERROR_REASON_CANCELLED:
                attempt.failure.CopyFrom(failure_of(error))
        return error

    def _fair_s(self, call: Call) -> float:
        """What a target needs at least. Else callers in a hurry would open the breakers of targets that are well, for everybody."""
        usual_s = self._usual.usual_s(call.target, stream=call.stream) if self._usual and call.target else None
        return _FAIR_S if usual_s is None else usual_s
