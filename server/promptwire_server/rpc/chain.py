"""ChainService: chains of prompts."""

from collections.abc import Sequence

from promptwire import v1 as pb
from promptwire_server.chains.asking import Context
from promptwire_server.chains.check import check, validate
from promptwire_server.chains.events import Watcher
from promptwire_server.chains.plans import Plans
from promptwire_server.chains.run import Engine
from promptwire_server.core.errors import Disabled
from promptwire_server.rpc.events import EventWriter, Load, joined
from promptwire_server.rpc.exchange import Exchange


class ChainService:
    """promptwire.v1.ChainService."""

    def __init__(self, engine: Engine, plans: Plans, load: Load) -> None:
        self._engine = engine
        self._plans = plans
        self._load = load

    async def RunChain(self, request: pb.RunChainRequest, exchange: Exchange) -> pb.RunChainResponse:  # noqa: N802 - the contract's name
        """What the chain gave, when it has ended."""
        context = _context(request, exchange)
        return await self._engine.run(check(request, self._plans), context).finish()

    async def StreamChain(self, request: pb.StreamChainRequest, exchange: Exchange) -> None:  # noqa: N802 - the contract's name
        """What happens while the chain runs."""
        if request.on_disconnect > pb.StreamChainRequest.ON_DISCONNECT_CANCEL:
            raise Disabled("this server keeps no runs yet: on_disconnect can only be ON_DISCONNECT_CANCEL")
        context = _context(request.run, exchange)
        job = check(request.run, self._plans, "run")
        writer = ChainWriter(exchange, request.heartbeat_interval.ToNanoseconds() / 1e9)
        watcher = Watcher(writer.send, parts=not request.omit_parts, join=self._joined)
        self._load.streams += 1
        try:
            await self._engine.run(job, context, watcher).finish()
        finally:
            self._load.streams -= 1
            writer.close()

    async def ValidateChain(self, request: pb.ValidateChainRequest, exchange: Exchange) -> pb.ValidateChainResponse:  # noqa: N802 - the contract's name
        """Every fault of a chain, or its plan."""
        _context(request.run, exchange)
        return validate(request.run, self._plans)

    def _joined(self, batch: Sequence[pb.StreamChatResponse]) -> Sequence[pb.StreamChatResponse]:
        """Deltas that came together go out together while many streams are open."""
        return list(joined(batch)) if self._load.window_s() else batch


class ChainWriter:
    """Sends the events of one run, which numbers them itself."""

    def __init__(self, exchange: Exchange, heartbeat_s: float) -> None:
        self._last = pb.RunEvent()
        self._out = EventWriter(exchange, self._heartbeat, heartbeat_s)
        self.close = self._out.close

    async def send(self, event: pb.RunEvent) -> None:
        """Send one event."""
        self._last = event
        await self._out.send(pb.StreamChainResponse(event=event))

    def _heartbeat(self) -> pb.StreamChainResponse:
        beat = pb.RunEvent(run_id=self._last.run_id, sequence=self._last.sequence, heartbeat=pb.Heartbeat())
        return pb.StreamChainResponse(event=beat)


def _context(request: pb.RunChainRequest, exchange: Exchange) -> Context:
    """Who asks. Raises CredentialInvalid, before anything about the chain is said."""
    principal = exchange.principal
    if request.request_id and len(request.request_id) <= _MAX_REQUEST_ID_CHARACTERS:
        exchange.rename(request.request_id)
    return Context(principal, exchange.request_id, exchange.trace_id, exchange.deadline_s, exchange.arrival_s, exchange.trail)


_MAX_REQUEST_ID_CHARACTERS = 64  # a longer one is refused by the check
