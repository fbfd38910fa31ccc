"""Repeatable: the requests that have an id of the client's, and what must be known of their answers."""

from collections.abc import Callable, Mapping
from operator import attrgetter

from google.protobuf.message import Message

from promptwire import v1 as pb

METHODS = {"ChatService": ("Chat", "StreamChat"), "EmbeddingService": ("Embed",), "ChainService": ("RunChain", "StreamChain")}
RUNS = frozenset({"RunChain", "StreamChain"})  # which must not be made twice even where nobody can tell whether they were
MOST_CHARACTERS = 64  # a longer id is refused by whoever checks the request


# The client's id in a request of each method; empty where it gave none.
ID_OF: Mapping[str, Callable[[Message], str]] = {
    "Chat": attrgetter("request_id"),
    "StreamChat": attrgetter("chat.request_id"),
    "Embed": attrgetter("request_id"),
    "RunChain": attrgetter("request_id"),
    "StreamChain": attrgetter("run.request_id"),
}


def answers_with(request: Message) -> type[Message] | None:
    """What a stream consists of; None where the answer is one message."""
    match request:
        case pb.StreamChatRequest():
            return pb.StreamChatResponse
        case pb.StreamChainRequest():
            return pb.StreamChainResponse
    return None


def is_last(message: Message) -> bool:
    """Whether a message ends its stream: with it the client has its answer."""
    match message:
        case pb.StreamChatResponse():
            return message.HasField("finished")
        case pb.StreamChainResponse():
            return message.event.HasField("run_finished")
    return False


def is_heartbeat(message: Message) -> bool:
    """Whether a message says nothing."""
    match message:
        case pb.StreamChatResponse():
            return message.HasField("heartbeat")
        case pb.StreamChainResponse():
            return message.event.HasField("heartbeat")
    return False
