"""Exchange: what a servicer sees of one RPC. No grpc types, so that servicers run without sockets and behind other transports."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from google.protobuf.message import Message

from promptwire_server.core.call import Principal, Trail


class Exchange(Protocol):
    """One RPC while it runs. Cancellation reaches the servicer as asyncio's; a servicer returns, or raises a PromptwireError."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the client sent along: lower-case keys, text values; of a repeated key the last."""
        ...

    @property
    def principal(self) -> Principal:
        """Who asks. Raises CredentialInvalid."""
        ...

    @property
    def request_id(self) -> str:
        """The server's name of this RPC, until the request brings one of its own."""
        ...

    @property
    def trace_id(self) -> str:
        """The caller's W3C trace id, or a new one: 32 hex digits."""
        ...

    @property
    def deadline_s(self) -> float:
        """When the time is up, on the monotonic clock: the client's deadline, or the server's where that is nearer."""
        ...

    @property
    def arrival_s(self) -> float:
        """When the RPC arrived, on the monotonic clock."""
        ...

    @property
    def trail(self) -> Trail:
        """What happens on the way is written here, by the call that is made of this RPC: an error tells what was tried before it."""
        ...

    def rename(self, request_id: str) -> None:
        """Go by the client's own request id from here on, in errors too."""
        ...

    def mark(self, key: str, value: str) -> None:
        """Say this at the end too, as trailing metadata of an answer that was given."""
        ...

    async def send(self, message: Message) -> None:
        """Send one message of a stream. Waits while the reader is slow; raises CallCancelled when it is gone."""
        ...


# One RPC method of a servicer: a unary one returns the response, as a message or as its bytes; a streaming one sends and returns None.
Method = Callable[[Message, Exchange], Awaitable[Message | bytes | None]]
