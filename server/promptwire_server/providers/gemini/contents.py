"""The conversation of a request as the wire's contents. Of hints for the cache there is no word: the vendor's works by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from promptwire import v1 as pb
from promptwire_server.core.answer import text_of
from promptwire_server.core.call import Call
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers import asked
from promptwire_server.providers.gemini.facts import Facts
from promptwire_server.providers.gemini.media import media_to_wire
from promptwire_server.providers.json_value import JsonObject, parsed_object

Part = dict[str, object]
_INSTRUCTIONS = (pb.ROLE_SYSTEM, pb.ROLE_DEVELOPER)
_ROLES = {pb.ROLE_UNSPECIFIED: "user", pb.ROLE_USER: "user", pb.ROLE_TOOL: "user", pb.ROLE_ASSISTANT: "model"}
# The vendor takes this in place of a signature for calls that it did not make (ai.google.dev/gemini-api/docs/thought-signatures).
UNSIGNED = "skip_thought_signature_validator"
STATE = frozenset({"thought", "thoughtSignature", "partMetadata"})  # what stands on a part besides its content, and is wanted back
_Parts = Sequence[tuple[str, pb.ContentPart]]  # each with its path


@dataclass(slots=True)
class _Turn:
    """One content."""

    role: str
    parts: list[Part] = field(default_factory=list)
    results: bool = False  # of tools: they stand apart from what the user says
    calls: list[tuple[str, Part]] = field(default_factory=list)  # those among its parts, each with its path

    def takes(self, other: "_Turn") -> bool:
        """Whether the other is the same content: all results of the calls of one content must stand in the next one."""
        return (self.results and other.results) or bool(self.calls and other.calls)


class Contents:
    """Translates the conversation of one call for one provider."""

    def __init__(self, call: Call, provider: str, facts: Facts) -> None:
        self._call = call
        self._provider = provider
        self._facts = facts
        self._names = asked.tool_names(call.request)

    def to_wire(self) -> dict[str, object]:
        """The fields `systemInstruction` and `contents`. Instructions stand before the conversation, wherever they were.

        Raises InvalidRequest or CapabilityMissing with the path of the part; notes what it drops.
        """
        request = self._call.request
        instructions: list[Part] = [{"text": request.system}] if request.system else []
        turns: list[_Turn] = []
        for position, message in enumerate(request.messages):
            path = f"messages[{position}]"
            if message.role in _INSTRUCTIONS:
                instructions.extend(_instruction(message, path))
                continue
            for turn in self._turns(message, path):
                if turns and turns[-1].takes(turn):
                    turns[-1].parts.extend(turn.parts)
                    turns[-1].calls.extend(turn.calls)
                elif turn.parts:
                    turns.append(turn)
        if request.prompt:
            turns.append(_Turn("user", [{"text": request.prompt}]))
        if not turns:
            raise InvalidRequest.at("messages", "there is no question; set prompt or messages")
        self._sign(turns)
        wire: dict[str, object] = {"contents": [{"role": turn.role, "parts": turn.parts} for turn in turns]}
        return {**wire, "systemInstruction": {"role": "user", "parts": instructions}} if instructions else wire

    def _sign(self, turns: Sequence[_Turn]) -> None:
        """Mark what another made in the turn under way: the first call of each content, without a signature, would be refused."""
        if not self._facts.signed_calls:
            return
        spoken = max((at for at, turn in enumerate(turns) if turn.role == "user" and not turn.results), default=-1)
        for turn in turns[spoken + 1 :]:
            path, call = turn.calls[0] if turn.calls else ("", {"thoughtSignature": ""})
            if "thoughtSignature" not in call:
                call["thoughtSignature"] = UNSIGNED
                why = "a thought signature, since there is none of its own; the vendor was told not to check"
                asked.part_dropped(self._call, self._provider, path, why)

    def _turns(self, message: pb.ChatMessage, path: str) -> Iterator[_Turn]:
        role = _ROLES.get(message.role)
        if role is None:
            raise InvalidRequest.at(f"{path}.role", f"{message.role} is no role that this server knows")
        if message.name:
            asked.part_dropped(self._call, self._provider, f"{path}.name", "it takes no names of participants")
        parts = [(f"{path}.parts[{position}]", part) for position, part in enumerate(message.parts)]
        results = [(where, part) for where, part in parts if part.HasField("tool_result")]
        others = [(where, part) for where, part in parts if not part.HasField("tool_result")]
        if message.role == pb.ROLE_TOOL and others:
            raise InvalidRequest.at(others[0][0], "a message of role tool has tool_result parts only")
        # Results come first: they belong directly behind the calls that they answer.
        if results:
            answers = [answer for where, part in results for answer in self._tool_result(part.tool_result, f"{where}.tool_result")]
            yield _Turn("user", answers, results=True)
        if role == "model":
            yield self._said(others)
        elif others:
            yield _Turn(role, [asking for where, part in others for asking in self._asked(part, where)])

    def _asked(self, part: pb.ContentPart, where: str) -> Iterator[Part]:
        """A part of the user's."""
        match part.WhichOneof("content"):
            case "text":
                yield {"text": part.text}
            case "media":
                yield self._media(part.media, f"{where}.media")
            case "provider_part":
                yield from self._own(part.provider_part, where)
            case None:
                raise InvalidRequest.at(where, "is empty; set text, media or another kind of part")
            case kind:
                raise InvalidRequest.at(where, f"a {kind} part belongs into a message of the assistant's")

    def _said(self, parts: _Parts) -> _Turn:
        """A message of the model's, with the state that it came with."""
        turn = _Turn("model")
        for where, part in parts:
            state = self._state(part, where)
            for wire in self._answered(part, where, state):
                wire.update(state)
                turn.parts.append(wire)
                if "functionCall" in wire:
                    turn.calls.append((where, wire))
        return turn

    def _answered(self, part: pb.ContentPart, where: str, state: JsonObject) -> Iterator[Part]:
        match part.WhichOneof("content"):
            case "text":
                if part.text or state:
                    yield {"text": part.text}
            case "refusal":
                yield {"text": part.refusal.text}
            case "reasoning":
                if state:
                    yield {"text": part.reasoning.text}
                elif part.reasoning.text or not part.HasField("provider_state"):  # else that was noted
                    asked.part_dropped(self._call, self._provider, where, "it takes no reasoning but its own")
            case "tool_call":
                yield {"functionCall": _function_call(part.tool_call, f"{where}.tool_call")}
            case "media":
                yield self._media(part.media, f"{where}.media")
            case "provider_part":
                yield from self._own(part.provider_part, where)
            case _:
                raise InvalidRequest.at(where, "is empty; set text, media or another kind of part")

    def _state(self, part: pb.ContentPart, where: str) -> JsonObject:
        data = asked.state_of(part, self._call, self._provider, where)
        found = parsed_object(data) if data else {}
        if found is None:
            raise InvalidRequest.at(f"{where}.provider_state", "is not what this provider gave; send the model's messages back unchanged")
        return {name: found[name] for name in found.keys() & STATE}

    def _media(self, media: pb.MediaPart, path: str) -> Part:
        return {**media_to_wire(media, self._call, self._facts, path)}

    def _own(self, part: pb.ProviderPart, where: str) -> Iterator[Part]:
        block = asked.provider_block(part, self._call, self._provider, where)
        if block is not None:
            yield {**block}

    def _tool_result(self, result: pb.ToolResultPart, path: str) -> Iterator[Part]:
        """The result as an object: JSON text of one as it stands, any other text in a field of its own."""
        if not result.tool_call_id:
            raise InvalidRequest.at(f"{path}.tool_call_id", "is needed: the id of the call that this answers")
        name = result.name or self._names.get(result.tool_call_id, "")
        if not name:
            raise InvalidRequest.at(f"{path}.name", "is needed, since no message has the call that this answers")
        text = text_of(pb.ChatMessage(parts=result.parts))
        said: object = asked.verbatim(text) if parsed_object(text) is not None else text
        whole = said if not isinstance(said, str) else {"result": said}
        answer: Part = {"id": result.tool_call_id, "name": name, "response": {"error": said} if result.is_error else whole}
        media = [
            self._media(part.media, f"{path}.parts[{position}].media")
            for position, part in enumerate(result.parts)
            if part.HasField("media")
        ]
        if media and self._facts.result_media:
            answer["parts"] = media
            media = []
        yield {"functionResponse": answer}
        yield from media


def _instruction(message: pb.ChatMessage, path: str) -> Iterator[Part]:
    for position, part in enumerate(message.parts):
        if part.WhichOneof("content") != "text":
            raise asked.cannot_take(f"{path}.parts[{position}]", "instructions other than text", "send it in a message of the user's")
        yield {"text": part.text}


def _function_call(call: pb.ToolCallPart, path: str) -> Part:
    if not call.tool_call_id or not call.name:
        raise InvalidRequest.at(path, "needs tool_call_id and name; send the model's messages back unchanged")
    arguments = asked.object_text(
        call.arguments_json or "{}", f"{path}.arguments_json", "a JSON object in text: this provider takes no other"
    )
    return {"id": call.tool_call_id, "name": call.name, "args": arguments}
