"""The conversation of a request as the messages of /api/chat."""

from collections.abc import Iterator, Sequence

from promptwire import v1 as pb
from promptwire_server.core.answer import text_of
from promptwire_server.core.call import Call
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers import asked

Message = dict[str, object]
_ROLES = {
    pb.ROLE_UNSPECIFIED: "user",
    pb.ROLE_USER: "user",
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_DEVELOPER: "system",
    pb.ROLE_ASSISTANT: "assistant",
    pb.ROLE_TOOL: "tool",
}
_ERROR = "Error: "  # the dialect has no mark for a tool that failed, and the model must know
_Parts = Sequence[tuple[str, pb.ContentPart]]  # each with its path


class Messages:
    """Translates the conversation of one call for one provider."""

    def __init__(self, call: Call, provider: str) -> None:
        self._call = call
        self._provider = provider
        self._names = asked.tool_names(call.request)

    def to_wire(self) -> list[Message]:
        """The messages. Raises InvalidRequest or CapabilityMissing with the path of the part; notes what it drops."""
        request = self._call.request
        wire: list[Message] = []
        if request.system:
            wire.append({"role": "system", "content": request.system})
        for position, message in enumerate(request.messages):
            wire.extend(self._message(message, f"messages[{position}]"))
        if request.prompt:
            wire.append({"role": "user", "content": request.prompt})
        if not wire:
            raise InvalidRequest.at("messages", "there is no question; set prompt or messages")
        return wire

    def _message(self, message: pb.ChatMessage, path: str) -> Iterator[Message]:
        role = _ROLES.get(message.role)
        if role is None:
            raise InvalidRequest.at(f"{path}.role", f"{message.role} is no role that this server knows")
        parts = [(f"{path}.parts[{position}]", part) for position, part in enumerate(message.parts)]
        for where, part in parts:
            if part.HasField("tool_result"):
                yield from self._tool_result(part.tool_result, f"{where}.tool_result")
        others = [(where, part) for where, part in parts if not part.HasField("tool_result")]
        if role == "tool" and others:
            raise InvalidRequest.at(others[0][0], "a message of role tool has tool_result parts only")
        if role == "assistant":
            yield self._assistant(others)
        elif others:
            yield {"role": role, **self._content(others)}

    def _content(self, parts: _Parts) -> Message:
        images: list[str] = []
        for where, part in parts:
            kind = part.WhichOneof("content")
            if kind == "media":
                images.append(_image(part.media, f"{where}.media"))
            elif kind == "provider_part":
                raise asked.cannot_take(f"{where}.provider_part", "parts of a vendor's own", "leave it out")
            elif kind is None:
                raise InvalidRequest.at(where, "is empty; set text, media or another kind of part")
            elif kind != "text":
                raise InvalidRequest.at(where, f"a {kind} part belongs into a message of the assistant's")
        wire: Message = {"content": "".join(part.text for _, part in parts)}
        return {**wire, "images": images} if images else wire

    def _assistant(self, parts: _Parts) -> Message:
        wire: Message = {"role": "assistant"}
        text = "".join(part.text or part.refusal.text for _, part in parts)
        thought = "".join(part.reasoning.text for _, part in parts)
        if thought:
            wire["thinking"] = thought
        calls = [_tool_call(part.tool_call, f"{where}.tool_call") for where, part in parts if part.HasField("tool_call")]
        if calls:
            wire["tool_calls"] = calls
        if text or not calls:
            wire["content"] = text
        for where, part in parts:
            if part.HasField("provider_state"):
                self._foreign(part.provider_state.provider, f"{where}.provider_state")
            if part.HasField("provider_part"):
                self._foreign(part.provider_part.provider, f"{where}.provider_part")
            if part.HasField("media"):
                asked.part_dropped(self._call, self._provider, f"{where}.media", "it takes no media of earlier answers")
            if part.HasField("reasoning") and not part.reasoning.text:
                asked.part_dropped(self._call, self._provider, f"{where}.reasoning", "its text was withheld")
        return wire

    def _foreign(self, owner: str, path: str) -> None:
        """Note what is not sent; this dialect gives neither state nor parts of its own, so what bears its name came from elsewhere."""
        why = "this provider gives none and takes none back" if owner == self._provider else f"it belongs to {owner[:64]}"
        asked.part_dropped(self._call, self._provider, path, why)

    def _tool_result(self, result: pb.ToolResultPart, path: str) -> Iterator[Message]:
        if not result.tool_call_id:
            raise InvalidRequest.at(f"{path}.tool_call_id", "is needed: the id of the call that this answers")
        text = text_of(pb.ChatMessage(parts=result.parts))
        wire: Message = {"role": "tool", "content": f"{_ERROR}{text}" if result.is_error else text}
        media = [(f"{path}.parts[{position}]", part) for position, part in enumerate(result.parts) if part.HasField("media")]
        if media:
            wire["images"] = [_image(part.media, f"{where}.media") for where, part in media]
        if name := result.name or self._names.get(result.tool_call_id, ""):
            wire["tool_name"] = name
        yield {**wire, "tool_call_id": result.tool_call_id}


def _image(media: pb.MediaPart, path: str) -> str:
    kind = asked.check_media(media, path)
    if kind != "image":
        raise asked.cannot_take(path, kind, "send text and images")
    if not media.HasField("data"):
        raise asked.cannot_take(path, "an image by reference", "send its data")
    return asked.base64(media.data)


def _tool_call(call: pb.ToolCallPart, path: str) -> Message:
    if not call.tool_call_id or not call.name:
        raise InvalidRequest.at(path, "needs tool_call_id and name; send the model's messages back unchanged")
    arguments = asked.object_text(
        call.arguments_json or "{}", f"{path}.arguments_json", "a JSON object in text: this provider takes no other"
    )
    return {"id": call.tool_call_id, "function": {"name": call.name, "arguments": arguments}}
