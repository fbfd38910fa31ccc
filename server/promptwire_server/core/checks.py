"""Checks of a chat request before anything is spent on it: every fault at once, each with its path."""

import re
from collections.abc import Iterable

from promptwire import v1 as pb
from promptwire_server.core.errors import Violation
from promptwire_server.core.fields import (
    Check,
    Found,
    above,
    all_of,
    at_least,
    at_most,
    check_fields,
    each,
    known,
    labels,
    model_name,
    not_empty,
    positive,
    printable,
)
from promptwire_server.core.generation import check_generation

__all__ = ["ENVELOPE", "check_chat", "check_generation", "check_messages"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
NAMESPACE = re.compile(r"[A-Za-z0-9._:/-]{1,64}")
_REFUSED_SCHEMES = frozenset({"http:", "file:", "data:"})
_MODALITIES = frozenset({"text", "media"})


def check_chat(request: pb.ChatRequest, path: str = "") -> list[Violation]:
    """Everything wrong with the request; empty when it may be served. `path` is where it stands in the RPC's message, e.g. "chat"."""
    found: Found = []
    prefix = f"{path}." if path else ""
    if not request.prompt and not request.messages:
        found.append(Violation(f"{prefix}prompt", "is missing: set prompt, or messages"))
    check_fields(request, _CHAT, prefix, found)
    return found


def check_messages(messages: Iterable[pb.ChatMessage], path: str, found: Found) -> None:
    """Add what is wrong with a conversation; `path` is that of the list."""
    for index, message in enumerate(messages):
        if not _plainly_right(message):
            _message(message, f"{path}[{index}]", found)


def _plainly_right(message: pb.ChatMessage) -> bool:
    """Whether nothing needs a closer look: most messages are texts, and each costs but a microsecond here."""
    if message.role not in _SPEAKING or message.name:
        return False
    parts = message.parts
    for part in parts:
        if not part.text or part.HasField("cache_hint"):
            return False
    return len(parts) > 0


def _message(message: pb.ChatMessage, path: str, found: Found) -> None:
    role = message.role
    _known_role(role, f"{path}.role", found)
    _short_name(message.name, f"{path}.name", found)
    if not message.parts and role != pb.ROLE_ASSISTANT:
        found.append(Violation(f"{path}.parts", 'is empty; say something, e.g. [{"text": "hi"}]'))
    for index, part in enumerate(message.parts):
        _part(part, role, f"{path}.parts[{index}]", found)


def _part(part: pb.ContentPart, role: int, path: str, found: Found) -> None:
    kind = part.WhichOneof("content")
    if kind is None:
        found.append(Violation(path, "says nothing; set text, media or another content"))
    elif kind in _PARTS:
        _PARTS[kind](getattr(part, kind), f"{path}.{kind}", found)
    if (kind == "tool_result") != (role == pb.ROLE_TOOL):
        found.append(Violation(path, "messages of ROLE_TOOL consist of tool_result parts, and no others have them"))
    if kind == "tool_call" and role != pb.ROLE_ASSISTANT:
        found.append(Violation(path, "tool_call parts stand in messages of ROLE_ASSISTANT"))
    if part.HasField("cache_hint"):
        _known_ttl(part.cache_hint.ttl, f"{path}.cache_hint.ttl", found)


def _media(media: pb.MediaPart, path: str, found: Found) -> None:
    match media.WhichOneof("source"):
        case None:
            found.append(Violation(path, "has no source; set data, uri or file_id"))
        case "data":
            if not media.data:
                found.append(Violation(f"{path}.data", "is empty"))
            if not media.mime_type:
                found.append(Violation(f"{path}.mime_type", 'is required with data, e.g. "image/png"'))
        case "uri":
            _uri(media.uri, f"{path}.uri", found)
        case "file_id":
            not_empty(media.file_id, f"{path}.file_id", found)


def _uri(uri: str, path: str, found: Found) -> None:
    scheme = _SCHEME.match(uri)
    if scheme is None or scheme.group().lower() in _REFUSED_SCHEMES:
        found.append(Violation(path, "must be an https: link, or of a vendor's scheme such as gs:; send bytes of your own in data"))


def _tool_call(call: pb.ToolCallPart, path: str, found: Found) -> None:
    not_empty(call.tool_call_id, f"{path}.tool_call_id", found)
    not_empty(call.name, f"{path}.name", found)


def _tool_result(result: pb.ToolResultPart, path: str, found: Found) -> None:
    if not result.tool_call_id:
        found.append(Violation(f"{path}.tool_call_id", "is required: the id of the tool_call that this answers"))
    for index, part in enumerate(result.parts):
        kind = part.WhichOneof("content")
        if kind not in _MODALITIES:
            found.append(Violation(f"{path}.parts[{index}]", "only text and media are allowed in a tool_result"))
        elif kind == "media":
            _media(part.media, f"{path}.parts[{index}].media", found)


def _provider_part(part: pb.ProviderPart, path: str, found: Found) -> None:
    not_empty(part.provider, f"{path}.provider", found)
    not_empty(part.json, f"{path}.json", found)


def _generation(settings: pb.GenerationSettings, path: str, found: Found) -> None:
    found.extend(check_generation(settings, path))


def cache_settings(settings: pb.CacheSettings, path: str, found: Found) -> None:
    """Add what is wrong with wishes about the cache."""
    check_fields(settings, _CACHE, f"{path}.", found)


def _namespace(value: str, path: str, found: Found) -> None:
    if not NAMESPACE.fullmatch(value):
        found.append(Violation(path, "has 1 to 64 characters: letters, digits, and any of ._:/-"))


_SPEAKING = frozenset({pb.ROLE_UNSPECIFIED, pb.ROLE_SYSTEM, pb.ROLE_DEVELOPER, pb.ROLE_USER, pb.ROLE_ASSISTANT})
_known_role = known(pb.Role.values())
_known_ttl = known(pb.CacheHint.Ttl.values())
_short_name = at_most(64)

_PARTS: dict[str, Check] = {
    "media": _media,
    "tool_call": _tool_call,
    "tool_result": _tool_result,
    "provider_part": _provider_part,
}

_CACHE: dict[str, Check] = {
    "mode": known(pb.CacheSettings.Mode.values()),
    "ttl": positive,
    "max_age": positive,
    "min_similarity": above(0, 1),
    "namespace": _namespace,
}

# What requests of every kind carry.
ENVELOPE: dict[str, Check] = {
    "priority": known(pb.Priority.values()),
    "request_id": all_of(at_most(64), printable),
    "session_id": at_most(128),
    "labels": labels,
}

_CHAT: dict[str, Check] = {
    **ENVELOPE,
    "model": model_name,
    "messages": check_messages,
    "generation": _generation,
    "fallback_models": each(all_of(not_empty, model_name)),
    "cache": cache_settings,
    "end_user_id": at_most(128),
    "max_cost_nano_usd": at_least(0),
}
