"""What the assistant said in an earlier turn, as input items: with the ids, the reasoning and the order that the API gave them."""

from collections.abc import Iterable, Iterator

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers import asked
from promptwire_server.providers.json_value import Json, JsonObject, parsed_object, text_in
from promptwire_server.providers.openai import custom, states
from promptwire_server.providers.openai.cache import CacheHints

_CUSTOM = "custom_tool_call"
_ELSEWHERE = "it came from chat completions, which alone take it back"


class Said:
    """Translates one message of the assistant's."""

    def __init__(self, call: Call, provider: str, customs: frozenset[str], hints: CacheHints) -> None:
        self.custom_calls: set[str] = set()  # ids
        self._call = call
        self._provider = provider
        self._customs = customs
        self._hints = hints
        self._head: JsonObject = {}  # of the message item under way: its id, status and phase
        self._content: list[Json] = []

    def to_wire(self, parts: Iterable[tuple[str, pb.ContentPart]]) -> Iterator[object]:
        """The items of these parts, in order; each part has its path. Raises InvalidRequest; notes what it drops."""
        for where, part in parts:
            self._hints.unmet(part, where)
            head = self._state(part, where)
            within = part.HasField("provider_part") and head.get("type") == "message"
            if part.HasField("text") or part.HasField("refusal") or within:
                if head.get("id") != self._head.get("id"):
                    yield from self._message()
                self._head = head
                self._content.append(_content(part, known=bool(head)))
                continue
            yield from self._message()
            yield from self._item(part, head, where)
        yield from self._message()

    def _state(self, part: pb.ContentPart, where: str) -> JsonObject:
        """The item that the part came from; empty when it came from elsewhere."""
        state = asked.state_of(part, self._call, self._provider, where)
        if state and not states.is_item(state) and state != states.CUSTOM:
            asked.part_dropped(self._call, self._provider, f"{where}.provider_state", _ELSEWHERE)
        return {"type": _CUSTOM} if state == states.CUSTOM else states.item_in(state)

    def _message(self) -> Iterator[JsonObject]:
        """The message item under way, if there is one."""
        content, head = self._content, self._head
        self._content, self._head = [], {}
        if not content:
            return
        if head:
            yield {**head, "content": content}
        elif all(isinstance(item, dict) and item["type"] == "output_text" for item in content):
            yield {"role": "assistant", "content": "".join(text_in(item["text"]) for item in content if isinstance(item, dict))}
        else:
            yield {"type": "message", "role": "assistant", "content": content}

    def _item(self, part: pb.ContentPart, head: JsonObject, where: str) -> Iterator[object]:
        match part.WhichOneof("content"):
            case "tool_call":
                yield self._tool_call(part.tool_call, head, where)
            case "reasoning" if head:
                yield head
            case "reasoning":
                if part.reasoning.text:
                    asked.part_dropped(self._call, self._provider, where, "it takes no reasoning without its own state")
            case "media" if head:
                yield {**head, "result": asked.base64(part.media.data)}
            case "media":
                asked.part_dropped(self._call, self._provider, f"{where}.media", "it takes no media of earlier answers")
            case "provider_part":
                if asked.provider_block(part.provider_part, self._call, self._provider, where) is not None:
                    yield asked.verbatim(part.provider_part.json)
            case _:
                raise InvalidRequest.at(where, "is empty; set text, media or another kind of part")

    def _tool_call(self, call: pb.ToolCallPart, head: JsonObject, where: str) -> JsonObject:
        if not call.tool_call_id or not call.name:
            raise InvalidRequest.at(f"{where}.tool_call", "needs tool_call_id and name; send the model's messages back unchanged")
        wire: JsonObject = {**head, "call_id": call.tool_call_id, "name": call.name}
        if head.get("type") == _CUSTOM or (not head and call.name in self._customs):
            self.custom_calls.add(call.tool_call_id)
            return {**wire, "type": _CUSTOM, "input": custom.input_of(call.arguments_json)}
        return {**wire, "type": "function_call", "arguments": call.arguments_json}


def _content(part: pb.ContentPart, *, known: bool) -> JsonObject:
    """Text, refusal, or content that only the vendor knows. Citations go back only as the vendor's own."""
    if part.HasField("provider_part"):
        return parsed_object(part.provider_part.json) or {}
    if part.HasField("refusal"):
        return {"type": "refusal", "refusal": part.refusal.text}
    annotations: list[Json] = [parsed_object(citation.provider_json) for citation in part.citations] if known else []
    return {"type": "output_text", "text": part.text, "annotations": [found for found in annotations if found]}
