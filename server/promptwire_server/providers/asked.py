"""Asked: what every dialect needs to put a caller's request into a vendor's words, and how it says what cannot be put."""

import hashlib
from base64 import b64encode
from collections.abc import Collection, Mapping

import orjson

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import CapabilityMissing, InvalidRequest, Violation
from promptwire_server.providers.json_value import JsonObject, parsed_object

_SHOWN = 64  # characters of a name of the caller's in a message


def verbatim(json_text: str) -> orjson.Fragment:
    """JSON text that was checked, to stand in the body as it is: property order and large numbers stay as they are."""
    return orjson.Fragment(json_text)


def object_text(text: str, path: str, what: str = "a JSON Schema as a JSON object in text") -> orjson.Fragment:
    """JSON text of an object, verbatim. Raises InvalidRequest when it is none."""
    if parsed_object(text) is None:
        raise InvalidRequest.at(path, f"must be {what}")
    return verbatim(text)


def missing(path: str, what: str, instead: str) -> CapabilityMissing:
    """The error for something that the dialect has no words for; `what` completes "this provider does not offer"."""
    return _lacking(path, f"this provider does not offer {what}; {instead}")


def cannot_take(path: str, what: str, instead: str) -> CapabilityMissing:
    """The error for content that the dialect has no words for."""
    return _lacking(path, f"this provider does not take {what}; {instead}")


def setting_dropped(call: Call, path: str, why: str) -> None:
    """Note that a tuning knob is not sent."""
    call.notice(pb.Notice.CODE_SETTING_DROPPED, f"not sent: {why}", path)


def part_dropped(call: Call, provider: str, path: str, why: str) -> None:
    """Note that something of an earlier turn is not sent back: state, or a part, that belongs to another vendor."""
    call.notice(pb.Notice.CODE_CONTENT_DROPPED, f"not sent to {provider}: {why}", path)


def state_of(part: pb.ContentPart, call: Call, provider: str, path: str) -> bytes:
    """The state that this provider wants back with the part; empty when there is none, or, with a notice, when it is another's."""
    if not part.HasField("provider_state"):
        return b""
    if part.provider_state.provider != provider:
        part_dropped(call, provider, f"{path}.provider_state", f"it belongs to {part.provider_state.provider[:_SHOWN]}")
        return b""
    return part.provider_state.data


def provider_block(part: pb.ProviderPart, call: Call, provider: str, path: str) -> JsonObject | None:
    """A vendor's own block; None, with a notice, when it is another's. Raises InvalidRequest when it is no JSON object."""
    if part.provider != provider:
        part_dropped(call, provider, f"{path}.provider_part", f"it belongs to {part.provider[:_SHOWN]}")
        return None
    block = parsed_object(part.json)
    if block is None:
        raise InvalidRequest.at(f"{path}.provider_part.json", "must be a JSON object in text")
    return block


def provider_tool(tool: pb.ProviderTool, provider: str, path: str) -> orjson.Fragment:
    """A tool that runs at the vendor. Raises CapabilityMissing when it is another's."""
    if tool.provider != provider:
        raise missing(path, f"the tools of {tool.provider[:_SHOWN] or 'nobody'}", f"this call goes to {provider}")
    return object_text(tool.json, f"{path}.json", "a JSON object in text")


def check_name(name: str, path: str) -> None:
    """Raises InvalidRequest for a tool without one."""
    if not name:
        raise InvalidRequest.at(path, "is needed")


def tool_names(request: pb.ChatRequest) -> Mapping[str, str]:
    """Which tool each call of the conversation was for, by the call's id: for vendors that match results by name."""
    parts = (part for message in request.messages for part in message.parts if part.HasField("tool_call"))
    return {part.tool_call.tool_call_id: part.tool_call.name for part in parts}


def check_choice(generation: pb.GenerationSettings) -> None:
    """Raises InvalidRequest when the tool choice names a tool that is not declared."""
    choice = generation.tool_choice
    names = {tool.function.name for tool in generation.tools if tool.HasField("function")}
    for name in (*choice.allowed_names, *((choice.name,) if choice.mode == pb.ToolChoice.MODE_FUNCTION else ())):
        if name not in names:
            raise InvalidRequest.at("generation.tool_choice", f'"{name[:_SHOWN]}" is not among generation.tools')


def check_media(media: pb.MediaPart, path: str) -> str:
    """The kind of a medium: image, audio, video, or document for all else. Raises InvalidRequest for one without bytes or type."""
    if media.WhichOneof("source") is None:
        raise InvalidRequest.at(path, "is empty; set data, uri or file_id")
    if media.HasField("data") and "/" not in media.mime_type:
        raise InvalidRequest.at(f"{path}.mime_type", 'is needed with data, for example "image/png"')
    kind = media.mime_type.partition("/")[0]
    if not kind and media.HasField("uri"):
        return "image"
    return kind if kind in ("image", "audio", "video") else "document"


def base64(data: bytes) -> str:
    """The bytes as vendors take them."""
    return b64encode(data).decode()


def options(given: Mapping[str, str], provider: str, protected: Collection[str], path: str) -> JsonObject:
    """The vendor's own settings of a request, by provider name. Raises InvalidRequest for what is no object, or sets what is protected."""
    text = given.get(provider, "")
    if not text:
        return {}
    path = f'{path}["{provider}"]'
    found = parsed_object(text)
    if found is None:
        raise InvalidRequest.at(path, "must be a JSON object in text")
    for name in protected:
        if name in found:
            raise InvalidRequest.at(path, f"cannot set {name}; use the fields of the request")
    return found


def merged(wire: dict[str, object], more: JsonObject) -> dict[str, object]:
    """The wire with the vendor's own settings over it; objects are merged at any depth, all else is replaced."""
    for name, value in more.items():
        known = wire.get(name)
        wire[name] = merged(dict(known), value) if isinstance(known, dict) and isinstance(value, dict) else value
    return wire


def hashed(text: str) -> str:
    """Stable, and no way back to whoever it names."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _lacking(path: str, message: str) -> CapabilityMissing:
    return CapabilityMissing(f"{path}: {message}", violations=[Violation(path, message)])
