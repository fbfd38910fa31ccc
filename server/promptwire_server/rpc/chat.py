"""ChatService: one question to a model."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Reply
from promptwire_server.rpc.events import EventWriter, Load, joined
from promptwire_server.rpc.exchange import Exchange
from promptwire_server.rpc.intake import chat_call

CountTokens = Callable[[Call], Awaitable[pb.CountTokensResponse]]


class ChatService:
    """promptwire.v1.ChatService."""

    def __init__(self, handler: Handler, count_tokens: CountTokens, load: Load, clock: Clock) -> None:
        self._handler = handler
        self._count_tokens = count_tokens
        self._load = load
        self._clock = clock

    async def Chat(self, request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:  # noqa: N802 - the contract's name
        """One whole answer."""
        call = chat_call(request, exchange, stream=False)
        async with await self._handler(call) as reply:
            return await reply.read()

    async def StreamChat(self, request: pb.StreamChatRequest, exchange: Exchange) -> None:  # noqa: N802 - the contract's name
        """An answer while it arrives."""
        if request.restart_policy not in pb.StreamChatRequest.RestartPolicy.values():
            raise InvalidRequest.at("restart_policy", f"{request.restart_policy} is no policy that this server knows")
        call = chat_call(request.chat, exchange, stream=True, path="chat", join=self._load.window_s() > 0)
        call.restart = request.restart_policy
        async with await self._handler(call) as reply:
            await self._relay(reply, ChatWriter(exchange, request.heartbeat_interval.ToNanoseconds() / 1e9))

    async def CountTokens(self, request: pb.CountTokensRequest, exchange: Exchange) -> pb.CountTokensResponse:  # noqa: N802 - the contract's name
        """Tokens of a question."""
        return await self._count_tokens(chat_call(request.chat, exchange, stream=False, path="chat"))

    async def _relay(self, reply: Reply, writer: "ChatWriter") -> None:
        """Write batch by batch. Under load, wait a little before the next read: what arrives meanwhile becomes one message."""
        self._load.streams += 1
        try:
            async for batch in reply.batches():
                window_s = self._load.window_s()
                began_s = self._clock.monotonic()
                await writer.write(joined(batch) if window_s else batch)
                if window_s:
                    await asyncio.sleep(began_s + window_s - self._clock.monotonic())
        finally:
            self._load.streams -= 1
            writer.close()


class ChatWriter:
    """Numbers the events of one stream and sends them."""

    def __init__(self, exchange: Exchange, heartbeat_s: float) -> None:
        self._sequence = 0
        out = EventWriter(exchange, self._heartbeat, heartbeat_s)
        self._send = exchange.send if heartbeat_s <= 0 else out.send  # a step less for every token
        self.close = out.close

    async def write(self, batch: Iterable[pb.StreamChatResponse]) -> None:
        """Send the events of a batch, in order."""
        for event in batch:
            self._sequence += 1
            event.sequence = self._sequence
            await self._send(event)

    def _heartbeat(self) -> pb.StreamChatResponse:
        return pb.StreamChatResponse(sequence=self._sequence, heartbeat=pb.Heartbeat())
