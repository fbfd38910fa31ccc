"""EmbeddingService: texts to vectors."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.embedding import check_embed, in_common
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.core.handler import Handler
from promptwire_server.rpc.exchange import Exchange


class EmbeddingService:
    """promptwire.v1.EmbeddingService."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def Embed(self, request: pb.EmbedRequest, exchange: Exchange) -> pb.EmbedResponse:  # noqa: N802 - the contract's name
        """One vector a text."""
        async with await self._handler(_embed_call(request, exchange)) as reply:
            return _told(reply.vectors or pb.EmbedResponse(), await reply.read())


def _embed_call(request: pb.EmbedRequest, exchange: Exchange) -> Call:
    principal = exchange.principal
    violations = check_embed(request)
    if violations:
        raise InvalidRequest.of(*violations)
    if request.request_id:
        exchange.rename(request.request_id)
    return Call(
        request=in_common(request),
        principal=principal,
        request_id=exchange.request_id,
        trace_id=exchange.trace_id,
        deadline_s=exchange.deadline_s,
        arrival_s=exchange.arrival_s,
        trail=exchange.trail,
        embed=request,
    )


def _told(vectors: pb.EmbedResponse, answer: pb.ChatResponse) -> pb.EmbedResponse:
    """The vectors with what was filled in on their way."""
    vectors.request_id, vectors.trace_id = answer.request_id, answer.trace_id
    vectors.attempts.extend(answer.attempts)
    vectors.notices.extend(answer.notices)
    if answer.HasField("cost"):
        vectors.cost.CopyFrom(answer.cost)
    return vectors
