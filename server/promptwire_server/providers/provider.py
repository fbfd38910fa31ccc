"""Provider: what the gateway asks of whatever answers. Its call is a core Handler."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.embedding import EmbedCall, replied
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Reply


class Provider(Protocol):
    """One account at one vendor, or something that answers in its place."""

    name: str  # as in "openai/gpt-4o-mini"

    async def __call__(self, call: Call) -> Reply:
        """Ask `call.target.model`.

        Returns after the head and the first event, so that every failure that can still be undone is raised here and not by the Reply.
        Raises CapabilityMissing before anything is sent when the dialect has no way to say what the request asks for.
        """
        ...

    async def embed(self, call: EmbedCall) -> pb.EmbedResponse:
        """Vectors of `call.model`, one a text, in order, with what the attempt took that brought them.

        Raises like a call; CapabilityMissing where there are no embeddings.
        """
        ...

    async def count_tokens(self, call: Call) -> pb.CountTokensResponse:
        """How long the prompt is, estimated where the vendor has no way to tell."""
        ...

    async def models(self) -> Sequence[pb.Model]:
        """What this account may use, as the vendor tells it. Raises like a call."""
        ...

    async def aclose(self) -> None:
        """Close every connection. Calls under way fail."""
        ...


def answering(provider: Provider) -> Handler:
    """The one Handler that a provider is, whatever kind of answer it is asked for."""

    def handler(call: Call) -> Awaitable[Reply]:
        return provider(call) if call.embed is None else _embedded(provider, EmbedCall(call.embed, call))

    return handler


async def _embedded(provider: Provider, call: EmbedCall) -> Reply:
    return replied(await provider.embed(call))
