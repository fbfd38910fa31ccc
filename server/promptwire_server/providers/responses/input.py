"""The conversation of a request as input items: messages, and beside them calls, results and reasoning."""

from collections.abc import Iterator, Sequence

from promptwire import v1 as pb
from promptwire_server.core.answer import text_of
from promptwire_server.core.call import Call
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers import asked
from promptwire_server.providers.json_value import Json, JsonObject, object_in, text_in
from promptwire_server.providers.openai import custom
from promptwire_server.providers.openai.cache import CacheHints
from promptwire_server.providers.openai.facts import Facts
from promptwire_server.providers.responses.media import media_to_wire
from promptwire_server.providers.responses.said import Said

_ROLES = {
    pb.ROLE_UNSPECIFIED: "user",
    pb.ROLE_USER: "user",
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_DEVELOPER: "developer",
    pb.ROLE_TOOL: "user",  # results are items of their own; beside them only a vendor's own items are allowed
}
_ERROR = "Error: "  # the API has no mark for a tool that failed, and the model must know
_LONGEST_CACHE = "12h"  # covers an hour; the default, 30 minutes, does not
_CONTENT = "input_"  # begins the types of what stands within a message
_PLAIN = {"type", "text"}


class Input:
    """Translates the conversation of one call for one provider."""

    def __init__(self, call: Call, provider: str, facts: Facts) -> None:
        self._call = call
        self._provider = provider
        self._hints = CacheHints(call, facts, longest=_LONGEST_CACHE)
        self._customs = custom.names_of(call.request.generation, provider)
        self._custom_calls: set[str] = set()  # ids of the calls whose results are results of custom tools

    def to_wire(self) -> list[object]:
        """The items. Raises InvalidRequest or CapabilityMissing with the path of the part; notes what it drops."""
        request = self._call.request
        items: list[object] = []
        for position, message in enumerate(request.messages):
            path = f"messages[{position}]"
            if message.name:
                asked.setting_dropped(self._call, f"{path}.name", "the Responses API does not take names")
            items.extend(self._message(message, path))
        if request.prompt:
            items.append({"role": "user", "content": request.prompt})
        return items

    def _message(self, message: pb.ChatMessage, path: str) -> Iterator[object]:
        # Results come first, whatever the role: they belong directly behind the calls that they answer.
        others: list[tuple[str, pb.ContentPart]] = []
        for position, part in enumerate(message.parts):
            where = f"{path}.parts[{position}]"
            if part.HasField("tool_result"):
                yield self._tool_result(part.tool_result, f"{where}.tool_result")
            else:
                others.append((where, part))
        if message.role == pb.ROLE_ASSISTANT:
            said = Said(self._call, self._provider, self._customs, self._hints)
            yield from said.to_wire(others)
            self._custom_calls |= said.custom_calls
        elif message.role in _ROLES:
            yield from self._asked(message.role, others)
        else:
            raise InvalidRequest.at(f"{path}.role", f"{message.role} is no role that this server knows")

    def _asked(self, role: "pb.Role", parts: Sequence[tuple[str, pb.ContentPart]]) -> Iterator[object]:
        """A message, and before it the items that only the vendor has a shape for."""
        content: list[Json] = []
        for where, part in parts:
            item = self._content(part, where)
            if item is None:
                continue
            if part.HasField("provider_part") and not text_in(item.get("type")).startswith(_CONTENT):
                yield asked.verbatim(part.provider_part.json)
                continue
            if role == pb.ROLE_TOOL:
                raise InvalidRequest.at(where, "a message of role tool has tool_result parts only")
            content.append(item)
        if content:
            yield {"role": _ROLES[role], "content": _plain(content)}

    def _content(self, part: pb.ContentPart, where: str) -> JsonObject | None:
        """None for what is another vendor's."""
        match part.WhichOneof("content"):
            case "text":
                return self._hints.mark({"type": "input_text", "text": part.text}, part, where)
            case "media":
                return self._hints.mark(media_to_wire(part.media, f"{where}.media"), part, where)
            case "provider_part":
                return asked.provider_block(part.provider_part, self._call, self._provider, where)
            case None:
                raise InvalidRequest.at(where, "is empty; set text, media or another kind of part")
            case kind:
                raise InvalidRequest.at(where, f"a {kind} part belongs into a message of the assistant's")

    def _tool_result(self, result: pb.ToolResultPart, path: str) -> JsonObject:
        if not result.tool_call_id:
            raise InvalidRequest.at(f"{path}.tool_call_id", "is needed: the id of the call that this answers")
        kind = "custom_tool_call_output" if result.tool_call_id in self._custom_calls else "function_call_output"
        text = text_of(pb.ChatMessage(parts=result.parts))
        output: Json = f"{_ERROR}{text}" if result.is_error else text
        if any(part.HasField("media") or part.HasField("cache_hint") for part in result.parts):
            output = self._parts_of(result, path)
        return {"type": kind, "call_id": result.tool_call_id, "output": output}

    def _parts_of(self, result: pb.ToolResultPart, path: str) -> list[Json]:
        output: list[Json] = [{"type": "input_text", "text": _ERROR}] if result.is_error else []
        found = (self._content(part, f"{path}.parts[{position}]") for position, part in enumerate(result.parts))
        output.extend(item for item in found if item is not None)
        return output


def _plain(content: list[Json]) -> Json:
    """A string where there is only one text; else the list."""
    only = object_in(content[0])
    return only["text"] if len(content) == 1 and only.keys() == _PLAIN else content
