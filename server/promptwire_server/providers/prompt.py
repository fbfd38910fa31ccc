"""The prompt of a request, with its shorthands `system` and `prompt` spelled out."""

from collections.abc import Iterable, Sequence

from promptwire import v1 as pb
from promptwire_server.core.answer import text_of


def messages_of(request: pb.ChatRequest) -> Sequence[pb.ChatMessage]:
    """The whole conversation, oldest first. The messages are the request's own: copy before changing."""
    if not request.system and not request.prompt:
        return request.messages
    messages = list(request.messages)
    if request.system:
        messages.insert(0, pb.ChatMessage(role=pb.ROLE_SYSTEM, parts=[pb.ContentPart(text=request.system)]))
    if request.prompt:
        messages.append(pb.ChatMessage(role=pb.ROLE_USER, parts=[pb.ContentPart(text=request.prompt)]))
    return messages


def last_user_text(request: pb.ChatRequest) -> str:
    """The text of the last message of the user's; empty when there is none."""
    if request.prompt:
        return request.prompt
    for message in reversed(request.messages):
        if message.role in (pb.ROLE_USER, pb.ROLE_UNSPECIFIED):
            return text_of(message)
    return ""


def texts_of(request: pb.ChatRequest) -> Iterable[str]:
    """Every text of the prompt, for counting: messages and what tools answered."""
    yield request.system
    for message in request.messages:
        for part in message.parts:
            if part.text:
                yield part.text
            elif part.HasField("tool_result"):
                yield text_of(pb.ChatMessage(parts=part.tool_result.parts))
            elif part.HasField("tool_call"):
                yield part.tool_call.arguments_json
    yield request.prompt


def ends_with_tool_result(request: pb.ChatRequest) -> bool:
    """Whether the model is to go on from what tools answered."""
    return not request.prompt and bool(request.messages) and request.messages[-1].role == pb.ROLE_TOOL
