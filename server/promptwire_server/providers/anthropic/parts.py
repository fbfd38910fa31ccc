"""Parts of a conversation as content blocks, with the state that the vendor gave with them and the caller's wishes for its cache."""

import re

import orjson

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers import asked
from promptwire_server.providers.json_value import JsonObject, parsed_object

_MOST_CACHED = 4  # breakpoints in one request; the vendor refuses a fifth
_TTLS = {pb.CacheHint.TTL_5_MINUTES: "5m", pb.CacheHint.TTL_1_HOUR: "1h"}
_GOOD_ID = re.compile(r"[A-Za-z0-9_-]+")
Fields = dict[str, object]


class Parts:
    """Translates the parts of one call for one provider."""

    def __init__(self, call: Call, provider: str) -> None:
        self._call = call
        self._provider = provider
        self._too_many = _hints(call.request) - _MOST_CACHED

    def text(self, part: pb.ContentPart, where: str) -> Fields | None:
        """The text; None for white space, which the vendor takes for no message."""
        return self._said(part.text, part, where)

    def refusal(self, part: pb.ContentPart, where: str) -> Fields | None:
        """The words of a refusal, as the text that they were."""
        return self._said(part.refusal.text, part, where)

    def tool_call(self, part: pb.ContentPart, where: str) -> Fields:
        """The call. Raises InvalidRequest for arguments that are no object: the vendor takes no other."""
        call, path = part.tool_call, f"{where}.tool_call"
        if not call.tool_call_id or not call.name:
            raise InvalidRequest.at(path, "needs tool_call_id and name; send the model's messages back unchanged")
        what = "a JSON object in text: this provider takes no other"
        arguments = asked.object_text(call.arguments_json or "{}", f"{path}.arguments_json", what)
        block: Fields = {"type": "tool_use", "id": self.id_of(call.tool_call_id), "name": call.name, "input": arguments}
        return self.cached({**self._state(part, where), **block}, part, where)

    def reasoning(self, part: pb.ContentPart, where: str) -> Fields | None:
        """The thought as the vendor signed it; None, with a notice, for a thought of another's."""
        self._uncached(part, where)
        state = self._state(part, where)
        match state.get("type"):
            case "thinking":
                return {**state, "thinking": part.reasoning.text}
            case "redacted_thinking":
                return {**state}
        if part.reasoning.text:
            asked.part_dropped(self._call, self._provider, where, "it takes no reasoning that it has not signed itself")
        return None

    def provider_part(self, part: pb.ContentPart, where: str) -> orjson.Fragment | None:
        """A block of the vendor's own, verbatim; None, with a notice, when it is another's."""
        self._uncached(part, where)
        block = asked.provider_block(part.provider_part, self._call, self._provider, where)
        return None if block is None else asked.verbatim(part.provider_part.json)

    def cached(self, block: Fields, part: pb.ContentPart, where: str) -> Fields:
        """The block with the wish for the cache, if the part has one. Of too many wishes the last ones count: they cover the most."""
        if not part.HasField("cache_hint"):
            return block
        if self._too_many > 0:
            self._too_many -= 1
            asked.setting_dropped(self._call, f"{where}.cache_hint", f"this provider takes {_MOST_CACHED}, and others come later")
            return block
        ttl = _TTLS.get(part.cache_hint.ttl)
        return {**block, "cache_control": {"type": "ephemeral", "ttl": ttl} if ttl else {"type": "ephemeral"}}

    def id_of(self, tool_call_id: str) -> str:
        """The id of a call as the vendor takes it: those of some others have characters that it refuses."""
        return tool_call_id if _GOOD_ID.fullmatch(tool_call_id) else f"toolu_{asked.hashed(tool_call_id)}"

    def _said(self, text: str, part: pb.ContentPart, where: str) -> Fields | None:
        if text and not text.strip():
            asked.part_dropped(self._call, self._provider, where, "it takes no text of white space alone")
        if not text.strip():
            self._state(part, where)  # another's, on a part without words, is worth its notice
            return None
        return self.cached({**self._state(part, where), "type": "text", "text": text}, part, where)

    def _state(self, part: pb.ContentPart, where: str) -> JsonObject:
        state = asked.state_of(part, self._call, self._provider, where)
        found = parsed_object(state) if state else {}
        if found is None:
            raise InvalidRequest.at(f"{where}.provider_state", "is not what this provider gave; send the model's messages back unchanged")
        return found

    def _uncached(self, part: pb.ContentPart, where: str) -> None:
        if part.HasField("cache_hint"):
            asked.setting_dropped(self._call, f"{where}.cache_hint", "this provider caches up to other kinds of parts only")


def _hints(request: pb.ChatRequest) -> int:
    parts = (part for message in request.messages for part in message.parts)
    return sum(part.HasField("cache_hint") and part.WhichOneof("content") not in ("reasoning", "provider_part") for part in parts)
