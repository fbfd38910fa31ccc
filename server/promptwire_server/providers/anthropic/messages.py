"""The conversation of a request as the wire's system blocks and messages."""

from collections.abc import Iterator, Sequence

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers import asked
from promptwire_server.providers.anthropic.families import Family
from promptwire_server.providers.anthropic.media import media_to_wire
from promptwire_server.providers.anthropic.parts import Parts
from promptwire_server.providers.anthropic.turns import Block, Turn, content, joined, placed
from promptwire_server.providers.json_value import Json

_ROLES = {
    pb.ROLE_UNSPECIFIED: "user",
    pb.ROLE_USER: "user",
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_DEVELOPER: "system",
    pb.ROLE_ASSISTANT: "assistant",
    pb.ROLE_TOOL: "user",
}


class Messages:
    """Translates the conversation of one call for one provider."""

    def __init__(self, call: Call, provider: str, family: Family, citations: Json) -> None:
        self._call = call
        self._provider = provider
        self._family = family
        self._citations = citations
        self._parts = Parts(call, provider)

    def to_wire(self, instruction: str) -> dict[str, object]:
        """The fields `system` and `messages`; the instruction comes last of the system's.

        Raises InvalidRequest or CapabilityMissing with the path of the part; notes what it drops.
        """
        request = self._call.request
        turns = joined(self._turns())
        first = turns.pop(0).blocks if turns and turns[0].role == "system" else []
        system: list[Block] = [{"type": "text", "text": text} for text in (request.system,) if text.strip()]
        system += first
        system += [{"type": "text", "text": text} for text in (instruction,) if text]
        messages = placed(turns, self._family, self._call)
        if not messages:
            raise InvalidRequest.at("messages", "there is no question; set prompt or messages")
        _trimmed(messages[-1])
        wire: dict[str, object] = {"system": content(system)} if system else {}
        wire["messages"] = [{"role": turn.role, "content": content(turn.blocks)} for turn in messages if turn.blocks]
        return wire

    def _turns(self) -> Iterator[Turn]:
        request = self._call.request
        for position, message in enumerate(request.messages):
            path = f"messages[{position}]"
            role = _ROLES.get(message.role)
            if role is None:
                raise InvalidRequest.at(f"{path}.role", f"{message.role} is no role that this server knows")
            if message.name:
                asked.part_dropped(self._call, self._provider, f"{path}.name", "it takes no names of participants")
            yield Turn(role, list(self._blocks(message.parts, role, path)), path)
        if request.prompt:
            yield Turn("user", [{"type": "text", "text": request.prompt}], "prompt")

    def _blocks(self, parts: Sequence[pb.ContentPart], role: str, path: str) -> Iterator[Block]:
        for position, part in enumerate(parts):
            where = f"{path}.parts[{position}]"
            block = self._of_assistant(part, where) if role == "assistant" else self._of_other(part, role, where)
            if block is not None:
                yield block

    def _of_assistant(self, part: pb.ContentPart, where: str) -> Block | None:
        match part.WhichOneof("content"):
            case "text":
                return self._parts.text(part, where)
            case "refusal":
                return self._parts.refusal(part, where)
            case "tool_call":
                return self._parts.tool_call(part, where)
            case "reasoning":
                return self._parts.reasoning(part, where)
            case "provider_part":
                return self._parts.provider_part(part, where)
            case "media":
                asked.part_dropped(self._call, self._provider, f"{where}.media", "it takes no media of earlier answers")
                return None
        raise _misplaced(part, where)

    def _of_other(self, part: pb.ContentPart, role: str, where: str) -> Block | None:
        kind = part.WhichOneof("content")
        if kind == "text":
            return self._parts.text(part, where)
        if role == "system":
            raise InvalidRequest.at(where, "instructions are text; put other parts into a message of the user's")
        match kind:
            case "media":
                return self._parts.cached({**self._media(part.media, f"{where}.media")}, part, where)
            case "tool_result":
                return self._tool_result(part, f"{where}.tool_result", where)
            case "provider_part":
                return self._parts.provider_part(part, where)
        raise _misplaced(part, where)

    def _media(self, media: pb.MediaPart, path: str) -> dict[str, Json]:
        if media.detail:
            asked.setting_dropped(self._call, f"{path}.detail", "this provider decides itself how closely it looks")
        return media_to_wire(media, self._citations, path)

    def _tool_result(self, part: pb.ContentPart, path: str, where: str) -> Block:
        result = part.tool_result
        if not result.tool_call_id:
            raise InvalidRequest.at(f"{path}.tool_call_id", "is needed: the id of the call that this answers")
        block: dict[str, object] = {"type": "tool_result", "tool_use_id": self._parts.id_of(result.tool_call_id)}
        if said := list(self._blocks(result.parts, "user", path)):
            block["content"] = content(said)
        if result.is_error:
            block["is_error"] = True
        return self._parts.cached(block, part, where)


def _trimmed(last: Turn) -> None:
    """An answer to be continued must not end in white space: the vendor refuses it."""
    if last.role != "assistant" or not isinstance(block := last.blocks[-1], dict) or block.get("type") != "text":
        return
    last.blocks[-1] = {**block, "text": str(block["text"]).rstrip()}


def _misplaced(part: pb.ContentPart, where: str) -> InvalidRequest:
    kind = part.WhichOneof("content")
    if kind is None:
        return InvalidRequest.at(where, "is empty; set text, media or another kind of part")
    return InvalidRequest.at(where, f"a {kind} part does not belong into a message of this role")
