"""Embed: the way of a request for vectors: admitted, sent to the targets of its model in turn, counted like every other question."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from promptwire import v1 as pb
from promptwire_server.core.call import Target
from promptwire_server.core.clock import Clock
from promptwire_server.core.embedding import EmbedCall
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.price import add_price
from promptwire_server.core.reply import Ending
from promptwire_server.layers import names
from promptwire_server.layers.admission.admission import Admission
from promptwire_server.layers.admission.lease import Lease
from promptwire_server.layers.book import Book
from promptwire_server.layers.price import price_attempts
from promptwire_server.layers.route import Routes
from promptwire_server.layers.tally import Ended, Tally


class Source(Protocol):
    """A provider, as far as vectors go."""

    async def embed(self, call: EmbedCall) -> pb.EmbedResponse:
        """The vectors of `call.model`."""
        ...


class Embedder:
    """The EmbedHandler of the gateway."""

    def __init__(
        self, routes: Routes, sources: Mapping[str, Source], *, admission: Admission, tally: Tally, book: Book, clock: Clock
    ) -> None:
        self._routes = routes
        self._sources = sources
        self._admission = admission
        self._tally = tally
        self._book = book
        self._clock = clock

    async def __call__(self, call: EmbedCall) -> pb.EmbedResponse:
        """The vectors of the first target that answers. Raises what the last one raised."""
        lease = await self._admission.enter(call.call)
        try:
            response = await self._routed(call)
        except BaseException as error:
            failed = error if isinstance(error, Exception) else None
            self._end(lease, call, Ending(None, failed, delivered=False, partial=_summary(call, None)))
            raise
        lease.answered()
        self._end(lease, call, Ending(_summary(call, response), None, delivered=True))
        response.request_id, response.trace_id = call.call.request_id, call.call.trace_id
        response.attempts.extend(call.call.trail.attempts)
        response.notices.extend(call.call.trail.notices)
        return response

    def _end(self, lease: Lease, call: EmbedCall, ending: Ending) -> None:
        lease.release()
        self._tally.add(Ended(call.call, ending, 0.0, self._clock.monotonic(), names.EMBED_FINISHED))

    async def _routed(self, call: EmbedCall) -> pb.EmbedResponse:
        first, *others = self._routes.resolve(call.request.model)
        target = first
        for following in others:
            try:
                return await self._priced(call, target)
            except PromptwireError as error:
                if not error.elsewhere:
                    raise
            call.call.notice(pb.Notice.CODE_FALLBACK_USED, f"{target} failed; {following} was asked instead")
            target = following
        return await self._priced(call, target)

    async def _priced(self, call: EmbedCall, target: Target) -> pb.EmbedResponse:
        facts = self._book.at_hand(target) or await self._book.facts(target)
        attempts, spent = call.call.trail.attempts, call.usage.input_tokens
        made = len(attempts)
        try:
            response = await self._sources[target.provider].embed(call.aimed_at(target))
            _bill(attempts[made:], call.usage.input_tokens - spent, response)
        finally:
            if facts.price is not None:
                price_attempts(attempts[made:], target.provider, facts.price)
        if facts.price is not None and not response.cost.HasField("total_nano_usd"):
            add_price(response.cost, response.usage, facts.price)
        return response


def _bill(attempts: Sequence[pb.Attempt], input_tokens: int, response: pb.EmbedResponse) -> None:
    """Say of the attempt that answered what it spent."""
    for attempt in attempts:
        if not attempt.HasField("failure"):
            attempt.usage.input_tokens, attempt.usage.estimated = input_tokens, response.usage.estimated


def _summary(call: EmbedCall, response: pb.EmbedResponse | None) -> pb.ChatResponse | None:
    """What was spent, in the shape that calls are counted in; None when nothing was."""
    if response is None:
        return pb.ChatResponse(usage=call.usage) if call.usage.input_tokens else None
    summary = pb.ChatResponse(provider=response.provider, model=response.model, usage=response.usage, served_from=pb.SERVED_FROM_PROVIDER)
    if response.HasField("cost"):
        summary.cost.CopyFrom(response.cost)
    return summary
