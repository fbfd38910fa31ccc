"""Tokens spent, as the contract counts them, from what a vendor says: which may be missing, impossible, or counted in another way."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers.estimate import prompt_tokens, tokens_of
from promptwire_server.providers.json_value import Json, JsonObject, object_in

_MOST = 100_000_000  # no model reads or writes as much in one answer
_KNOWN = frozenset(
    {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details"}
    | {"prompt_cache_hit_tokens", "prompt_cache_miss_tokens", "reasoning_tokens"}
)


def usage_from_wire(wire: Json, call: Call, *, said_characters: int) -> pb.Usage:
    """The usage, with the invariants of the contract. What had to be estimated or corrected is noted in the call's trail.

    `said_characters`: length of all that was generated, reasoning included; from it a missing count is estimated.
    """
    said = object_in(wire)
    usage = pb.Usage()
    usage.input_tokens = _total(said, "prompt_tokens", usage, call, characters=None)
    usage.output_tokens = _total(said, "completion_tokens", usage, call, characters=said_characters)
    if said:
        _details(said, usage, call)
    if usage.estimated:
        code, what = (pb.Notice.CODE_USAGE_CORRECTED, "impossible counts") if said else (pb.Notice.CODE_USAGE_ESTIMATED, "no counts")
        call.notice(code, f"the provider gave {what}; tokens were estimated from the length of the text", "usage")
    return usage


def unknown_usage(wire: Json) -> JsonObject:
    """What a vendor says of usage that the contract has no field for, e.g. its own cost."""
    return {name: value for name, value in object_in(wire).items() if name not in _KNOWN}


def _total(said: JsonObject, name: str, usage: pb.Usage, call: Call, *, characters: int | None) -> int:
    """The count said, or an estimate where it cannot be right. `characters` None: it is the prompt's."""
    count = _count(said.get(name))
    if count is not None and count > 0:
        return count
    estimate = prompt_tokens(call.request) if characters is None else tokens_of(characters)
    if count == 0 and (estimate == 0 or (characters is None and not said.get("completion_tokens"))):
        return 0
    if count is None or estimate:
        usage.estimated = True
    return estimate


def _details(said: JsonObject, usage: pb.Usage, call: Call) -> None:
    prompt = object_in(said.get("prompt_tokens_details"))
    completion = object_in(said.get("completion_tokens_details"))
    reasoning = _count(completion.get("reasoning_tokens")) or _count(said.get("reasoning_tokens")) or 0
    total = _count(said.get("total_tokens"))
    # Some vendors leave reasoning out of the completion; their total gives them away, or that the part is larger than the whole.
    if reasoning and (reasoning > usage.output_tokens or total == usage.input_tokens + usage.output_tokens + reasoning):
        usage.output_tokens += reasoning
    cached = _count(prompt.get("cached_tokens")) or _count(said.get("prompt_cache_hit_tokens")) or 0
    parts = {
        "cached_input_tokens": (cached, usage.input_tokens),
        "cache_write_5m_tokens": (_count(prompt.get("cache_write_tokens")) or 0, max(0, usage.input_tokens - cached)),
        "reasoning_tokens": (reasoning, usage.output_tokens),
        "input_audio_tokens": (_count(prompt.get("audio_tokens")) or 0, usage.input_tokens),
        "input_image_tokens": (_count(prompt.get("image_tokens")) or 0, usage.input_tokens),
        "output_audio_tokens": (_count(completion.get("audio_tokens")) or 0, usage.output_tokens),
        "output_image_tokens": (_count(completion.get("image_tokens")) or 0, usage.output_tokens),
    }
    for name, (count, most) in parts.items():
        if count:
            setattr(usage, name, min(count, most))
        if count > most:
            call.notice(
                pb.Notice.CODE_USAGE_CORRECTED, f"the provider counted {count}, more than there are at all ({most})", f"usage.{name}"
            )


def _count(value: Json) -> int | None:
    """The number of tokens, or None when it is none: absent, no number, negative or absurd."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:  # noqa: PLR2004 - digits of _MOST, and one
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= _MOST else None
