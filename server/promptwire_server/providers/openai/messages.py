"""The conversation of a request as the wire's list of messages."""

from collections.abc import Iterator, Sequence

from promptwire import v1 as pb
from promptwire_server.core.answer import text_of
from promptwire_server.core.call import Call
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers import asked
from promptwire_server.providers.json_value import Json, JsonObject, object_in, parsed_object, text_in
from promptwire_server.providers.openai import custom, states
from promptwire_server.providers.openai.cache import CacheHints
from promptwire_server.providers.openai.facts import Facts
from promptwire_server.providers.openai.media import media_to_wire

_ROLES = {
    pb.ROLE_UNSPECIFIED: "user",
    pb.ROLE_USER: "user",
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_DEVELOPER: "developer",
    pb.ROLE_ASSISTANT: "assistant",
    pb.ROLE_TOOL: "tool",
}
_PLAIN = {"type", "text"}
_ERROR = "Error: "  # the dialect has no mark for a tool that failed, and the model must know


class Messages:
    """Translates the conversation of one call for one provider."""

    def __init__(self, call: Call, provider: str, facts: Facts) -> None:
        self._call = call
        self._provider = provider
        self._facts = facts
        self._hints = CacheHints(call, facts)
        self._custom = custom.names_of(call.request.generation, provider)
        self._thought = facts.reasoning_back if facts.reasoning_back_always or call.request.generation.tools else ""

    def to_wire(self) -> list[Json]:
        """The messages. Raises InvalidRequest or CapabilityMissing with the path of the part; notes what it drops."""
        request = self._call.request
        wire: list[Json] = []
        if request.system:
            wire.append({"role": "system", "content": request.system})
        for position, message in enumerate(request.messages):
            wire.extend(self._message(message, f"messages[{position}]"))
        if request.prompt:
            wire.append({"role": "user", "content": request.prompt})
        if not wire:
            raise InvalidRequest.at("messages", "there is no question; set prompt or messages")
        return wire

    def _message(self, message: pb.ChatMessage, path: str) -> Iterator[JsonObject]:
        role = _ROLES.get(message.role)
        if role is None:
            raise InvalidRequest.at(f"{path}.role", f"{message.role} is no role that this server knows")
        # Results come first, whatever the role: the dialect wants them directly behind the calls that they answer.
        others = []
        for position, part in enumerate(message.parts):
            if part.HasField("tool_result"):
                yield self._tool_result(part.tool_result, f"{path}.parts[{position}].tool_result")
            else:
                others.append((position, part))
        if role == "tool":
            if others:
                raise InvalidRequest.at(f"{path}.parts[{others[0][0]}]", "a message of role tool has tool_result parts only")
            return
        if role == "developer" and not self._facts.developer_role:
            role = "system"
        if others or role == "assistant":
            wire: JsonObject = {"role": role}
            if message.name and self._facts.names:
                wire["name"] = message.name
            elif message.name:
                asked.part_dropped(self._call, self._provider, f"{path}.name", "it takes no names of those who say something")
            wire.update(self._assistant(others, path) if role == "assistant" else {"content": self._content(others, path)})
            yield wire

    def _content(self, parts: Sequence[tuple[int, pb.ContentPart]], path: str) -> Json:
        """A string where there is only one text; else a list of parts."""
        items: list[Json] = []
        for position, part in parts:
            kind = part.WhichOneof("content")
            where = f"{path}.parts[{position}]"
            if kind == "text":
                items.append(self._hints.mark({"type": "text", "text": part.text}, part, where))
            elif kind == "media":
                items.append(self._hints.mark(media_to_wire(part.media, self._facts, f"{where}.media"), part, where))
            elif kind == "provider_part":
                items.extend(self._provider_part(part.provider_part, where))
            elif kind is None:
                raise InvalidRequest.at(where, "is empty; set text, media or another kind of part")
            else:
                raise InvalidRequest.at(where, f"a {kind} part belongs into a message of the assistant's")
        if len(items) == 1 and object_in(items[0]).keys() == _PLAIN and parts[0][1].HasField("text"):
            return object_in(items[0])["text"]
        return items

    def _assistant(self, parts: Sequence[tuple[int, pb.ContentPart]], path: str) -> JsonObject:
        wire: JsonObject = {}
        text = "".join(part.text for _, part in parts)
        refusal = "".join(part.refusal.text for _, part in parts)
        calls: list[Json] = []
        for position, part in parts:
            where = f"{path}.parts[{position}]"
            kind = part.WhichOneof("content")
            self._hints.unmet(part, where)
            state = asked.state_of(part, self._call, self._provider, where)
            if kind == "tool_call":
                calls.append(self._tool_call(part.tool_call, where, free=state == states.CUSTOM or part.tool_call.name in self._custom))
            elif kind == "provider_part":
                calls.extend(self._provider_part(part.provider_part, where))
            elif kind == "media" and not state:
                asked.part_dropped(self._call, self._provider, f"{where}.media", "it takes no media of earlier answers")
            elif kind is None:
                raise InvalidRequest.at(where, "is empty; set text, media or another kind of part")
            for name, value in self._state(part, state, where).items():
                before = wire.get(name)
                wire[name] = before + value if isinstance(before, str) and isinstance(value, str) else value
        if refusal:
            wire["refusal"] = refusal
        if calls:
            wire["tool_calls"] = calls
            if self._thought and not self._facts.reasoning_back_always:
                wire.setdefault(self._thought, "")  # what thinks must not forget that it did, even where it thought nothing
        wire["content"] = text if text or not (calls or refusal or "audio" in wire) else None
        return wire

    def _state(self, part: pb.ContentPart, state: bytes, where: str) -> JsonObject:
        """What the vendor wants back beside the part itself."""
        if states.is_item(state):
            path = where if part.HasField("reasoning") else f"{where}.provider_state"
            asked.part_dropped(self._call, self._provider, path, "it came from the Responses API, which alone takes it back")
            return {}
        if state:
            return {} if state == states.CUSTOM else parsed_object(state) or {}
        if not part.reasoning.text:
            return {}
        if self._thought:
            return {self._thought: part.reasoning.text}
        asked.part_dropped(self._call, self._provider, where, "it takes no reasoning of earlier turns")
        return {}

    def _provider_part(self, part: pb.ProviderPart, where: str) -> Iterator[JsonObject]:
        block = asked.provider_block(part, self._call, self._provider, where)
        if block is not None:
            yield block

    def _tool_result(self, result: pb.ToolResultPart, path: str) -> JsonObject:
        if not result.tool_call_id:
            raise InvalidRequest.at(f"{path}.tool_call_id", "is needed: the id of the call that this answers")
        text = text_of(pb.ChatMessage(parts=result.parts))
        content: Json = f"{_ERROR}{text}" if result.is_error else text
        if any(part.HasField("media") for part in result.parts):
            content = self._result_with_media(result, path)
        return {"role": "tool", "tool_call_id": self._id(result.tool_call_id), "content": content}

    def _result_with_media(self, result: pb.ToolResultPart, path: str) -> Json:
        if not self._facts.tool_result_media:
            raise asked.cannot_take(f"{path}.parts", "media from tools", "send them in a message of the user's")
        content = self._content(list(enumerate(result.parts)), path)
        if result.is_error and isinstance(content, list):
            content.insert(0, {"type": "text", "text": text_in(_ERROR)})
        return content

    def _tool_call(self, call: pb.ToolCallPart, where: str, *, free: bool) -> JsonObject:
        if not call.tool_call_id or not call.name:
            raise InvalidRequest.at(f"{where}.tool_call", "needs tool_call_id and name; send the model's messages back unchanged")
        wire: JsonObject = {"id": self._id(call.tool_call_id)}
        if free:
            return {**wire, "type": "custom", "custom": {"name": call.name, "input": custom.input_of(call.arguments_json)}}
        return {**wire, "type": "function", "function": {"name": call.name, "arguments": call.arguments_json}}

    def _id(self, call_id: str) -> str:
        """The id of a tool call, made anew where the vendor takes ids of its own kind only. The same id stays the same."""
        length = self._facts.tool_id_length
        if not length or (len(call_id) == length and call_id.isascii() and call_id.isalnum()):
            return call_id
        return asked.hashed(call_id)[:length]
