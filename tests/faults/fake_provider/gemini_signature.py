"""Thought signatures of the Gemini dialect: opaque to callers, proved when they come back."""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence

from tests.faults.fake_provider import seal
from tests.faults.fake_provider.reply import JsonObject

PURPOSE = "gemini thought"
MISSING = (
    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and "
    "missing thought_signature may lead to degraded model performance. Additional data, function call `default_api:{name}` , "
    "position {position}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
)
CORRUPTED = "Corrupted thought signature."
# The API takes these for calls that it did not make itself, as they stand or as base64.
_DUMMIES = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
SKIPPED = frozenset((*_DUMMIES, *(b64encode(text.encode()).decode() for text in _DUMMIES)))


def signature(part: JsonObject, salt: str) -> str:
    """Return the signature of a part: a call's is bound to the call, any other is free."""
    return seal.signature(PURPOSE, _subject(part), salt)


def problems(contents: Sequence[JsonObject], *, every_call: bool) -> Iterator[str]:
    """Yield what is wrong with the signatures of a replayed conversation.

    A changed one is wrong anywhere. A missing one is wrong on the first call of each step since
    the user last spoke, with `every_call` on all of these.
    """
    turn = max((at for at, content in enumerate(contents) if _speaks(content)), default=0)
    for at, content in enumerate(contents):
        calls = [part for part in content.get("parts") or () if "functionCall" in part]
        needed = calls if every_call else calls[:1]
        for part in content.get("parts") or ():
            given = part.get("thoughtSignature")
            if given is not None and given not in SKIPPED and not _is_ours(given, part):
                yield CORRUPTED
            if not given and at > turn and any(part is call for call in needed):
                yield MISSING.format(name=part["functionCall"].get("name"), position=at + 1)


def _is_ours(given: str, part: JsonObject) -> bool:
    # The wire's bytes may come in either alphabet of base64.
    return seal.signs(given.replace("-", "+").replace("_", "/"), PURPOSE, _subject(part))


def _speaks(content: JsonObject) -> bool:
    parts = content.get("parts") or ()
    return content.get("role", "user") == "user" and not any("functionResponse" in part for part in parts)


def _subject(part: JsonObject) -> str:
    if "functionCall" not in part:
        return ""
    call = part["functionCall"]
    return f"{call.get('name')} {json.dumps(_plain(call.get('args') or {}), sort_keys=True)}"


def _plain(value: object) -> object:
    """Return the value with 7.0 as 7: to the API all numbers are doubles."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
