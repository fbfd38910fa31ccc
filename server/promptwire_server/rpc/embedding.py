"""EmbeddingService: texts to vectors."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.embedding import EmbedCall, EmbedHandler, check_embed
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.rpc.exchange import Exchange


class EmbeddingService:
    """promptwire.v1.EmbeddingService."""

    def __init__(self, handler: EmbedHandler) -> None:
        self._handler = handler

    async def Embed(self, request: pb.EmbedRequest, exchange: Exchange) -> pb.EmbedResponse:  # noqa: N802 - the contract's name
        """One vector a text."""
        return await self._handler(_embed_call(request, exchange))


def _embed_call(request: pb.EmbedRequest, exchange: Exchange) -> EmbedCall:
    principal = exchange.principal
    violations = check_embed(request)
    if violations:
        raise InvalidRequest.of(*violations)
    if request.request_id:
        exchange.rename(request.request_id)
    call = Call(
        request=pb.ChatRequest(model=request.model, labels=request.labels),
        principal=principal,
        request_id=exchange.request_id,
        trace_id=exchange.trace_id,
        deadline_s=exchange.deadline_s,
        arrival_s=exchange.arrival_s,
        trail=exchange.trail,
    )
    return EmbedCall(request, call)
