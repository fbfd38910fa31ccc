"""Work: one request while it is answered, for its first caller and for those who repeat it meanwhile."""

from collections.abc import Callable, Mapping

from google.protobuf.message import Message

from promptwire_server.core.call import Principal, Trail
from promptwire_server.core.flight import Flight
from promptwire_server.core.repeat import RequestKey
from promptwire_server.rpc.exchange import Exchange
from promptwire_server.rpc.repeatable import is_heartbeat, is_last

_MESSAGE_BYTES = 200  # what a message takes in memory besides what it says


class Work:
    """What is given so far, and what is to be kept of it. The last message waits until the answer is kept."""

    def __init__(self, key: RequestKey, request: Message, exchange: Exchange, room_bytes: int, abandoned: Callable[["Work"], None]) -> None:
        self.key = key
        self.request = request
        self.aside = Aside(exchange, self)
        self.flight: Flight[Message] = Flight(room_bytes, lambda: None, lambda: abandoned(self))
        self.given: list[bytes] = []  # as it is kept
        self.whole: bytes = b""  # where the answer is one message
        self.replayed = False  # it had been answered before
        self._last: Message | None = None

    async def send(self, message: Message) -> None:
        """Pass a message of a stream on."""
        if not is_heartbeat(message):
            self.given.append(message.SerializeToString())
        if is_last(message):
            self._last = message
        else:
            await self._add(message)

    async def finish(self) -> None:
        """The answer is kept: give its last message too."""
        last, self._last = self._last, None
        if last is not None:
            await self._add(last)

    async def replay(self, kind: type[Message] | None, messages: list[bytes]) -> None:
        """Give what was given before."""
        self.replayed = True
        if kind is None:
            self.whole = messages[0]
            return
        for message in messages:
            await self._add(kind.FromString(message))

    async def _add(self, message: Message) -> None:
        await self.flight.add(message, message.ByteSize() + _MESSAGE_BYTES)


class Aside:
    """The exchange of the work itself, which goes on when the caller whose it was has left: what that one sent along, and no way to it."""

    def __init__(self, exchange: Exchange, work: Work) -> None:
        self.principal: Principal = exchange.principal
        self.request_id = exchange.request_id
        self.trace_id = exchange.trace_id
        self.deadline_s = exchange.deadline_s
        self.arrival_s = exchange.arrival_s
        self.trail: Trail = exchange.trail  # so that errors of the first caller tell what was tried
        self._exchange = exchange
        self._work = work

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the first caller sent along."""
        return self._exchange.metadata

    def rename(self, request_id: str) -> None:
        """Go by the client's own request id."""
        self.request_id = request_id

    def mark(self, key: str, value: str) -> None:
        """Nobody hears it."""

    async def send(self, message: Message) -> None:
        """Give one message of the stream."""
        await self._work.send(message)
