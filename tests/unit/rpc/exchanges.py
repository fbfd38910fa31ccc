"""An exchange without a socket."""

from dataclasses import dataclass, field

from google.protobuf.message import Message

from promptwire_server.core.call import ANONYMOUS, Principal, Trail


@dataclass
class FakeExchange:
    """Keeps what was sent."""

    metadata: dict[str, str] = field(default_factory=dict)
    principal: Principal = ANONYMOUS
    request_id: str = "req-1"
    trace_id: str = "0" * 31 + "1"
    deadline_s: float = 1e9
    arrival_s: float = 0.0
    trail: Trail = field(default_factory=Trail)
    messages: list[Message] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)

    def rename(self, request_id: str) -> None:
        self.request_id = request_id

    def mark(self, key: str, value: str) -> None:
        self.marks[key] = value

    async def send(self, message: Message) -> None:
        self.messages.append(message)
